package acceptance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

// hooks is a receiver of webhooks that checks signatures, and fails as it is
// told to.
type hooks struct {
	*httptest.Server
	mu       sync.Mutex
	secrets  []string
	fails    func() bool
	events   []eventDoc // in the order of their first arrival
	seen     map[string]bool
	repeated int
	unsigned int
}

func newHooks(t *testing.T) *hooks {
	h := &hooks{seen: make(map[string]bool), fails: func() bool { return false }}
	h.Server = httptest.NewServer(http.HandlerFunc(h.take))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var e eventDoc
	if err != nil || json.Unmarshal(body, &e) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.ID != r.Header.Get("webhook-id") || !h.signed(r, body) {
		h.unsigned++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch {
	case h.fails():
		panic(http.ErrAbortHandler)
	case h.seen[e.ID]:
		h.repeated++
	default:
		h.seen[e.ID] = true
		h.events = append(h.events, e)
	}
}

// signed checks the signature as the specification of Standard Webhooks says.
func (h *hooks) signed(r *http.Request, body []byte) bool {
	return slices.ContainsFunc(h.secrets, func(secret string) bool {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		return err == nil && slices.Contains(strings.Fields(r.Header.Get("webhook-signature")), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	})
}

func (h *hooks) accept(secrets ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.secrets = secrets
}

func (h *hooks) repetitions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.repeated
}

func (h *hooks) arrived() []eventDoc {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

type webhookDoc struct {
	WebhookID   string `json:"webhook_id"`
	URL         string `json:"url"`
	Enabled     bool   `json:"enabled"`
	Cause       string `json:"disabled_cause"`
	Personal    bool   `json:"personal"`
	Failing     any    `json:"failing"`
	DeadLetters int    `json:"dead_letters"`
}

type letterDoc struct {
	EventID  string `json:"event_id"`
	Cause    string `json:"cause"`
	Replay   string `json:"replay_cursor"`
	Retrying bool   `json:"retrying"`
}

type deliveryDoc struct {
	EventID    string    `json:"event_id"`
	Type       string    `json:"type"`
	At         time.Time `json:"at"`
	DurationMS int       `json:"duration_ms"`
	Attempt    int       `json:"attempt"`
	Outcome    string    `json:"outcome"`
	Status     int       `json:"status"`
	Cause      string    `json:"cause"`
	NextAt     time.Time `json:"next_at"`
	Retry      bool      `json:"retry"`
}

// deliveries reads the delivery log of a webhook page by page, the latest first.
func (c client) deliveries(t *testing.T, hook, query string) (all []deliveryDoc) {
	t.Helper()
	for cursor := ""; ; {
		p := decoded[struct {
			Items []deliveryDoc `json:"items"`
			Next  string        `json:"next_cursor"`
		}](t, c.get(hook+"/deliveries?limit=3&cursor="+cursor+query))
		all = append(all, p.Items...)
		if cursor = p.Next; cursor == "" {
			return all
		}
	}
}

func (c client) letters(t *testing.T, hook string) []letterDoc {
	t.Helper()
	return decoded[struct {
		Items []letterDoc `json:"items"`
	}](t, c.get(hook+"/dead-letters")).Items
}

func (s *server) webhook(t *testing.T, id string) webhookDoc {
	t.Helper()
	return decoded[webhookDoc](t, s.operator().get("/v1/webhooks/"+id))
}

// deliverTo registers a webhook.
func (s *server) deliverTo(t *testing.T, body map[string]any) receipt {
	t.Helper()
	made := decoded[receipt](t, s.operator().post("/v1/webhooks", body))
	s.issued.add(made.Secret)
	return made
}

func TestX9_Webhooks(t *testing.T) {
	onBothLogs(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, withFlags("--webhooks-private", "--public-url", feedURL))
		owner := s.signUp(t, "Owner")
		org := decoded[receipt](t, owner.activate(unique("Acme"))).OrganizationID
		h := newHooks(t)
		made := s.deliverTo(t, map[string]any{"url": h.URL, "organization_id": org})
		is.True(strings.HasPrefix(made.Secret, "whsec_"))
		h.accept(made.Secret)
		pipeline := s.follower(t, "events.read")
		founded, cursor := pipeline.feed(t, "")
		want := func() []string {
			events, _ := pipeline.feed(t, "&organization="+org)
			return eventIDs(events[1:])
		}
		rename := func() {
			name, key := unique("Acme"), unique("key")
			eventually(t, "it is renamed", func() bool { return owner.rename(org, name, idempotencyKey(key)).done() })
		}
		complete := func() {
			t.Helper()
			eventuallyIn(t, time.Minute, "everything has arrived", func() bool { return len(h.arrived()) >= len(want()) })
			is.Equal(eventIDs(h.arrived()), want()) // in order, nothing left out
		}

		for range 3 {
			rename()
		}
		complete()

		// A receiver that fails now and then, while the server is killed and stopped.
		dice := rand.New(rand.NewPCG(*seed, 9))
		h.mu.Lock()
		h.fails = func() bool { return dice.IntN(4) == 0 }
		h.mu.Unlock()
		for i := range 3 {
			for range 3 {
				rename()
			}
			if i == 1 {
				s.restart(t)
			} else {
				s.kill(t)
				s.run(t)
			}
			s.shiftClock(t, time.Duration(i+1)*time.Minute)
		}
		h.mu.Lock()
		h.fails = func() bool { return false }
		h.mu.Unlock()
		s.shiftClock(t, time.Hour)
		complete()
		is.Equal(h.unsigned, 0)

		// Another secret: for a while both sign, then the new one alone.
		rotated := decoded[receipt](t, s.operator().post("/v1/webhooks/"+made.WebhookID+"/rotate-secret", map[string]any{"overlap_hours": 1}))
		s.issued.add(rotated.Secret)
		is.True(rotated.Secret != made.Secret)
		rename()
		complete()
		h.accept(rotated.Secret)
		rename()
		complete()
		s.shiftClock(t, 3*time.Hour)
		rename()
		complete()

		// Three days of failures make a dead letter; the next event's turn comes, and a
		// replay brings it.
		h.accept()
		rename()
		lost := want()[len(want())-1]
		eventually(t, "it fails", func() bool {
			return s.webhook(t, made.WebhookID).Failing != nil
		})
		s.shiftClock(t, 80*time.Hour)
		eventually(t, "it is a dead letter", func() bool { return s.webhook(t, made.WebhookID).DeadLetters == 1 })
		letter := s.operator().letters(t, "/v1/webhooks/"+made.WebhookID)[0]
		is.Equal(letter.EventID, lost)
		is.Equal(letter.Cause, "status_401")
		h.accept(rotated.Secret)
		owner = s.signInAgain(t, owner) // the session has ended by now
		ok(t, owner.rename(org, unique("Acme")))
		eventually(t, "the next one arrives", func() bool { return h.seenLast(want()) })
		ok(t, s.operator().post("/v1/webhooks/"+made.WebhookID+"/replay", map[string]any{"cursor": letter.Replay}))
		eventually(t, "the dead letter arrives", func() bool { return len(h.arrived()) == len(want()) })

		// From any cursor; a webhook that is deleted gets nothing more.
		other := newHooks(t)
		late := s.deliverTo(t, map[string]any{"url": other.URL, "cursor": cursor})
		other.accept(late.Secret)
		eventually(t, "all since then arrives", func() bool { return len(other.arrived()) == len(want()) })
		is.Equal(eventIDs(other.arrived()), want())
		is.Equal(len(founded), 1)
		replay := func(body obj) response { return s.operator().post("/v1/webhooks/"+late.WebhookID+"/replay", body) }
		ok(t, replay(obj{"since": time.Now().Add(-time.Hour)}))
		eventually(t, "what is not that old arrives again", func() bool { return other.repetitions() >= len(want()) })
		is.Equal(len(other.arrived()), len(founded)+len(want())) // with the same ids
		for _, body := range []obj{{}, {"since": time.Now().AddDate(-1, 0, 0)}, {"since": time.Now(), "cursor": cursor}} {
			refused(t, replay(body), 422, "invalid")
		}
		ok(t, s.operator().delete("/v1/webhooks/"+late.WebhookID))
		refused(t, s.operator().get("/v1/webhooks/"+late.WebhookID), 404, "not_found")
		for _, secret := range []string{made.Secret, rotated.Secret, late.Secret} {
			for name, text := range s.stores.contents(t) {
				if strings.Contains(string(text), secret) || strings.Contains(string(text), strings.TrimPrefix(secret, "whsec_")) {
					t.Errorf("%s holds a secret", name)
				}
			}
			is.True(!s.stderr.contains(secret))
		}
	})
}

