package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

func TestX14_InviterRemoved(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		inviter := c.newMember(t, "ADMIN")
		theirs, others, early := c.newPerson("Theirs"), c.newPerson("Others"), c.newPerson("Early")
		id := decoded[receipt](t, inviter.invite(c.org, theirs.Email, theirs.Name, "USER")).InvitationID
		ok(t, inviter.invite(c.org, early.Email, early.Name, "USER"))
		kept := decoded[receipt](t, c.owner.invite(c.org, others.Email, others.Name, "USER")).InvitationID
		dead, alive := c.invitationTo(t, theirs.Email), c.invitationTo(t, others.Email)
		ok(t, early.acceptNew(c.invitationTo(t, early.Email)))
		ok(t, c.owner.remove(c.org, inviter))

		t.Run("the link is dead at once", func(t *testing.T) {
			refused(t, theirs.acceptNew(dead), 409, "invitation_revoked")
		})

		t.Run("the open invitations that the removed member sent are revoked", func(t *testing.T) {
			eventually(t, "the invitation is revoked", func() bool {
				return c.owner.invitation(t, c.org, id).Status == "revoked"
			})
			eventually(t, "its names are free", func() bool {
				return c.owner.invite(c.org, theirs.Email, theirs.Name, "USER").done()
			})
		})

		t.Run("those of others are not, nor who has joined before", func(t *testing.T) {
			is := is.New(t)
			is.Equal(c.owner.invitation(t, c.org, kept).Status, "pending")
			ok(t, others.acceptNew(alive))
			_, found := find(c.owner.members(t, c.org, ""), func(m memberDoc) bool { return m.Username == early.Name })
			is.True(found)
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			before := c.snapshot(t)
			c.restart(t)
			is.New(t).Equal(c.snapshot(t), before)
			refused(t, theirs.acceptNew(dead), 409, "invitation_revoked")
		})

		t.Run("resending hands an invitation over to who resends it", func(t *testing.T) {
			second, guest := c.newMember(t, "ADMIN"), c.newPerson("Resent")
			id := decoded[receipt](t, second.invite(c.org, guest.Email, guest.Name, "USER")).InvitationID
			ok(t, c.owner.resend(c.org, id))
			token := c.invitationTo(t, guest.Email)
			ok(t, c.owner.remove(c.org, second))
			ok(t, guest.acceptNew(token))
		})
	})
}
