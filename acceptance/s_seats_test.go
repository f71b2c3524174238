package acceptance

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestS1_TwoRoles(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")
		second := boss.hire(t, org, s.newPerson("Second"), "Administrator")
		member := boss.hire(t, org, s.newPerson("Member"), "Member")

		t.Run("every member is assigned one of two roles", func(t *testing.T) {
			is := is.New(t)
			is.Equal(boss.roleOf(t, org, boss), "Administrator")
			is.Equal(boss.roleOf(t, org, member), "Member")
			guest := s.newPerson("Guest")
			refused(t, boss.inviteTo(org, guest, []string{"ADMIN"}), 422, "role_unknown")
			refused(t, boss.inviteTo(org, guest, []string{"Member", "Administrator"}), 422, "role_count")
			refused(t, boss.setRoles(org, member, nil), 422, "role_count")
		})

		t.Run("only Administrators invite, change roles, and revoke access", func(t *testing.T) {
			id := decoded[receipt](t, second.inviteTo(org, s.newPerson("Guest"), []string{"Administrator"})).InvitationID
			before := boss.history(t, org)
			for _, r := range []response{
				member.inviteTo(org, s.newPerson("Guest"), []string{"Member"}), member.resend(org, id), member.revoke(org, id),
				member.changeRole(org, second, "Member"), member.changeRole(org, member, "Administrator"), member.remove(org, second),
				member.rename(org, "Mine"), member.get(orgPath(org, "members")), member.get(orgPath(org, "invitations")),
			} {
				is.New(t).Equal(refused(t, r, 403, "permission_denied").Title, "Administrators only")
			}
			is.New(t).Equal(boss.history(t, org), before)
			ok(t, second.resend(org, id))
			ok(t, second.revoke(org, id))
			ok(t, second.get(orgPath(org, "members")))
		})

		t.Run("a Member uses the modules, an Administrator manages the rest too", func(t *testing.T) {
			is := is.New(t)
			is.Equal(member.permissions(t, org), []string{"app:modules.use", "organization.read"})
			for _, wanted := range []string{"app:modules.use", "members.invite", "subscriptions.manage", "app:secrets.manage", "billing.manage", "settings.update"} {
				is.True(slices.Contains(second.permissions(t, org), wanted))
			}
		})

		t.Run("an Administrator stays", func(t *testing.T) {
			ok(t, boss.changeRole(org, second, "Member"))
			refused(t, boss.changeRole(org, boss, "Member"), 409, "last_admin")
			refused(t, boss.remove(org, boss), 409, "self_removal")
		})
	})
}

