package acceptance

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// sourceTable is what the product's own guide says about its roles: "OWNER can
// manage organization settings, users, and ownership transfer; ADMIN can manage
// organization settings, users, invitations, endpoints, and targets; USER can
// create and manage delivery configuration, but cannot manage organization
// users; VIEWER can view organization resources but cannot mutate settings,
// endpoints, targets, users, or other configuration." An owner can do what an
// administrator can.
var sourceTable = map[string]string{ // by permission: the roles that have it
	"organization.read":    "OWNER ADMIN USER VIEWER",
	"organization.update":  "OWNER ADMIN",
	"members.read":         "OWNER ADMIN VIEWER",
	"members.invite":       "OWNER ADMIN",
	"members.change_roles": "OWNER ADMIN",
	"members.remove":       "OWNER ADMIN",
	"invitations.read":     "OWNER ADMIN VIEWER",
	"history.read":         "OWNER ADMIN VIEWER",
	"settings.read":        "OWNER ADMIN VIEWER",
	"settings.update":      "OWNER ADMIN",
	"webhooks.read":        "OWNER ADMIN VIEWER",
	"webhooks.manage":      "OWNER ADMIN",
	"ownership.transfer":   "OWNER",
	"app:settings.read":    "OWNER ADMIN VIEWER",
	"app:settings.manage":  "OWNER ADMIN",
	"app:endpoints.read":   "OWNER ADMIN USER VIEWER",
	"app:endpoints.manage": "OWNER ADMIN",
	"app:targets.read":     "OWNER ADMIN USER VIEWER",
	"app:targets.manage":   "OWNER ADMIN",
	"app:delivery.read":    "OWNER ADMIN USER VIEWER",
	"app:delivery.manage":  "OWNER ADMIN USER",
}

