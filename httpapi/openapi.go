package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"tenure/domain"
	"tenure/httpapi/strictjson"
)

// Operation is what is known of a route, for tests that walk through all.
type Operation struct {
	ID      string
	Method  string
	Path    string // with {names}
	Access  Access
	Status  int           // of success
	Codes   []domain.Code // of the problems that it may answer with
	Request any           // an example of the body, nil for none
	Query   []string      // names of what may stand in the query, sorted
	Hidden  bool          // not in the OpenAPI document
}

func operationOf(r *route) Operation {
	return Operation{
		ID: r.id, Method: r.method, Path: r.path, Access: r.access, Status: r.status,
		Codes: slices.Clone(r.codes), Request: r.request, Query: slices.Sorted(maps.Keys(r.query)), Hidden: r.hidden,
	}
}

func (a *API) openAPI() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Tenure", Version: a.config.Version,
			Description: "Tenure keeps the membership of organizations: who belongs, with which roles, since when, by whose decision.\n\n" +
				"**Sign in** with `POST /v1/sessions` and send the token as `Authorization: Bearer …`. Operators send an API key instead.\n\n" +
				"**Commands** answer with the events that they wrote, an `ETag` (the revision of what they changed) and a `Tenure-Position`. " +
				"Send `Idempotency-Key` to be able to repeat a command, `If-Match` to make it conditional, `dry_run=true` to see what it would do, and a `reason` for the history.\n\n" +
				"**Reads** that have to show what a command did send its `Tenure-Position` as `Tenure-Min-Position`. Lists come in pages: send `next_cursor` as `cursor`.\n\n" +
				"**The past** of an organization is shown with `as_of`, an instant or a position.\n\n" +
				"**Problems** are `application/problem+json` (RFC 9457) with a stable `code`. Every answer carries an `X-Request-Id`.",
		},
		Servers: []*huma.Server{{URL: "/"}},
		Tags: []*huma.Tag{
			{Name: "Accounts", Description: "Sign up, sign in, one's own account."},
			{Name: "Organizations", Description: "Organizations and their history."},
			{Name: "Members", Description: "Who belongs, with which roles."},
			{Name: "Invitations", Description: "Inviting, and what the invitee does with the link."},
			{Name: "Spaces", Description: "Parts of an organization that members are let into, and work that is assigned to members."},
			{Name: "Settings", Description: "What an organization keeps about itself, in sections with permissions of their own."},
			{Name: "Ownership", Description: "Transfer of the ownership, in two steps."},
			{Name: "Events", Description: "What happens in organizations, as CloudEvents 1.0, for programs that follow."},
			{Name: "Permission checks", Description: "What somebody may do, by the OpenID AuthZEN Authorization API 1.0."},
			{Name: "Ledger", Description: "Proofs that the log is complete and unaltered: signed checkpoints of a Merkle tree over all events."},
			{Name: "Operator", Description: "For those who run the server."},
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"session": {Type: "http", Scheme: "bearer", Description: "The token of a session."},
				"api_key": {Type: "http", Scheme: "bearer", Description: "An operator's API key."},
			},
		},
	}
}

// describe makes the OpenAPI operation, and completes the route's codes.
func (a *API) describe(r *route, in any) huma.Operation {
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Tags: []string{r.tag}, Summary: r.summary, Description: r.description,
		DefaultStatus: r.status, Hidden: r.hidden, MaxBodyBytes: maxBodyBytes, BodyReadTimeout: -1,
		Security: r.access.security(), Extensions: map[string]any{"x-tenure-access": r.access},
		Responses: make(map[string]*huma.Response),
	}
	if _, ok := reflect.TypeOf(in).Elem().FieldByName("Body"); ok {
		op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{
			fiber.MIMEApplicationJSON: {Example: r.request},
		}}
	}
	if r.yaml {
		op.MaxBodyBytes = 8 * maxBodyBytes // as JSON it is longer
		op.RequestBody.Content[yamlTypes[0]] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleDocument}
	}
	r.codes = impliedCodes(r, in, op.RequestBody != nil)
	op.Responses[strconv.Itoa(r.status)] = a.success(r)
	if r.status == http.StatusCreated {
		dry := *a.success(r)
		dry.Description = "With dry_run: what the command would do."
		op.Responses[strconv.Itoa(http.StatusOK)] = &dry
	}
	if r.etag && r.read() {
		op.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{Description: "Not changed since If-None-Match."}
	}
	a.describeProblems(&op, r)
	return op
}

