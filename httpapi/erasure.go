package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

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

func (a *API) addErasure() {
	erased := account.Erased{AccountID: exampleAda}
	add(a, route{
		id: "erase-me", method: http.MethodPost, path: "/v1/me/erase", tag: "Accounts", access: SignedInOnce(), status: http.StatusOK,
		summary: "Erase one's own account",
		description: "Ends the account for good, at once: sessions, memberships, open invitations. What is known of the person is erased soon after; " +
			"histories show a pseudonym. An organization of which the person is the only member is deleted with all that is in it. " +
			"Nobody can take it back. The address may sign up anew.",
		codes:   []domain.Code{domain.CodeErasureBlocked, domain.CodeCredentialsWrong, domain.CodeTooManyAttempts},
		request: eraseMeBody{Password: "correct horse battery"}, response: exampleReceipt(erased),
	}, a.eraseMe)
	add(a, route{
		id: "erase-account", method: http.MethodPost, path: "/v1/operator/accounts/{user}/erase", tag: "Operator",
		access: Operator(apikey.ScopeOperator), status: http.StatusOK,
		summary:     "Erase a person",
		description: "As the person's own request, without a password. An account that was erased stays so.",
		codes:       []domain.Code{domain.CodeErasureBlocked},
		request:     eraseBody{Reason: "Asked for by mail."}, response: exampleReceipt(erased),
	}, a.eraseAccount)
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
	orgs, err := a.organizationsOf(ctx, id)
	if err != nil {
		return answer{}, err
	}
	budgets := []budget{a.perAccount("password", id, a.config.Throttle.PasswordPerPerson)}
	done, err := charged(ctx, a, budgets, func() (commands.Receipt, error) {
		return do.EraseOwnAccount(ctx, r, id, c.caller.SessionID, in.Body.Password, commands.Erasure{Organizations: orgs})
	})
	return erased(done, err)
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
	orgs, err := a.organizationsOf(ctx, id)
	if err != nil {
		return answer{}, err
	}
	return erased(do.EraseAccount(ctx, r, id, commands.Erasure{Organizations: orgs, Force: body.Force}))
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
	return erased(do.EraseInvitee(ctx, r, email))
}

// erased answers without an ETag: there is nothing left to be read.
func erased(r commands.Receipt, err error) (answer, error) {
	ans, err := commanded(r, err, plainly)
	ans.etag = ""
	return ans, err
}

// organizationsOf are those that the account is a member of now.
func (a *API) organizationsOf(ctx context.Context, id domain.AccountID) ([]domain.OrganizationID, error) {
	head, err := a.config.Commands.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.waitForView(ctx, strconv.FormatUint(uint64(head), 10)); err != nil {
		return nil, err
	}
	var all []domain.OrganizationID
	for q := (projections.MembershipsQuery{Account: id, Limit: 200}); ; {
		page, err := a.config.Reader.Memberships(ctx, q)
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
			return all, nil
		}
	}
}
