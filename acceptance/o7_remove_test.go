package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

func TestO7_RemoveMember(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)

		t.Run("admins cannot remove themselves", func(t *testing.T) {
			p := refused(t, c.admin.remove(c.org, c.admin), 409, "self_removal")
			is.New(t).Equal(p.Detail, "Admins cannot remove themselves. Ask another admin.")
		})

		t.Run("the owner cannot be removed directly", func(t *testing.T) {
			for _, by := range []*person{c.admin, c.owner} {
				p := refused(t, by.remove(c.org, c.owner), 409, "owner_protected")
				is.New(t).Equal(p.Detail, "The current owner cannot be demoted or removed directly. Transfer ownership first.")
			}
		})

		t.Run("the last active admin-like member cannot be removed", func(t *testing.T) {
			ok(t, c.owner.remove(c.org, c.admin))
			refused(t, c.owner.remove(c.org, c.owner), 409, "owner_protected")
			c.hasAdmin(t)
			c.join(t, c.admin, "ADMIN")
		})

		t.Run("an active member is removed, and has no access from then on", func(t *testing.T) {
			is := is.New(t)
			p := c.newMember(t, "USER")
			ok(t, p.get(orgPath(c.org)))
			r := decoded[receipt](t, c.admin.remove(c.org, p, header("X-Request-Id", "removal-1")))
			is.Equal(r.types(), "organization.member_removed")
			refused(t, p.get(orgPath(c.org)), 404, "not_found")
			is.Equal(len(all[membershipDoc](t, p.client, "/v1/me/organizations")), 0)
			_, listed := find(c.owner.members(t, c.org, ""), func(m memberDoc) bool { return m.AccountID == p.AccountID })
			is.True(!listed)
			is.Equal(c.owner.member(t, c.org, p).Status, "removed")
			_, listed = find(c.owner.members(t, c.org, "?status=removed"), func(m memberDoc) bool { return m.AccountID == p.AccountID })
			is.True(listed)
		})

		t.Run("one who was removed already is not removed again", func(t *testing.T) {
			refused(t, c.owner.remove(c.org, c.removed), 409, "member_removed")
		})

		t.Run("the account and its other organizations are untouched", func(t *testing.T) {
			p := c.newMember(t, "USER")
			own := decoded[receipt](t, p.activate(unique("Own"))).OrganizationID
			ok(t, c.owner.remove(c.org, p))
			is.New(t).Equal(p.roleOf(t, own, p), "OWNER")
			p.signIn(t)
		})

		t.Run("e-mail and username are free, and a new invitation brings the person back", func(t *testing.T) {
			is := is.New(t)
			p := c.newMember(t, "ADMIN")
			old := c.mailsTo(p.Email, invitePage)[0].token(invitePage)
			ok(t, c.owner.remove(c.org, p))
			refused(t, p.accept(old), 409, "invitation_accepted")
			c.join(t, p, "VIEWER")
			is.Equal(c.owner.roleOf(t, c.org, p), "VIEWER")
		})

		t.Run("two admins who remove each other at the same time: one is left", func(t *testing.T) {
			first, second := c.newMember(t, "ADMIN"), c.newMember(t, "ADMIN")
			together(
				func() { first.remove(c.org, second) },
				func() { second.remove(c.org, first) },
			)
			c.hasAdmin(t)
			is.New(t).True(first.isMember(c.org) != second.isMember(c.org))
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			before, removed := c.owner.members(t, c.org, ""), c.owner.members(t, c.org, "?status=removed")
			c.restart(t)
			is := is.New(t)
			is.Equal(c.owner.members(t, c.org, ""), before)
			is.Equal(c.owner.members(t, c.org, "?status=removed"), removed)
			refused(t, c.removed.get(orgPath(c.org)), 404, "not_found")
		})
	})
}
