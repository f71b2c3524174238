package httpapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tenure/httpapi"
	"tenure/httpapi/pages"
	"tenure/mail"
)

func TestThePagesOfLinks(t *testing.T) {
	s := newStack(t)
	for _, name := range pages.Names() {
		a := s.want(200, "GET", "/"+name, "", nil)
		s.is.Equal(a.header.Get("Content-Type"), "text/html; charset=utf-8")
		s.is.Equal(a.header.Get("Content-Security-Policy"), pages.ContentSecurityPolicy)
		s.is.Equal(a.header.Get("Referrer-Policy"), "no-referrer")
		for _, reference := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(a.body), -1) {
			file := s.want(200, "GET", "/"+reference[1], "", nil)
			s.is.True(len(file.body) > 500)
		}
		s.is.True(!strings.Contains(string(a.body), "://"))
		s.is.True(!regexp.MustCompile(`<script>|<style|style=| on[a-z]+=`).Match(a.body)) // the policy allows none
	}
	script := string(s.want(200, "GET", "/pages/page.js", "", nil).body)
	for _, name := range pages.Names() {
		s.is.True(strings.Count(script, `"`+name+`":`) == 3) // a title in each language, and what to do
	}
	s.is.True(!strings.Contains(script, "innerHTML"))
	// What the script calls is there.
	for _, call := range regexp.MustCompile(`call\("([^"]+)"`).FindAllStringSubmatch(script, -1) {
		s.is.True(s.raw("POST", "/"+call[1], "", map[string]any{}).status != 404)
	}
}

// The words of the script are there in both languages.
func TestThePagesSpeakEnglishAndFrench(t *testing.T) {
	s := newStack(t)
	script := string(s.want(200, "GET", "/pages/page.js", "", nil).body)
	_, texts, _ := strings.Cut(script, "en: {")
	english, rest, _ := strings.Cut(texts, "fr: {")
	french, _, _ := strings.Cut(rest, "\n    },")
	keys := regexp.MustCompile(`"([a-z_.-]+)": "`)
	names := func(text string) (all []string) {
		for _, m := range keys.FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		return all
	}
	s.is.True(len(names(english)) > 30)
	s.is.Equal(names(english), names(french))
}

func TestTheInteractivePageNeedsNothingFromElsewhere(t *testing.T) {
	s := newStack(t)
	a := s.want(200, "GET", "/docs", "", nil)
	references := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(a.body), -1)
	s.is.True(len(references) >= 4)
	for _, reference := range references {
		s.is.True(strings.HasPrefix(reference[1], "/docs/"))
		s.want(200, "GET", reference[1], "", nil)
	}
	policy := a.header.Get("Content-Security-Policy")
	s.is.True(!strings.Contains(policy, "http"))
	for _, script := range regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllSubmatch(a.body, -1) {
		sum := sha256.Sum256(script[1])
		s.is.True(strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'"))
	}
	s.is.True(strings.Contains(string(a.body), "/openapi.json"))
	s.is.Equal(s.want(200, "GET", "/openapi.json", "", nil).header.Get("Content-Type"), "application/openapi+json")
}

