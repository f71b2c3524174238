package acceptance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestConcurrency_Races has requests that exclude each other arrive at once.
func TestConcurrency_Races(t *testing.T) {
	onEveryBackendInTurn(t, func(t *testing.T, b backend) {
		s := b.start(t, withProgram(programs.race.binary(t)), startMailServer(t, false).option())
		c := s.newCast(t)

		t.Run("64 invitations with one e-mail: one wins", func(t *testing.T) {
			oneWins(t, 64, func(i int) response {
				return c.owner.invite(c.org, []string{"one@example.com", "ONE@example.com"}[i%2], unique("many"), "USER")
			}, "email_taken")
		})

		t.Run("64 invitations with one username: one wins", func(t *testing.T) {
			oneWins(t, 64, func(i int) response {
				return c.admin.invite(c.org, unique("many")+"@example.com", []string{"One", "ONE", " one "}[i%3], "USER")
			}, "username_taken")
		})

		t.Run("64 activations with one name: one wins", func(t *testing.T) {
			is := is.New(t)
			won := oneWins(t, 64, func(i int) response {
				who := []*person{c.owner, c.admin, c.user, c.stranger}[i%4]
				return who.activate([]string{"The Only One", "the only one", "THEONLYONE", " The  Only\u00a0One "}[i/4%4])
			}, "organization_name_taken")
			named := 0
			for _, o := range all[organizationDoc](t, s.operator(), "/v1/operator/organizations") {
				if strings.ToLower(strings.Join(strings.Fields(o.Name), "")) == "theonlyone" {
					is.Equal(o.OrganizationID, decoded[receipt](t, won).OrganizationID)
					named++
				}
			}
			is.Equal(named, 1)
		})

		t.Run("64 sign-ups with one e-mail make one account", func(t *testing.T) {
			everybody := make([]*person, 64)
			runs := make([]func(), len(everybody))
			for i := range everybody {
				everybody[i] = &person{client: s.anonymous(), Name: "Same", Email: "same@example.com", Password: fmt.Sprintf("the password of %d", i)}
				runs[i] = func() { everybody[i].requestAccount() }
			}
			together(runs...)
			s.everything(t)
			verified := 0
			for _, m := range s.mailsTo("same@example.com", verifyPage) {
				for _, p := range everybody {
					if p.verify(m.token(verifyPage)).done() {
						verified++
					}
				}
			}
			signedIn := 0
			for _, p := range everybody {
				if p.requestSession().done() {
					signedIn++
				}
			}
			is.New(t).Equal(verified, 1)
			is.New(t).Equal(signedIn, 1)
		})

		t.Run("of accepting and revoking exactly one happens", func(t *testing.T) {
			for range 20 {
				p := c.newPerson("Guest")
				id := decoded[receipt](t, c.owner.invite(c.org, p.Email, p.Name, "USER")).InvitationID
				token := c.invitationTo(t, p.Email)
				var accepted, revoked response
				together(
					func() { accepted = p.acceptNew(token) },
					func() { revoked = c.admin.revoke(c.org, id) },
				)
				if accepted.done() == revoked.done() {
					t.Fatalf("both or neither: %v, %v", accepted, revoked)
				}
				_, member := find(c.owner.members(t, c.org, ""), func(m memberDoc) bool { return m.Email == p.Email })
				is.New(t).Equal(member, accepted.done())
			}
		})

		t.Run("accepting twice at the same time makes one member", func(t *testing.T) {
			p := c.signUp(t, "Twice")
			ok(t, c.owner.invite(c.org, p.Email, p.Name, "USER"))
			token := c.invitationTo(t, p.Email)
			oneWins(t, 16, func(int) response { return p.accept(token) }, "invitation_accepted")
		})

		t.Run("of confirming a transfer and disqualifying its target exactly one happens", func(t *testing.T) {
			for range 10 {
				org := decoded[receipt](t, c.owner.activate(unique("Disputed"))).OrganizationID
				own := &cast{server: s, org: org, owner: c.owner}
				ok(t, c.owner.invite(org, c.user.Email, c.user.Name, "USER"))
				ok(t, c.user.accept(c.invitationTo(t, c.user.Email)))
				already := len(c.mailsTo(c.owner.Email, transferPage))
				ok(t, c.owner.requestTransfer(org, c.user))
				token := c.tokenTo(t, c.owner.Email, transferPage, already+1)
				var confirmed, demoted response
				together(
					func() { confirmed = s.anonymous().confirmTransfer(token) },
					func() { demoted = c.owner.changeRole(org, c.user, "VIEWER") },
				)
				if confirmed.done() == demoted.done() {
					t.Fatalf("both or neither: %v, %v", confirmed, demoted)
				}
				checkInvariants(t, s.operator(), own.org)
			}
		})

		t.Run("resending and accepting at the same time leave one member or one link", func(t *testing.T) {
			for range 10 {
				p := c.newPerson("Guest")
				id := decoded[receipt](t, c.owner.invite(c.org, p.Email, p.Name, "USER")).InvitationID
				token := c.invitationTo(t, p.Email)
				var accepted, resent response
				together(
					func() { accepted = p.acceptNew(token) },
					func() { resent = c.admin.resend(c.org, id) },
				)
				if !accepted.done() && !resent.done() {
					t.Fatalf("neither: %v, %v", accepted, resent)
				}
				if !accepted.done() {
					// The account may be there already; the fresh link is for it.
					fresh := c.invitationTo(t, p.Email)
					if r := p.acceptNew(fresh); r.code() == "not_signed_in" {
						p.signIn(t)
						ok(t, p.accept(fresh))
					}
				}
				_, member := find(c.owner.members(t, c.org, ""), func(m memberDoc) bool { return m.Email == p.Email })
				is.New(t).True(member)
			}
		})

		s.everything(t)
		checkInvariants(t, s.operator(), c.org)
	})
}