// Another node goes on with the deliveries of one that dies.
func TestX9_WebhooksOnEveryNode(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		is := is.New(t)
		d := b.startNodes(t, 2, startMailServer(t, false), withFlags("--webhooks-private"))
		owner := d.signUp(t, "Owner")
		org := decoded[receipt](t, owner.activate(unique("Acme"))).OrganizationID
		h := newHooks(t)
		made := d.deliverTo(t, map[string]any{"url": h.URL})
		h.accept(made.Secret)
		for i := range 2 {
			ok(t, owner.rename(org, unique("Acme")))
			eventually(t, "it arrives", func() bool { return len(h.arrived()) == 2*i+1 })
			d.nodes[i].kill(t) // one of them is the one that delivers
			ok(t, owner.at(d.nodes[1-i]).rename(org, unique("Acme")))
			eventually(t, "it arrives from the other node", func() bool { return len(h.arrived()) == 2*i+2 })
			d.nodes[i].run(t)
		}
		events, _ := d.follower(t, "events.read").feed(t, "&type=organization.renamed")
		is.Equal(eventIDs(h.arrived()), eventIDs(events))
	})
}

func (h *hooks) seenLast(ids []string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[ids[len(ids)-1]]
}

func (s *server) signInAgain(t *testing.T, p *person) *person {
	t.Helper()
	p.enter(decoded[session](t, p.requestSession()))
	return p
}

