package httpapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/eventstore"
	"tenure/history"
	"tenure/httpapi/strictjson"
)

// The permission check (X3) is the OpenID AuthZEN Authorization API 1.0, so that
// any client of it can ask. What that specification wants differs from the rest
// of the API: everything that is wrong with a request is a 400, fields that
// nobody knows are passed over, and an X-Request-Id comes back as it was sent.
// A denial is no problem: it is the answer {"decision": false}.

// entityBody is a Subject or a Resource.
type entityBody struct {
	_          struct{}       `additionalProperties:"true"`
	Type       string         `json:"type" doc:"Of a subject: user (id is an account's id) or email (id is an account's address). Of a resource: organization, space (id is a space's id), or a type of the host product's own, which starts with app:. About other types the decision is false."`
	ID         string         `json:"id" doc:"Of a type that starts with app: it is the host product's own, and not looked at."`
	Properties map[string]any `json:"properties,omitempty" doc:"Of a resource whose type is space or starts with app: organization_id, the organization that it belongs to. All else is passed over."`
}

type actionBody struct {
	_          struct{}       `additionalProperties:"true"`
	Name       string         `json:"name" doc:"A permission: Tenure's own, such as members.invite, or one of the host product's in the organization's policy, such as app:endpoints.manage. About a space, spaces.enter asks whether the subject may enter it, and any other whether they have the permission as well."`
	Properties map[string]any `json:"properties,omitempty" doc:"Passed over."`
}

type evaluationBody struct {
	_        struct{}       `additionalProperties:"true"`
	Subject  entityBody     `json:"subject"`
	Action   actionBody     `json:"action"`
	Resource entityBody     `json:"resource"`
	Context  map[string]any `json:"context,omitempty" doc:"With tenure_explain true the answer says which events made the decision so. With as_of, an instant (RFC 3339) or a position in a text, it is what the decision would have been then. All else is passed over."`
}

type evaluationsBody struct {
	_           struct{}         `additionalProperties:"true"`
	Subject     *entityBody      `json:"subject,omitempty" doc:"For every evaluation that has none of its own, and so are action, resource and context."`
	Action      *actionBody      `json:"action,omitempty"`
	Resource    *entityBody      `json:"resource,omitempty"`
	Context     map[string]any   `json:"context,omitempty" doc:"With tenure_explain true the answer says which events made the decision so. With as_of, an instant (RFC 3339) or a position in a text, it is what the decision would have been then. All else is passed over."`
	Evaluations []map[string]any `json:"evaluations,omitempty" maxItems:"100" doc:"The questions. Without any, the body is one question itself."`
	Options     *optionsBody     `json:"options,omitempty"`
}

type optionsBody struct {
	_        struct{} `additionalProperties:"true"`
	Semantic semantic `json:"evaluations_semantic,omitempty" enum:"execute_all,deny_on_first_deny,permit_on_first_permit" doc:"Default execute_all: answer every question. The others stop with the first decision of that kind, which is the last in the answer."`
}

// semantic says after which decision no further question is answered.
type semantic string

const (
	executeAll          semantic = "execute_all"
	denyOnFirstDeny     semantic = "deny_on_first_deny"
	permitOnFirstPermit semantic = "permit_on_first_permit"
)

// after reports whether no question is answered after this decision.
func (s semantic) after(decision bool) bool {
	return s == denyOnFirstDeny && !decision || s == permitOnFirstPermit && decision
}

type decisionBody struct {
	Decision bool             `json:"decision" doc:"Whether the subject may."`
	Context  *decisionContext `json:"context,omitempty"`
}

type decisionsBody struct {
	Decision    *bool            `json:"decision,omitempty" doc:"Of a request without evaluations."`
	Context     *decisionContext `json:"context,omitempty"`
	Evaluations []decisionBody   `json:"evaluations,omitempty" doc:"In the order of the questions."`
}

type decisionContext struct {
	Reason      commands.AccessReason `json:"reason,omitempty" doc:"Match on this: allowed, permission_missing, permission_unknown, not_a_member, member_ and the status of the membership, organization_unknown, space_unknown, space_not_assigned, email_unverified, subject_type_unknown, resource_type_unknown."`
	Message     string                `json:"message,omitempty" doc:"What to do, in a sentence."`
	Error       *evaluationError      `json:"error,omitempty" doc:"Of one of several questions that cannot be read."`
	Explanation *explanationBody      `json:"explanation,omitempty"`
}

type evaluationError struct {
	Status  int    `json:"status" doc:"What the question would have been answered with alone."`
	Message string `json:"message"`
}

type configurationBody struct {
	PolicyDecisionPoint       string `json:"policy_decision_point" format:"uri"`
	AccessEvaluationEndpoint  string `json:"access_evaluation_endpoint" format:"uri"`
	AccessEvaluationsEndpoint string `json:"access_evaluations_endpoint" format:"uri"`
}

const (
	evaluationPath  = "/access/v1/evaluation"
	evaluationsPath = "/access/v1/evaluations"
)