// impliedCodes are the route's own and those that follow from what it is.
func impliedCodes(r *route, in any, body bool) []domain.Code {
	all := append(slices.Clone(r.codes), codeInternal, codeBusy, codeLogUnavailable, codeViewsUnavailable)
	switch r.access.Kind {
	case AccessLink:
		all = append(all, domain.CodeNotSignedIn, domain.CodePermissionDenied)
	case AccessSignedIn, AccessOperator, AccessCheck:
		all = append(all, domain.CodeNotSignedIn, domain.CodePermissionDenied)
	case AccessMember:
		all = append(all, domain.CodeNotSignedIn, domain.CodePermissionDenied, domain.CodeNotFound, domain.CodeEmailUnverified, domain.CodeMemberSuspended, domain.CodeOrganizationClosed)
	}
	if !r.takesAnyQuery() {
		all = append(all, codeMalformed)
	}
	if strings.Contains(r.path, "{") {
		all = append(all, domain.CodeNotFound)
	}
	if body {
		all = append(all, codeBodyTooLarge, codeMediaType, domain.CodeInvalid)
	}
	if in, ok := in.(interface{ command() CommandHeaders }); ok {
		all = append(all, domain.CodeInvalid, domain.CodeIdempotencyMismatch)
		if _, conditional := reflect.TypeOf(in).Elem().FieldByName("IfMatch"); conditional {
			all = append(all, domain.CodeRevisionMismatch)
		}
	}
	if _, ok := in.(interface{ asOf() string }); ok {
		all = append(all, domain.CodeInvalid, codeAheadOfLog, codeNotFounded, codeHistoryBusy)
	}
	if _, ok := in.(interface{ minPosition() string }); ok {
		all = append(all, codeViewBehind, codeViewsUnavailable)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (a *API) success(r *route) *huma.Response {
	response := &huma.Response{Description: http.StatusText(r.status), Headers: map[string]*huma.Header{
		"X-Request-Id": {Description: "The id of the request: the client's own, or a new one.", Schema: text("0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11")},
	}}
	if strings.HasPrefix(r.path, "/v1/") || r.authzen {
		response.Headers["Tenure-Position"] = &huma.Header{Description: "A position in the log: after a command that of its last event, of a read how far its view is.", Schema: text("1042")}
	}
	if r.etag {
		response.Headers[fiber.HeaderETag] = &huma.Header{Description: "The revision; send it as If-Match.", Schema: text(`"7"`)}
	}
	if r.created {
		response.Headers[fiber.HeaderLocation] = &huma.Header{Description: "Where to find what was made.", Schema: text("/v1/organizations/0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11")}
	}
	if r.response == nil {
		return response
	}
	kind := r.contentType
	if kind == "" {
		kind = fiber.MIMEApplicationJSON
	}
	response.Content = map[string]*huma.MediaType{kind: {
		Schema:  a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(r.response), true, r.id+"Response"),
		Example: r.response,
	}}
	for _, s := range r.streams {
		response.Content[s.contentType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: s.says}, Example: s.example}
	}
	return response
}

// describeProblems documents the problems, one response for each status.
func (a *API) describeProblems(op *huma.Operation, r *route) {
	all := r.codes
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	byStatus := make(map[int][]domain.Code)
	for _, code := range all {
		m, ok := a.meanings[code]
		if !ok {
			panic(fmt.Sprintf("httpapi: %s has no status for the code %s", op.OperationID, code))
		}
		byStatus[m.status] = append(byStatus[m.status], code)
	}
	for status, list := range byStatus {
		examples := make(map[string]*huma.Example, len(list))
		names := make([]string, len(list))
		for i, code := range list {
			examples[string(code)] = &huma.Example{Value: a.problem(code, "", "What to do, in a sentence.")}
			names[i] = "`" + string(code) + "`"
		}
		response := &huma.Response{
			Description: "Problem: " + strings.Join(names, ", "),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema, Examples: examples}},
		}
		if r.page {
			response.Content[fiber.MIMETextHTMLCharsetUTF8] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: "<!doctype html>…"}
		}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			response.Headers = map[string]*huma.Header{fiber.HeaderRetryAfter: {Description: "Seconds to wait.", Schema: text("1")}}
		}
		op.Responses[strconv.Itoa(status)] = response
	}
}

func (access Access) security() []map[string][]string {
	session, key := map[string][]string{"session": {}}, map[string][]string{"api_key": {}}
	switch access.Kind {
	case AccessSignedIn:
		return []map[string][]string{session}
	case AccessMember, AccessCheck:
		return []map[string][]string{session, key}
	case AccessOperator:
		return []map[string][]string{key}
	case AccessLink:
		return []map[string][]string{{}, session}
	}
	return []map[string][]string{}
}

// shape is the part of a body's schema that strictjson wants to know.
func (a *API) shape(s *huma.Schema) *strictjson.Shape {
	if s.Ref != "" {
		s = a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	shape := &strictjson.Shape{}
	if s.Items != nil {
		shape.Items = a.shape(s.Items)
	}
	if s.Type == huma.TypeObject && s.AdditionalProperties == nil || len(s.Properties) > 0 {
		shape.Fields = make(map[string]*strictjson.Shape, len(s.Properties))
		for name, property := range s.Properties {
			shape.Fields[name] = a.shape(property)
		}
	}
	return shape
}

// correctSchemas corrects what Huma assumes: that lists may be null, and that
// errors have its own form.
func (a *API) correctSchemas() {
	delete(a.huma.OpenAPI().Components.Schemas.Map(), "ErrorModel")
	for s := range maps.Values(a.huma.OpenAPI().Components.Schemas.Map()) {
		for _, property := range s.Properties {
			if property.Type == huma.TypeArray {
				property.Nullable = false
			}
		}
	}
}

func text(example string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: []any{example}}
}