func TestS3_TheAnswerHoldsTheLink(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t, withFlags("--session-lifetime", "1000h")).newCast(t)
		boss := c.signUp(t, "Boss")
		org := boss.found(t, "seats")
		guest := c.newPerson("Guest")
		first := idempotencyKey(unique("key"))
		invited := ok(t, boss.inviteTo(org, guest, []string{"Member"}, first))
		id := decoded[receipt](t, invited).InvitationID
		token := c.tokenOf(t, linkOf(t, invited))

		t.Run("it is not that of the mail, which is sent as well", func(t *testing.T) {
			is.New(t).True(c.tokenTo(t, guest.Email, invitePage, 1) != token)
			ok(t, c.anonymous().lookup(token))
		})

		t.Run("a retry has the same link, a dry run none", func(t *testing.T) {
			sameAnswer(t, "invite", invited, boss.inviteTo(org, guest, []string{"Member"}, first))
			dry := ok(t, boss.inviteTo(org, c.newPerson("Dry"), []string{"Member"}, dryRun))
			is.New(t).Equal(linkOf(t, dry), "")
			dry = ok(t, boss.resend(org, id, dryRun))
			is.New(t).Equal(linkOf(t, dry), "")
			is.New(t).True(!anyToken.Match(dry.body))
		})

		t.Run("it is valid for 14 days", func(t *testing.T) {
			i := boss.invitation(t, org, id)
			is.New(t).Equal(i.ExpiresAt.Sub(i.IssuedAt).Round(time.Second), 14*day)
		})

		t.Run("a resend answers with the new one", func(t *testing.T) {
			key := idempotencyKey(unique("key"))
			again := ok(t, boss.resend(org, id, key))
			fresh := c.tokenOf(t, linkOf(t, again))
			sameAnswer(t, "resend", again, boss.resend(org, id, key))
			is.New(t).True(fresh != token)
			refused(t, c.anonymous().lookup(token), 404, "link_invalid")
			sameAnswer(t, "invite", invited, boss.inviteTo(org, guest, []string{"Member"}, first)) // what the first answer was
			refused(t, guest.acceptNew(fresh), 403, "email_unverified")                            // it proves nothing
			guest.register(t)
			ok(t, guest.accept(fresh))
			is.New(t).True(guest.isMember(org))
		})

		t.Run("other policies keep it for the mail", func(t *testing.T) {
			p := c.newPerson("Guest")
			r := ok(t, c.owner.invite(c.org, p.Email, p.Name, "USER"))
			is.New(t).Equal(linkOf(t, r), "")
			is.New(t).True(!anyToken.Match(r.body))
		})

		t.Run("no read shows it, and nothing stores it", func(t *testing.T) {
			shown := snapshotOf(t, boss.client, org)
			c.searchFor(t, "a read", []byte(shown))
			c.stop(t)
			c.searchFor(t, "the log of the server", c.stderr.bytes())
			for where, text := range c.stores.contents(t) {
				c.searchFor(t, where, text)
			}
		})
	})
}

func TestS3_TheLinkDiesAfter14Days(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, withFlags("--session-lifetime", "1000h"))
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")
		early, late := s.newPerson("Early"), s.newPerson("Late")
		invited := ok(t, boss.inviteTo(org, late, []string{"Member"}))
		second := s.mailedTo(t, late, invited)
		first := s.mailedTo(t, early, boss.inviteTo(org, early, []string{"Member"})) // a moment younger
		issued := boss.invitation(t, org, decoded[receipt](t, invited).InvitationID)
		is := is.New(t)
		is.Equal(issued.ExpiresAt.Sub(issued.IssuedAt).Round(time.Second), 14*day)
		s.stopClock(t, issued.ExpiresAt.Add(-time.Second)) // to the second
		ok(t, s.anonymous().lookup(second))
		ok(t, early.acceptNew(first))
		is.Equal(boss.invitation(t, org, issued.InvitationID).Status, "pending")
		s.stopClock(t, issued.ExpiresAt)
		is.Equal(refused(t, late.acceptNew(second), 410, "invitation_expired").Title, "Invite expired")
		eventually(t, "it is listed as expired", func() bool { return boss.invitation(t, org, issued.InvitationID).Status == "expired" })
	})
}

func TestS4_TheInvitationsListShowsEveryStatus(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, withFlags("--session-lifetime", "1000h"))
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")
		ids := make(map[string]string)
		for _, status := range []string{"expired", "accepted", "revoked"} {
			p := s.newPerson(status)
			r := ok(t, boss.inviteTo(org, p, []string{"Member"}))
			ids[status] = decoded[receipt](t, r).InvitationID
			switch status {
			case "accepted":
				ok(t, p.acceptNew(s.mailedTo(t, p, r)))
			case "revoked":
				ok(t, boss.revoke(org, ids[status]))
			}
		}
		s.shiftClock(t, 14*day+time.Minute)
		ids["pending"] = decoded[receipt](t, boss.inviteTo(org, s.newPerson("pending"), []string{"Administrator"})).InvitationID
		eventually(t, "the invitation is listed as expired", func() bool { return boss.invitation(t, org, ids["expired"]).Status == "expired" })

		check := func(t *testing.T) {
			is := is.New(t)
			is.Equal(len(boss.invitations(t, org, "")), 4)
			for status, id := range ids {
				listed := boss.invitations(t, org, "?status="+status)
				is.Equal(len(listed), 1)
				is.Equal(listed[0].InvitationID, id)
				is.Equal(listed[0].Status, status)
			}
		}
		t.Run("pending, accepted, expired and revoked", check)
		t.Run("after a restart as well", func(t *testing.T) {
			s.restart(t)
			check(t)
			s.rebuild(t)
			check(t)
		})
	})
}

