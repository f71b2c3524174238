package acceptance

import (
	"net/http"
	"strings"
	"testing"
)

// What people can do, one function for each command and each read of the API.

func orgPath(org string, parts ...string) string {
	return "/v1/organizations/" + strings.Join(append([]string{org}, parts...), "/")
}

func (c client) activate(name string, extras ...extra) response {
	return c.post("/v1/organizations", map[string]any{"name": name, "username": "founder"}, extras...)
}

func (c client) rename(org, name string, extras ...extra) response {
	return c.patch(orgPath(org), map[string]any{"name": name}, extras...)
}

func (c client) invite(org, email, username, role string, extras ...extra) response {
	return c.inviteWith(org, map[string]any{"email": email, "username": username, "roles": []string{role}}, extras...)
}

func (c client) inviteWith(org string, body map[string]any, extras ...extra) response {
	return c.post(orgPath(org, "invitations"), body, extras...)
}

func (c client) resend(org, invitation string, extras ...extra) response {
	return c.post(orgPath(org, "invitations", invitation, "resend"), map[string]any{}, extras...)
}

func (c client) revoke(org, invitation string, extras ...extra) response {
	return c.post(orgPath(org, "invitations", invitation, "revoke"), map[string]any{}, extras...)
}

func (c client) lookup(token string) response {
	return c.post("/v1/invitations/lookup", map[string]any{"token": token})
}

// accept joins as the one who is signed in.
func (c client) accept(token string, extras ...extra) response {
	return c.post("/v1/invitations/accept", map[string]any{"token": token}, extras...)
}

// acceptNew joins with an account that is made by that.
func (p *person) acceptNew(token string, extras ...extra) response {
	return p.server.anonymous().post("/v1/invitations/accept",
		map[string]any{"token": token, "display_name": p.Name, "password": p.Password}, extras...)
}

func (c client) decline(token string, extras ...extra) response {
	return c.post("/v1/invitations/decline", map[string]any{"token": token}, extras...)
}

func (c client) changeRole(org string, who *person, role string, extras ...extra) response {
	return c.put(orgPath(org, "members", who.AccountID, "roles"), map[string]any{"roles": []string{role}}, extras...)
}

func (c client) remove(org string, who *person, extras ...extra) response {
	return c.delete(orgPath(org, "members", who.AccountID), extras...)
}

func (c client) requestTransfer(org string, to *person, extras ...extra) response {
	return c.post(orgPath(org, "ownership-transfer"), map[string]any{"to": to.AccountID}, extras...)
}

func (c client) cancelTransfer(org string, extras ...extra) response {
	return c.delete(orgPath(org, "ownership-transfer"), extras...)
}

func (c client) confirmTransfer(token string, extras ...extra) response {
	return c.post("/v1/ownership-transfers/confirm", map[string]any{"token": token}, extras...)
}

func (c client) transfer(org string, extras ...extra) response {
	return c.get(orgPath(org, "ownership-transfer"), extras...)
}

func (c client) organization(t *testing.T, org string, extras ...extra) organizationDoc {
	t.Helper()
	return decoded[organizationDoc](t, c.get(orgPath(org), extras...))
}

func (c client) members(t *testing.T, org, query string, extras ...extra) []memberDoc {
	t.Helper()
	return all[memberDoc](t, c, orgPath(org, "members")+query, extras...)
}

func (c client) member(t *testing.T, org string, who *person, extras ...extra) memberDoc {
	t.Helper()
	return decoded[memberDoc](t, c.get(orgPath(org, "members", who.AccountID), extras...))
}

// roleOf is the only role of a member.
func (c client) roleOf(t *testing.T, org string, who *person, extras ...extra) string {
	t.Helper()
	return strings.Join(c.member(t, org, who, extras...).Roles, "+")
}

func (c client) invitations(t *testing.T, org, query string, extras ...extra) []invitationDoc {
	t.Helper()
	return all[invitationDoc](t, c, orgPath(org, "invitations")+query, extras...)
}

func (c client) invitation(t *testing.T, org, id string, extras ...extra) invitationDoc {
	t.Helper()
	return decoded[invitationDoc](t, c.get(orgPath(org, "invitations", id), extras...))
}

func (c client) history(t *testing.T, org string, extras ...extra) []entryDoc {
	t.Helper()
	return all[entryDoc](t, c, orgPath(org, "history")+"?order=asc&limit=200", extras...)
}

func (c client) historyOf(t *testing.T, org string, who *person, extras ...extra) []entryDoc {
	t.Helper()
	return all[entryDoc](t, c, orgPath(org, "members", who.AccountID, "history")+"?order=asc&limit=200", extras...)
}

// isMember reports whether the account has access to the organization.
func (c client) isMember(org string) bool {
	return c.get(orgPath(org), anyPosition).status == http.StatusOK
}

// usernames lists the usernames of members, in the order of the list.
func usernames(members []memberDoc) []string {
	found := make([]string, len(members))
	for i, m := range members {
		found[i] = m.Username
	}
	return found
}

// find finds what holds is true for.
func find[T any](items []T, holds func(T) bool) (T, bool) {
	for _, item := range items {
		if holds(item) {
			return item, true
		}
	}
	var none T
	return none, false
}
