package httpapi_test

import (
	"maps"
	"strings"
	"testing"

	"tenure/oidc"
	"tenure/oidc/oidctest"
)

// host is an organization whose owner invites.
type host struct {
	*signers
	owner person
	org   string
}

func newHost(t *testing.T) *host {
	t.Helper()
	x := newSigners(t)
	owner := x.person("owner@example.com")
	org, _ := x.organization(owner, "Analytical Engines")
	return &host{x, owner, org}
}

// inviteWith answers with the invitation and the token of its link.
func (h *host) inviteWith(more map[string]any) (id, token string) {
	h.Helper()
	body := map[string]any{"roles": []string{"USER"}}
	maps.Copy(body, more)
	a := h.want(201, "POST", "/v1/organizations/"+h.org+"/invitations", h.owner.token, body)
	return a.str("invitation_id"), h.invitationToken(a.str("invitation_id"), 1)
}

// pending holds that a refusal has left the invitation as it was.
func (h *host) pending(id string) {
	h.Helper()
	a := h.want(200, "GET", "/v1/organizations/"+h.org+"/invitations/"+id, h.owner.token, nil, "Tenure-Min-Position", h.head())
	h.is.Equal(a.str("status"), "pending")
}

func (h *host) head() string {
	return h.want(200, "PATCH", "/v1/organizations/"+h.org, h.owner.token, map[string]any{"name": "Analytical Engines"}).header.Get("Tenure-Position")
}

func (h *host) redeems(provider, token string) map[string]any {
	h.Helper()
	a := h.want(201, "POST", "/v1/sessions/exchange", "", exchange(h.browser().code(provider), token))
	session, joined := a.object["session"].(map[string]any), a.object["joined"].(map[string]any)
	h.is.Equal(joined["organization_id"], h.org)
	mine := h.want(200, "GET", "/v1/organizations/"+h.org, session["token"].(string), nil)
	h.is.Equal(mine.str("name"), "Analytical Engines")
	return session
}

func TestAnyProviderRedeemsAnInvitationToItsVerifiedAddress(t *testing.T) {
	h := newHost(t)
	id, token := h.inviteWith(map[string]any{"email": "grace@example.com", "username": "grace"})

	h.google.SignIn(who("1", "grace@example.com", false))
	h.refusedExchange(403, "email_unverified", "google", token)
	h.google.SignIn(who("2", "other@example.com", true))
	h.refusedExchange(403, "wrong_account", "google", token) // and no account is made
	ada := h.person("ada@example.com")
	h.google.SignIn(who("3", "ada@example.com", true))
	h.is.Equal(h.signIn("google").id, ada.id)
	h.refusedExchange(403, "wrong_account", "google", token)
	h.pending(id)

	h.google.SignIn(who("1", "Grace@Example.com", true))
	first := h.redeems("google", token)
	h.refusedExchange(409, "invitation_accepted", "google", token)
	h.is.Equal(h.signIn("google").id, first["account_id"])
	h.refusedExchange(404, "link_invalid", "google", "tnr_inv_x")
}

func TestAnInvitationAsksForAnAccountAtMicrosoft(t *testing.T) {
	h := newHost(t)
	id, token := h.inviteWith(map[string]any{"username": "grace@corp.example", "provider": "microsoft", "tenant": tenantID, "notify": "post@example.com", "email": "grace@example.com"})
	shown := h.want(200, "POST", "/v1/invitations/lookup", "", map[string]any{"token": token})
	h.is.Equal(shown.str("provider"), "microsoft")
	listed := h.want(200, "GET", "/v1/organizations/"+h.org+"/invitations/"+id, h.owner.token, nil, "Tenure-Min-Position", h.head())
	h.is.Equal(listed.str("tenant"), tenantID)
	h.is.Equal(listed.str("notify"), "post@example.com")

	// Not with a password, nor with the session of an account that has the address.
	h.refused(403, "provider_required", "POST", "/v1/invitations/accept", "", map[string]any{"token": token, "password": secretWord})
	grace := h.person("grace@example.com")
	h.refused(403, "provider_required", "POST", "/v1/invitations/accept", grace.token, map[string]any{"token": token})

	employee := oidctest.Claims{"sub": "m", "tid": tenantID, "preferred_username": "Grace@Corp.example", "email": "grace@example.com", "xms_edov": true}
	with := func(name string, value any) oidctest.Claims {
		c := maps.Clone(employee)
		c[name] = value
		return c
	}
	h.google.SignIn(who("g", "grace@example.com", true))
	h.refusedExchange(403, "wrong_provider", "google", token)
	h.microsoft.SignIn(with("tid", "11111111-d9cb-469f-a165-70867728950e"))
	h.refusedExchange(403, "wrong_tenant", "microsoft", token)
	h.microsoft.SignIn(with("tid", oidc.PersonalTenant))
	h.refusedExchange(403, "wrong_tenant", "microsoft", token)
	h.microsoft.SignIn(with("preferred_username", "ada@corp.example"))
	h.refusedExchange(403, "wrong_account", "microsoft", token)
	h.microsoft.SignIn(with("xms_edov", false)) // the link went elsewhere
	h.is.True(strings.Contains(h.refusedExchange(403, "email_unverified", "microsoft", token).str("detail"), "whose mail goes to your own address"))
	h.pending(id)

	h.microsoft.SignIn(employee)
	h.is.Equal(h.redeems("microsoft", token)["account_id"], grace.id)
}

