package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/projections"
)

// KeyPath is the input of routes below an API key.
type KeyPath struct {
	Key string `path:"key" doc:"The API key's id." example:"0190d5a1-c3da-7f54-9507-91a2bd6e8f66"`
}

type keyBody struct {
	Name      string     `json:"name" maxLength:"400" doc:"What the key is for; at most 100 characters."`
	Scopes    []string   `json:"scopes" maxItems:"20" doc:"operator: everything below /v1/operator, and the outbox. organizations.read: to read every organization. access.check: permission checks about everybody. work.manage: to assign work to members, and to release it. events.read: the event feed of all organizations, without personal data. events.read_personal: besides events.read, with it. all: these, and what later versions add; any other key keeps the scopes that it lists."`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When the key stops to work; never if it is left out."`
	Reason    string     `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type keyMade struct {
	APIKeyID domain.APIKeyID `json:"api_key_id" format:"uuid"`
	Key      string          `json:"key,omitempty" doc:"Send it as Authorization: Bearer …. It is shown in this answer only."`
	Receipt
}

type directoryInput struct {
	PageInput
	Q    string `query:"q" maxLength:"200" doc:"Beginnings of words in the name; all have to be found." example:"eng"`
	Sort string `query:"sort" enum:"name,-name" doc:"Default name. Not together with q."`

	Personal bool `query:"personal" doc:"True lists the personal spaces, and false, the default, all others." example:"false"`
}

func (a *API) addOperator() {
	operator := Operator(apikey.ScopeOperator)
	add(a, route{
		id: "list-api-keys", method: http.MethodGet, path: "/v1/operator/api-keys", tag: "Operator", access: operator, status: http.StatusOK,
		summary: "API keys", description: "Also those that have expired or were revoked; the newest first.",
		codes: []domain.Code{domain.CodeInvalid},
		response: list[projections.APIKey]{Items: []projections.APIKey{{
			APIKeyID: exampleKey, Name: "monitoring", Scopes: []apikey.Scope{apikey.ScopeReadOrganizations}, CreatedAt: exampleTime(),
		}}},
	}, a.listKeys)
	add(a, route{
		id: "create-api-key", method: http.MethodPost, path: "/v1/operator/api-keys", tag: "Operator", access: operator, status: http.StatusCreated, created: true,
		summary: "Make an API key", description: "The key is in this answer only.",
		request: keyBody{Name: "monitoring", Scopes: []string{"organizations.read"}},
		response: keyMade{exampleKey, "tnr_key_BgGQ1aHD2n9UlQeRor1uj2YAAAAAAAAAAAAAAAAAAAAAAAAAAAECAwQFBgcICQoLDA0ODxA", exampleReceipt(
			apikey.Created{APIKeyID: exampleKey, Name: "monitoring", Scopes: []apikey.Scope{apikey.ScopeReadOrganizations}})},
	}, a.createKey)
	add(a, route{
		id: "revoke-api-key", method: http.MethodDelete, path: "/v1/operator/api-keys/{key}", tag: "Operator", access: operator, status: http.StatusOK,
		summary: "Revoke an API key", description: "Ends the key at once.",
		request: reasonBody{"It was in a repository."}, response: exampleReceipt(apikey.Revoked{APIKeyID: exampleKey}),
	}, a.revokeKey)
	add(a, route{
		id: "list-organizations", method: http.MethodGet, path: "/v1/operator/organizations", tag: "Operator", access: operator, status: http.StatusOK,
		summary: "All organizations", description: "A page; searched and sorted by name. Personal spaces have a list of their own.",
		codes:    []domain.Code{domain.CodeInvalid},
		response: list[projections.Organization]{Items: []projections.Organization{exampleOrganizationDocument()}, NextCursor: exampleCursor},
	}, a.listOrganizations)
	a.addProjections(operator)
}

func (a *API) listKeys(ctx context.Context, _ *call, in *struct{ PageInput }) (answer, error) {
	return page(a.config.Reader.APIKeys(ctx, projections.APIKeysQuery{Cursor: in.Cursor, Limit: in.Limit}))
}

func (a *API) createKey(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body keyBody
}) (answer, error) {
	var k checks
	name := k.displayName("name", in.Body.Name)
	scopes := make([]apikey.Scope, len(in.Body.Scopes))
	for i, s := range in.Body.Scopes {
		scopes[i] = apikey.Scope(s)
	}
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	id, key, done, err := do.CreateAPIKey(ctx, r, name, scopes, in.Body.ExpiresAt)
	ans, err := commanded(done, err, func(r Receipt) any { return keyMade{id, key, r} })
	ans.etag = ""
	ans.location = c.fiber.Path() + "/" + string(id)
	return ans, err
}

func (a *API) revokeKey(ctx context.Context, c *call, in *struct {
	KeyPath
	NewHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.RevokeAPIKey(ctx, r, domain.APIKeyID(c.param("key")))
	ans, err := commanded(done, err, plainly)
	ans.etag = ""
	return ans, err
}

func (a *API) listOrganizations(ctx context.Context, _ *call, in *directoryInput) (answer, error) {
	return page(a.config.Reader.Directory(ctx, projections.DirectoryQuery{Personal: in.Personal, Q: in.Q, Sort: in.Sort, Cursor: in.Cursor, Limit: in.Limit}))
}
