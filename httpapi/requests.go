package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

// joinBody is what somebody who wants to join is told.
type joinBody struct {
	OrganizationID domain.OrganizationID   `json:"organization_id" format:"uuid"`
	Name           domain.OrganizationName `json:"name"`
	AutoActivation bool                    `json:"auto_activation" doc:"Whoever asks is a member at once."`
	YourStatus     string                  `json:"your_status" enum:"none,pending,active,suspended,removed" doc:"Of the caller: none has not asked."`
}

type requestsInput struct {
	OrgPath
	PageInput
	Q    string `query:"q" maxLength:"200" doc:"Beginnings of words in display name and e-mail address; all have to be found." example:"gra"`
	Sort string `query:"sort" enum:"display_name,-display_name,requested_at,-requested_at" doc:"Default requested_at. Not together with q."`
}

type decideBody struct {
	Decisions []requestDecision `json:"decisions,omitempty" maxItems:"200" doc:"Each is decided on its own. Either this or all."`
	All       string            `json:"all,omitempty" enum:"approve,reject" doc:"Decides all open requests alike, the oldest 200 of them at once; the notifications say how many are left."`
	Roles     []string          `json:"roles,omitempty" maxItems:"20" doc:"With all and approve; default what the policy gives those who ask."`
	Reason    string            `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type requestDecision struct {
	AccountID string   `json:"account_id" maxLength:"36" doc:"Who asks."`
	Decision  string   `json:"decision" enum:"approve,reject"`
	Roles     []string `json:"roles,omitempty" maxItems:"20" doc:"Of an approval; default what the policy gives those who ask."`
}

type decided struct {
	Results []decisionResult `json:"results" doc:"One for each decision, in that order."`
	Receipt
}

type decisionResult struct {
	AccountID domain.AccountID `json:"account_id" format:"uuid"`
	Outcome   string           `json:"outcome" enum:"approved,rejected,refused"`
	Problem   *decisionProblem `json:"problem,omitempty" doc:"Why it was refused."`
}

type decisionProblem struct {
	Code   domain.Code `json:"code" example:"request_not_there"`
	Title  string      `json:"title" doc:"A few words."`
	Detail string      `json:"detail" doc:"What to do, in a sentence."`
}

type autoActivationBody struct {
	AutoActivation bool   `json:"auto_activation" doc:"True lets everybody who asks in at once."`
	Reason         string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type autoActivationState struct {
	AutoActivation bool `json:"auto_activation"`
}

type notificationsBody struct {
	JoinRequests int                  `json:"join_requests" doc:"How many wait for a decision."`
	Newest       []projections.Member `json:"newest" doc:"The newest of them, at most 10."`
}

func exampleRequest() projections.Member {
	at := exampleTime()
	return projections.Member{AccountID: exampleGrace, Email: "grace@example.com", DisplayName: "Grace Hopper", Roles: []domain.Role{}, Status: projections.Pending, RequestedAt: &at}
}

func (a *API) addRequests() {
	org, grace, roles := exampleMembership()
	joined := organization.MemberJoined{OrganizationID: org, AccountID: grace, Email: "grace@example.com", DisplayName: "Grace Hopper", Roles: roles, Via: "request"}
	own := exampleReceipt(organization.JoinRequested{OrganizationID: org, AccountID: grace, Email: "grace@example.com", DisplayName: "Grace Hopper", RequestedAt: exampleTime()})
	own.Revision = nil
	withdrawn := exampleReceipt(organization.JoinRequestClosed{OrganizationID: org, AccountID: grace, Outcome: "withdrawn"})
	withdrawn.Revision = nil
	add(a, route{
		id: "look-up-joinable", method: http.MethodGet, path: "/v1/organizations/{org}/join", tag: "Requests", access: SignedIn(), status: http.StatusOK,
		summary: "What a link to join is about", description: "For whoever is signed in. Only an organization that takes requests shows itself, by its name.",
		response: joinBody{exampleOrganization, "Analytical Engines", false, "none"},
	}, a.lookUpJoinable)
	add(a, route{
		id: "request-to-join", method: http.MethodPost, path: "/v1/organizations/{org}/join-requests", tag: "Requests", access: SignedIn(), status: http.StatusOK,
		summary: "Ask to join", description: "Asks for the account that is signed in, or makes it a member where nobody has to decide. Asking again changes nothing.",
		codes: []domain.Code{
			domain.CodeEmailUnverified, domain.CodeOrganizationClosed, domain.CodeMemberActive, domain.CodeMemberSuspended, domain.CodeMemberRemoved,
			domain.CodeRequestNotThere, domain.CodeEmailTaken, domain.CodeSeatsFull, domain.CodeRoleExclusive, domain.CodeNotOffered,
		},
		request: reasonBody{"I teach the evening class."}, response: own,
	}, a.requestToJoin)
	add(a, route{
		id: "withdraw-request", method: http.MethodDelete, path: "/v1/organizations/{org}/join-requests/current", tag: "Requests", access: SignedIn(), status: http.StatusOK,
		summary: "Take one's own request back", description: "Does nothing where there is none.",
		request: reasonBody{"Changed my mind."}, response: withdrawn,
	}, a.withdrawRequest)
	add(a, route{
		id: "list-join-requests", method: http.MethodGet, path: "/v1/organizations/{org}/join-requests", tag: "Requests", access: Member(domain.ReadRequests), status: http.StatusOK,
		summary: "Who asks to join", description: "A page; searched and sorted. Each stands as it does in the list of members with the status pending.",
		codes:    []domain.Code{domain.CodeInvalid},
		response: list[projections.Member]{Items: []projections.Member{exampleRequest()}, NextCursor: exampleCursor},
	}, a.listRequests)
	add(a, route{
		id: "decide-join-requests", method: http.MethodPost, path: "/v1/organizations/{org}/join-requests/decide", tag: "Requests", access: Member(domain.DecideRequests), status: http.StatusOK, etag: true,
		summary: "Approve and reject requests", description: "One, several or all. One that is refused keeps none of the others from happening: results says what became of each.",
		request: decideBody{Decisions: []requestDecision{{exampleGrace, "approve", []string{"participant"}}}},
		response: decided{[]decisionResult{
			{exampleGrace, "approved", nil},
			{exampleAda, "refused", &decisionProblem{domain.CodeRequestNotThere, "No such request", "Look at the list of requests: it is decided, or was withdrawn."}},
		}, exampleReceipt(joined)},
	}, a.decideRequests)
	add(a, route{
		id: "get-notifications", method: http.MethodGet, path: "/v1/organizations/{org}/notifications", tag: "Requests", access: Member(domain.DecideRequests), status: http.StatusOK,
		summary: "What waits for a decision", description: "For those who decide on requests: how many there are, and the newest.",
		response: notificationsBody{1, []projections.Member{exampleRequest()}},
	}, a.notifications)
	add(a, route{
		id: "get-auto-activation", method: http.MethodGet, path: "/v1/organizations/{org}/auto-activation", tag: "Requests", access: Member(domain.ReadRequests), status: http.StatusOK,
		summary: "Whether requests are approved by themselves", description: "False: somebody has to decide.",
		response: autoActivationState{true},
	}, a.getAutoActivation)
	add(a, route{
		id: "set-auto-activation", method: http.MethodPut, path: "/v1/organizations/{org}/auto-activation", tag: "Requests", access: Member(domain.DecideRequests), status: http.StatusOK, etag: true,
		summary: "Have requests approved by themselves", description: "Holds for requests from now on; those that are open still wait for a decision.",
		codes: []domain.Code{domain.CodeNotOffered}, request: autoActivationBody{AutoActivation: true},
		response: exampleReceipt(organization.AutoActivationChanged{OrganizationID: org, After: true}),
	}, a.setAutoActivation)
}

func (a *API) lookUpJoinable(ctx context.Context, c *call, _ *struct{ OrgPath }) (answer, error) {
	j, err := a.config.Commands.LookUpJoinable(ctx, c.organization(), c.caller.Account.ID)
	return answer{body: joinBody{c.organization(), j.Name, j.AutoActivates, j.Standing}}, err
}

func (a *API) requestToJoin(ctx context.Context, c *call, in *struct {
	OrgPath
	NewHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.RequestToJoin(ctx, r, c.organization())
	return commanded(asStranger(receipt), err, plainly)
}

func (a *API) withdrawRequest(ctx context.Context, c *call, in *struct {
	OrgPath
	NewHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.WithdrawRequest(ctx, r, c.organization())
	return commanded(asStranger(receipt), err, plainly)
}

// asStranger leaves out how much has happened in an organization, which is for
// its members to know.
func asStranger(r commands.Receipt) commands.Receipt {
	r.Exists = false
	return r
}

func (a *API) listRequests(ctx context.Context, c *call, in *requestsInput) (answer, error) {
	return page(a.config.Reader.Members(ctx, projections.MembersQuery{
		Organization: c.organization(), Q: in.Q, Status: string(projections.Pending), Sort: requestsSort(in.Q, in.Sort), Cursor: in.Cursor, Limit: in.Limit,
		NeverMoved: c.membership.NeverMoved,
	}))
}

// requestsSort is how the view of members calls an order of requests.
func requestsSort(q, sort string) string {
	switch sort {
	case "":
		if q != "" {
			return ""
		}
		return "joined_at"
	case "requested_at":
		return "joined_at"
	case "-requested_at":
		return "-joined_at"
	}
	return sort
}

func (a *API) decideRequests(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body decideBody
}) (answer, error) {
	var k checks
	if (in.Body.All == "") == (len(in.Body.Decisions) == 0) {
		k.note(domain.Invalid("decisions", "Give either decisions or all."))
	}
	if in.Body.All == "" && len(in.Body.Roles) > 0 {
		k.note(domain.Invalid("roles", "Give the roles in each decision."))
	}
	decisions := make([]commands.RequestDecision, len(in.Body.Decisions))
	seen := make(map[string]bool)
	for i, d := range in.Body.Decisions {
		at := fmt.Sprintf("decisions[%d]", i)
		decisions[i] = decision(k.id(at+".account_id", d.AccountID), d.Decision, d.Roles)
		if seen[d.AccountID] {
			k.note(domain.Invalid(at+".account_id", "Decide on everybody once."))
		}
		seen[d.AccountID] = true
	}
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	var done commands.Decided
	if in.Body.All != "" {
		done, err = do.DecideAllRequests(ctx, r, c.organization(), decision("", in.Body.All, in.Body.Roles))
	} else {
		done, err = do.DecideRequests(ctx, r, c.organization(), decisions)
	}
	return commanded(done.Receipt, err, func(r Receipt) any { return decided{results(done.Outcomes), r} })
}

func decision(account, verb string, roles []string) commands.RequestDecision {
	d := commands.RequestDecision{AccountID: domain.AccountID(account), Approve: verb == "approve"}
	for _, role := range roles {
		d.Roles = append(d.Roles, domain.Role(role))
	}
	return d
}

func results(outcomes []commands.RequestOutcome) []decisionResult {
	all := make([]decisionResult, len(outcomes))
	for i, o := range outcomes {
		all[i] = decisionResult{AccountID: o.AccountID, Outcome: "rejected"}
		var refusal *domain.Error
		switch {
		case errors.As(o.Refusal, &refusal):
			all[i].Outcome, all[i].Problem = "refused", &decisionProblem{refusal.Code, refusal.Title, refusal.Message}
		case o.Approved:
			all[i].Outcome = "approved"
		}
	}
	return all
}

func (a *API) notifications(ctx context.Context, c *call, _ *struct {
	OrgPath
	ViewHeaders
}) (answer, error) {
	waiting, _, err := a.config.Commands.JoinRequests(ctx, c.organization())
	if err != nil {
		return answer{}, err
	}
	const newest = 10
	p, err := a.config.Reader.Members(ctx, projections.MembersQuery{
		Organization: c.organization(), Status: string(projections.Pending), Sort: "-joined_at", Limit: newest, NeverMoved: c.membership.NeverMoved,
	})
	if err != nil {
		return answer{}, err
	}
	items, err := p.Items()
	return answer{body: struct {
		JoinRequests int               `json:"join_requests"`
		Newest       []json.RawMessage `json:"newest"`
	}{waiting, items}}, err
}

func (a *API) getAutoActivation(ctx context.Context, c *call, _ *struct{ OrgPath }) (answer, error) {
	_, on, err := a.config.Commands.JoinRequests(ctx, c.organization())
	return answer{body: autoActivationState{on}}, err
}

func (a *API) setAutoActivation(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body autoActivationBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.SetAutoActivation(ctx, r, c.organization(), in.Body.AutoActivation)
	return commanded(receipt, err, plainly)
}
