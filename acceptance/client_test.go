package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func newHTTPClient() *http.Client {
	return &http.Client{
		Timeout: 40 * time.Second,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 128, MaxConnsPerHost: 256, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// client is somebody who talks to the server: with a session, a key, or nothing.
type client struct {
	server *server
	token  string
}

func (s *server) anonymous() client { return client{server: s} }

// operator has the key that the server showed when it was started first.
func (s *server) operator() client { return client{server: s, token: *s.key.Load()} }

// response is an answer; err is set when none came.
type response struct {
	method, path string
	status       int
	header       http.Header
	body         []byte
	err          error
}

// extra changes a request before it is sent.
type extra func(*http.Request)

func header(name, value string) extra {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func idempotencyKey(key string) extra { return header("Idempotency-Key", key) }

func ifMatch(etag string) extra { return header("If-Match", etag) }

func atPosition(p uint64) extra { return header("Tenure-Min-Position", strconv.FormatUint(p, 10)) }

// anyPosition is for reads that take what there is.
func anyPosition(r *http.Request) { r.Header.Del("Tenure-Min-Position") }

func dryRun(r *http.Request) {
	q := r.URL.Query()
	q.Set("dry_run", "true")
	r.URL.RawQuery = q.Encode()
}

func (c client) get(path string, extras ...extra) response {
	return c.do(http.MethodGet, path, nil, extras...)
}

func (c client) post(path string, body any, extras ...extra) response {
	return c.do(http.MethodPost, path, body, extras...)
}

func (c client) put(path string, body any, extras ...extra) response {
	return c.do(http.MethodPut, path, body, extras...)
}

func (c client) patch(path string, body any, extras ...extra) response {
	return c.do(http.MethodPatch, path, body, extras...)
}

func (c client) delete(path string, extras ...extra) response {
	return c.do(http.MethodDelete, path, nil, extras...)
}

// do sends a request. Reads ask for a view that shows every write that was
// answered so far.
func (c client) do(method, path string, body any, extras ...extra) response {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			panic(err)
		}
	}
	return c.send(method, path, payload, extras...)
}

func (c client) send(method, path string, payload []byte, extras ...extra) response {
	if d := c.server.through; d != nil {
		return d.send(c, method, path, payload, extras)
	}
	return c.sendTo(*c.server.url.Load(), method, path, payload, extras...)
}

func (c client) sendTo(url, method, path string, payload []byte, extras ...extra) response {
	s := c.server
	request, err := http.NewRequest(method, url+path, bytes.NewReader(payload))
	if err != nil {
		return response{method: method, path: path, err: err}
	}
	if payload != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if p := s.position.Load(); p > 0 && method == http.MethodGet {
		atPosition(p)(request)
	}
	for _, e := range extras {
		e(request)
	}
	answer, err := s.http.Do(request)
	if err != nil {
		return response{method: method, path: path, err: err}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	r := response{method: method, path: path, status: answer.StatusCode, header: answer.Header, body: text, err: err}
	s.note(r)
	return r
}

// note remembers the position of an answer, and complaints.
func (s *server) note(r response) {
	if p := r.position(); r.err == nil {
		for {
			known := s.position.Load()
			if p <= known || s.position.CompareAndSwap(known, p) {
				break
			}
		}
	}
	if r.status >= 500 && r.path != "/readyz" && r.code() != "view_behind" && r.code() != "busy" && !slices.Contains(s.expected, r.code()) {
		text := r.String()
		s.failed.Store(&text)
		s.failures.Add(1)
	}
}

// position is that of the answer's last event, 0 where there is none.
func (r response) position() uint64 {
	p, err := strconv.ParseUint(r.header.Get("Tenure-Position"), 10, 64)
	if err != nil {
		return 0
	}
	return p
}

func (r response) String() string {
	if r.err != nil {
		return fmt.Sprintf("%s %s: %v", r.method, r.path, r.err)
	}
	text := string(r.body)
	if len(text) > 1000 {
		text = text[:1000] + "…"
	}
	return fmt.Sprintf("%s %s: %d %s", r.method, r.path, r.status, text)
}

// problem is an answer of the form of RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
	} `json:"errors"`
}

func (r response) problem() problem {
	var p problem
	if strings.HasPrefix(r.header.Get("Content-Type"), "application/problem+json") {
		json.Unmarshal(r.body, &p)
	}
	return p
}

func (r response) code() string { return r.problem().Code }

// done reports whether the request was served.
func (r response) done() bool { return r.err == nil && r.status >= 200 && r.status < 300 }

// ok ends the test unless the request was served.
func ok(t *testing.T, r response) response {
	t.Helper()
	if !r.done() {
		t.Fatal(r)
	}
	return r
}

// refused ends the test unless the answer is a complete problem with this code.
func refused(t *testing.T, r response, status int, code string) problem {
	t.Helper()
	p := r.problem()
	if r.err != nil || r.status != status || p.Code != code {
		t.Fatalf("want %d %s, got %v", status, code, r)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || p.Type == "" {
		t.Fatalf("the problem is not complete: %s", r)
	}
	return p
}

// decoded reads the body of a request that was served.
func decoded[T any](t *testing.T, r response) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(ok(t, r).body, &v); err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	return v
}

// page is a list's answer.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor"`
}

// all reads a whole list, page by page.
func all[T any](t *testing.T, c client, path string, extras ...extra) []T {
	t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	var items []T
	for cursor := ""; ; {
		next := path
		if cursor != "" {
			next += separator + "cursor=" + cursor
		}
		p := decoded[page[T]](t, c.get(next, extras...))
		items = append(items, p.Items...)
		if p.Next == cursor && cursor != "" {
			t.Fatalf("%s: a page leads to itself", next)
		}
		if cursor = p.Next; cursor == "" {
			return items
		}
	}
}

// eventually waits until holds is true, for what processes do on their own.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	eventuallyIn(t, 25*time.Second, what, holds)
}

// eventuallyIn is eventually for what takes longer.
func eventuallyIn(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(limit); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}
