package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

func TestO4_ChangeRoles(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)

		t.Run("a member's role is changed, and takes effect at once", func(t *testing.T) {
			is := is.New(t)
			for _, role := range []string{"ADMIN", "VIEWER", "USER"} {
				r := ok(t, c.owner.changeRole(c.org, c.user, role))
				is.Equal(decoded[receipt](t, r).types(), "organization.roles_changed")
				is.Equal(c.owner.roleOf(t, c.org, c.user), role)
				mayInvite := c.user.invite(c.org, unique("guest")+"@example.com", unique("guest"), "USER").done()
				is.Equal(mayInvite, role == "ADMIN")
			}
		})

		t.Run("the same role again changes nothing", func(t *testing.T) {
			r := decoded[receipt](t, c.owner.changeRole(c.org, c.user, "USER"))
			is.New(t).Equal(len(r.Events), 0)
		})

		t.Run("OWNER is no role to give, and exactly one known role is needed", func(t *testing.T) {
			refused(t, c.owner.changeRole(c.org, c.user, "OWNER"), 403, "role_not_grantable")
			refused(t, c.owner.changeRole(c.org, c.user, "KING"), 422, "role_unknown")
			two := c.owner.put(orgPath(c.org, "members", c.user.AccountID, "roles"), map[string]any{"roles": []string{"USER", "ADMIN"}})
			refused(t, two, 422, "role_count")
		})

		t.Run("the current owner cannot be demoted directly", func(t *testing.T) {
			for _, by := range []*person{c.owner, c.admin} {
				p := refused(t, by.changeRole(c.org, c.owner, "ADMIN"), 409, "owner_protected")
				is.New(t).Equal(p.Detail, "The current owner cannot be demoted or removed directly. Transfer ownership first.")
			}
			is.New(t).Equal(c.owner.roleOf(t, c.org, c.owner), "OWNER")
		})

		t.Run("at least one active admin-like member always remains", func(t *testing.T) {
			// Every admin goes, and the owner cannot: one admin-like member is left.
			ok(t, c.admin.changeRole(c.org, c.admin, "USER"))
			refused(t, c.owner.changeRole(c.org, c.owner, "USER"), 409, "owner_protected")
			refused(t, c.owner.remove(c.org, c.owner), 409, "owner_protected")
			c.hasAdmin(t)
			ok(t, c.owner.changeRole(c.org, c.admin, "ADMIN"))
		})

		t.Run("a removed member cannot be modified", func(t *testing.T) {
			p := refused(t, c.owner.changeRole(c.org, c.removed, "ADMIN"), 409, "member_removed")
			is.New(t).Equal(p.Title, "Member removed")
			refused(t, c.owner.remove(c.org, c.removed), 409, "member_removed")
		})

		t.Run("somebody who never was a member cannot be modified", func(t *testing.T) {
			refused(t, c.owner.changeRole(c.org, c.stranger, "ADMIN"), 404, "not_found")
		})

		t.Run("an admin may step down, and has no say after that", func(t *testing.T) {
			second := c.newMember(t, "ADMIN")
			ok(t, second.changeRole(c.org, second, "VIEWER"))
			refused(t, second.changeRole(c.org, second, "ADMIN"), 403, "permission_denied")
		})

		t.Run("admins who demote each other at the same time leave one", func(t *testing.T) {
			second := c.newMember(t, "ADMIN")
			together(
				func() { c.admin.changeRole(c.org, second, "USER") },
				func() { second.changeRole(c.org, c.admin, "USER") },
			)
			c.hasAdmin(t)
			is.New(t).True(c.owner.roleOf(t, c.org, c.admin) != c.owner.roleOf(t, c.org, second))
		})

		t.Run("role changes persist after a restart", func(t *testing.T) {
			before := c.owner.members(t, c.org, "")
			c.restart(t)
			is.New(t).Equal(c.owner.members(t, c.org, ""), before)
			refused(t, c.owner.changeRole(c.org, c.removed, "ADMIN"), 409, "member_removed")
		})
	})
}

// hasAdmin checks that an active OWNER or ADMIN is left.
func (c *cast) hasAdmin(t *testing.T) {
	t.Helper()
	_, found := find(c.owner.members(t, c.org, ""), func(m memberDoc) bool {
		return m.Status == "active" && (m.Roles[0] == "OWNER" || m.Roles[0] == "ADMIN")
	})
	if !found {
		t.Fatal("no admin-like member is left")
	}
}
