package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/erasure"
	"tenure/projections"
)

// AccountPath is the input of routes below an account.
type AccountPath struct {
	Account string `path:"user" doc:"The account's id." example:"0190d5a1-c3da-7f54-9507-91a2bd6e8f61"`
}

type eraseMeBody struct {
	Password string `json:"password,omitempty" maxLength:"256" doc:"The account's password. Who has none signs in again, and asks within 15 minutes."`
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type eraseBody struct {
	Force  bool   `json:"force,omitempty" doc:"Erase the person also where an organization loses its owner or its last administrator."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type eraseInviteeBody struct {
	Email  string `json:"email" maxLength:"320" doc:"The address that invitations were sent to, or were for."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

// ErasurePath is the input of routes below an erasure.
type ErasurePath struct {
	Erasure string `path:"erasure" doc:"The account's id; or of somebody who has none the erasure_id in the receipt." example:"0190d5a1-c3da-7f54-9507-91a2bd6e8f61"`
}

type erasureReceipt struct {
	Receipt
	Organizations []erasureConsequence `json:"organizations,omitempty" doc:"Of a dry run: what the erasure does to organizations, personal spaces among them."`
}

type erasureConsequence struct {
	OrganizationID domain.OrganizationID   `json:"organization_id" format:"uuid"`
	Name           domain.OrganizationName `json:"name"`
	Outcome        string                  `json:"outcome" enum:"left,deleted,withdrawn" doc:"left: the membership ends. deleted: this was the last member, so the organization ends, with all that is in it. withdrawn: the request to join ends."`
	Lacks          string                  `json:"lacks,omitempty" doc:"With force: the organization is left without its owner or its last administrator, and what could be done first."`
}

type erasureDocument struct {
	ErasureID domain.ErasureID `json:"erasure_id" format:"uuid"`
	State     string           `json:"state" enum:"under_way,done" doc:"done: everything was found, and the keys that it was sealed under are gone. The files of the views are written anew right after that."`
	WaitsFor  string           `json:"waits_for,omitempty" enum:"process,views,keys" doc:"While it is under way. process: the person is being looked for, or will be. views: they are halted, and may show the person until they are not; see /v1/operator/projections. keys: they are being destroyed."`
}

func (a *API) addErasure() {
	erased := account.Erased{AccountID: exampleAda}
	consequences := []erasureConsequence{{exampleOrganization, "Analytical Engines", commands.ErasureLeaves, ""}}
	add(a, route{
		id: "erase-me", method: http.MethodPost, path: "/v1/me/erase", tag: "Accounts", access: SignedInOnce(), status: http.StatusOK,
		summary: "Erase one's own account",
		description: "Ends the account for good, at once: sessions, memberships, open invitations. What is known of the person is erased soon after; " +
			"histories show a pseudonym. An organization of which the person is the only member is deleted with all that is in it. " +
			"Nobody can take it back. The address may sign up anew.",
		codes:   []domain.Code{domain.CodeErasureBlocked, domain.CodeCredentialsWrong, domain.CodeTooManyAttempts, domain.CodeEmailUnverified},
		request: eraseMeBody{Password: "correct horse battery"}, response: erasureReceipt{exampleReceipt(erased), consequences},
	}, a.eraseMe)
	add(a, route{
		id: "erase-account", method: http.MethodPost, path: "/v1/operator/accounts/{user}/erase", tag: "Operator",
		access: Operator(apikey.ScopeOperator), status: http.StatusOK,
		summary:     "Erase a person",
		description: "As the person's own request, without a password. An account that was erased stays so. It ends at once, also while views are halted; GET /v1/operator/erasures/{user} says how far the rest is.",
		codes:       []domain.Code{domain.CodeErasureBlocked},
		request:     eraseBody{Reason: "Asked for by mail."}, response: erasureReceipt{exampleReceipt(erased), consequences},
	}, a.eraseAccount)
	add(a, route{
		id: "erasure", method: http.MethodGet, path: "/v1/operator/erasures/{erasure}", tag: "Operator", access: Operator(apikey.ScopeOperator), status: http.StatusOK,
		summary: "How far an erasure is", description: "Of an account, or of somebody who was invited and has none.",
		codes: []domain.Code{domain.CodeNotFound}, response: erasureDocument{exampleAda, "under_way", "views"},
	}, a.showErasure)
	add(a, route{
		id: "erase-invitee", method: http.MethodPost, path: "/v1/operator/invitees/erase", tag: "Operator",
		access: Operator(apikey.ScopeOperator), status: http.StatusOK,
		summary: "Erase somebody who was invited and has no account",
		description: "Ends the open invitations to the address, and has lists and histories show a pseudonym for all that there were. " +
			"The address is in the body, since paths are written into logs. It may be invited again. Where an account has the address, erase that.",
		codes:    []domain.Code{domain.CodeAccountExists},
		request:  eraseInviteeBody{Email: "grace@example.com", Reason: "Asked for by mail."},
		response: exampleReceipt(erasure.Requested{ErasureID: "0190d5a1-c3da-7f54-9507-91a2bd6e8f63", Address: "qPdc1Yb0H2kSxw4Qb6m0bY5M0lV7s3g8y2wB1x9Zk0c"}),
	}, a.eraseInvitee)
}

func (a *API) eraseMe(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body eraseMeBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	id := c.caller.Account.ID
	erasure := a.erasureOf(ctx, id)
	budgets := []budget{a.perAccount("password", id, a.config.Throttle.PasswordPerPerson)}
	done, err := charged(ctx, a, budgets, func() (commands.Receipt, error) {
		return do.EraseOwnAccount(ctx, r, id, c.caller.SessionID, in.Body.Password, erasure)
	})
	return a.foretold(ctx, id, erasure, done, err)
}

func (a *API) eraseAccount(ctx context.Context, c *call, in *struct {
	AccountPath
	NewHeaders
	Body *eraseBody
}) (answer, error) {
	var body eraseBody
	if in.Body != nil {
		body = *in.Body
	}
	do, r, err := a.request(c, body.Reason)
	if err != nil {
		return answer{}, err
	}
	id := domain.AccountID(c.param("user"))
	erasure := commands.Erasure{}
	if !body.Force || c.conditions.dryRun {
		erasure = a.erasureOf(ctx, id)
	}
	erasure.Force = body.Force
	done, err := do.EraseAccount(ctx, r, id, erasure)
	return a.foretold(ctx, id, erasure, done, err)
}

// foretold answers the erasure of an account; a dry run with what it does to
// organizations.
func (a *API) foretold(ctx context.Context, id domain.AccountID, in commands.Erasure, done commands.Receipt, err error) (answer, error) {
	var all []erasureConsequence
	if err == nil && done.DryRun && len(done.Events) > 0 {
		found, failed := a.config.Commands.ErasureConsequences(ctx, id, in)
		for _, x := range found {
			all = append(all, erasureConsequence{x.Organization, x.Name, x.Outcome, x.Lacks})
		}
		err = failed
	}
	return erased(done, err, func(r Receipt) any { return erasureReceipt{r, all} })
}

func (a *API) showErasure(ctx context.Context, c *call, _ *ErasurePath) (answer, error) {
	id := domain.ErasureID(c.param("erasure"))
	s, err := a.config.Commands.Erasure(ctx, id)
	shown := erasureDocument{ErasureID: id, State: "under_way"}
	switch {
	case s.Done:
		shown.State = "done"
	case s.Concluded:
		shown.WaitsFor = "keys"
	case a.config.Progress.State().Halted:
		shown.WaitsFor = "views"
	default:
		shown.WaitsFor = "process"
	}
	return answer{body: shown}, err
}

func (a *API) eraseInvitee(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body eraseInviteeBody
}) (answer, error) {
	email, err := domain.ParseEmail("email", in.Body.Email)
	if err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.EraseInvitee(ctx, r, email)
	return erased(done, err, plainly)
}

// erased answers without an ETag: there is nothing left to be read.
func erased(r commands.Receipt, err error, as func(Receipt) any) (answer, error) {
	ans, err := commanded(r, err, as)
	ans.etag = ""
	return ans, err
}

// erasureOf finds what the views know of the organizations of an account. It does
// not wait until they know all: the log has the rest, and all of it where views
// that are halted or away say nothing.
func (a *API) erasureOf(ctx context.Context, id domain.AccountID) commands.Erasure {
	known := a.config.Progress.State()
	if known.Halted {
		return commands.Erasure{}
	}
	orgs, err := a.organizationsOf(ctx, id)
	if err != nil {
		return commands.Erasure{}
	}
	return commands.Erasure{Organizations: orgs, KnownAt: known.Position}
}

// organizationsOf are those that the views show the account in, as a member or as
// one who asks to become one.
func (a *API) organizationsOf(ctx context.Context, id domain.AccountID) (all []domain.OrganizationID, err error) {
	if err := a.waitForView(ctx, ""); err != nil { // that they lack nothing of what they held
		return nil, err
	}
	for _, read := range []func(context.Context, projections.MembershipsQuery) (projections.Page, error){a.config.Reader.Memberships, a.config.Reader.OwnRequests} {
		for q := (projections.MembershipsQuery{Account: id, Limit: 200}); ; {
			page, err := read(ctx, q)
			if err != nil {
				return nil, err
			}
			items, err := page.Items()
			if err != nil {
				return nil, err
			}
			for _, item := range items {
				var m projections.Membership
				if err := json.Unmarshal(item, &m); err != nil {
					return nil, err
				}
				all = append(all, m.OrganizationID)
			}
			if q.Cursor = page.NextCursor(); q.Cursor == "" {
				break
			}
		}
	}
	return all, nil
}
