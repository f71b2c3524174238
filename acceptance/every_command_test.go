package acceptance

import "testing"

// everyCommand gives each command of an organization and of a mail's link once,
// with success, and answers with what it said.
func (c *cast) everyCommand(t *testing.T) map[string]response {
	t.Helper()
	answers := make(map[string]response)
	guest, declining := c.newPerson("Guest"), c.newPerson("Declining")
	newcomer := c.signUp(t, "Newcomer")
	did := func(name string, r response) receipt {
		t.Helper()
		answers[name] = ok(t, r)
		return decoded[receipt](t, r)
	}
	own := did("activate", newcomer.activate(unique("Own"))).OrganizationID
	did("rename", newcomer.rename(own, unique("Own")))
	id := did("invite", c.owner.invite(c.org, guest.Email, guest.Name, "USER")).InvitationID
	did("resend", c.owner.resend(c.org, id))
	joined := did("accept", guest.acceptNew(c.tokenTo(t, guest.Email, invitePage, 2)))
	guest.enter(*joined.Session)
	revoked := did("invite again", c.owner.invite(c.org, newcomer.Email, newcomer.Name, "USER")).InvitationID
	did("revoke", c.owner.revoke(c.org, revoked))
	did("invite to decline", c.owner.invite(c.org, declining.Email, declining.Name, "USER"))
	did("decline", c.anonymous().decline(c.tokenTo(t, declining.Email, invitePage, 1)))
	did("change roles", c.owner.changeRole(c.org, guest, "ADMIN"))
	did("request transfer", c.owner.requestTransfer(c.org, guest))
	did("cancel transfer", c.owner.cancelTransfer(c.org))
	did("request transfer again", c.owner.requestTransfer(c.org, guest))
	did("confirm transfer", c.anonymous().confirmTransfer(c.newestTransferLink(t, c.owner)))
	did("request transfer back", guest.requestTransfer(c.org, c.owner))
	did("confirm transfer back", c.anonymous().confirmTransfer(c.newestTransferLink(t, guest)))
	did("remove", c.owner.remove(c.org, guest))
	did("change profile", newcomer.patch("/v1/me", map[string]any{"display_name": "Renamed"}))
	key := did("create key", c.operator().createKey("temporary", "operator")).APIKeyID
	did("revoke key", c.operator().delete("/v1/operator/api-keys/"+key))
	answers["change password"] = ok(t, newcomer.put("/v1/me/password", map[string]any{"old_password": newcomer.Password, "new_password": "a new password"}))
	newcomer.Password = "a new password"
	answers["sign in"] = newcomer.requestSession()
	newcomer.enter(decoded[session](t, answers["sign in"]))
	answers["sign out"] = ok(t, newcomer.delete("/v1/sessions/current"))
	return answers
}
