package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

const enter = "spaces.enter"

// askOf is the decision about a space, with an explanation.
func (c client) askOf(t *testing.T, org, space string, who *person, action string) decisionDoc {
	t.Helper()
	d := decoded[decisionDoc](t, c.post(evaluation, obj{
		"subject": user(who.AccountID), "action": todo(action), "resource": inSpace(org, space), "context": obj{"tenure_explain": true},
	}))
	plain := decoded[decisionDoc](t, c.post(evaluation, obj{"subject": user(who.AccountID), "action": todo(action), "resource": inSpace(org, space)}))
	is.New(t).Equal(*plain.Decision, *d.Decision) // explained or not
	return d
}

// reasonOf is why somebody may, or may not, in a space.
func (c client) reasonOf(t *testing.T, org, space string, who *person, action string) string {
	t.Helper()
	d := c.askOf(t, org, space, who, action)
	is.New(t).Equal(*d.Decision, d.Context.Reason == "allowed")
	return d.Context.Reason
}

func TestX3_Spaces(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		host := d.keyFor(t, "access.check")
		north, south := d.spaces[0], d.spaces[1]

		t.Run("who may enter: by assignment, or by a role that opens every space", func(t *testing.T) {
			is := is.New(t)
			is.Equal(host.reasonOf(t, d.org, north, d.member, enter), "allowed")
			is.Equal(host.reasonOf(t, d.org, south, d.member, enter), "space_not_assigned")
			is.Equal(host.reasonOf(t, d.org, south, d.admin, enter), "allowed")
			is.Equal(host.reasonOf(t, d.org, d.org, d.admin, enter), "space_unknown")
			is.Equal(host.reasonOf(t, d.org, "", d.admin, enter), "space_unknown")
			is.Equal(host.reasonOf(t, d.org, north, d.out, enter), "not_a_member")
			is.Equal(host.reasonOf(t, unknownID, north, d.member, enter), "organization_unknown")
			other := d.foundedElsewhere(t)
			is.Equal(host.reasonOf(t, other, north, d.out, enter), "space_unknown") // of another organization
			p := refused(t, host.post(evaluation, obj{"subject": user(d.member.AccountID), "action": todo(enter), "resource": obj{"type": "space", "id": north}}), 400, "malformed")
			is.Equal(p.Errors[0].Field, "resource.properties.organization_id")
			is.Equal(host.why(t, d.org, d.admin.AccountID, enter), "permission_unknown") // it is of a space
		})

		t.Run("any other action needs the permission as well", func(t *testing.T) {
			is := is.New(t)
			is.Equal(host.reasonOf(t, d.org, north, d.member, "organization.read"), "allowed")
			is.Equal(host.reasonOf(t, d.org, south, d.member, "organization.read"), "space_not_assigned")
			is.Equal(host.reasonOf(t, d.org, north, d.member, "spaces.manage"), "permission_missing")
			is.Equal(host.reasonOf(t, d.org, north, d.member, "app:nothing.do"), "permission_unknown")
			is.Equal(host.reasonOf(t, d.org, north, d.admin, "spaces.manage"), "allowed")
			several := decoded[decisionsDoc](t, host.post(evaluations, obj{"subject": user(d.member.AccountID), "action": todo(enter), "evaluations": []obj{
				{"resource": inSpace(d.org, north)}, {"resource": inSpace(d.org, south)}, {"resource": inOrganization(d.org), "action": todo("organization.read")},
			}})).Evaluations
			is.Equal([]bool{*several[0].Decision, *several[1].Decision, *several[2].Decision}, []bool{true, false, true})
		})

		t.Run("the explanation names the assignment, and the space", func(t *testing.T) {
			is := is.New(t)
			assigned := ok(t, d.users.put(orgPath(d.org, "members", d.member.AccountID, "spaces"), obj{"spaces": []string{north, south}, "reason": "Helps out."}))
			x := host.askOf(t, d.org, south, d.member, enter).Context.Explanation
			is.Equal(x.Position, assigned.header.Get("Tenure-Position"))
			is.Equal(x.Space.SpaceID, south)
			is.Equal(x.Space.Assigned.Type, "organization.spaces_assigned.v1")
			is.Equal(x.Space.Assigned.Actor.ID, d.users.AccountID)
			is.Equal(x.Space.Assigned.Reason, "Helps out.")
			is.Equal(x.Space.Created.Type, "organization.space_created.v1")
			is.Equal(x.Space.Created.Actor.ID, d.admin.AccountID)
			is.True(x.Space.Deleted == nil)
			is.Equal(x.GrantedBy, x.Space.OpenedBy)
			is.True(!x.Member.Roles[0].Grants)
			before := host.askOf(t, d.org, north, d.member, enter).Context.Explanation.Space.Assigned
			is.True(before.Revision < x.Space.Assigned.Revision) // which it had before
			admin := host.askOf(t, d.org, south, d.admin, enter).Context.Explanation
			is.True(admin.Member.Roles[0].Grants)
			is.True(admin.Space.Assigned == nil)
			is.True(host.askOf(t, d.org, d.org, d.admin, enter).Context.Explanation.Space == nil)
		})

		t.Run("members learn of their own spaces, and of no others", func(t *testing.T) {
			is := is.New(t)
			east := d.spaces[2]
			is.Equal(d.member.reasonOf(t, d.org, north, d.member, enter), "allowed")
			is.Equal(d.member.reasonOf(t, d.org, east, d.member, enter), "space_unknown")
			own := d.member.askOf(t, d.org, north, d.member, enter).Context.Explanation.Space
			is.True(own.Assigned != nil && own.Created == nil)
			is.True(d.member.askOf(t, d.org, east, d.member, enter).Context.Explanation.Space == nil)
			is.Equal(d.out.reasonOf(t, d.org, north, d.out, enter), "not_a_member")
			is.Equal(d.admin.reasonOf(t, d.org, east, d.member, enter), "space_not_assigned")
		})

		t.Run("a space that is deleted, taken away or assigned again counts in the next answer", func(t *testing.T) {
			is := is.New(t)
			ok(t, d.users.assign(d.org, d.member, south))
			is.Equal(host.reasonOf(t, d.org, north, d.member, enter), "space_not_assigned")
			ok(t, d.users.deleteSpace(d.org, south))
			for _, who := range []*person{d.member, d.admin} {
				is.Equal(host.reasonOf(t, d.org, south, who, enter), "space_unknown")
			}
			gone := host.askOf(t, d.org, south, d.member, enter).Context.Explanation.Space
			is.Equal(gone.Deleted.Type, "organization.space_deleted.v1")
			is.Equal(gone.Deleted.Actor.ID, d.users.AccountID)
			is.True(gone.Assigned == nil)
			is.True(d.member.askOf(t, d.org, south, d.member, enter).Context.Explanation.Space == nil)
			ok(t, d.users.assign(d.org, d.member, north))
			is.Equal(host.reasonOf(t, d.org, north, d.member, enter), "allowed")
			ok(t, d.admin.remove(d.org, d.member))
			is.Equal(host.reasonOf(t, d.org, north, d.member, enter), "member_removed")
		})

		t.Run("a suspended member enters nothing, and an author every track", func(t *testing.T) {
			is := is.New(t)
			c := d.newSchool(t)
			track := decoded[spaceDoc](t, c.admin.createSpace(c.org, "First track")).SpaceID
			is.Equal(host.reasonOf(t, c.org, track, c.participant, enter), "space_not_assigned")
			ok(t, c.admin.assign(c.org, c.participant, track))
			is.Equal(host.reasonOf(t, c.org, track, c.participant, "app:scenarios.run"), "allowed")
			is.Equal(host.reasonOf(t, c.org, track, c.participant, "app:scenarios.publish"), "permission_missing")
			is.Equal(host.reasonOf(t, c.org, track, c.author, "app:scenarios.publish"), "allowed")
			for _, p := range []*person{c.participant, c.author} {
				ok(t, c.admin.suspend(c.org, p))
				denied := host.askOf(t, c.org, track, p, enter)
				is.Equal(denied.Context.Reason, "member_suspended")
				is.Equal(denied.Context.Message, "The access is temporarily disabled. An admin of the organization can reactivate the member.")
				ok(t, c.admin.reactivate(c.org, p))
				is.Equal(host.reasonOf(t, c.org, track, p, enter), "allowed") // data preserved
			}
		})

		t.Run("an organization that is deleted, or has no spaces", func(t *testing.T) {
			is := is.New(t)
			plain := d.out.found(t, "ownership")
			is.Equal(host.reasonOf(t, plain, north, d.out, enter), "space_unknown")
			ok(t, d.admin.delete(orgPath(d.org)))
			is.Equal(host.reasonOf(t, d.org, north, d.admin, enter), host.why(t, d.org, d.admin.AccountID, "organization.read"))
		})

		t.Run("the answers survive a restart", func(t *testing.T) {
			d.everything(t) // until the invitations of the deleted organization are revoked
			before := host.askOf(t, d.org, north, d.member, enter)
			d.restart(t)
			is.New(t).Equal(host.askOf(t, d.org, north, d.member, enter), before)
		})
	})
}

// foundedElsewhere is an organization of the same policy, of an outsider.
func (d *delegation) foundedElsewhere(t *testing.T) string {
	t.Helper()
	return d.out.foundedDelegated(t, unique("Elsewhere"))
}
