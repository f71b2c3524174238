package acceptance

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/oidc/oidctest"
)

// TestS2S6_InvitationsBoundToAProvider: an invitation names a provider and a
// username there, which need not be an e-mail address; whoever signs in there with
// that username redeems it, and nobody else. Tenants and personal Microsoft
// accounts are tested in package httpapi.
func TestS2S6_InvitationsBoundToAProvider(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		google, microsoft := oidctest.Start(t), oidctest.Start(t)
		s := b.start(t, withProviders(t, map[string]string{"google": google.URL, "microsoft": microsoft.URL, "acme": google.URL}))
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")
		invite := func(body map[string]any) (id, token string) {
			t.Helper()
			r := boss.inviteWith(org, body)
			return decoded[receipt](t, r).InvitationID, s.tokenOf(t, linkOf(t, r))
		}
		redeem := func(at *oidctest.Provider, name string, who oidctest.Claims, token string) response {
			at.SignIn(who)
			browser := s.newBrowser(t)
			return browser.exchange(browser.code(t, name), token)
		}
		named := func(subject, username string) oidctest.Claims {
			who := claims(subject, unique("grace")+"@example.com", true)
			who["preferred_username"] = username
			return who
		}
		status := func(id string) string {
			return decoded[invitationDoc](t, boss.get(orgPath(org, "invitations", id))).Status
		}

		t.Run("the right provider and account redeem it, all others are refused and it stays pending", func(t *testing.T) {
			is := is.New(t)
			id, token := invite(map[string]any{"username": "grace@corp", "provider": "google", "role": "Member"})
			is.Equal(decoded[invitationDoc](t, boss.get(orgPath(org, "invitations", id))).Provider, "google")
			refused(t, redeem(microsoft, "microsoft", named("1", "grace@corp"), token), 403, "wrong_provider")
			refused(t, redeem(google, "google", named("2", "ada@corp"), token), 403, "wrong_account")
			refused(t, s.newPerson("Guest").acceptNew(token), 403, "provider_required")
			is.Equal(status(id), "pending")

			done := decoded[exchanged](t, redeem(google, "google", named("3", "GRACE@corp"), token))
			is.Equal(done.Joined.OrganizationID, org)
			is.Equal(done.Joined.Roles, []string{"Member"})
			is.Equal(status(id), "accepted")
			s.restart(t)
			is.Equal(status(id), "accepted")
		})

		t.Run("the mail goes to a username that is an address, and its link proves that", func(t *testing.T) {
			is := is.New(t)
			guest := unique("grace") + "@corp.example"
			r := ok(t, boss.inviteWith(org, map[string]any{"username": guest, "provider": "microsoft", "role": "Member"}))
			is.Equal(decoded[struct {
				MailedTo string `json:"mailed_to"`
			}](t, r).MailedTo, guest)
			unproven := oidctest.Claims{"sub": unique("m"), "preferred_username": guest}
			p := refused(t, redeem(microsoft, "microsoft", unproven, s.tokenOf(t, linkOf(t, r))), 403, "email_unverified")
			is.True(strings.Contains(p.Detail, "Open the link in the mail"))
			refused(t, boss.inviteWith(org, map[string]any{"email": guest, "role": "Member"}), 409, "email_taken")
			done := decoded[exchanged](t, redeem(microsoft, "microsoft", unproven, s.invitationTo(t, guest)))
			is.Equal(done.Joined.OrganizationID, org)
			refused(t, boss.inviteWith(org, map[string]any{"username": guest, "provider": "google", "role": "Member"}), 409, "email_taken")
		})

		t.Run("any provider will do where none is named", func(t *testing.T) {
			for name, at := range map[string]*oidctest.Provider{"google": google, "microsoft": microsoft} {
				guest := unique("guest") + "@example.com"
				_, token := invite(map[string]any{"email": guest, "username": guest, "provider": "any", "role": "Member"})
				done := decoded[exchanged](t, redeem(at, name, claims(unique("any"), guest, true), token))
				is.New(t).Equal(done.Joined.OrganizationID, org)
			}
		})

		t.Run("a provider that the policy does not have is refused", func(t *testing.T) {
			refused(t, boss.inviteWith(org, map[string]any{"username": "x", "provider": "acme", "role": "Member"}), 422, "provider_not_offered")
		})

		t.Run("a seat is kept for who redeems it", func(t *testing.T) {
			is := is.New(t)
			ok(t, s.operator().patch("/v1/operator/organizations/"+org, map[string]any{"seats": 5}))
			id, token := invite(map[string]any{"username": "late@corp", "provider": "google", "role": "Member"})
			refused(t, redeem(google, "google", named("4", "late@corp"), token), 409, "seats_full")
			is.Equal(status(id), "pending")
			ok(t, s.operator().patch("/v1/operator/organizations/"+org, map[string]any{"seats": 6}))
			is.Equal(decoded[exchanged](t, redeem(google, "google", named("4", "late@corp"), token)).Joined.OrganizationID, org)
		})
	})
}
