package httpapi_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tenure/httpapi"
)

// fuzzed is a scene and a request that is still to be spoilt.
func fuzzed(f *testing.F) (*scene, []httpapi.Operation) {
	c := newScene(newStack(f, func(c *httpapi.Config) { c.ViewWait = 200 * time.Millisecond }))
	var shown []httpapi.Operation
	for _, op := range c.api.Operations() {
		if !op.Hidden {
			shown = append(shown, op)
		}
	}
	return c, shown
}

// send sends what the client is willing to send.
func (c *scene) send(t *testing.T, method, path, token string, body []byte, header map[string]string) {
	request, err := http.NewRequest(method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range header {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := c.client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode >= 500 && !strings.Contains(text.String(), `"view_behind"`) {
		t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, text.String())
	}
}

// Whatever the body of a command, its headers, or the token in it: no answer is
// a failure of the server.
func FuzzCommands(f *testing.F) {
	c, operations := fuzzed(f)
	for i, op := range operations {
		if op.Request != nil {
			f.Add(uint8(i), uint8(3), mustJSON(c.body(op)), "key", `"0"`)
		}
	}
	f.Add(uint8(0), uint8(0), []byte(`{"email":"\u0000"}`), "\x7f", `W/"1"`)
	f.Fuzz(func(t *testing.T, op, who uint8, body []byte, key, match string) {
		o := operations[int(op)%len(operations)]
		path := strings.TrimSuffix(c.path(o), "?dry_run=true")
		if o.ID == "sign-out" || o.ID == "change-password" || o.ID == "revoke-api-key" {
			path += "?dry_run=true" // who fuzzes stays signed in
		}
		token := c.callers[int(who)%len(c.callers)].token
		c.send(t, o.Method, path, token, body, map[string]string{"Idempotency-Key": key, "If-Match": match})
	})
}

// Whatever a read asks for, and with whatever token.
func FuzzReads(f *testing.F) {
	c, operations := fuzzed(f)
	for i := range operations {
		f.Add(uint8(i), c.owner.token, "limit=1&cursor=AQkUq1Zt8v0DDWdyYWNlAA&sort=-joined_at&q=a", "1", "ticket", "x")
	}
	f.Add(uint8(0), c.operator, "since=2031-03-01T00:00:00Z&type=%00&order=asc", "18446744073709551615", "\xff", "..%2f")
	f.Fuzz(func(t *testing.T, op uint8, token, query, position, id, param string) {
		o := operations[int(op)%len(operations)]
		if o.Method != "GET" {
			return
		}
		path := c.path(o) + "?" + query
		if param != "" && strings.Contains(o.Path, "{user}") {
			path = strings.ReplaceAll(path, c.target.id, url.PathEscape(param))
		}
		c.send(t, "GET", path, token, nil, map[string]string{"Tenure-Min-Position": position, "X-Request-Id": id})
		c.send(t, "GET", c.path(o)+"?cursor="+url.QueryEscape(query)+"&limit=3", c.owner.token, nil, nil)
	})
}
