package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"tenure/commands"
	"tenure/documents"
	"tenure/domain"
	"tenure/eventstore"
	"tenure/httpapi/pages"
	"tenure/httpapi/strictjson"
	"tenure/ledger"
	"tenure/mail"
	"tenure/oidc"
	"tenure/projections"
	"tenure/relay"
)

// invalidFields refuses several values at once.
type invalidFields []ProblemField

func (invalidFields) Error() string { return "invalid values" }

// throttled refuses one attempt too many.
type throttled struct{ after time.Duration }

func (throttled) Error() string { return "too many attempts" }

// explain makes the problem that answers an error. An error that is no refusal
// becomes a plain 500; known is false, and the log gets the error itself.
func (a *API) explain(err error) (p *Problem, known bool) {
	var refusal *domain.Error
	var fields invalidFields
	var document *documents.Error
	var attempts throttled
	var strict *strictjson.Error
	var fiberErr *fiber.Error
	switch {
	case errors.As(err, &p):
	case errors.As(err, &refusal):
		return a.explainRefusal(refusal)
	case errors.As(err, &fields):
		p = a.explainFields(fields)
	case errors.As(err, &document):
		p = a.explainFields(problemsOf(document))
	case errors.As(err, &strict):
		p = a.malformed(strict.Field, strict.Message)
	case errors.As(err, &attempts):
		p = a.problem(domain.CodeTooManyAttempts, "", "Wait before you try again; the header Retry-After says for how many seconds.")
		p.retryAfter = int(attempts.after/time.Second) + 1
	case a.explainPast(err) != nil:
		p = a.explainPast(err)
	case errors.Is(err, projections.ErrNoView):
		p = a.problem(domain.CodeNotFound, "No such view", "Take a name from the list of projections.")
	case errors.Is(err, projections.ErrRebuilding):
		p = a.problem(codeRebuildRunning, "", "Wait until it is done, or cancel it.")
	case errors.Is(err, projections.ErrNotRebuilding):
		p = a.problem(codeRebuildNotThere, "", "Look at the list of projections: there is no rebuild, or it is done but for the old rows.")
	case errors.Is(err, ledger.ErrNoLeaf):
		p = a.problem(domain.CodeNotFound, "No such event", "Take a position from a history or a receipt; the checkpoints themselves are not in the tree.")
	case errors.Is(err, ledger.ErrNotThere):
		p = a.problem(codeViewBehind, "", "Try again in some seconds; the next checkpoint has it.")
		p.retryAfter = 5
	case errors.Is(err, projections.ErrBehind):
		p = a.problem(codeViewBehind, "", "Try again; what you wrote is not visible here yet.")
		p.retryAfter = 1
	case errors.Is(err, eventstore.ErrUnavailable):
		p = a.problem(codeLogUnavailable, "", "Try again in a moment, with the same Idempotency-Key if it was a command.")
		p.retryAfter = 5
		return p, false // the log of the server has to say why
	case errors.Is(err, projections.ErrUnavailable):
		p = a.problem(codeViewsUnavailable, "", "Try again in a moment. Commands may work.")
		p.retryAfter = 5
		return p, false
	case errors.Is(err, commands.ErrBusy), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p = a.problem(codeBusy, "", "Try again in a moment.")
		p.retryAfter = 1
	case errors.Is(err, oidc.ErrUnavailable):
		p = a.problem(codeProviderUnavailable, "", "Try again in a moment, or sign in another way.")
		p.retryAfter = 5
		return p, false // the log of the server has to say why
	case errors.Is(err, oidc.ErrInvalid):
		p = a.problem(codeIdentityInvalid, "", "Sign in again; if it happens again, report the X-Request-Id.")
	case errors.Is(err, oidc.ErrRefused):
		p = a.problem(codeProviderRefused, "", "Sign in again, and let the provider tell who you are; or sign in another way.")
	case errors.Is(err, oidc.ErrTenant):
		p = a.problem(codeTenantNotAllowed, "", "Sign in with an account of an organization that is admitted here.")
	case errors.Is(err, oidc.ErrState):
		p = a.problem(codeLoginInvalid, "", "Sign in again, in one browser and within 10 minutes.")
	case errors.Is(err, relay.ErrCursor):
		p = a.explainFields(invalidFields{{Field: "cursor", Message: "Send a cursor that this deployment's feed has given, as it is; leave it out to begin with the first event, or send head to begin with the next one."}})
	case errors.Is(err, relay.ErrCursorAhead):
		p = a.problem(codeCursorAhead, "", "The log was restored from an older copy: compare what you have with the feed from its beginning.")
	case errors.Is(err, relay.ErrType):
		p = a.explainFields(invalidFields{{Field: "type", Message: "Give the beginning of a type that the feed has; /asyncapi.json lists them."}})
	case errors.Is(err, errTooManyStreams):
		p = a.problem(codeTooManyStreams, "", "Close one of the streams that you have open, or try another node.")
		p.retryAfter = 5
	case errors.Is(err, mail.ErrNotFound):
		p = a.problem(domain.CodeNotFound, "", "Look the mail up in the outbox.")
	case errors.As(err, &fiberErr):
		return a.explainFiber(fiberErr)
	default:
		return a.internal(), false
	}
	return p, true
}

func (a *API) explainRefusal(e *domain.Error) (*Problem, bool) {
	if _, ok := a.meanings[e.Code]; !ok {
		return a.internal(), false
	}
	p := a.problem(e.Code, e.Title, e.Message)
	if e.Field != "" {
		p.Errors = []ProblemField{{Field: e.Field, Message: e.Message}}
	}
	return p, true
}

