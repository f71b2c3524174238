package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/valyala/fasthttp/fasthttputil"

	"tenure/httpapi"
)

func TestBodiesAreReadStrictly(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	post := func(status int, code, body string, headers ...string) answer {
		t.Helper()
		return s.refused(status, code, "POST", "/v1/organizations", ada.token, body, headers...)
	}
	fields := func(a answer) string {
		var names []string
		list, _ := a.object["errors"].([]any)
		for _, e := range list {
			names = append(names, e.(map[string]any)["field"].(string))
		}
		return strings.Join(names, " ")
	}
	s.is.Equal(fields(post(400, "malformed", `{"name":"a","colour":"red"}`)), "colour")
	s.is.Equal(fields(post(400, "malformed", `{"name":"a","NAME":"b"}`)), "NAME")
	s.is.Equal(fields(post(400, "malformed", `{"name":"a","name":"b"}`)), "name")
	s.is.Equal(fields(post(400, "malformed", `{"name":"a\u0000b"}`)), "name")
	for _, body := range []string{"", "{", "null", "[]", `"x"`, `{"name":"a"}{}`, `{"name":"a"} x`, "{\"name\":\"\xff\"}", "{\"name\":\"a\",}", "\ufeff{}"} {
		post(400, "malformed", body)
	}
	s.is.Equal(fields(post(422, "invalid", `{}`)), "name")
	s.is.Equal(fields(post(422, "invalid", `{"name":7}`)), "name")
	s.is.Equal(fields(post(422, "invalid", `{"name":null}`)), "name")
	s.is.Equal(fields(post(422, "invalid", `{"name":"","username":"a\u202eb"}`)), "name username")
	s.is.Equal(fields(post(422, "invalid", fmt.Sprintf(`{"name":%q}`, strings.Repeat("a", 101)))), "name")
	s.is.Equal(fields(post(422, "invalid", fmt.Sprintf(`{"name":%q}`, strings.Repeat("a", 1001)))), "name")
	s.is.Equal(fields(post(422, "invalid", fmt.Sprintf(`{"name":"a","reason":%q}`, strings.Repeat("a", 501)))), "reason")
	s.is.Equal(fields(post(422, "invalid", `{"name":"a","policy":"none such"}`)), "policy")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jsonp", "text/html"} {
		post(415, "unsupported_media_type", `{"name":"a"}`, "Content-Type", kind)
	}
	post(415, "unsupported_media_type", `{"name":"a"}`, "Content-Encoding", "gzip")
	post(413, "body_too_large", `{"name":"`+strings.Repeat("a", 70<<10)+`"}`)
	s.want(201, "POST", "/v1/organizations", ada.token, `{"name":"a"}`, "Content-Type", "Application/JSON; charset=UTF-8")
}

func TestAllErrorsAtOnce(t *testing.T) {
	s := newStack(t)
	a := s.refused(422, "invalid", "POST", "/v1/accounts", "", map[string]any{"email": "nobody", "display_name": " ", "password": "short", "language": "klingon!"})
	s.is.Equal(len(a.object["errors"].([]any)), 4)
	a = s.refused(422, "invalid", "POST", "/v1/accounts", "", map[string]any{})
	s.is.Equal(len(a.object["errors"].([]any)), 3)
	s.is.True(!strings.Contains(string(a.body), "expected"))
}

func TestNothingThatWasSentComesBackOrIsLogged(t *testing.T) {
	s := newStack(t)
	for _, body := range []string{
		`{"email":"ada@example.com","password":["hunter2hunter2"]}`, `{"email":"ada@example.com","password":{"hunter2hunter2":1}}`,
		`{"email":"ada@example.com","password":"hunter2hunter2","x":1}`, `{"email":"ada@example.com","password":"hunter2hunter2"`,
		`{"email":"ada@example.com","password":"hunter2hunter2"}`,
	} {
		a := s.do("POST", "/v1/sessions", "", body)
		s.is.True(a.status >= 400 && a.status < 500)
		s.is.True(!strings.Contains(string(a.body), "hunter2hunter2"))
	}
	s.do("GET", "/v1/me?token=hunter2hunter2", "hunter2hunter2", nil)
	s.do("GET", "/hunter2hunter2", "", nil)
	s.do("POST", "/v1/accounts/verify", "", map[string]any{"token": "hunter2hunter2", "password": "hunter2hunter2"})
	s.is.True(!strings.Contains(s.log.String(), "hunter2"))
	s.is.True(!strings.Contains(s.log.String(), "ada@example.com"))
	s.is.True(strings.Contains(s.log.String(), `"route":"/v1/sessions"`))
}

