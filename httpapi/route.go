package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"tenure/commands"
	"tenure/domain"
	"tenure/httpapi/strictjson"
)

// route is one operation: what it is, whom it is for, what it answers.
type route struct {
	id          string // operationId
	method      string
	path        string // with {names}
	tag         string
	summary     string
	description string
	access      Access
	status      int           // of success
	codes       []domain.Code // problems besides those that the rest of the route implies
	request     any           // an example of the body, nil for none
	response    any           // an example of the answer; its type is the schema; nil for none
	contentType string        // of the answer, empty for JSON
	streams     []stream      // other forms of the answer
	etag        bool          // the answer has an ETag
	created     bool          // the answer has a Location; a dry run answers with 200
	hidden      bool          // pages and their files: not in the OpenAPI document
	always      bool          // served also when the node is busy
	authzen     bool          // the body is read as AuthZEN wants it; see authzen.go
	yaml        bool          // the body may be a YAML document as well, which is the field "document" then
	page        bool          // browsers navigate here: they are shown problems as pages

	words []string // the names in the path that are no ids

	name  string            // "GET /v1/…", of spans and metrics
	ids   []string          // the names in the path that are ids
	query map[string]bool   // see queryOf
	shape *strictjson.Shape // of the body, nil where there is none
	seen  *observers
}

// CommandHeaders are part of the input of every command.
type CommandHeaders struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes the command happen once, however often it is sent: 1 to 255 visible ASCII characters of the client's choice. Sent again, the request gets its first answer." example:"3f9c1c7e-order-17"`
	IfMatch        string `header:"If-Match" doc:"The ETag of what the command rests on: it fails with revision_mismatch when that has changed meanwhile." example:"\"7\""`
	DryRun         bool   `query:"dry_run" doc:"Answers with the events that the command would write, or its refusal, and writes nothing." example:"false"`
}

func (h CommandHeaders) command() CommandHeaders { return h }

// NewHeaders are those of commands that rest on nothing that has an ETag.
type NewHeaders struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes the command happen once, however often it is sent: 1 to 255 visible ASCII characters of the client's choice. Sent again, the request gets its first answer." example:"3f9c1c7e-order-17"`
	DryRun         bool   `query:"dry_run" doc:"Answers with the events that the command would write, or its refusal, and writes nothing." example:"false"`
}

func (h NewHeaders) command() CommandHeaders {
	return CommandHeaders{IdempotencyKey: h.IdempotencyKey, DryRun: h.DryRun}
}

// ViewHeaders are part of the input of every read of a view.
type ViewHeaders struct {
	MinPosition string `header:"Tenure-Min-Position" doc:"The Tenure-Position of a command: the answer shows what it did. The read waits for that, and fails with view_behind when it takes too long." example:"1042"`
}

func (h ViewHeaders) minPosition() string { return h.MinPosition }

// written tells Huma that the answer has been written.
type written struct{ Body func(huma.Context) }

// add registers a route. The type of its input says what it takes: path, query
// and header parameters, and Body.
func add[I any](a *API, r route, run func(ctx context.Context, c *call, in *I) (answer, error)) {
	operation := a.describe(&r, new(I))
	r.query = queryOf(reflect.TypeFor[I]())
	operation.Middlewares = huma.Middlewares{a.admit(&r)}
	done := &written{Body: func(huma.Context) {}}
	huma.Register(a.huma, operation, func(ctx context.Context, in *I) (*written, error) {
		c := callOf(ctx)
		ans, err := a.run(ctx, c, in, func() (answer, error) { return run(ctx, c, in) })
		if err != nil {
			a.refuse(c, err)
		} else {
			a.send(c, &r, ans)
		}
		return done, nil
	})
	if r.authzen {
		a.addAuthzenBody(&r)
	} else if operation.RequestBody != nil {
		r.shape = a.shape(operation.RequestBody.Content[fiber.MIMEApplicationJSON].Schema)
	}
	a.operations = append(a.operations, operationOf(&r))
}

// run opens and seals cursors, does what the headers of a command or a read ask
// for, and then the rest.
func (a *API) run(ctx context.Context, c *call, in any, run func() (answer, error)) (answer, error) {
	if err := a.openCursor(c, in); err != nil {
		return answer{}, err
	}
	ans, err := a.conditioned(ctx, c, in, run)
	if err == nil {
		a.sealNext(c, &ans)
	}
	return ans, err
}

func (a *API) conditioned(ctx context.Context, c *call, in any, run func() (answer, error)) (answer, error) {
	if in, ok := in.(interface{ command() CommandHeaders }); ok {
		conditions, err := a.readConditions(in.command())
		if err != nil {
			return answer{}, err
		}
		c.conditions = conditions
	}
	if in, ok := in.(interface{ asOf() string }); ok && c.asks("as_of") {
		return a.lookBack(ctx, c, in, in.asOf(), run)
	}
	if in, ok := in.(interface{ minPosition() string }); ok {
		if err := a.waitForView(ctx, in.minPosition()); err != nil {
			return answer{}, err
		}
		position := a.config.Progress.State().Position // before the read
		ans, err := run()
		ans.position = max(ans.position, position)
		return ans, err
	}
	return run()
}