// Without --webhooks-private nobody has the server reach its own network.
func TestX9_WebhooksReachThePublicInternetAlone(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t)
		owner := s.signUp(t, "Owner")
		h := newHooks(t)
		made := s.deliverTo(t, map[string]any{"url": strings.Replace(h.URL, "http://", "https://", 1)})
		ok(t, owner.activate(unique("Acme")))
		eventually(t, "it is refused", func() bool {
			tried := s.operator().deliveries(t, "/v1/webhooks/"+made.WebhookID, "")
			return len(tried) > 0 && tried[0].Cause == "refused_address"
		})
		is.Equal(len(h.arrived()), 0)
		for _, url := range []string{"ftp://example.com", "https://user:password@example.com", "nowhere", ""} {
			refused(t, s.operator().post("/v1/webhooks", map[string]any{"url": url}), 422, "invalid")
		}
		refused(t, s.operator().post("/v1/webhooks", map[string]any{"url": h.URL, "type": "account."}), 422, "invalid")
		refused(t, s.operator().post("/v1/webhooks", map[string]any{"url": h.URL, "cursor": "x"}), 422, "invalid")
	})
}

// The webhook of the page for pipelines works when it is pasted.
func TestTheWebhookOfThePageForPipelinesWorks(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		page, err := os.ReadFile("../docs/pipelines.md")
		is.NoErr(err)
		blocks := regexp.MustCompile("(?s)```sh (?:hook|own)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
		is.Equal(len(blocks), 2)
		s := b.start(t, withFlags("--webhooks-private"))
		h := newHooks(t)
		ada := s.signUp(t, "Ada")
		org := decoded[receipt](t, ada.activate(unique("Engines"))).OrganizationID
		shell := exec.Command("bash", "-euo", "pipefail", "-c", blocks[0][1]+blocks[1][1])
		shell.Dir = t.TempDir()
		shell.Env = append(os.Environ(), "T="+*s.url.Load(), "OPERATOR_KEY="+*s.key.Load(), "URL="+h.URL, "SESSION="+ada.token, "ORG="+org)
		shell.Stderr = os.Stderr
		out, err := shell.Output()
		is.NoErr(err)
		shows(t, string(out), `"secret":"whsec_`, `"enabled":true`, `"items":[]`)
		is.Equal(strings.Count(string(out), `"secret":"whsec_`), 2)
		is.Equal(strings.Count(string(out), `"code":`), 0) // nothing was refused
	})
}

// webhooks are the commands about webhooks, of the operators and of an
// organization. Nothing of the type happens, so nothing is delivered.
func (s *story) webhooks() []command {
	return append(s.webhooksOf("webhook", s.operator, "/v1/webhooks"), s.webhooksOf("webhook of an organization", func() client { return s.owner.client }, orgPath(s.org, "webhooks"))...)
}

func (s *story) webhooksOf(what string, by func() client, path string) []command {
	var id, cursor string
	register := func(x ...extra) response {
		if cursor == "" {
			events, _ := s.operator().feed(s.t, "&organization="+s.org)
			cursor = events[0].Cursor
		}
		return by().post(path, map[string]any{"url": "https://hooks.example.com/a", "type": "organization.auto_activation", "cursor": cursor}, x...)
	}
	at := func(more string) string { return path + "/" + id + more }
	return []command{
		{"register " + what, register, func(r response) {
			made := decoded[receipt](s.t, r)
			id = made.WebhookID
			s.issued.add(made.Secret)
		}},
		{"change " + what, func(x ...extra) response {
			return by().patch(at(""), map[string]any{"url": "https://hooks.example.com/b", "enabled": false}, x...)
		}, nil},
		{"rotate secret of " + what, func(x ...extra) response {
			return by().post(at("/rotate-secret"), map[string]any{"overlap_hours": 24}, x...)
		}, func(r response) { s.issued.add(decoded[receipt](s.t, r).Secret) }},
		{"retry " + what, func(x ...extra) response { return by().post(at("/retry"), map[string]any{}, x...) }, nil},
		{"replay " + what, func(x ...extra) response {
			return by().post(at("/replay"), map[string]any{"cursor": cursor}, x...)
		}, nil},
		{"delete " + what, func(x ...extra) response { return by().delete(at(""), x...) }, nil},
	}
}
