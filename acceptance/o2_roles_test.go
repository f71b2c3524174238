package acceptance

import (
	"slices"
	"testing"

	"github.com/matryer/is"
)

func TestO2_RolesAndWhatTheyAllow(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		invited := func(t *testing.T) string {
			t.Helper()
			return decoded[receipt](t, c.owner.invite(c.org, unique("guest")+"@example.com", unique("guest"), "USER")).InvitationID
		}

		t.Run("OWNER manages settings, users and the ownership transfer", func(t *testing.T) {
			target := c.newMember(t, "USER")
			ok(t, c.owner.rename(c.org, unique("Renamed")))
			ok(t, c.owner.set(c.org, "settings", map[string]string{"zone": "Europe/Vienna"}))
			c.mayManageUsers(t, c.owner, target)
			ok(t, c.owner.requestTransfer(c.org, c.admin))
			ok(t, c.owner.transfer(c.org))
			ok(t, c.owner.cancelTransfer(c.org))
		})

		t.Run("ADMIN manages settings, users and invitations", func(t *testing.T) {
			target := c.newMember(t, "USER")
			ok(t, c.admin.rename(c.org, unique("Renamed")))
			ok(t, c.admin.set(c.org, "settings", map[string]string{"zone": "Europe/Paris"}))
			c.mayManageUsers(t, c.admin, target)
		})

		t.Run("ADMIN does not transfer the ownership", func(t *testing.T) {
			refused(t, c.admin.requestTransfer(c.org, c.user), 403, "permission_denied")
			ok(t, c.owner.requestTransfer(c.org, c.user))
			refused(t, c.admin.cancelTransfer(c.org), 403, "permission_denied")
			ok(t, c.owner.cancelTransfer(c.org))
		})

		t.Run("USER manages no users", func(t *testing.T) {
			c.maySeeUsers(t, c.user, 403)
			c.changesNothing(t, c.user, invited(t))
		})

		t.Run("USER sees the organization and their own membership", func(t *testing.T) {
			is := is.New(t)
			is.Equal(c.user.organization(t, c.org).OrganizationID, c.org)
			is.Equal(c.user.roleOf(t, c.org, c.user), "USER")
			refused(t, c.user.get(orgPath(c.org, "settings")), 403, "permission_denied")
		})

		t.Run("VIEWER reads everything of the organization", func(t *testing.T) {
			is := is.New(t)
			is.Equal(c.viewer.organization(t, c.org).OrganizationID, c.org)
			is.Equal(c.viewer.members(t, c.org, ""), c.owner.members(t, c.org, ""))
			is.Equal(c.viewer.invitations(t, c.org, ""), c.owner.invitations(t, c.org, ""))
			is.Equal(c.viewer.history(t, c.org), c.owner.history(t, c.org))
			is.Equal(c.viewer.historyOf(t, c.org, c.admin), c.owner.historyOf(t, c.org, c.admin))
			is.Equal(decoded[settingsDoc](t, c.viewer.get(orgPath(c.org, "settings"))).Settings, map[string]string{"zone": "Europe/Paris"})
		})

		t.Run("VIEWER changes nothing", func(t *testing.T) {
			c.changesNothing(t, c.viewer, invited(t))
			refused(t, c.viewer.set(c.org, "settings", map[string]string{}), 403, "permission_denied")
		})

		t.Run("who does not belong sees nothing and changes nothing", func(t *testing.T) {
			for _, p := range []*person{c.stranger, c.removed} {
				refused(t, p.get(orgPath(c.org)), 404, "not_found")
				refused(t, p.get(orgPath(c.org, "members")), 404, "not_found")
				refused(t, p.rename(c.org, "Mine"), 404, "not_found")
				refused(t, p.invite(c.org, "x@example.com", "x", "USER"), 404, "not_found")
				refused(t, p.remove(c.org, c.viewer), 404, "not_found")
			}
		})

		t.Run("what the host product guards stands among the permissions of the role", func(t *testing.T) {
			is := is.New(t)
			may := func(p *person, permission string) bool {
				o := p.organization(t, c.org)
				return slices.Contains(o.YourPermissions, permission)
			}
			for _, guarded := range []string{"app:endpoints.manage", "app:targets.manage", "app:settings.manage"} {
				is.True(may(c.owner, guarded))
				is.True(may(c.admin, guarded))
				is.True(!may(c.user, guarded))
				is.True(!may(c.viewer, guarded))
			}
			is.True(may(c.user, "app:delivery.manage"))
			is.True(!may(c.viewer, "app:delivery.manage"))
			for _, read := range []string{"app:delivery.read", "app:endpoints.read", "app:targets.read", "app:settings.read"} {
				is.True(may(c.viewer, read))
			}
			is.Equal(c.viewer.organization(t, c.org).YourRoles, []string{"VIEWER"})
		})

		t.Run("roles and what they allow survive a restart", func(t *testing.T) {
			c.restart(t)
			refused(t, c.viewer.rename(c.org, "Mine"), 403, "permission_denied")
			refused(t, c.user.get(orgPath(c.org, "members")), 403, "permission_denied")
			ok(t, c.admin.get(orgPath(c.org, "members")))
		})
	})
}

// mayManageUsers does everything with users; target is removed in the end.
func (c *cast) mayManageUsers(t *testing.T, who, target *person) {
	t.Helper()
	c.maySeeUsers(t, who, 200)
	guest := unique("guest")
	id := decoded[receipt](t, who.invite(c.org, guest+"@example.com", guest, "USER")).InvitationID
	ok(t, who.get(orgPath(c.org, "invitations", id)))
	ok(t, who.resend(c.org, id))
	ok(t, who.revoke(c.org, id))
	ok(t, who.changeRole(c.org, target, "VIEWER"))
	ok(t, who.changeRole(c.org, target, "ADMIN"))
	ok(t, who.remove(c.org, target))
}

func (c *cast) maySeeUsers(t *testing.T, who *person, status int) {
	t.Helper()
	for _, path := range []string{"members", "members/" + c.owner.AccountID, "invitations", "history", "members/" + c.owner.AccountID + "/history"} {
		r := who.get(orgPath(c.org, path))
		if r.status != status {
			t.Fatalf("want %d, got %v", status, r)
		}
	}
}

// changesNothing tries every command of the organization.
func (c *cast) changesNothing(t *testing.T, who *person, invitation string) {
	t.Helper()
	before := c.owner.history(t, c.org)
	for _, r := range []response{
		who.rename(c.org, unique("Renamed")),
		who.invite(c.org, unique("guest")+"@example.com", unique("guest"), "VIEWER"),
		who.resend(c.org, invitation),
		who.revoke(c.org, invitation),
		who.changeRole(c.org, c.viewer, "ADMIN"),
		who.changeRole(c.org, who, "ADMIN"),
		who.remove(c.org, c.admin),
		who.remove(c.org, who),
		who.requestTransfer(c.org, c.user),
		who.cancelTransfer(c.org),
	} {
		p := refused(t, r, 403, "permission_denied")
		is.New(t).Equal(p.Title, "Admin access required")
	}
	is.New(t).Equal(c.owner.history(t, c.org), before)
}
