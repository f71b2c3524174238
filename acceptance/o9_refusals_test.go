package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

func TestO9_RefusalsInTheWordsOfTheSource(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t, withFlags("--session-lifetime", "1000h")).newCast(t)
		says := func(t *testing.T, r response, status int, code, title, detail string) {
			t.Helper()
			p := refused(t, r, status, code)
			is := is.New(t)
			is.Equal(p.Title, title)
			is.Equal(p.Detail, detail)
			is.Equal(p.Type, "urn:tenure:problem:"+code)
		}

		t.Run("Admin access required: request admin role from current admin", func(t *testing.T) {
			for _, r := range []response{
				c.user.get(orgPath(c.org, "members")), c.user.invite(c.org, "a@example.com", "a", "USER"),
				c.viewer.changeRole(c.org, c.user, "ADMIN"), c.viewer.rename(c.org, "Mine"), c.admin.requestTransfer(c.org, c.user),
			} {
				says(t, r, 403, "permission_denied", "Admin access required",
					"Request the admin role from a current admin; transferring the ownership takes the owner.")
			}
		})

		t.Run("Invite conflict: email or username already used", func(t *testing.T) {
			says(t, c.admin.invite(c.org, c.user.Email, unique("someone"), "USER"), 409, "email_taken", "Invite conflict",
				"The email is already used by a member or an open invitation. Use another one.")
			says(t, c.admin.invite(c.org, unique("someone")+"@example.com", c.user.Name, "USER"), 409, "username_taken", "Invite conflict",
				"The username is already used inside the organization. Choose another one.")
		})

		t.Run("Role change disabled: member is the owner", func(t *testing.T) {
			says(t, c.admin.changeRole(c.org, c.owner, "USER"), 409, "owner_protected", "The owner is protected",
				"The current owner cannot be demoted or removed directly. Transfer ownership first.")
		})

		t.Run("Role change disabled: member is removed", func(t *testing.T) {
			says(t, c.admin.changeRole(c.org, c.removed, "USER"), 409, "member_removed", "Member removed",
				"Removed users cannot be modified. Invite the person again.")
		})

		t.Run("Remove action disabled: user is self, already removed, or owner", func(t *testing.T) {
			says(t, c.admin.remove(c.org, c.admin), 409, "self_removal", "You cannot remove yourself",
				"Admins cannot remove themselves. Ask another admin.")
			says(t, c.admin.remove(c.org, c.removed), 409, "member_removed", "Member removed",
				"Removed users cannot be modified. Invite the person again.")
			says(t, c.admin.remove(c.org, c.owner), 409, "owner_protected", "The owner is protected",
				"The current owner cannot be demoted or removed directly. Transfer ownership first.")
		})

		t.Run("OWNER is not available as an invitation role", func(t *testing.T) {
			says(t, c.owner.invite(c.org, "x@example.com", "x", "OWNER"), 403, "role_not_grantable", "Role not available",
				"OWNER is not available as a role to give. Use ownership transfer after the user joins.")
		})

		t.Run("Ownership cannot be transferred to yourself, removed users, VIEWER members, or the current owner", func(t *testing.T) {
			for _, p := range []*person{c.owner, c.removed, c.viewer} {
				says(t, c.owner.requestTransfer(c.org, p), 409, "transfer_not_eligible", "Ownership cannot be transferred",
					"Ownership cannot be transferred to yourself, removed users, VIEWER members, or the current owner. Choose an active ADMIN or USER.")
			}
		})

		t.Run("Invite expired: resend invitation to generate a new token", func(t *testing.T) {
			p := c.newPerson("Late")
			id := decoded[receipt](t, c.owner.invite(c.org, p.Email, p.Name, "USER")).InvitationID
			token := c.tokenTo(t, p.Email, invitePage, 1)
			c.setClock(t, c.owner.invitation(t, c.org, id).ExpiresAt)
			says(t, p.acceptNew(token), 410, "invitation_expired", "Invite expired",
				"Ask an admin to resend the invitation, which generates a new token.")
			says(t, p.client.lookup(token), 410, "invitation_expired", "Invite expired",
				"Ask an admin to resend the invitation, which generates a new token.")
		})

		t.Run("Accepted invitations cannot be revoked", func(t *testing.T) {
			p := c.newMember(t, "USER")
			id := c.owner.member(t, c.org, p).InvitationID
			says(t, c.owner.revoke(c.org, id), 409, "invitation_accepted", "Invitation accepted",
				"Accepted invitations cannot be revoked or resent. Remove the member instead.")
		})
	})
}