func TestX3_PermissionCheck(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		c := s.newCast(t)
		host := s.keyFor(t, "access.check")

		t.Run("every role, every permission, as the source says", func(t *testing.T) {
			held := make(map[string]bool)
			for role, p := range map[string]*person{"OWNER": c.owner, "ADMIN": c.admin, "USER": c.user, "VIEWER": c.viewer} {
				for permission, roles := range sourceTable {
					want := slices.Contains(strings.Fields(roles), role)
					if got := host.may(t, c.org, p.AccountID, permission); got != want {
						t.Errorf("%s %s: %v", role, permission, got)
					}
				}
				for _, permission := range p.organization(t, c.org).YourPermissions {
					held[permission] = true
				}
			}
			is.New(t).Equal(slices.Sorted(maps.Keys(held)), slices.Sorted(maps.Keys(sourceTable))) // the table is whole
		})

		t.Run("the host's own resources belong to an organization", func(t *testing.T) {
			is := is.New(t)
			ask := func(p *person, action string, resource obj) decisionDoc {
				return decoded[decisionDoc](t, host.post(evaluation, obj{"subject": user(p.AccountID), "action": todo(action), "resource": resource}))
			}
			endpoint := obj{"type": "app:endpoint", "id": "42", "properties": obj{"organization_id": c.org, "colour": "red"}}
			is.True(*ask(c.admin, "app:endpoints.manage", endpoint).Decision)
			is.True(!*ask(c.user, "app:endpoints.manage", endpoint).Decision)
			is.True(*ask(c.user, "app:endpoints.read", endpoint).Decision)
			elsewhere := obj{"type": "app:endpoint", "id": "42", "properties": obj{"organization_id": "0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11"}}
			is.Equal(ask(c.admin, "app:endpoints.manage", elsewhere).Context.Reason, "organization_unknown")
			p := refused(t, host.post(evaluation, obj{"subject": user(c.admin.AccountID), "action": todo("app:endpoints.manage"), "resource": obj{"type": "app:endpoint", "id": "42"}}), 400, "malformed")
			is.Equal(p.Errors[0].Field, "resource.properties.organization_id")
		})

		t.Run("a subject is an account, by its id or its address", func(t *testing.T) {
			is := is.New(t)
			byEmail := func(address string) decisionDoc {
				return decoded[decisionDoc](t, host.post(evaluation, obj{"subject": obj{"type": "email", "id": address}, "action": todo("members.invite"), "resource": inOrganization(c.org)}))
			}
			is.True(*byEmail(c.admin.Email).Decision)
			is.True(*byEmail(strings.ToUpper(c.admin.Email)).Decision)
			is.Equal(byEmail(c.user.Email).Context.Reason, "permission_missing")
			is.Equal(byEmail("nobody@example.com").Context.Reason, "not_a_member")
			is.Equal(byEmail("no address").Context.Reason, "not_a_member")
		})

		t.Run("what nobody knows is denied, and says what", func(t *testing.T) {
			is := is.New(t)
			is.Equal(host.why(t, c.org, c.user.AccountID, "members.invite"), "permission_missing")
			is.Equal(host.why(t, c.org, c.owner.AccountID, "app:nothing.do"), "permission_unknown")
			is.Equal(host.why(t, c.org, c.owner.AccountID, ""), "permission_unknown")
			is.Equal(host.why(t, c.org, c.stranger.AccountID, "organization.read"), "not_a_member")
			is.Equal(host.why(t, c.org, "nobody", "organization.read"), "not_a_member")
			is.Equal(host.why(t, c.org, c.removed.AccountID, "organization.read"), "member_removed")
			is.Equal(host.why(t, "0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11", c.owner.AccountID, "organization.read"), "organization_unknown")
			is.Equal(host.why(t, "../../etc/passwd", c.owner.AccountID, "organization.read"), "organization_unknown")
			reason := func(subject, resource obj) string {
				return decoded[decisionDoc](t, host.post(evaluation, obj{"subject": subject, "action": todo("organization.read"), "resource": resource})).Context.Reason
			}
			is.Equal(reason(obj{"type": "robot", "id": c.owner.AccountID}, inOrganization(c.org)), "subject_type_unknown")
			is.Equal(reason(user(c.owner.AccountID), obj{"type": "document", "id": c.org}), "resource_type_unknown")
			denied := decoded[decisionDoc](t, host.ask(c.org, c.user.AccountID, "members.invite"))
			is.Equal(denied.Context.Message, "Request the admin role from a current admin; transferring the ownership takes the owner.") // the source's words
		})

		t.Run("one organization says nothing about another", func(t *testing.T) {
			is := is.New(t)
			other := s.signUp(t, "Other")
			org := decoded[receipt](t, other.activate(unique("Other"))).OrganizationID
			is.True(host.may(t, org, other.AccountID, "ownership.transfer"))
			is.Equal(host.why(t, org, c.owner.AccountID, "organization.read"), "not_a_member")
			is.Equal(host.why(t, c.org, other.AccountID, "organization.read"), "not_a_member")
		})

		t.Run("who may ask", func(t *testing.T) {
			is := is.New(t)
			is.True(c.user.may(t, c.org, c.user.AccountID, "app:delivery.manage")) // about oneself
			refused(t, c.user.ask(c.org, c.admin.AccountID, "organization.read"), 403, "permission_denied")
			is.True(c.viewer.may(t, c.org, c.admin.AccountID, "members.invite")) // with members.read
			is.Equal(c.viewer.why(t, c.org, c.stranger.AccountID, "members.invite"), "not_a_member")
			// To who does not belong, there is no organization.
			for _, org := range []string{c.org, "0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11"} {
				for _, p := range []*person{c.stranger, c.removed} {
					r := p.ask(org, p.AccountID, "organization.read")
					is.Equal(decoded[decisionDoc](t, r).Context.Reason, "not_a_member")
					is.Equal(r.header.Get("Tenure-Position"), "")
					is.True(p.explain(t, org, p.AccountID, "organization.read").Context.Explanation == nil)
					is.Equal(p.ask(org, c.owner.AccountID, "organization.read").body, c.stranger.ask("x", c.owner.AccountID, "organization.read").body)
					refused(t, p.ask(org, c.owner.AccountID, "organization.read"), 403, "permission_denied")
				}
			}
			refused(t, s.anonymous().ask(c.org, c.owner.AccountID, "organization.read"), 401, "not_signed_in")
			for _, scope := range []string{"operator", "organizations.read"} {
				refused(t, s.keyFor(t, scope).ask(c.org, c.owner.AccountID, "organization.read"), 403, "permission_denied")
			}
			is.True(s.operator().may(t, c.org, c.owner.AccountID, "organization.read")) // the first key may do everything
		})

		t.Run("sessions and keys that have ended ask nothing", func(t *testing.T) {
			member := c.newMember(t, "ADMIN")
			ok(t, member.ask(c.org, member.AccountID, "members.invite"))
			ok(t, member.delete("/v1/sessions/current"))
			refused(t, member.ask(c.org, member.AccountID, "members.invite"), 401, "not_signed_in")
			made := decoded[receipt](t, s.operator().createKey("brief", "access.check"))
			key := client{server: s, token: made.Key}
			ok(t, key.ask(c.org, member.AccountID, "members.invite"))
			ok(t, s.operator().delete("/v1/operator/api-keys/"+made.APIKeyID))
			refused(t, key.ask(c.org, member.AccountID, "members.invite"), 401, "not_signed_in")
		})

		t.Run("the answers survive a restart", func(t *testing.T) {
			is := is.New(t)
			before := host.explain(t, c.org, c.admin.AccountID, "members.invite")
			c.restart(t)
			is.Equal(host.explain(t, c.org, c.admin.AccountID, "members.invite"), before)
			is.Equal(host.why(t, c.org, c.removed.AccountID, "organization.read"), "member_removed")
		})
	})
}