func (a *API) addAuthzen() {
	subject, resource := entityBody{Type: "user", ID: exampleGrace}, entityBody{Type: "organization", ID: exampleOrganization}
	endpoint := entityBody{Type: "app:endpoint", ID: "42", Properties: map[string]any{"organization_id": exampleOrganization}}
	denied := decisionBody{Context: &decisionContext{Reason: commands.AccessPermissionMissing, Message: "Request the admin role from a current admin."}}
	about := "API keys with the scope access.check ask about everybody; an account about itself, and where its role allows members.read (with tenure_explain or as_of history.read as well) about others."
	add(a, route{
		id: "evaluate-access", method: http.MethodPost, path: evaluationPath, tag: "Permission checks", access: Check(apikey.ScopeCheckAccess), status: http.StatusOK, authzen: true,
		summary: "May they?", description: "Rests on every event that is in the log by now. " + about,
		codes:    []domain.Code{codeBodyTooLarge, codeAheadOfLog, codeHistoryBusy},
		request:  evaluationBody{Subject: subject, Action: actionBody{Name: "members.invite"}, Resource: resource, Context: map[string]any{explainOption: true}},
		response: decisionBody{Decision: true, Context: &decisionContext{Reason: commands.AccessAllowed, Explanation: exampleExplanation()}},
	}, a.evaluate)
	add(a, route{
		id: "evaluate-accesses", method: http.MethodPost, path: evaluationsPath, tag: "Permission checks", access: Check(apikey.ScopeCheckAccess), status: http.StatusOK, authzen: true,
		summary: "May they? Several questions at once", description: "All about one organization rest on the same events. " + about,
		codes: []domain.Code{codeBodyTooLarge, codeAheadOfLog, codeHistoryBusy},
		request: evaluationsBody{
			Subject: &subject, Resource: &resource, Options: &optionsBody{Semantic: executeAll},
			Evaluations: []map[string]any{{"action": actionBody{Name: "members.invite"}}, {"action": actionBody{Name: "app:endpoints.manage"}, "resource": endpoint}},
		},
		response: decisionsBody{Evaluations: []decisionBody{{Decision: true}, denied}},
	}, a.evaluateAll)
	configuration := configurationBody{a.config.PublicURL, a.config.PublicURL + evaluationPath, a.config.PublicURL + evaluationsPath}
	add(a, route{
		id: "authzen-configuration", method: http.MethodGet, path: "/.well-known/authzen-configuration", tag: "Permission checks", access: Public(), status: http.StatusOK,
		summary: "Where to ask", description: "The metadata of the policy decision point.",
		response: configuration,
	}, func(context.Context, *call, *struct{}) (answer, error) { return answer{body: configuration}, nil })
}

// addAuthzenBody documents a body that Huma must not read.
func (a *API) addAuthzenBody(r *route) {
	r.shape = &strictjson.Shape{} // any fields
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(r.request), true, r.id+"Request")
	a.huma.OpenAPI().Paths[r.path].Post.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{fiber.MIMEApplicationJSON: {Schema: schema, Example: r.request}},
	}
}

// repeatRequestID answers with the client's own id for the request, also with
// one that does not stand in a log.
func repeatRequestID(f *fiber.Ctx) {
	if id := f.Get("X-Request-Id"); id != "" {
		f.Set("X-Request-Id", id)
	}
}

func (a *API) evaluate(ctx context.Context, c *call, _ *struct{}) (answer, error) {
	q, err := readQuestion(c.body, nil)
	if err != nil {
		return answer{}, err
	}
	e := a.evaluator(c, q.explain)
	decision, err := e.decide(ctx, q)
	return answer{body: decision, position: e.position}, err
}

func (a *API) evaluateAll(ctx context.Context, c *call, _ *struct{}) (answer, error) {
	asked, stop, err := readQuestions(c.body)
	if err != nil {
		return answer{}, err
	}
	if len(asked) == 0 {
		return a.evaluate(ctx, c, nil)
	}
	e := a.evaluator(c, slices.ContainsFunc(asked, func(q question) bool { return q.explain }))
	decisions := make([]decisionBody, 0, len(asked))
	for _, q := range asked {
		decision, err := e.decide(ctx, q)
		if errors.Is(err, history.ErrAhead) {
			p := a.explainPast(err)
			decision, err = decisionBody{Context: &decisionContext{Error: &evaluationError{p.Status, "context." + asOfOption + ": " + p.Detail}}}, nil
		}
		if err != nil {
			return answer{}, err
		}
		decisions = append(decisions, decision)
		if stop.after(decision.Decision) {
			break
		}
	}
	return answer{body: decisionsBody{Evaluations: decisions}, position: e.position}, nil
}

// evaluator answers the questions of one request.
type evaluator struct {
	at       func(past *history.Moment) *commands.AccessCheck
	position eventstore.Position // that all answers so far rest on
}

func (a *API) evaluator(c *call, explain bool) *evaluator {
	now := a.config.Commands.CheckAccess(c.actor(), explain)
	then := make(map[history.Moment]*commands.AccessCheck)
	return &evaluator{at: func(past *history.Moment) *commands.AccessCheck {
		if past == nil {
			return now
		}
		if then[*past] == nil {
			then[*past] = a.config.Commands.CheckPastAccess(c.actor(), explain, a.pastTrail(*past))
		}
		return then[*past]
	}}
}

// decide answers a question. It fails with CodePermissionDenied for a caller who
// may not ask it.
func (e *evaluator) decide(ctx context.Context, q question) (decisionBody, error) {
	switch {
	case q.refused != nil:
		return decisionBody{Context: &decisionContext{Error: &evaluationError{http.StatusBadRequest, q.refused.Field + ": " + q.refused.Message}}}, nil
	case q.unknown != "":
		return decisionBody{Context: &decisionContext{Reason: q.unknown, Message: "Use one of the types in the documentation."}}, nil
	}
	d, err := e.at(q.past).Decide(ctx, q.AccessQuestion)
	if err != nil {
		return decisionBody{}, err
	}
	e.position = max(e.position, d.Position)
	if d.Allowed && !q.explain {
		return decisionBody{Decision: true}, nil
	}
	shown := &decisionContext{Reason: d.Reason, Message: d.Message}
	if q.explain && d.Explanation != nil {
		shown.Explanation = shownExplanation(d.Explanation)
	}
	return decisionBody{d.Allowed, shown}, nil
}
