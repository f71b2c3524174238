package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

const day = 24 * time.Hour

func TestO3_InviteMember(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)

		t.Run("an invitation has e-mail, username and one of the roles USER, ADMIN and VIEWER", func(t *testing.T) {
			is := is.New(t)
			for _, role := range []string{"USER", "ADMIN", "VIEWER"} {
				p := c.newPerson("Invited")
				r := c.admin.invite(c.org, p.Email, p.Name, role)
				is.Equal(r.status, 201)
				id := decoded[receipt](t, r).InvitationID
				is.Equal(r.header.Get("Location"), orgPath(c.org, "invitations", id))
				i := c.owner.invitation(t, c.org, id)
				is.Equal(i.Email, p.Email)
				is.Equal(i.Username, p.Name)
				is.Equal(i.Roles, []string{role})
				is.Equal(i.Status, "pending")
			}
		})

		t.Run("OWNER is not available as a role", func(t *testing.T) {
			p := refused(t, c.owner.invite(c.org, "boss@example.com", "boss", "OWNER"), 403, "role_not_grantable")
			is.New(t).True(strings.Contains(p.Detail, "Use ownership transfer after the user joins"))
		})

		t.Run("nor is a role that does not exist, none, or two at once", func(t *testing.T) {
			refused(t, c.owner.invite(c.org, "boss@example.com", "boss", "KING"), 422, "role_unknown")
			refused(t, c.owner.inviteWith(c.org, map[string]any{"email": "boss@example.com", "username": "boss", "roles": []string{"USER", "ADMIN"}}), 422, "role_count")
			r := c.owner.inviteWith(c.org, map[string]any{"email": "boss@example.com", "username": "boss", "roles": []string{}})
			is.New(t).Equal(r.status, 422)
		})

		t.Run("the e-mail is valid", func(t *testing.T) {
			for _, email := range []string{"", "no address", "a@b", "Ada <ada@example.com>", "ada@example.com, bob@example.com", "a\u200bda@example.com"} {
				refused(t, c.owner.invite(c.org, email, unique("someone"), "USER"), 422, "invalid")
			}
		})

		t.Run("a username is needed", func(t *testing.T) {
			r := c.owner.inviteWith(c.org, map[string]any{"email": "boss@example.com", "roles": []string{"USER"}})
			is.New(t).Equal(r.status, 422)
			refused(t, c.owner.invite(c.org, "boss@example.com", "two\nlines", "USER"), 422, "invalid")
		})

		t.Run("the e-mail is not registered already, open invitations included", func(t *testing.T) {
			ok(t, c.owner.invite(c.org, "Open@example.com", unique("open"), "USER"))
			for _, email := range []string{c.admin.Email, strings.ToUpper(c.viewer.Email), "open@EXAMPLE.com"} {
				p := refused(t, c.owner.invite(c.org, email, unique("someone"), "USER"), 409, "email_taken")
				is.New(t).Equal(p.Title, "Invite conflict")
				is.New(t).Equal(p.Errors[0].Field, "email")
			}
		})

		t.Run("the username is unique inside the organization, open invitations included", func(t *testing.T) {
			ok(t, c.owner.invite(c.org, unique("open")+"@example.com", "Taken", "USER"))
			for _, username := range []string{c.admin.Name, strings.ToUpper(c.viewer.Name), "tAKEN", " taken ", "founder"} {
				p := refused(t, c.owner.invite(c.org, unique("someone")+"@example.com", username, "USER"), 409, "username_taken")
				is.New(t).Equal(p.Title, "Invite conflict")
				is.New(t).Equal(p.Errors[0].Field, "username")
			}
		})

		t.Run("other organizations have e-mails and usernames of their own", func(t *testing.T) {
			other := decoded[receipt](t, c.stranger.activate(unique("Other"))).OrganizationID
			ok(t, c.stranger.invite(other, c.admin.Email, c.admin.Name, "USER"))
			ok(t, c.admin.accept(c.tokenTo(t, c.admin.Email, invitePage, 2)))
			is.New(t).Equal(len(all[membershipDoc](t, c.admin.client, "/v1/me/organizations")), 2)
		})

		t.Run("both hold under concurrent requests", func(t *testing.T) {
			oneWins(t, 32, func(int) response {
				return c.owner.invite(c.org, "race@example.com", unique("racer"), "USER")
			}, "email_taken")
			oneWins(t, 32, func(int) response {
				return c.admin.invite(c.org, unique("racer")+"@example.com", "Racer", "USER")
			}, "username_taken")
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			before := c.owner.invitations(t, c.org, "")
			c.restart(t)
			is.New(t).Equal(c.owner.invitations(t, c.org, ""), before)
			refused(t, c.owner.invite(c.org, "RACE@example.com", unique("someone"), "USER"), 409, "email_taken")
			refused(t, c.owner.invite(c.org, unique("someone")+"@example.com", "racer", "USER"), 409, "username_taken")
		})
	})
}

