package httpapi

import (
	"context"
	"net/http"

	"tenure/domain"
	"tenure/domain/account"
)

type identityBody struct {
	IdentityID string `json:"identity_id" format:"uuid"`
	Provider   string `json:"provider" doc:"What the server's settings called it."`
	Issuer     string `json:"issuer"`
	Subject    string `json:"subject" doc:"What the issuer calls the person."`
}

// IdentityPath is the input of routes below an identity.
type IdentityPath struct {
	Identity string `path:"identity" doc:"The identity's id." example:"0190d5a1-a1b6-8d32-93e5-7f901b4c6d55"`
}

const exampleIdentity = "0190d5a1-a1b6-8d32-93e5-7f901b4c6d55"

func (a *API) addIdentities() {
	add(a, route{
		id: "list-identities", method: http.MethodGet, path: "/v1/me/identities", tag: "Accounts", access: SignedIn(), status: http.StatusOK, etag: true,
		summary: "One's own identities", description: "Those at providers that may sign in to the account.",
		response: list[identityBody]{Items: []identityBody{{exampleIdentity, "google", "https://accounts.google.com", "110169484474386276334"}}},
	}, a.listIdentities)
	add(a, route{
		id: "unlink-identity", method: http.MethodDelete, path: "/v1/me/identities/{identity}", tag: "Accounts", access: SignedIn(), status: http.StatusOK, etag: true,
		summary:     "Unlink an identity",
		description: "It may not sign in to the account any more; sessions go on. Doing so again does nothing. Who has no password sets one by mail.",
		codes:       []domain.Code{domain.CodeEmailUnverified},
		response:    exampleReceipt(),
	}, a.unlinkIdentity)
}

func (a *API) listIdentities(_ context.Context, c *call, _ *struct{ ViewHeaders }) (answer, error) {
	items := []identityBody{}
	for _, i := range c.caller.Account.Identities() {
		items = append(items, identityBody{a.identityID(i), i.Provider, i.Issuer, i.Subject})
	}
	ans := answer{body: list[identityBody]{Items: items}}
	if revision, ok := c.caller.Expected.Last(); ok {
		ans.etag = etag(revision)
	}
	return ans, nil
}

func (a *API) unlinkIdentity(ctx context.Context, c *call, in *struct {
	IdentityPath
	CommandHeaders
}) (answer, error) {
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	return ownAccount(do.UnlinkIdentity(ctx, r, c.caller.Account.ID, func(i account.Identity) bool { return a.identityID(i) == in.Identity }))
}

// identityID names an identity in paths, where its subject may not stand.
func (a *API) identityID(i account.Identity) string {
	return a.config.Commands.Keys.ID("identity", i.Key()).String()
}