// internal is the answer to a failure of ours; the log says which.
func (a *API) internal() *Problem {
	return a.problem(codeInternal, "", "Try again; if it happens again, report the X-Request-Id.")
}

func (a *API) explainFields(fields []ProblemField) *Problem {
	detail := "Correct the values that errors lists."
	if len(fields) == 1 {
		detail = fields[0].Message
	}
	return a.problem(domain.CodeInvalid, "", detail, fields...)
}

// problemsOf are those of a document that an operator has sent.
func problemsOf(e *documents.Error) []ProblemField {
	fields := make([]ProblemField, len(e.Problems))
	for i, p := range e.Problems {
		fields[i] = ProblemField{Field: cmp.Or(p.Path, "document"), Message: p.Message, Line: p.Line, Column: p.Column}
	}
	return fields
}

// explainFiber words what Fiber and fasthttp refuse before a route is found.
func (a *API) explainFiber(e *fiber.Error) (*Problem, bool) {
	switch e.Code {
	case http.StatusNotFound:
		return a.problem(domain.CodeNotFound, "", "Check the path; /openapi.json lists them all."), true
	case http.StatusMethodNotAllowed:
		return a.problem(codeMethodNotAllowed, "", "Use one of the methods in the header Allow."), true
	case http.StatusRequestTimeout:
		return a.problem(codeRequestTimeout, "", "Send the request faster."), true
	case http.StatusRequestEntityTooLarge:
		return a.problem(codeBodyTooLarge, "", fmt.Sprintf("Send at most %d bytes.", maxBodyBytes)), true
	case http.StatusRequestHeaderFieldsTooLarge:
		return a.problem(codeHeadersTooLarge, "", fmt.Sprintf("Send at most %d bytes of headers.", maxHeaderBytes)), true
	case http.StatusInternalServerError:
		return a.internal(), false
	}
	return a.problem(codeMalformed, "", "Send a well-formed HTTP/1.1 request."), true
}

// explainHuma words what Huma's validation refuses. The values themselves are
// left out: one may be a password.
func (a *API) explainHuma(e *huma.ErrorModel) *Problem {
	fields := make([]ProblemField, 0, len(e.Errors))
	for _, detail := range e.Errors {
		if detail != nil {
			fields = append(fields, ProblemField{Field: fieldOf(detail), Message: sentence(detail.Message)})
		}
	}
	switch e.Status {
	case http.StatusUnprocessableEntity:
		return a.explainFields(fields)
	case http.StatusBadRequest:
		return a.malformed("", "Send a JSON object as the body.")
	}
	return a.internal()
}

// fieldOf turns the place of an error, "body.roles[0]", into "roles[0]".
func fieldOf(e *huma.ErrorDetail) string {
	at := e.Location
	for _, prefix := range []string{"body", "query", "header", "path"} {
		if rest, ok := strings.CutPrefix(at, prefix); ok {
			at = strings.TrimPrefix(rest, ".")
			break
		}
	}
	if rest, ok := strings.CutPrefix(e.Message, "expected required property "); ok {
		name, _, _ := strings.Cut(rest, " ")
		at = strings.TrimPrefix(at+"."+name, ".")
	}
	// What passes the schema may still not fit, as 1e30 for a whole number.
	if _, rest, ok := strings.Cut(e.Message, " into Go struct field "); ok && at == "" {
		place, _, _ := strings.Cut(rest, " of type ")
		_, at, _ = strings.Cut(place, ".") // without the type's name
	}
	return at
}

func sentence(message string) string {
	if strings.HasPrefix(message, "expected required property ") {
		return "Give a value."
	}
	if strings.Contains(message, "json: cannot unmarshal number ") {
		return "Give a smaller number."
	}
	if message == "" || strings.Contains(message, "json: ") {
		return "Give another value."
	}
	return strings.ToUpper(message[:1]) + message[1:] + "."
}

// refuse answers with the problem of an error.
func (a *API) refuse(c *call, err error) {
	p, known := a.explain(err)
	switch {
	case !known:
		a.logFailure(c, err)
	case p.Code == codeIdentityInvalid: // any client can bring that about, and yet only the log says what does not hold
		a.logReason(c, slog.LevelInfo, "sign-in not accepted", err)
	}
	a.writeProblem(c, p)
}

func (a *API) writeProblem(c *call, p *Problem) {
	c.code = p.Code
	if p.retryAfter > 0 {
		c.fiber.Set(fiber.HeaderRetryAfter, strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		c.challenge()
	}
	if c.route != nil && c.route.page && wantsPage(c.fiber.Get(fiber.HeaderAccept)) {
		a.showProblem(c, p)
		return
	}
	body, err := encode(p)
	if err != nil {
		a.logFailure(c, err)
	}
	writeBody(c.fiber, p.Status, "application/problem+json", body)
}

// showProblem is writeProblem for a browser that has navigated.
func (a *API) showProblem(c *call, p *Problem) {
	root := strings.Repeat("../", strings.Count(c.route.path, "/")-1)
	body, err := pages.Problem{Title: p.Title, Detail: p.Detail, Code: string(p.Code), Back: c.back, Root: root}.HTML()
	if err != nil {
		a.logFailure(c, err)
	}
	c.fiber.Set(fiber.HeaderContentSecurityPolicy, pages.ContentSecurityPolicy)
	writeBody(c.fiber, p.Status, fiber.MIMETextHTMLCharsetUTF8, body)
}

// is reports whether an error is the refusal with the code.
func is(err error, code domain.Code) bool { return errors.Is(err, &domain.Error{Code: code}) }