func TestO3_TheLinkDiesAfterSevenDays(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t, withFlags("--session-lifetime", "1000h")).newCast(t)
		early, late := c.newPerson("Early"), c.newPerson("Late")
		for _, p := range []*person{late, early} { // the one who comes early was invited a moment later
			ok(t, c.owner.invite(c.org, p.Email, p.Name, "USER"))
		}
		earlyLink, lateLink := c.tokenTo(t, early.Email, invitePage, 1), c.tokenTo(t, late.Email, invitePage, 1)
		issued, _ := find(c.owner.invitations(t, c.org, ""), func(i invitationDoc) bool { return i.Email == late.Email })

		t.Run("its expiry is seven days after the invitation", func(t *testing.T) {
			is.New(t).Equal(issued.ExpiresAt.Sub(issued.IssuedAt).Round(time.Second), 7*day)
		})

		t.Run("a second before that it works", func(t *testing.T) {
			c.stopClock(t, issued.ExpiresAt.Add(-time.Second))
			ok(t, c.anonymous().lookup(earlyLink))
			ok(t, early.acceptNew(earlyLink))
		})

		t.Run("at that second it does not", func(t *testing.T) {
			c.stopClock(t, issued.ExpiresAt)
			for _, r := range []response{late.acceptNew(lateLink), c.anonymous().lookup(lateLink), c.anonymous().decline(lateLink)} {
				p := refused(t, r, 410, "invitation_expired")
				is.New(t).Equal(p.Title, "Invite expired")
			}
		})

		t.Run("it is listed as expired", func(t *testing.T) {
			eventually(t, "the invitation is listed as expired", func() bool {
				return c.owner.invitation(t, c.org, issued.InvitationID).Status == "expired"
			})
			expired := c.owner.invitations(t, c.org, "?status=expired")
			is.New(t).Equal(len(expired), 1)
		})

		t.Run("e-mail and username are free again", func(t *testing.T) {
			eventually(t, "the names of the expired invitation are free", func() bool {
				return c.owner.organization(t, c.org).OpenInvitations == 0
			})
			ok(t, c.owner.invite(c.org, late.Email, late.Name, "VIEWER"))
			again := c.owner.invitations(t, c.org, "?status=pending")
			is.New(t).Equal(len(again), 1)
			c.mailTo(t, late.Email, invitePage, 2)
			ok(t, c.owner.revoke(c.org, again[0].InvitationID))
		})

		t.Run("resending it makes a link that works", func(t *testing.T) {
			ok(t, c.owner.resend(c.org, issued.InvitationID))
			refused(t, late.acceptNew(lateLink), 404, "link_invalid")
			ok(t, late.acceptNew(c.tokenTo(t, late.Email, invitePage, 3)))
			is.New(t).Equal(c.owner.invitation(t, c.org, issued.InvitationID).Status, "accepted")
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			before := c.owner.invitations(t, c.org, "")
			c.restart(t)
			is.New(t).Equal(c.owner.invitations(t, c.org, ""), before)
			refused(t, late.acceptNew(lateLink), 409, "invitation_accepted")
		})
	})
}

// oneWins sends n requests at the same time: one is served, all others are
// refused with the code.
func oneWins(t *testing.T, n int, request func(i int) response, code string) response {
	t.Helper()
	answers := make([]response, n)
	runs := make([]func(), n)
	for i := range n {
		runs[i] = func() { answers[i] = request(i) }
	}
	together(runs...)
	var won response
	served := 0
	for _, r := range answers {
		switch {
		case r.done():
			won = r
			served++
		case r.code() != code:
			t.Errorf("want %s, got %v", code, r)
		}
	}
	if served != 1 {
		t.Fatalf("%d of %d requests were served", served, n)
	}
	return won
}
