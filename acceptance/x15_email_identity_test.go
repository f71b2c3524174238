package acceptance

import (
	"net/url"
	"testing"

	"github.com/matryer/is"
)

func TestX15_EmailIdentity(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		c := s.newCast(t)
		sameAddress := [][2]string{
			{"Ada.Lovelace@Example.com", "ada.lovelace@EXAMPLE.COM"},
			{"Jos\u00e9@example.com", "JOSE\u0301@example.com"}, // é, and e with an accent after it
			{"stra\u00dfe@example.com", "STRASSE@example.com"},
		}
		otherAddress := [][2]string{
			{"first.last@example.com", "firstlast@example.com"},
			{"user@example.com", "user+tag@example.com"},
			{"a.b+c@example.com", "ab@example.com"},
		}

		t.Run("it is stored as typed", func(t *testing.T) {
			is := is.New(t)
			p := &person{client: s.anonymous(), Name: "Mixed", Email: "MiXed.Case@Example.COM", Password: password}
			p.register(t)
			is.Equal(decoded[map[string]any](t, p.get("/v1/me"))["email"], "MiXed.Case@Example.COM")
			id := decoded[receipt](t, c.owner.invite(c.org, "InVited@Example.COM", "invited", "USER")).InvitationID
			is.Equal(c.owner.invitation(t, c.org, id).Email, "InVited@Example.COM")
			org := decoded[receipt](t, p.activate(unique("Mixed"))).OrganizationID
			is.Equal(p.member(t, org, p).Email, "MiXed.Case@Example.COM")
		})

		t.Run("it is compared whatever its case and Unicode form: by accounts", func(t *testing.T) {
			for _, pair := range sameAddress {
				p := &person{client: s.anonymous(), Name: unique("Same"), Email: pair[0], Password: password}
				p.register(t)
				again := *p
				again.Email = pair[1]
				again.enter(decoded[session](t, again.requestSession()))
				is.New(t).Equal(again.AccountID, p.AccountID)
			}
		})

		t.Run("by invitations", func(t *testing.T) {
			for _, pair := range sameAddress {
				ok(t, c.owner.invite(c.org, "x"+pair[0], unique("same"), "USER"))
				refused(t, c.owner.invite(c.org, "X"+pair[1], unique("same"), "USER"), 409, "email_taken")
			}
		})

		t.Run("by who may accept", func(t *testing.T) {
			p := s.signUp(t, "accepter")
			upper := "ACCEPTER" + p.Email[len("accepter"):]
			ok(t, c.owner.invite(c.org, upper, p.Name, "USER"))
			ok(t, p.accept(c.invitationTo(t, upper)))
			is.New(t).Equal(c.owner.roleOf(t, c.org, p), "USER")
			found := c.owner.members(t, c.org, "?q="+url.QueryEscape(upper))
			is.New(t).Equal(len(found), 1)
		})

		t.Run("it is never dot- or plus-folded", func(t *testing.T) {
			for _, pair := range otherAddress {
				for _, email := range pair {
					ok(t, c.owner.invite(c.org, email, unique("other"), "USER"))
				}
				first := &person{client: s.anonymous(), Name: unique("Other"), Email: pair[0], Password: password}
				first.register(t)
				second := &person{client: s.anonymous(), Name: unique("Other"), Email: pair[1], Password: password}
				second.register(t)
				is.New(t).True(first.AccountID != second.AccountID)
			}
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			s.restart(t)
			p := &person{client: s.anonymous(), Email: "mixed.case@example.com", Password: password}
			p.signIn(t)
			refused(t, c.owner.invite(c.org, "XSTRASSE@EXAMPLE.com", unique("same"), "USER"), 409, "email_taken")
		})
	})
}
