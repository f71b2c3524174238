package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// names are the usernames of members with a role, as the list finds them.
func (c client) holdersOf(t *testing.T, org, query string) string {
	t.Helper()
	var found []string
	for _, m := range all[memberDoc](t, c, orgPath(org, "members")+query) {
		found = append(found, m.Username)
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

func sorted(names ...string) string {
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestX10_AnOrganizationMovesToAnotherPolicy(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, withFlags("--session-lifetime", "1000h"))
		c := s.newCast(t)
		operator := c.operator()
		for version := 1; version <= 2; version++ {
			ok(t, operator.publish(club(t, version)))
		}
		guest, late := c.newPerson("Guest"), c.newPerson("Late")
		pending := decoded[receipt](t, c.owner.invite(c.org, guest.Email, guest.Name, "USER")).InvitationID
		expired := decoded[receipt](t, c.owner.invite(c.org, late.Email, late.Name, "VIEWER")).InvitationID
		known := decoded[receipt](t, c.owner.invite(c.org, c.stranger.Email, c.stranger.Name, "ADMIN")).InvitationID
		s.shiftClock(t, 8*24*time.Hour)
		eventually(t, "the invitations have expired", func() bool { return c.owner.invitation(t, c.org, expired).Status == "expired" })
		for _, id := range []string{pending, known} {
			ok(t, c.owner.resend(c.org, id))
		}
		ok(t, c.owner.requestTransfer(c.org, c.user))
		founding := c.owner.history(t, c.org)[0]

		t.Run("refused as long as it does not fit", func(t *testing.T) {
			is := is.New(t)
			before := s.everything(t)
			without := func(role string, become ...string) obj {
				changed := obj{}
				for name, become := range toClub {
					changed[name] = become
				}
				changed[role] = become
				return changed
			}
			p := refused(t, operator.moveTo(c.org, "club", 0, obj{"OWNER": []string{"CHAIR"}}), 422, "role_unmapped")
			is.Equal(p.Detail, "Say what these roles become, which members or open invitations have: ADMIN, USER, VIEWER.")
			refused(t, operator.moveTo(c.org, "club", 1, without("USER", "STAR")), 422, "role_unknown")
			refused(t, operator.moveTo(c.org, "club", 1, without("STAR", "FAN")), 422, "role_unknown")
			refused(t, operator.moveTo(c.org, "club", 1, without("USER")), 422, "role_count")
			refused(t, operator.moveTo(c.org, "club", 1, without("USER", "FAN", "PLAYER")), 422, "role_count")
			refused(t, operator.moveTo(c.org, "club", 1, without("OWNER", "BOARD")), 409, "policy_impossible")
			refused(t, operator.moveTo(c.org, "club", 1, without("ADMIN", "CHAIR")), 409, "policy_impossible")
			refused(t, operator.moveTo(c.org, "seats", 1, obj{"OWNER": []string{"Member"}, "ADMIN": []string{"Member"}, "USER": []string{"Member"}, "VIEWER": []string{"Member"}}), 409, "last_admin")
			refused(t, operator.moveTo(c.org, "choir", 0, toClub), 422, "invalid")
			refused(t, operator.moveTo(c.org, "club", 3, toClub), 422, "invalid")
			huge := refused(t, operator.put("/v1/operator/organizations/"+c.org+"/policy", obj{"policy": "club", "version": 1e30}), 422, "invalid")
			is.Equal(fmt.Sprint(huge.Errors[0].Field, ": ", huge.Errors[0].Message), "version: Give a smaller number.")
			refused(t, operator.moveTo(pending, "club", 1, toClub), 404, "not_found")
			refused(t, c.owner.moveTo(c.org, "club", 1, toClub), 403, "permission_denied")
			would := decoded[receipt](t, operator.moveTo(c.org, "club", 1, toClub, dryRun))
			is.Equal(would.types(), "organization.ownership_transfer_ended organization.policy_changed")
			is.Equal(s.everything(t), before)
		})

		roleNow := func(t *testing.T, p *person) string { return c.owner.roleOf(t, c.org, p) }
		t.Run("in one event, for everybody", func(t *testing.T) {
			is := is.New(t)
			key := idempotencyKey(unique("move"))
			r := ok(t, operator.moveTo(c.org, "club", 1, toClub, key))
			sameAnswer(t, "move", r, operator.moveTo(c.org, "club", 1, toClub, key))
			is.Equal(decoded[receipt](t, operator.moveTo(c.org, "club", 1, toClub)).types(), "") // it is there
			is.Equal(c.owner.policyOf(t, c.org), "club@1")
			is.Equal(c.owner.organization(t, c.org).Policy, "club")
			refused(t, c.owner.transfer(c.org), 404, "not_found") // was voided

			for p, role := range map[*person]string{c.owner: "CHAIR", c.admin: "BOARD", c.user: "PLAYER", c.viewer: "FAN"} {
				is.Equal(roleNow(t, p), role)
				is.Equal(p.organization(t, c.org).YourRoles, []string{role})
				mine, _ := find(all[membershipDoc](t, p.client, "/v1/me/organizations"), func(m membershipDoc) bool { return m.OrganizationID == c.org })
				is.Equal(mine.Roles, []string{role})
			}
			is.Equal(roleNow(t, c.removed), "USER") // as it was removed
			is.Equal(c.owner.holdersOf(t, c.org, "?role=PLAYER"), c.user.Name)
			is.Equal(c.owner.holdersOf(t, c.org, "?role=USER"), "")
			is.Equal(c.owner.holdersOf(t, c.org, "?role=PLAYER&status=present"), sorted(c.user.Name, guest.Name))
			is.Equal(c.owner.holdersOf(t, c.org, "?role=BOARD&q=example"), c.admin.Name)
			is.Equal(c.owner.invitation(t, c.org, pending).Roles, []string{"PLAYER"})
			is.Equal(c.owner.invitation(t, c.org, expired).Roles, []string{"FAN"})
			is.Equal(len(c.owner.invitations(t, c.org, "?role=BOARD&status=pending")), 1)
			is.Equal(len(c.owner.invitations(t, c.org, "?role=ADMIN&status=accepted")), 1) // as it was accepted
			is.Equal(all[invitationDoc](t, c.stranger.client, "/v1/me/invitations")[0].Roles, []string{"BOARD"})
			if strings.Contains(string(ok(t, c.owner.get(orgPath(c.org, "members")+"?status=present")).body), "roles_at") {
				t.Error("the list shows what is the view's own")
			}
		})

		t.Run("which decides from then on", func(t *testing.T) {
			is := is.New(t)
			refused(t, c.owner.changeRole(c.org, c.user, "ADMIN"), 422, "role_unknown")
			refused(t, c.owner.changeRole(c.org, c.owner, "BOARD"), 409, "owner_protected")
			ok(t, c.owner.changeRole(c.org, c.user, "BOARD"))
			is.True(operator.may(t, c.org, c.user.AccountID, "members.invite"))
			ok(t, c.owner.changeRole(c.org, c.user, "PLAYER"))
			is.True(!operator.may(t, c.org, c.user.AccountID, "members.read"))

			token := c.invitationTo(t, guest.Email)
			is.Equal(decoded[invitationDoc](t, c.anonymous().lookup(token)).Roles, []string{"PLAYER"})
			guest.enter(*decoded[receipt](t, guest.acceptNew(token)).Session)
			is.Equal(roleNow(t, guest), "PLAYER")
			ok(t, c.owner.resend(c.org, expired))
			is.True(strings.Contains(c.newestMail(t, late.Email, invitePage).Text, "FAN"))
			late.enter(*decoded[receipt](t, late.acceptNew(c.invitationTo(t, late.Email))).Session)
			is.Equal(roleNow(t, late), "FAN")
		})

		t.Run("and again, to a newer version", func(t *testing.T) {
			is := is.New(t)
			refused(t, operator.moveTo(c.org, "club", 0, nil), 422, "role_unmapped") // what is a FAN?
			ok(t, operator.moveTo(c.org, "club", 0, obj{"FAN": []string{"GUEST"}}))
			is.Equal(c.owner.policyOf(t, c.org), "club@2")
			is.True(operator.may(t, c.org, c.user.AccountID, "members.read")) // a PLAYER may by now
			is.Equal(roleNow(t, c.viewer), "GUEST")
			is.Equal(roleNow(t, late), "GUEST")
			is.Equal(c.owner.holdersOf(t, c.org, "?role=GUEST"), sorted(c.viewer.Name, late.Name))
			is.Equal(c.owner.holdersOf(t, c.org, "?role=GUEST&limit=1"), sorted(c.viewer.Name, late.Name)) // page by page
			is.Equal(c.owner.holdersOf(t, c.org, "?role=PLAYER"), sorted(c.user.Name, guest.Name))
			ok(t, c.stranger.accept(c.invitationTo(t, c.stranger.Email)))
			is.Equal(roleNow(t, c.stranger), "BOARD")
		})

		t.Run("the history says so, of the organization and of each member", func(t *testing.T) {
			is := is.New(t)
			var moves []entryDoc
			for _, e := range c.owner.history(t, c.org) {
				if e.Type == "organization.policy_changed.v1" {
					moves = append(moves, e)
				}
			}
			is.Equal(len(moves), 2)
			is.Equal(moves[0].Data["before"], obj{"policy": "ownership", "version": 1.0})
			is.Equal(moves[0].Data["after"], obj{"policy": "club", "version": 1.0})
			is.Equal(moves[0].Reason, "As agreed.")
			is.Equal(moves[0].Actor.Kind, "api_key")
			own := func(p *person) string {
				var told []string
				for _, e := range c.owner.historyOf(t, c.org, p) {
					if e.Roles != nil {
						told = append(told, fmt.Sprint(e.Roles.Before, e.Roles.After))
					}
				}
				return strings.Join(told, " ")
			}
			is.Equal(own(c.viewer), "[VIEWER] [FAN] [FAN] [GUEST]")
			is.Equal(own(late), "[FAN] [GUEST]") // joined in between
			is.Equal(own(c.stranger), "")        // and after
			is.Equal(own(c.removed), "")
		})

		t.Run("what was decided before stays decided under the policy of its time", func(t *testing.T) {
			is := is.New(t)
			is.Equal(c.owner.history(t, c.org)[0], founding)
			is.Equal(founding.Data["policy"], "ownership")
			x := operator.explain(t, c.org, c.user.AccountID, "members.read").Context.Explanation
			is.Equal(fmt.Sprint(x.Policy.Name, x.Policy.Version, x.Policy.Since.Type), "club2organization.policy_changed.v1")
			is.Equal(x.Member.Roles[0].Given.Type, "organization.roles_changed.v1") // back to PLAYER
			x = operator.explain(t, c.org, c.viewer.AccountID, "members.read").Context.Explanation
			is.Equal(x.Member.Roles[0].Role, "GUEST")
			is.Equal(x.Member.Roles[0].Given.Position, x.Policy.Since.Position)
		})

		t.Run("a restart and views from the log say the same", func(t *testing.T) {
			is := is.New(t)
			before := snapshotOf(t, operator, c.org)
			mine := string(ok(t, c.viewer.get("/v1/me/organizations")).body)
			s.restart(t)
			is.Equal(snapshotOf(t, operator, c.org), before)
			s.rebuild(t)
			is.Equal(snapshotOf(t, operator, c.org), before)
			is.Equal(string(ok(t, c.viewer.get("/v1/me/organizations")).body), mine)
			is.True(operator.may(t, c.org, c.user.AccountID, "members.read"))
			ok(t, operator.moveTo(c.org, "ownership", 0, obj{"CHAIR": []string{"OWNER"}, "BOARD": []string{"ADMIN"}, "PLAYER": []string{"USER"}, "GUEST": []string{"VIEWER"}}))
			checkInvariants(t, operator, c.org)
		})
	})
}

