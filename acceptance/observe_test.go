package acceptance

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spanCollector is an OpenTelemetry collector that keeps what arrives.
type spanCollector struct {
	url   string
	mu    sync.Mutex
	spans []*trace.Span
}

func startCollector(t *testing.T) *spanCollector {
	t.Helper()
	c := &spanCollector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// trace are the spans of one trace.
func (c *spanCollector) trace(id string) []*trace.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*trace.Span
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == id {
			found = append(found, s)
		}
	}
	return found
}

func named(spans []*trace.Span, name string) *trace.Span {
	s, _ := find(spans, func(s *trace.Span) bool { return s.Name == name })
	return s
}

func TestOperations_TracesFromRequestToView(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		spans := startCollector(t)
		c := b.start(t, withFlags("--otlp-endpoint", spans.url), withEnv("OTEL_BSP_SCHEDULE_DELAY=100")).newCast(t)
		const id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
		traceparent := header("traceparent", "00-"+id+"-"+parent+"-01")
		ok(t, c.owner.invite(c.org, "traced@example.com", "traced", "USER", traceparent))

		want := []string{
			"POST /v1/organizations/{org}/invitations", "execute organization-*", "execute invitation-*",
			"project organization.invitation_opened.v1", "project invitation.issued.v1", "process issuing",
		}
		eventually(t, "one trace from the request to the views", func() bool {
			found := spans.trace(id)
			for _, name := range want {
				if named(found, name) == nil {
					return false
				}
			}
			return true
		})
		is := is.New(t)
		found := spans.trace(id)
		is.Equal(hex.EncodeToString(named(found, want[0]).ParentSpanId), parent)
		ids := map[string]bool{parent: true}
		for _, s := range found {
			ids[hex.EncodeToString(s.SpanId)] = true
		}
		for _, s := range found { // every one hangs on another
			if !ids[hex.EncodeToString(s.ParentSpanId)] {
				t.Errorf("the span %q hangs on nothing", s.Name)
			}
		}
		text, err := json.Marshal(found)
		is.NoErr(err)
		is.True(!strings.Contains(string(text), "traced@example.com"))
	})
}

func TestOperations_RequestIDsAndLogs(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		is := is.New(t)

		t.Run("the client's request id comes back, and stands in the log", func(t *testing.T) {
			r := c.owner.get(orgPath(c.org), header("X-Request-Id", "my-request-17"))
			is.Equal(r.header.Get("X-Request-Id"), "my-request-17")
			line := c.logLine(t, "my-request-17")
			is.Equal(line["route"], "/v1/organizations/{org}")
			is.Equal(line["method"], "GET")
			is.Equal(line["status"], 200.0)
			is.Equal(line["actor_id"], c.owner.AccountID)
		})

		t.Run("one that does not belong into a log is replaced", func(t *testing.T) {
			for _, bad := range []string{"two words", strings.Repeat("x", 129), `a"b`} {
				r := c.owner.get(orgPath(c.org), header("X-Request-Id", bad))
				is.True(r.header.Get("X-Request-Id") != bad)
				is.True(r.header.Get("X-Request-Id") != "")
			}
			is.True(c.anonymous().get("/nowhere").header.Get("X-Request-Id") != "")
		})

		t.Run("a refusal is logged with its code", func(t *testing.T) {
			c.viewer.rename(c.org, "Mine", header("X-Request-Id", "refused-1"))
			is.Equal(c.logLine(t, "refused-1")["code"], "permission_denied")
		})

		t.Run("logs hold no e-mail, name, password or token", func(t *testing.T) {
			for _, x := range c.script(t) {
				x.tell(t)
			}
			for _, refuse := range c.refusals(t) {
				refuse()
			}
			c.anonymous().send("POST", "/v1/sessions", []byte(`{"email":"secret@example.com","password":"open sesame!`)) // cut off
			c.stop(t)
			said := string(c.stderr.bytes())
			is.True(len(said) > 1000)
			for _, secret := range append(c.issued.all(), password, "a second password", "open sesame", "secret@example.com", "tnr_", "@example.com", c.name) {
				if strings.Contains(strings.ToLower(said), strings.ToLower(secret)) {
					t.Errorf("the log says %.12q", secret)
				}
			}
			for _, p := range c.everybody() {
				if strings.Contains(said, p.Name) {
					t.Errorf("the log says %q", p.Name)
				}
			}
			for _, line := range c.stderr.lines() {
				if !json.Valid([]byte(line)) {
					t.Errorf("a line is not JSON: %s", line)
				}
			}
		})
	})
}

// logLine is the server's line about a request.
func (s *server) logLine(t *testing.T, requestID string) map[string]any {
	t.Helper()
	var found map[string]any
	eventually(t, "a line in the log about "+requestID, func() bool {
		for _, line := range s.stderr.lines() {
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) == nil && fields["request_id"] == requestID {
				found = fields
				return true
			}
		}
		return false
	})
	return found
}