func TestWhatFiberRefusesIsAProblemToo(t *testing.T) {
	s := newStack(t)
	s.refused(404, "not_found", "GET", "/", "", nil)
	s.refused(404, "not_found", "GET", "/v1/nothing", "", nil)
	s.refused(404, "not_found", "GET", "/v1/me/", "", nil)
	s.refused(404, "not_found", "GET", "/V1/me", "", nil)
	a := s.refused(405, "method_not_allowed", "PUT", "/v1/me", "", nil)
	s.is.Equal(a.header.Get("Allow"), "GET, PATCH")
	a = s.refused(405, "method_not_allowed", "BREW", "/v1/me", "", nil)
	s.is.True(a.header.Get("Allow") != "")
	s.refused(431, "headers_too_large", "GET", "/v1/me", "", nil, "X-Large", strings.Repeat("a", 20<<10))
	for _, a := range []answer{s.raw("GET", "/", "", nil), s.raw("BREW", "/", "", nil), s.raw("GET", "/", "", nil, "X-Large", strings.Repeat("a", 20<<10))} {
		s.is.Equal(a.header.Get("X-Content-Type-Options"), "nosniff")
		s.is.True(a.header.Get("X-Request-Id") != "")
		s.is.Equal(a.header.Get("Server"), "")
	}
}

func TestRubbishIsNoRequest(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	listener := fasthttputil.NewInmemoryListener()
	go func() { _ = s.api.Serve(listener) }()
	for _, rubbish := range []string{"hello\r\n\r\n", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", "POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"} {
		conn, err := listener.Dial()
		is.NoErr(err)
		_, err = conn.Write([]byte(rubbish))
		is.NoErr(err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		is.NoErr(err)
		body, _ := io.ReadAll(response.Body)
		is.True(response.StatusCode < 500)
		is.True(strings.Contains(string(body), `"code":`))
		is.NoErr(conn.Close())
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	get := s.want(200, "GET", "/v1/me", ada.token, nil)
	head := s.want(200, "HEAD", "/v1/me", ada.token, nil)
	s.is.Equal(len(head.body), 0)
	s.is.Equal(head.header.Get("Content-Length"), get.header.Get("Content-Length"))
	s.is.Equal(head.header.Get("ETag"), get.header.Get("ETag"))
	s.is.True(strings.Contains(s.log.String(), `"method":"HEAD"`))
}

func TestEveryAnswerHasTheHeadersThatProtect(t *testing.T) {
	s := newStack(t)
	for _, path := range []string{"/v1/me", "/healthz", "/verify", "/docs", "/openapi.json", "/nothing", "/outbox"} {
		a := s.raw("GET", path, s.operator, nil)
		s.is.Equal(a.header.Get("X-Content-Type-Options"), "nosniff")
		s.is.Equal(a.header.Get("Referrer-Policy"), "no-referrer")
		s.is.True(strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'"))
		s.is.True(a.header.Get("Permissions-Policy") != "")
		s.is.True(a.header.Get("Strict-Transport-Security") != "")
		s.is.Equal(a.header.Get("Access-Control-Allow-Origin"), "")
		s.is.Equal(a.header.Get("Server"), "")
	}
	s.is.Equal(s.raw("GET", "/v1/me", "", nil).header.Get("Cache-Control"), "no-store")
	plain := newStack(t, func(c *httpapi.Config) { c.PublicURL = "http://127.0.0.1:8080" })
	plain.is.Equal(plain.raw("GET", "/healthz", "", nil).header.Get("Strict-Transport-Security"), "")
}

func TestOriginsThatAreAllowed(t *testing.T) {
	s := newStack(t, func(c *httpapi.Config) { c.AllowedOrigins = []string{"https://app.example"} })
	ask := []string{"Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "authorization"}
	a := s.want(204, "OPTIONS", "/v1/me", "", nil, append(ask, "Origin", "https://app.example")...)
	s.is.Equal(a.header.Get("Access-Control-Allow-Origin"), "https://app.example")
	s.is.True(strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "PATCH"))
	s.is.True(strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Idempotency-Key"))
	a = s.want(200, "GET", "/healthz", "", nil, "Origin", "https://app.example")
	s.is.Equal(a.header.Get("Access-Control-Allow-Origin"), "https://app.example")
	s.is.Equal(a.header.Get("Access-Control-Allow-Credentials"), "")
	s.is.Equal(a.header.Get("Vary"), "Origin")
	for _, other := range []string{"https://evil.example", "https://app.example.evil.example", "null", "http://app.example"} {
		s.refused(405, "method_not_allowed", "OPTIONS", "/v1/me", "", nil, append(ask, "Origin", other)...)
		s.is.Equal(s.do("GET", "/healthz", "", nil, "Origin", other).header.Get("Access-Control-Allow-Origin"), "")
	}
}

func TestRequestIdsAndTheirWayIntoTheHistory(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	a := s.want(201, "POST", "/v1/organizations", ada.token, map[string]any{"name": "Engines"}, "X-Request-Id", "ticket-17")
	s.is.Equal(a.header.Get("X-Request-Id"), "ticket-17")
	h := s.want(200, "GET", "/v1/organizations/"+a.str("organization_id")+"/history", ada.token, nil, "Tenure-Min-Position", a.header.Get("Tenure-Position"))
	s.is.Equal(h.object["items"].([]any)[0].(map[string]any)["correlation"], "ticket-17")
	for _, bad := range []string{"with space", "quote\"", strings.Repeat("a", 129), "<b>", "ü"} {
		id := s.want(200, "GET", "/healthz", "", nil, "X-Request-Id", bad).header.Get("X-Request-Id")
		s.is.True(id != bad && len(id) == 36)
	}
	s.is.True(strings.Contains(s.log.String(), `"request_id":"ticket-17"`))
}
