package httpapi_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"tenure/httpapi"
)

// fifty is a page of fifty members and the request for it.
func fifty(b *testing.B) (s *stack, request *fasthttp.Request, page []byte) {
	request = &fasthttp.Request{}
	s = newStack(b, func(c *httpapi.Config) { c.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) })
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	for i := range 49 {
		s.member(ada, org, fmt.Sprintf("member%d@example.com", i), "USER")
	}
	path := "/v1/organizations/" + org + "/members"
	a := s.want(200, "PATCH", "/v1/organizations/"+org, ada.token, map[string]any{"name": "Looms"})
	page = s.want(200, "GET", path, ada.token, nil, "Tenure-Min-Position", a.header.Get("Tenure-Position")).body
	request.SetRequestURI(path)
	request.Header.SetHost("tenure.example")
	request.Header.Set("Authorization", "Bearer "+ada.token)
	return s, request, page
}

func serve(b *testing.B, handler fasthttp.RequestHandler, request *fasthttp.Request, size int) {
	b.Helper()
	var ctx fasthttp.RequestCtx
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		ctx.Init(request, nil, nil)
		handler(&ctx)
		if ctx.Response.StatusCode() != 200 || len(ctx.Response.Body()) != size {
			b.Fatal(ctx.Response.StatusCode(), string(ctx.Response.Body()))
		}
		ctx.Response.Reset()
	}
}

// A page of members as it is served, authentication and authorization included.
func BenchmarkMembersPage(b *testing.B) {
	s, request, page := fifty(b)
	serve(b, s.api.Handler(), request, len(page))
}

// What Fiber needs for the same bytes without anything else.
func BenchmarkStaticAnswerOfTheSameBytes(b *testing.B) {
	_, request, page := fifty(b)
	app := fiber.New(fiber.Config{Immutable: true})
	app.Get("/v1/organizations/:org/members", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(page)
	})
	serve(b, app.Handler(), request, len(page))
}

// check asks whether a member may do something.
func check(b *testing.B, more string) (s *stack, request *fasthttp.Request, size int) {
	request = &fasthttp.Request{}
	s = newStack(b, func(c *httpapi.Config) { c.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) })
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	grace := s.member(ada, org, "grace@example.com", "USER")
	body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"app:delivery.manage"},"resource":{"type":"organization","id":%q}%s}`, grace.id, org, more)
	size = len(s.want(200, "POST", "/access/v1/evaluation", s.operator, body).body)
	request.SetRequestURI("/access/v1/evaluation")
	request.Header.SetMethod("POST")
	request.Header.SetHost("tenure.example")
	request.Header.SetContentType("application/json")
	request.Header.Set("Authorization", "Bearer "+s.operator)
	request.SetBodyString(body)
	return s, request, size
}

func BenchmarkCheck(b *testing.B) {
	s, request, size := check(b, "")
	serve(b, s.api.Handler(), request, size)
}

func BenchmarkExplainedCheck(b *testing.B) {
	s, request, size := check(b, `,"context":{"tenure_explain":true}`)
	serve(b, s.api.Handler(), request, size)
}
