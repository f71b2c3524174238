package acceptance

import (
	"slices"
	"testing"

	"github.com/matryer/is"
)

// The capabilities of the policy of that name.
const (
	administrate    = "ADMINISTRATE_ORGANIZATION"
	manageAccess    = "MANAGE_ACCESS"
	managePlatforms = "MANAGE_PLATFORM_REGISTRATION"
	manageSubs      = "MANAGE_SUBSCRIPTION"
)

func TestC2_CapabilitiesOpenTheirOwnEndpoints(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "capabilities")
		// What each opens besides what every member may.
		opens := map[string][]string{
			"":              {},
			manageAccess:    {"invitations.read", "members.invite", "members.read"},
			managePlatforms: {"platforms.manage", "platforms.read"},
			manageSubs:      {"subscriptions.manage", "subscriptions.read", "trials.start"},
		}
		members := make(map[string]*person)
		for capability := range opens {
			var roles []string
			if capability != "" {
				roles = []string{capability}
			}
			members[capability] = boss.hire(t, org, s.newPerson("Member"), roles...)
		}

		t.Run("each exactly its own", func(t *testing.T) {
			for capability, permissions := range opens {
				want := append([]string{"organization.read"}, permissions...)
				slices.Sort(want)
				is.New(t).Equal(members[capability].permissions(t, org), want)
			}
		})

		t.Run("ADMINISTRATE ORGANIZATION has all of them", func(t *testing.T) {
			all := boss.permissions(t, org)
			for _, permissions := range opens {
				for _, p := range permissions {
					is.New(t).True(slices.Contains(all, p))
				}
			}
			second := boss.hire(t, org, s.newPerson("Second"), administrate)
			is.New(t).Equal(second.permissions(t, org), all)
		})

		t.Run("MANAGE ACCESS invites, and gives no capabilities by that", func(t *testing.T) {
			who := members[manageAccess]
			id := decoded[receipt](t, who.inviteTo(org, s.newPerson("Guest"), nil)).InvitationID
			ok(t, who.resend(org, id))
			ok(t, who.revoke(org, id))
			refused(t, who.inviteTo(org, s.newPerson("Guest"), []string{administrate}), 403, "role_not_grantable")
			refused(t, who.inviteTo(org, s.newPerson("Guest"), []string{manageAccess}), 403, "role_not_grantable")
			refused(t, who.setRoles(org, members[manageSubs], []string{manageAccess}), 403, "permission_denied")
			refused(t, who.remove(org, members[manageSubs]), 403, "permission_denied")
			refused(t, who.rename(org, "Mine"), 403, "permission_denied")
		})

		t.Run("the others do not", func(t *testing.T) {
			for _, capability := range []string{"", managePlatforms, manageSubs} {
				refused(t, members[capability].inviteTo(org, s.newPerson("Guest"), nil), 403, "permission_denied")
				refused(t, members[capability].get(orgPath(org, "members")), 403, "permission_denied")
			}
		})

		t.Run("after a restart as well", func(t *testing.T) {
			before := members[manageAccess].permissions(t, org)
			s.restart(t)
			is.New(t).Equal(members[manageAccess].permissions(t, org), before)
		})
	})
}

func TestC3_TheUsersPageShowsAssignedAndEffectiveCapabilities(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		boss := c.signUp(t, "Boss")
		org := boss.found(t, "capabilities")
		all := []string{administrate, manageAccess, managePlatforms, manageSubs}
		one := boss.hire(t, org, c.newPerson("One"), manageSubs, manageAccess)
		none := boss.hire(t, org, c.newPerson("None"))
		shown := func(t *testing.T, who client, p *person, roles, effective []string) {
			t.Helper()
			is := is.New(t)
			listed, found := find(who.members(t, org, "?limit=2"), func(m memberDoc) bool { return m.AccountID == p.AccountID })
			is.True(found)
			is.Equal(listed.Roles, roles)
			is.Equal(listed.Effective, effective)
			is.Equal(who.member(t, org, p), listed)
		}
		everyone := func(t *testing.T) {
			for _, who := range []client{boss.client, one.client, c.operator()} {
				shown(t, who, boss, []string{administrate}, all)
				shown(t, who, one, []string{manageSubs, manageAccess}, []string{manageAccess, manageSubs})
				shown(t, who, none, []string{}, []string{})
			}
		}
		t.Run("every user is listed with both", everyone)
		t.Run("they see their own", func(t *testing.T) {
			is.New(t).Equal(none.member(t, org, none).Effective, []string{})
		})
		t.Run("after a restart as well", func(t *testing.T) {
			c.restart(t)
			everyone(t)
		})
		t.Run("where no role implies another, a role is all that there is", func(t *testing.T) {
			for _, m := range c.owner.members(t, c.org, "") {
				is.New(t).Equal(m.Effective, nil)
			}
			is.New(t).Equal(c.owner.member(t, c.org, c.admin).Effective, nil)
		})
	})
}