// Members without a role get one where the new policy asks for it.
func TestX10_AMoveGivesARoleToThoseWhoHaveNone(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, onboarding())
		domain := uniqueDomain()
		ada := s.signUpAt(t, domain, "Ada")
		org, operator := ada.only(t), s.operator()
		bob, eve := s.signUpAt(t, domain, "Bob"), s.newPerson("Eve")
		is.Equal(outcomes(t, ada.decide(org, each("approve", bob))), []string{"approved"})
		ok(t, ada.inviteTo(org, eve, nil))
		move := func(noRole ...string) response {
			return operator.put("/v1/operator/organizations/"+org+"/policy", obj{
				"policy": "ownership", "roles": obj{"ADMINISTRATE_ORGANIZATION": []string{"OWNER"}}, "no_role": noRole,
			})
		}
		refused(t, move(), 422, "role_count")
		refused(t, move("FAN"), 422, "role_unknown")
		ok(t, move("USER"))
		is.Equal(ada.member(t, org, bob).Roles, []string{"USER"})
		is.Equal(len(all[memberDoc](t, ada.client, orgPath(org, "members")+"?status=present&role=USER")), 2)
	})
}

// newestMail is the newest mail to an address with a link to the page.
func (c *cast) newestMail(t *testing.T, address, page string) mail {
	t.Helper()
	c.invitationTo(t, address)
	mails := c.mailsTo(address, page)
	return mails[len(mails)-1]
}