func TestS5_RevokingKillsTheLinkAtOnce(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")
		p := s.newPerson("Guest")
		r := ok(t, boss.inviteTo(org, p, []string{"Member"}))
		token, id := s.tokenOf(t, linkOf(t, r)), decoded[receipt](t, r).InvitationID
		ok(t, s.anonymous().lookup(token))
		ok(t, boss.revoke(org, id))
		for _, r := range []response{s.anonymous().lookup(token), p.acceptNew(token), s.anonymous().decline(token)} {
			refused(t, r, 409, "invitation_revoked")
		}
		is := is.New(t)
		is.Equal(boss.limits(t, org), limitsDoc{Seats: 10, Taken: 1})
		s.restart(t)
		refused(t, p.acceptNew(token), 409, "invitation_revoked")
		ok(t, boss.inviteTo(org, p, []string{"Member"})) // "If the person should still join, send a new invite."
		ok(t, p.acceptNew(s.invitationTo(t, p.Email)))
	})
}

func TestS7_RoleChangesTakeEffectAtOnce(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")
		member := boss.hire(t, org, s.newPerson("Member"), "Member")
		for range 5 {
			ok(t, boss.changeRole(org, member, "Administrator"))
			// Without asking for any position: decisions do not rest on views.
			is.New(t).Equal(member.get(orgPath(org, "members"), anyPosition).status, http.StatusOK)
			ok(t, member.rename(org, unique("Renamed")))
			ok(t, boss.changeRole(org, member, "Member"))
			refused(t, member.get(orgPath(org, "members"), anyPosition), 403, "permission_denied")
			refused(t, member.rename(org, unique("Renamed")), 403, "permission_denied")
		}
		s.restart(t)
		refused(t, member.get(orgPath(org, "members"), anyPosition), 403, "permission_denied")
		is.New(t).Equal(member.roleOf(t, org, member), "Member")
	})
}

func TestS8_RemovalTakesEffectAtOnce(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")
		member := boss.hire(t, org, s.newPerson("Member"), "Administrator")
		elsewhere := member.found(t, "seats")
		open := decoded[receipt](t, member.inviteTo(org, s.newPerson("Guest"), []string{"Member"})).InvitationID
		ok(t, boss.remove(org, member))

		t.Run("the session opens nothing of the organization any more", func(t *testing.T) {
			isGone(t, member, org)
			refused(t, member.inviteTo(org, s.newPerson("Guest"), []string{"Member"}), 404, "not_found")
			refused(t, member.remove(org, boss), 404, "not_found")
			refused(t, member.rename(org, "Mine"), 404, "not_found")
			refused(t, member.get(orgPath(org, "members", member.AccountID)), 404, "not_found")
			mine := all[membershipDoc](t, member.client, "/v1/me/organizations")
			is.New(t).Equal(len(mine), 1)
		})

		t.Run("the account and the other organization stay", func(t *testing.T) {
			ok(t, member.get("/v1/me"))
			ok(t, member.get(orgPath(elsewhere)))
		})

		t.Run("the seat is free, and what was open is revoked", func(t *testing.T) {
			eventually(t, "the invitation is revoked", func() bool { return boss.invitation(t, org, open).Status == "revoked" })
			eventually(t, "its name is given back", func() bool { return boss.limits(t, org) == limitsDoc{Seats: 10, Taken: 1} })
		})

		t.Run("after a restart as well", func(t *testing.T) {
			s.restart(t)
			isGone(t, member, org)
			removed := boss.members(t, org, "?status=removed")
			is.New(t).Equal(len(removed), 1)
			is.New(t).True(strings.HasPrefix(removed[0].DisplayName, "Member"))
		})
	})
}