// admit lets a request in, or answers with why not.
func (a *API) admit(r *route) func(huma.Context, func(huma.Context)) {
	r.name = r.method + " " + r.path
	r.seen = a.metrics.route(r)
	for part := range strings.SplitSeq(r.path, "/") {
		name, ok := strings.CutPrefix(strings.TrimSuffix(part, "}"), "{")
		if ok && !r.hidden && !slices.Contains(r.words, name) {
			r.ids = append(r.ids, name)
		}
	}
	return func(h huma.Context, next func(huma.Context)) {
		c := callOf(h.Context())
		c.route = r
		if r.authzen {
			repeatRequestID(c.fiber)
		}
		if !r.always {
			if !a.slots.TryAcquire(1) {
				a.refuse(c, commands.ErrBusy)
				return
			}
			defer a.slots.Release(1)
		}
		ctx, cancel := context.WithTimeout(h.Context(), a.config.RequestTimeout)
		defer cancel()
		ctx, span := a.startSpan(ctx, c)
		defer func() { endSpan(span, c) }()
		if err := a.enter(ctx, c); err != nil {
			a.refuse(c, err)
			return
		}
		next(huma.WithContext(h, ctx))
	}
}

// enter checks, in this order, who calls, the ids in the path, what the caller
// may do, and the forms of the query and the body.
func (a *API) enter(ctx context.Context, c *call) error {
	if err := a.authenticate(ctx, c); err != nil {
		return err
	}
	for _, name := range c.route.ids {
		if !isID(c.param(name)) {
			return domain.Refuse(domain.CodeNotFound, "Not found", "Check the id in the path; it is none.")
		}
	}
	if org := c.organization(); c.route.access.All && org != "" && !isID(string(org)) {
		return domain.Refuse(domain.CodeNotFound, "No such organization", "Check the organization's id; it is none.")
	}
	if err := a.authorize(ctx, c); err != nil {
		return err
	}
	if err := a.readQuery(c); err != nil {
		return err
	}
	return a.readBody(c)
}

func (a *API) readBody(c *call) error {
	body := c.fiber.Body()
	if c.route.shape == nil || len(body) == 0 && !c.route.authzen {
		return nil
	}
	if c.route.yaml {
		body = readYAML(c.fiber)
	}
	kind, params, _ := strings.Cut(c.fiber.Get(fiber.HeaderContentType), ";")
	params = strings.ToLower(strings.ReplaceAll(params, " ", ""))
	if !strings.EqualFold(strings.TrimSpace(kind), fiber.MIMEApplicationJSON) || (params != "" && params != "charset=utf-8" && params != `charset="utf-8"`) ||
		c.fiber.Get(fiber.HeaderContentEncoding) != "" {
		p := a.problem(codeMediaType, "", "Send the body as application/json, not encoded.")
		if c.route.authzen {
			p = a.malformed("", p.Detail)
		}
		return p
	}
	c.fiber.Request().Header.SetContentType(fiber.MIMEApplicationJSON) // Huma tells cases apart
	object, err := strictjson.Object(body, c.route.shape)
	c.body = object
	return err
}

// readYAML puts a YAML document that is the whole body where it stands in one of
// JSON. Text that is not UTF-8 stays as it is, and is refused as JSON.
func readYAML(c *fiber.Ctx) []byte {
	kind, _, _ := strings.Cut(c.Get(fiber.HeaderContentType), ";")
	if !slices.Contains(yamlTypes, strings.ToLower(strings.TrimSpace(kind))) {
		return c.Body()
	}
	body := c.Body()
	if utf8.Valid(body) {
		var err error
		if body, err = encode(map[string]string{"document": string(body)}); err != nil {
			return c.Body()
		}
	}
	c.Request().Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Request().SetBody(body)
	return body
}

// yamlTypes are what YAML is sent as.
var yamlTypes = []string{"application/yaml", "text/yaml", "application/x-yaml"}

// isID reports whether text is a UUID in its canonical form.
func isID(text string) bool {
	id, err := uuid.Parse(text)
	return err == nil && id.String() == text
}

func (a *API) startSpan(ctx context.Context, c *call) (context.Context, trace.Span) {
	if c.fiber.Get("traceparent") != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, carrier{c.fiber})
	}
	return a.tracer.Start(ctx, c.route.name, trace.WithSpanKind(trace.SpanKindServer))
}

func endSpan(span trace.Span, c *call) {
	if span.IsRecording() {
		status := c.fiber.Response().StatusCode()
		span.SetAttributes(
			attribute.String("http.request.method", c.fiber.Method()), attribute.String("http.route", c.route.path),
			attribute.Int("http.response.status_code", status), attribute.String("tenure.request_id", c.id),
		)
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, string(c.code))
		}
	}
	span.End()
}

// carrier reads the headers of a request for OpenTelemetry.
type carrier struct{ *fiber.Ctx }

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string { return c.Ctx.Get(key) }

// Set implements propagation.TextMapCarrier; nothing is injected here.
func (c carrier) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string { return []string{"traceparent", "tracestate"} }
