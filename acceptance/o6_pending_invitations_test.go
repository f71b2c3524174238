package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

func TestO6_PendingInvitations(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		invite := func(t *testing.T, p *person) (id, token string) {
			t.Helper()
			id = decoded[receipt](t, c.owner.invite(c.org, p.Email, p.Name, "USER")).InvitationID
			return id, c.tokenTo(t, p.Email, invitePage, 1)
		}

		t.Run("resend makes a fresh token and mail, and kills the old link", func(t *testing.T) {
			is := is.New(t)
			p := c.newPerson("Resent")
			id, old := invite(t, p)
			ok(t, c.admin.resend(c.org, id))
			fresh := c.tokenTo(t, p.Email, invitePage, 2)
			is.True(fresh != old)
			is.Equal(c.owner.invitation(t, c.org, id).Generation, 2)
			refused(t, c.anonymous().lookup(old), 404, "link_invalid")
			refused(t, p.acceptNew(old), 404, "link_invalid")
			refused(t, c.anonymous().decline(old), 404, "link_invalid")
			ok(t, p.acceptNew(fresh))
		})

		t.Run("two who resend at the same time leave one link that works", func(t *testing.T) {
			p := c.newPerson("Twice")
			id, _ := invite(t, p)
			together(
				func() { ok(t, c.owner.resend(c.org, id)) },
				func() { ok(t, c.admin.resend(c.org, id)) },
			)
			generation := c.owner.invitation(t, c.org, id).Generation
			is.New(t).Equal(generation, 3)
			// A mail whose link is dead by then need not be sent.
			eventually(t, "the newest link works", func() bool {
				mails := c.mailsTo(p.Email, invitePage)
				return len(mails) > 0 && p.acceptNew(mails[len(mails)-1].token(invitePage)).done()
			})
		})

		t.Run("revoke kills the link", func(t *testing.T) {
			is := is.New(t)
			p := c.newPerson("Revoked")
			id, token := invite(t, p)
			ok(t, c.admin.revoke(c.org, id))
			refused(t, p.acceptNew(token), 409, "invitation_revoked")
			refused(t, c.anonymous().lookup(token), 409, "invitation_revoked")
			is.Equal(c.owner.invitation(t, c.org, id).Status, "revoked")
			ok(t, c.owner.revoke(c.org, id)) // again: it stays revoked
			refused(t, c.owner.resend(c.org, id), 409, "invitation_revoked")
		})

		t.Run("a revoked invitation gives its e-mail and username back", func(t *testing.T) {
			p := c.newPerson("Again")
			id, _ := invite(t, p)
			ok(t, c.owner.revoke(c.org, id))
			ok(t, c.owner.invite(c.org, p.Email, p.Name, "USER"))
		})

		t.Run("an accepted one is not revoked or resent", func(t *testing.T) {
			is := is.New(t)
			p := c.newPerson("Accepted")
			id, token := invite(t, p)
			ok(t, p.acceptNew(token))
			r := refused(t, c.owner.revoke(c.org, id), 409, "invitation_accepted")
			is.Equal(r.Detail, "Accepted invitations cannot be revoked or resent. Remove the member instead.")
			refused(t, c.owner.resend(c.org, id), 409, "invitation_accepted")
		})

		t.Run("a declined one is over, and its names are free", func(t *testing.T) {
			p := c.newPerson("Declined")
			id, token := invite(t, p)
			ok(t, c.anonymous().decline(token))
			refused(t, p.acceptNew(token), 409, "invitation_declined")
			is.New(t).Equal(c.owner.invitation(t, c.org, id).Status, "declined")
			ok(t, c.owner.invite(c.org, p.Email, p.Name, "USER"))
		})

		t.Run("the link is for its address only", func(t *testing.T) {
			p := c.newPerson("Addressee")
			_, token := invite(t, p)
			refused(t, c.stranger.accept(token), 403, "wrong_account")
		})

		t.Run("invitations of another organization are none of this one's", func(t *testing.T) {
			p := c.newPerson("Elsewhere")
			id, _ := invite(t, p)
			other := decoded[receipt](t, c.stranger.activate(unique("Other"))).OrganizationID
			refused(t, c.stranger.revoke(other, id), 404, "not_found")
			refused(t, c.stranger.resend(other, id), 404, "not_found")
			refused(t, c.stranger.get(orgPath(other, "invitations", id)), 404, "not_found")
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			p, q := c.newPerson("Kept"), c.newPerson("Killed")
			_, kept := invite(t, p)
			id, killed := invite(t, q)
			ok(t, c.owner.revoke(c.org, id))
			before := c.owner.invitations(t, c.org, "")
			c.restart(t)
			is.New(t).Equal(c.owner.invitations(t, c.org, ""), before)
			refused(t, q.acceptNew(killed), 409, "invitation_revoked")
			ok(t, p.acceptNew(kept))
		})
	})
}