// Exclusive roles hold across organizations, also when a move gives or takes them.
func TestX10_AMoveAndExclusiveRoles(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t)
		operator := s.operator()
		one, other := s.signUp(t, "One"), s.signUp(t, "Other")
		p := s.signUp(t, "Both")
		first, second := one.found(t, "ownership"), other.found(t, "ownership")
		for org, owner := range map[string]*person{first: one, second: other} {
			token := func() string {
				before := len(s.mailsTo(p.Email, invitePage))
				ok(t, owner.invite(org, p.Email, p.Name, "ADMIN"))
				return s.tokenTo(t, p.Email, invitePage, before+1)
			}()
			ok(t, p.accept(token))
		}
		teach := obj{"OWNER": []string{"admin"}, "ADMIN": []string{"author"}, "USER": []string{"participant"}, "VIEWER": []string{"participant"}}
		back := obj{"admin": []string{"OWNER"}, "author": []string{"ADMIN"}, "participant": []string{"USER"}}
		guest := s.newPerson("Guest")
		id := decoded[receipt](t, one.invite(first, guest.Email, guest.Name, "ADMIN")).InvitationID
		is.True(strings.Contains(refused(t, operator.moveTo(first, "moderated", 0, teach), 409, "policy_impossible").Detail, id))
		ok(t, one.revoke(first, id))

		ok(t, operator.moveTo(first, "moderated", 0, teach))
		is.Equal(one.roleOf(t, first, p), "author")
		is.True(strings.Contains(refused(t, operator.moveTo(second, "moderated", 0, teach), 409, "role_exclusive").Detail, p.AccountID))
		is.Equal(other.policyOf(t, second), "ownership@1")
		is.Equal(other.roleOf(t, second, p), "ADMIN")
		ok(t, operator.moveTo(first, "ownership", 0, back)) // gives it back
		ok(t, operator.moveTo(second, "moderated", 0, teach))
		refused(t, operator.moveTo(first, "moderated", 0, teach), 409, "role_exclusive")
		ok(t, one.foundAs("moderated", unique("Third"))) // whoever lost it may have it elsewhere
		refused(t, other.foundAs("moderated", unique("Fourth")), 409, "role_exclusive")
	})
}