func TestTheOutbox(t *testing.T) {
	s := newStack(t)
	s.is.NoErr(s.outbox.Send(context.Background(), mail.Rendered{
		ID: "m-1", MessageID: "m-1@tenure.example", From: "t@tenure.example", To: "ada@example.com", Language: "en", Subject: "Hello",
		Text: "https://tenure.example/verify#token=x", HTML: "<p>Hello</p>", Date: time.Date(2031, 3, 1, 9, 0, 0, 0, time.UTC),
	}))
	list := s.want(200, "GET", "/outbox?to=ADA@example.com", s.operator, nil)
	s.is.Equal(list.object["items"].([]any)[0].(map[string]any)["id"], "m-1")
	one := s.want(200, "GET", "/outbox/m-1", s.operator, nil)
	s.is.Equal(one.object["links"], []any{"https://tenure.example/verify#token=x"})
	for _, path := range []string{"/outbox", "/outbox/m-1"} {
		page := s.want(200, "GET", path, s.operator, nil, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		s.is.Equal(page.header.Get("Content-Type"), "text/html; charset=utf-8")
		s.is.True(strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'"))
		s.is.True(strings.Contains(string(page.body), "Hello"))
	}
	s.want(200, "GET", "/outbox/style.css", "", nil)
	s.refused(404, "not_found", "GET", "/outbox/m-2", s.operator, nil)
	s.refused(404, "not_found", "GET", "/outbox/..%2f..%2fetc%2fpasswd", s.operator, nil)
	reader, _ := s.key("organizations.read")
	s.refused(403, "permission_denied", "GET", "/outbox", reader, nil)
	s.refused(401, "not_signed_in", "GET", "/outbox/m-1", "", nil)

	without := newStack(t, func(c *httpapi.Config) { c.Outbox = nil })
	without.refused(404, "not_found", "GET", "/outbox", without.operator, nil)
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	var broken atomic.Bool
	s := newStack(t, func(c *httpapi.Config) {
		c.Ready = func(context.Context) error {
			if broken.Load() {
				return errors.New("the views are halted")
			}
			return nil
		}
	})
	s.want(200, "GET", "/healthz", "", nil)
	s.want(200, "GET", "/readyz", "", nil)
	broken.Store(true)
	s.is.Equal(s.refused(503, "not_ready", "GET", "/readyz", "", nil).str("detail"), "the views are halted")
	s.refused(401, "not_signed_in", "GET", "/metrics", "", nil)
	text := string(s.want(200, "GET", "/metrics", s.operator, nil).body)
	s.is.True(strings.Contains(text, `tenure_http_request_duration_seconds_count{method="GET",route="/readyz",status="5xx"} 1`))
	s.is.True(!strings.Contains(text, "example.com"))
	open := newStack(t, func(c *httpapi.Config) { c.MetricsOpen = true })
	open.want(200, "GET", "/metrics", "", nil)
}

func TestAPanicIsAPlain500WithALineInTheLog(t *testing.T) {
	s := newStack(t, func(c *httpapi.Config) {
		c.Ready = func(context.Context) error { panic("the secret of the house") }
	})
	a := s.refused(500, "internal", "GET", "/readyz", "", nil)
	s.is.True(!strings.Contains(string(a.body), "secret"))
	s.is.True(strings.Contains(s.log.String(), `"level":"ERROR"`))
	s.is.True(strings.Contains(s.log.String(), "the secret of the house"))
	s.is.True(strings.Contains(s.log.String(), a.header.Get("X-Request-Id")))
	s.want(200, "GET", "/healthz", "", nil) // life goes on
}

func TestABusyNodeSaysSo(t *testing.T) {
	s := newStack(t, func(c *httpapi.Config) { c.Concurrency, c.ViewWait = 1, 300*time.Millisecond })
	ada := s.person("ada@example.com")
	done := make(chan answer)
	go func() {
		for {
			a := s.raw("GET", "/v1/me", ada.token, nil, "Tenure-Min-Position", "999999")
			if a.str("code") != "busy" { // else the one below was in
				done <- a
				return
			}
		}
	}()
	var a answer
	for a.status != 503 { // until the other one is in
		a = s.do("GET", "/v1/me", ada.token, nil)
	}
	s.is.Equal(a.str("code"), "busy")
	s.is.Equal(a.header.Get("Retry-After"), "1")
	s.want(200, "GET", "/healthz", "", nil)
	s.is.Equal((<-done).str("code"), "view_behind")
	s.want(200, "GET", "/v1/me", ada.token, nil)
}

func TestConfigsThatCannotWork(t *testing.T) {
	s := newStack(t)
	try := func(change func(*httpapi.Config)) error {
		c := s.config
		c.Metrics = nil
		change(&c)
		_, err := httpapi.New(c)
		return err
	}
	s.is.NoErr(try(func(*httpapi.Config) {}))
	s.is.True(try(func(c *httpapi.Config) { c.Reader = nil }) != nil)
	s.is.True(try(func(c *httpapi.Config) { c.Commands = nil }) != nil)
	s.is.True(try(func(c *httpapi.Config) { c.Progress = nil }) != nil)
	for _, bad := range []string{"", "tenure.example", "ftp://tenure.example", "https://", "://"} {
		s.is.True(try(func(c *httpapi.Config) { c.PublicURL = bad }) != nil)
	}
	registry := prometheus.NewRegistry()
	s.is.NoErr(try(func(c *httpapi.Config) { c.Metrics = registry }))
	s.is.True(try(func(c *httpapi.Config) { c.Metrics = registry }) != nil) // its metrics are there already
}