// Every change counts in the first check after its answer.
func TestX3_AtOnce(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, withOwnRedis())
		c := s.newCast(t)
		host := s.keyFor(t, "access.check")
		is := is.New(t)
		for range 20 {
			ok(t, c.owner.changeRole(c.org, c.user, "ADMIN"))
			is.True(host.may(t, c.org, c.user.AccountID, "members.invite"))
			ok(t, c.owner.changeRole(c.org, c.user, "USER"))
			is.Equal(host.why(t, c.org, c.user.AccountID, "members.invite"), "permission_missing")
		}
		changed := ok(t, c.owner.changeRole(c.org, c.user, "ADMIN"))
		is.Equal(host.ask(c.org, c.user.AccountID, "members.invite").header.Get("Tenure-Position"), changed.header.Get("Tenure-Position"))
		ok(t, c.owner.remove(c.org, c.user))
		is.Equal(host.why(t, c.org, c.user.AccountID, "organization.read"), "member_removed")
		is.Equal(c.user.why(t, c.org, c.user.AccountID, "organization.read"), "not_a_member")
		c.join(t, c.user, "VIEWER")
		is.True(host.may(t, c.org, c.user.AccountID, "members.read"))

		is.True(!host.may(t, c.org, c.admin.AccountID, "ownership.transfer"))
		ok(t, c.owner.requestTransfer(c.org, c.admin))
		is.True(!host.may(t, c.org, c.admin.AccountID, "ownership.transfer")) // until it is confirmed
		ok(t, s.anonymous().confirmTransfer(s.tokenTo(t, c.owner.Email, transferPage, 1)))
		is.True(host.may(t, c.org, c.admin.AccountID, "ownership.transfer"))
		is.True(!host.may(t, c.org, c.owner.AccountID, "ownership.transfer"))

		// A check does not wait for the views.
		release := s.stores.blockViews(t)
		defer release()
		ok(t, c.admin.changeRole(c.org, c.viewer, "ADMIN"))
		is.True(host.may(t, c.org, c.viewer.AccountID, "members.invite"))
		is.Equal(host.explain(t, c.org, c.viewer.AccountID, "members.invite").Context.Explanation.Member.Roles[0].Given.Actor.ID, c.admin.AccountID)
	})
}

// Checks beside changes: a check that begins after a change was answered never
// shows what was before.
func TestX3_NeverBehind(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		c := s.newCast(t)
		host := s.keyFor(t, "access.check")
		done := make(chan struct{})
		time.AfterFunc(2*time.Second, func() { close(done) })
		checked := 0
		together(
			func() {
				for i := 0; ; i++ { // another member's changes, at the same time
					select {
					case <-done:
						return
					default:
						c.owner.changeRole(c.org, c.viewer, []string{"USER", "VIEWER"}[i%2])
					}
				}
			},
			func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					for role, want := range map[string]bool{"ADMIN": true, "USER": false} {
						if r := c.owner.changeRole(c.org, c.user, role); !r.done() {
							t.Error(r)
							return
						}
						if r := host.ask(c.org, c.user.AccountID, "members.invite"); strings.Contains(string(r.body), `"decision":true`) != want {
							t.Errorf("%s: %v", role, r)
						}
						checked++
					}
				}
			},
		)
		is.New(t).True(checked > 20)
	})
}