func TestAPersonalAccountIsMicrosoftWithoutATenant(t *testing.T) {
	h := newHost(t)
	_, token := h.inviteWith(map[string]any{"username": "grace@example.com", "provider": "microsoft"}) // no address at all
	h.microsoft.SignIn(oidctest.Claims{"sub": "m", "tid": oidc.PersonalTenant, "email": "grace@example.com"})
	h.redeems("microsoft", token)
}

// The link in the mail to a username that is an address proves it; the link that
// whoever invites has in hand does not, and says what to do.
func TestTheMailToTheUsernameProvesIt(t *testing.T) {
	h := newHost(t)
	owner := h.person("boss@example.com")
	h.org = h.want(201, "POST", "/v1/organizations", owner.token, map[string]any{"name": "Seated", "policy": "seats"}).str("organization_id")
	invited := h.want(201, "POST", "/v1/organizations/"+h.org+"/invitations", owner.token,
		map[string]any{"roles": []string{"Member"}, "username": "grace@corp.example", "provider": "microsoft", "tenant": tenantID})
	h.is.Equal(invited.str("mailed_to"), "grace@corp.example")
	_, passedOn, _ := strings.Cut(invited.str("link"), "#token=")
	h.microsoft.SignIn(oidctest.Claims{"sub": "m", "tid": tenantID, "preferred_username": "grace@corp.example", "email": "grace@corp.example"})
	refusal := h.refusedExchange(403, "email_unverified", "microsoft", passedOn).str("detail")
	h.is.True(strings.Contains(refusal, "Open the link in the mail"))
	h.is.True(strings.Contains(refusal, "xms_edov"))

	h.microsoft.SignIn(oidctest.Claims{"sub": "other", "tid": tenantID, "preferred_username": "eve@corp.example", "email": "grace@corp.example"})
	h.refusedExchange(403, "wrong_account", "microsoft", h.invitationToken(invited.str("invitation_id"), 1))
	h.microsoft.SignIn(oidctest.Claims{"sub": "m", "tid": tenantID, "preferred_username": "grace@corp.example"})
	a := h.want(201, "POST", "/v1/sessions/exchange", "", exchange(h.browser().code("microsoft"), h.invitationToken(invited.str("invitation_id"), 1)))
	session := a.object["session"].(map[string]any)
	h.is.Equal(h.want(200, "GET", "/v1/me", session["token"].(string), nil).str("email"), "grace@corp.example")
}

// Entra ID says nothing about most addresses: then the link, which was sent to
// the address, proves it to a new account.
func TestTheLinkProvesItsAddressToANewAccount(t *testing.T) {
	h := newHost(t)
	_, token := h.inviteWith(map[string]any{"email": "grace@example.com", "username": "grace@corp.example", "provider": "microsoft"})
	employee := oidctest.Claims{"sub": "m", "tid": tenantID, "preferred_username": "grace@corp.example", "email": "anything@example.com"}
	h.microsoft.SignIn(employee)
	session := h.redeems("microsoft", token)
	me := h.want(200, "GET", "/v1/me", session["token"].(string), nil)
	h.is.Equal(me.str("email"), "grace@example.com")

	// To an account that is there already it proves nothing.
	h.person("ada@example.com")
	id, second := h.inviteWith(map[string]any{"email": "ada@example.com", "username": "ada@corp.example", "provider": "microsoft"})
	employee["sub"], employee["preferred_username"] = "a", "ada@corp.example"
	h.refusedExchange(401, "not_signed_in", "microsoft", second)
	h.pending(id)
}

