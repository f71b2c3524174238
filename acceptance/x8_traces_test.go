package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
)

func fileBytes(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// feedOf is the whole feed as one who may see personal data reads it, in pages
// and as lines.
func (c *cast) feedOf(t *testing.T) string {
	t.Helper()
	if c.pipeline == nil {
		key := c.follower(t, "events.read", "events.read_personal")
		c.pipeline = &key
	}
	var all strings.Builder
	for cursor := ""; ; {
		r := ok(t, c.pipeline.get("/v1/events?limit=1000&cursor="+cursor))
		all.Write(r.body)
		p := decoded[struct {
			Next string `json:"next_cursor"`
			Head bool   `json:"head"`
		}](t, r)
		if cursor = p.Next; p.Head {
			break
		}
	}
	all.Write(ok(t, c.pipeline.get("/v1/events", header("Accept", "application/x-ndjson"))).body)
	return all.String()
}

// pastOf is what is shown of an organization as it was at a position, and of what
// has changed since.
func (c *cast) pastOf(t *testing.T, org string, position uint64) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{
		"members?limit=200&as_of=%d", "members?limit=200&status=removed&as_of=%d", "members?limit=200&status=invited&as_of=%d", "invitations?limit=200&as_of=%d",
		"history/review?as_of=%d&format=csv", "history/review?as_of=%d&format=html", "history/diff?from=%d", "history/diff?from=%d&format=csv", "history/diff?from=1&to=%d",
	} {
		all.Write(ok(t, c.operator().get(orgPath(org)+"/"+fmt.Sprintf(path, position))).body)
	}
	return all.String()
}

// exportTraces looks for somebody in exports of the log and of the organization,
// and has these verified.
func (c *cast) exportTraces(t *testing.T) {
	t.Helper()
	key := c.verifierKey(t)
	verify := func(what ...string) {
		t.Helper()
		if out, code := runProgram(t, nil, append([]string{"audit", "verify", "--key", key}, what...)...); code != 0 || !strings.Contains(out, "signatures: valid") {
			t.Error(out)
		}
	}
	verify(c.logFlags()...)
	for i, scope := range [][]string{{}, {"--org", c.org}} {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if out, code := runProgram(t, nil, append(append([]string{"audit", "export", "--to", file, "--secret-file", c.stores.secret}, c.logFlags()...), scope...)...); code != 0 {
			t.Error(out)
		}
		if trace := leftOver(fileBytes(t, file)); trace != "" {
			t.Errorf("an export has %s", trace)
		}
		verify(file)
	}
}

// lateHooks is a webhook with personal data, whose receiver is down for a while.
type lateHooks struct {
	*hooks
	id   string
	down atomic.Bool
}

func (c *cast) deliverLate(t *testing.T) *lateHooks {
	t.Helper()
	h := &lateHooks{hooks: newHooks(t)}
	h.down.Store(true)
	h.fails = h.down.Load
	made := c.deliverTo(t, map[string]any{"url": h.URL, "organization_id": c.org, "personal": true})
	h.accept(made.Secret)
	h.id = made.WebhookID
	return h
}

// arrives has the receiver come back once a delivery has failed, and looks at what
// it gets.
func (h *lateHooks) arrives(t *testing.T, c *cast, x *erasable) {
	t.Helper()
	eventually(t, "a delivery has failed", func() bool { return c.webhook(t, h.id).Failing != nil })
	h.down.Store(false)
	eventually(t, "everything arrives", func() bool {
		return slices.ContainsFunc(h.arrived(), func(e eventDoc) bool { return e.Type == "organization.invitation_erased.v1" })
	})
	got, err := json.Marshal(h.arrived())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), x.AccountID) || !strings.Contains(string(got), "@erased.invalid") {
		t.Error("the deliveries are not about the person")
	}
	for _, path := range []string{"", "/deliveries", "/dead-letters"} {
		got = append(got, ok(t, c.operator().get("/v1/webhooks/"+h.id+path)).body...)
	}
	if trace := leftOver(got); trace != "" {
		t.Error(trace)
	}
}

// TestX8_EveryNodeForgets erases people at one of two nodes: the other one, which
// has their names in memory, and one that is down, which has them in its outbox,
// forget them as well.
func TestX8_EveryNodeForgets(t *testing.T) {
	on(t, func(t *testing.T, b backend) {
		is := is.New(t)
		first := b.start(t, withFlags("--node", "first"), expecting(outages...))
		c := first.newCast(t)
		x := c.newErasable(t)
		second := b.prepare(t, withFlags("--node", "second"), withStores(first.stores), expecting(outages...))
		second.key.Store(first.key.Load())
		second.run(t)
		is.True(c.outboxTrace(t) != "")
		c.kill(t)
		other := *c
		other.server = second
		at := x.at(second)
		eventually(t, "the person is erased at the second node", func() bool {
			return at.post("/v1/me/erase", map[string]any{"password": password}).done()
		})
		eventually(t, "the second node shows nothing", func() bool { return leftOver([]byte(other.pastOf(t, c.org, x.seen))) == "" })
		is.True(c.outboxTrace(t) != "")
		c.run(t)
		eventually(t, "the outbox of the first node is swept when it starts", func() bool { return c.outboxTrace(t) == "" })

		shows := func() bool { return strings.Contains(c.pastOf(t, c.org, x.seen), c.viewer.Email) }
		is.True(shows())
		ok(t, second.operator().post("/v1/operator/accounts/"+c.viewer.AccountID+"/erase", map[string]any{}))
		eventually(t, "the first node forgets what it had in memory", func() bool { return !shows() })
	}, onCluster)
}