func TestC4_AWholeSetInOneSave(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "capabilities")
		member := boss.hire(t, org, s.newPerson("Member"), manageAccess)

		t.Run("capabilities are switched on and off together, in one event", func(t *testing.T) {
			is := is.New(t)
			done := decoded[receipt](t, boss.setRoles(org, member, []string{managePlatforms, manageSubs}))
			is.Equal(done.types(), "organization.roles_changed")
			is.Equal(done.Events[0].Data["before"], []any{manageAccess})
			is.Equal(done.Events[0].Data["after"], []any{managePlatforms, manageSubs})
			is.Equal(boss.member(t, org, member).Roles, []string{managePlatforms, manageSubs})
			is.Equal(member.permissions(t, org), []string{"organization.read", "platforms.manage", "platforms.read", "subscriptions.manage", "subscriptions.read", "trials.start"})
			refused(t, boss.setRoles(org, member, []string{manageSubs, manageSubs}), 422, "role_count")
			refused(t, boss.setRoles(org, member, []string{manageSubs, "FLY"}), 422, "role_unknown")
		})

		t.Run("the set may be empty", func(t *testing.T) {
			is := is.New(t)
			ok(t, boss.setRoles(org, member, nil))
			is.Equal(boss.member(t, org, member).Roles, []string{})
			is.Equal(member.permissions(t, org), []string{"organization.read"})
		})

		t.Run("never one's own", func(t *testing.T) {
			ok(t, boss.setRoles(org, member, []string{administrate}))
			before := boss.history(t, org)
			for _, who := range []*person{boss, member} {
				for _, roles := range [][]string{nil, {manageAccess}, {administrate}, {administrate, manageAccess}} {
					is.New(t).Equal(refused(t, who.setRoles(org, who, roles), 409, "own_roles_fixed").Title, "Not your own capabilities")
				}
			}
			is.New(t).Equal(boss.history(t, org), before)
			ok(t, member.setRoles(org, boss, []string{manageAccess})) // another one does
			refused(t, boss.setRoles(org, member, nil), 403, "permission_denied")
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			before := member.members(t, org, "")
			s.restart(t)
			is.New(t).Equal(member.members(t, org, ""), before)
		})
	})
}

func TestC5_RemovalLeavesTheAccountAndOtherOrganizations(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, onboarding())
		boss := s.signUp(t, "Boss")
		org, other := boss.found(t, "capabilities"), boss.found(t, "capabilities")
		member := boss.hire(t, org, s.newPerson("Member"), manageAccess)
		own := member.found(t, "capabilities")
		ok(t, boss.inviteTo(other, member, []string{manageSubs}))
		ok(t, member.accept(s.invitationTo(t, member.Email)))
		space := member.space(t)
		ok(t, member.set(space, "settings", map[string]string{"theme": "dark"}))
		ok(t, boss.remove(org, member))

		untouched := func(t *testing.T) {
			is := is.New(t)
			isGone(t, member, org)
			ok(t, member.get("/v1/me"))
			is.Equal(member.member(t, other, member).Roles, []string{manageSubs})
			is.Equal(member.member(t, own, member).Roles, []string{administrate})
			is.Equal(len(member.mine(t)), 2)
			is.Equal(member.space(t), space)
			is.Equal(decoded[settingsDoc](t, member.get(orgPath(space, "settings"))).Settings, map[string]string{"theme": "dark"})
		}
		t.Run("they still have access to everything else", untouched)
		t.Run("and sign in again", func(t *testing.T) {
			member.signIn(t)
			untouched(t)
		})
		t.Run("after a restart as well", func(t *testing.T) {
			s.restart(t)
			untouched(t)
		})
		t.Run("nobody removes themselves", func(t *testing.T) {
			refused(t, boss.remove(org, boss), 409, "self_removal")
		})
	})
}