func TestWhatAnInvitationMayAskFor(t *testing.T) {
	h := newHost(t)
	path := "/v1/organizations/" + h.org + "/invitations"
	for name, body := range map[string]map[string]any{
		"a provider that is not there": {"provider": "other", "username": "x"},
		"no name at the provider":      {"provider": "google"},
		"no address":                   {"username": "x"},
		"any, and no address":          {"provider": "any", "username": "x"},
		"a name where there are none":  {"provider": "google", "username": "x"},
		"a name besides an address":    {"provider": "google", "username": "x", "email": "x@example.com"},
		"a tenant of none":             {"tenant": tenantID, "email": "x@example.com", "username": "x"},
		"a domain for a tenant id":     {"provider": "microsoft", "tenant": "example.com", "username": "x"},
		"the tenant of nobody":         {"provider": "microsoft", "tenant": oidc.PersonalTenant, "username": "x"},
		"rubbish for a mail":           {"provider": "microsoft", "username": "x", "notify": "x"},
		"an address that is none":      {"provider": "microsoft", "username": "x", "email": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			body["roles"] = []string{"USER"}
			h.refused(422, "invalid", "POST", path, h.owner.token, body)
		})
	}
	h.inviteWith(map[string]any{"provider": "any", "email": "any@example.com", "username": "any"})

	for provider, says := range map[string]string{"any": "name the provider", "google": "accounts at Google"} {
		refusal := h.refused(422, "invalid", "POST", path, h.owner.token, map[string]any{"provider": provider, "username": "bobby", "roles": []string{"USER"}})
		h.is.True(strings.Contains(refusal.str("detail"), says))
	}

	// The answer says where the mail goes: to the username, if that is an address.
	for name, c := range map[string]struct {
		body map[string]any
		want any
	}{
		"the username":        {map[string]any{"provider": "microsoft", "username": "Bob@corp.example"}, "Bob@corp.example"},
		"that of any account": {map[string]any{"provider": "any", "username": "ada@corp.example"}, "ada@corp.example"},
		"elsewhere":           {map[string]any{"provider": "google", "username": "lin@corp.example", "notify": "post@corp.example"}, "post@corp.example"},
		"the address":         {map[string]any{"provider": "microsoft", "username": "mary@corp.example", "email": "mary@example.com"}, "mary@example.com"},
		"nowhere":             {map[string]any{"provider": "microsoft", "username": "joan"}, nil},
	} {
		t.Run("mailed to: "+name, func(t *testing.T) {
			c.body["roles"] = []string{"USER"}
			invited := h.want(201, "POST", path, h.owner.token, c.body)
			h.is.Equal(invited.object["mailed_to"], c.want)
			again := h.want(200, "POST", path+"/"+invited.str("invitation_id")+"/resend", h.owner.token, nil)
			h.is.Equal(again.object["mailed_to"], c.want)
		})
	}
	h.refused(409, "email_taken", "POST", path, h.owner.token, map[string]any{"provider": "microsoft", "username": "owner@example.com", "roles": []string{"USER"}})
	h.refused(409, "email_taken", "POST", path, h.owner.token, map[string]any{"email": "bob@corp.example", "username": "bob", "roles": []string{"USER"}})

	// The policy that is built in lets no invitation ask for a provider.
	plain := newStack(t)
	owner := plain.person("owner@example.com")
	org, _ := plain.organization(owner, "Analytical Engines")
	plain.refused(422, "invalid", "POST", "/v1/organizations/"+org+"/invitations", owner.token,
		map[string]any{"provider": "google", "username": "x", "roles": []string{"USER"}}) // nor is there one
}

func TestAResendKeepsWhatTheInvitationAsksFor(t *testing.T) {
	h := newHost(t)
	id, token := h.inviteWith(map[string]any{"email": "grace@example.com", "username": "grace@example.com", "provider": "google"})
	h.want(200, "POST", "/v1/organizations/"+h.org+"/invitations/"+id+"/resend", h.owner.token, nil)
	fresh := h.invitationToken(id, 2)
	h.google.SignIn(who("1", "grace@example.com", true))
	h.refusedExchange(404, "link_invalid", "google", token)
	h.refused(403, "provider_required", "POST", "/v1/invitations/accept", "", map[string]any{"token": fresh, "password": secretWord})
	h.redeems("google", fresh)
}
