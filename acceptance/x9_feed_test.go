package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// eventDoc is an event of the feed.
type eventDoc struct {
	SpecVersion   string         `json:"specversion"`
	ID            string         `json:"id"`
	Source        string         `json:"source"`
	Type          string         `json:"type"`
	Subject       string         `json:"subject"`
	Time          time.Time      `json:"time"`
	Sequence      string         `json:"sequence"`
	Cursor        string         `json:"cursor"`
	Organization  string         `json:"organization"`
	ActorKind     string         `json:"actorkind"`
	ActorID       string         `json:"actorid"`
	Reason        string         `json:"reason"`
	CorrelationID string         `json:"correlationid"`
	DataSchema    string         `json:"dataschema"`
	Data          map[string]any `json:"data"`
}

// follower makes a key with scopes.
func (s *server) follower(t *testing.T, scopes ...string) client {
	t.Helper()
	made := decoded[receipt](t, s.operator().post("/v1/operator/api-keys", map[string]any{"name": unique("pipeline"), "scopes": scopes}))
	s.issued.add(made.Key)
	return client{server: s, token: made.Key}
}

// feed reads all pages, and answers with the cursor to go on at.
func (c client) feed(t *testing.T, query string) (events []eventDoc, cursor string) {
	t.Helper()
	for {
		p := decoded[struct {
			Items []eventDoc `json:"items"`
			Next  string     `json:"next_cursor"`
			Head  bool       `json:"head"`
		}](t, c.get("/v1/events?limit=7&cursor="+cursor+query))
		events, cursor = append(events, p.Items...), p.Next
		if p.Head {
			return events, cursor
		}
	}
}

// lines reads the feed as NDJSON.
func (c client) lines(t *testing.T, query string) (events []eventDoc) {
	t.Helper()
	text := string(ok(t, c.get("/v1/events?"+query, header("Accept", "application/x-ndjson"))).body)
	for line := range strings.Lines(text) {
		var e eventDoc
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		events = append(events, e)
	}
	return events
}

// stream is an open stream of server-sent events.
type stream struct {
	response *http.Response
	lines    *bufio.Scanner
	last     string // id
}

func (c client) stream(t *testing.T, query, last string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *c.server.url.Load()+"/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Accept", "text/event-stream")
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &stream{response: answer, lines: lines}
}

// next is the next event; ok is false at the end.
func (s *stream) next(t *testing.T) (e eventDoc, ok bool) {
	t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		if id, found := strings.CutPrefix(line, "id: "); found {
			s.last = id
		}
		if data, found := strings.CutPrefix(line, "data: "); found {
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatalf("%v: %s", err, data)
			}
			return e, true
		}
	}
	return e, false
}

func (s *stream) take(t *testing.T, n int) (events []eventDoc) {
	t.Helper()
	for range n {
		e, ok := s.next(t)
		if !ok {
			t.Fatalf("the stream ended: %v", s.lines.Err())
		}
		events = append(events, e)
	}
	return events
}

// gapless fails where the sequence of an organization's events has a gap.
func gapless(t *testing.T, events []eventDoc) {
	t.Helper()
	last := make(map[string]int)
	for _, e := range events {
		last[e.Organization]++
		if want := fmt.Sprintf("%020d", last[e.Organization]); e.Sequence != want {
			t.Fatalf("%s %s has the sequence %s, want %s", e.Type, e.ID, e.Sequence, want)
		}
	}
}

func eventIDs(events []eventDoc) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

const feedURL = "https://members.example.com"

func TestX9_EventFeed(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t, withFlags("--public-url", feedURL)).newCast(t)
		pipeline, personal := c.follower(t, "events.read"), c.follower(t, "events.read", "events.read_personal")
		ok(t, c.owner.changeRole(c.org, c.user, "VIEWER"))
		ok(t, c.owner.put(orgPath(c.org, "members", c.user.AccountID, "roles"), map[string]any{"roles": []string{"USER"}, "reason": "Back again."}, header("X-Request-Id", "the-change")))
		other := c.signUp(t, "Other")
		ok(t, other.activate(unique("Other")))

		t.Run("CloudEvents over one cursor, with sequence numbers without gaps", func(t *testing.T) {
			is := is.New(t)
			events, _ := pipeline.feed(t, "")
			gapless(t, events)
			organizations := make(map[string]bool)
			for _, e := range events {
				organizations[e.Organization] = true
				is.Equal(e.SpecVersion, "1.0")
				is.Equal(e.Source, feedURL+"/v1/organizations/"+e.Organization)
				is.True(strings.HasPrefix(e.Type, "organization."))
				is.Equal(e.Data["organization_id"], e.Organization)
				is.Equal(e.DataSchema, feedURL+"/v1/events/schemas/"+e.Type)
				schema := c.anonymous().get(strings.TrimPrefix(e.DataSchema, feedURL))
				is.True(schema.done())
			}
			is.True(len(organizations) >= 2)
			// What the history of the organization has of its stream, is there, in its order.
			var types []string
			for _, e := range c.owner.history(t, c.org) {
				if e.Stream == "organization" {
					types = append(types, e.Type)
				}
			}
			own, _ := pipeline.feed(t, "&organization="+c.org)
			for i, e := range own {
				is.Equal(e.Type, types[i])
			}
			is.Equal(len(own), len(types))
		})

		t.Run("before and after values in every change, by whom and why", func(t *testing.T) {
			is := is.New(t)
			events, _ := pipeline.feed(t, "&type=organization.roles_changed&organization="+c.org)
			e := events[len(events)-1]
			is.Equal(e.Data["before"], []any{"VIEWER"})
			is.Equal(e.Data["after"], []any{"USER"})
			is.Equal(e.Subject, "members/"+c.user.AccountID)
			is.Equal(e.ActorKind+" "+e.ActorID, "account "+c.owner.AccountID)
			is.Equal(e.Reason, "") // may name anybody
			events, _ = personal.feed(t, "&type=organization.roles_changed&organization="+c.org)
			is.Equal(events[len(events)-1].Reason, "Back again.")
			is.Equal(e.CorrelationID, "the-change")
		})

		t.Run("pages, NDJSON and server-sent events hold the same", func(t *testing.T) {
			is := is.New(t)
			for _, query := range []string{"", "&organization=" + c.org, "&type=organization.member_"} {
				pages, _ := pipeline.feed(t, query)
				is.Equal(eventIDs(pipeline.lines(t, query)), eventIDs(pages))
				is.Equal(eventIDs(pipeline.stream(t, query, "").take(t, len(pages))), eventIDs(pages))
				middle := len(pages) / 2
				is.Equal(eventIDs(pipeline.lines(t, "cursor="+pages[middle].Cursor+query)), eventIDs(pages[middle+1:]))
				is.Equal(eventIDs(pipeline.stream(t, query, pages[middle].Cursor).take(t, len(pages)-middle-1)), eventIDs(pages[middle+1:]))
			}
		})

		t.Run("what happens arrives at whoever follows", func(t *testing.T) {
			is := is.New(t)
			whole, one := pipeline.stream(t, "cursor=head", ""), c.owner.stream(t, "cursor=head&organization="+c.org, "")
			waited := make(chan response, 1)
			go func() { waited <- pipeline.get("/v1/events?cursor=head&wait=2&type=organization.seat") }()
			name := unique("Acme")
			ok(t, c.owner.rename(c.org, name))
			is.Equal(whole.take(t, 1)[0].Data["after"], name)
			is.Equal(one.take(t, 1)[0].Data["after"], name)
			is.True((<-waited).done()) // nothing of the type has happened
		})

		t.Run("personal data for keys that may have it, and nothing secret for anybody", func(t *testing.T) {
			is := is.New(t)
			all := ok(t, pipeline.get("/v1/events", header("Accept", "application/x-ndjson"))).body
			is.True(!strings.Contains(string(all), "@"))
			is.True(!strings.Contains(string(all), c.user.Name))
			joined, _ := personal.feed(t, "&type=organization.member_joined&organization="+c.org)
			is.True(joined[0].Data["email"] != nil)
			full := ok(t, personal.get("/v1/events", header("Accept", "application/x-ndjson"))).body
			for _, secret := range append(c.issued.all(), "$argon2id$", "session_", "api_key.", "reservation.") {
				is.True(!strings.Contains(string(full), secret))
			}
		})

		t.Run("cursors that are none", func(t *testing.T) {
			refused(t, pipeline.get("/v1/events?cursor=x"), 422, "invalid")
			refused(t, pipeline.get("/v1/events", header("Last-Event-ID", "AAAAAAAAAAEAAAAA")), 422, "invalid")
			refused(t, c.owner.get("/v1/events"), 403, "permission_denied")
			refused(t, c.stranger.get("/v1/events?organization="+c.org), 404, "not_found")
		})

		t.Run("an AsyncAPI document", func(t *testing.T) {
			is := is.New(t)
			document := decoded[struct {
				AsyncAPI   string `json:"asyncapi"`
				Components struct {
					Messages map[string]any `json:"messages"`
				} `json:"components"`
			}](t, c.anonymous().get("/asyncapi.json"))
			is.Equal(document.AsyncAPI, "3.0.0")
			events, _ := pipeline.feed(t, "")
			for _, e := range events {
				is.True(document.Components.Messages[e.Type] != nil)
			}
		})

		t.Run("a cursor outlives the server", func(t *testing.T) {
			is := is.New(t)
			before, cursor := pipeline.feed(t, "")
			follows := pipeline.stream(t, "", cursor)
			ok(t, c.owner.rename(c.org, unique("Acme")))
			first := follows.take(t, 1)
			c.stop(t)
			_, more := follows.next(t)
			is.True(!more)
			is.NoErr(follows.lines.Err()) // it ended in order
			c.run(t)
			ok(t, c.owner.rename(c.org, unique("Acme")))
			rest := append(first, pipeline.stream(t, "", follows.last).take(t, 1)...)
			again, _ := pipeline.feed(t, "&type=organization.renamed")
			is.Equal(eventIDs(again[len(again)-2:]), eventIDs(rest))
			whole, _ := pipeline.feed(t, "")
			is.Equal(eventIDs(whole), append(eventIDs(before), eventIDs(rest)...))
		})
	})
}

// Every node has the same feed: whoever follows one that dies goes on at another.
func TestX9_FeedOnEveryNode(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		is := is.New(t)
		d := b.startNodes(t, 2, startMailServer(t, false))
		owner := d.signUp(t, "Owner")
		org := decoded[receipt](t, owner.activate(unique("Acme"))).OrganizationID
		pipeline := d.follower(t, "events.read")
		at, other := pipeline.at(d.nodes[0]), pipeline.at(d.nodes[1])
		follows := at.stream(t, "", "")
		got := follows.take(t, 1)
		for i := range 5 {
			ok(t, owner.at(d.nodes[i%2]).rename(org, unique("Acme"))) // wherever it is written
			got = append(got, follows.take(t, 1)...)
		}
		d.nodes[0].kill(t)
		for range 3 {
			ok(t, owner.at(d.nodes[1]).rename(org, unique("Acme")))
		}
		got = append(got, other.stream(t, "", follows.last).take(t, 3)...)
		gapless(t, got)
		is.Equal(len(got), 9)
		is.Equal(eventIDs(other.lines(t, "")), eventIDs(got))
	})
}

// While the log is away nobody is told anything, and when it is back whoever
// followed goes on where they were.
func TestX9_FeedWhileTheLogIsAway(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		s := b.start(t, expecting("log_unavailable"))
		owner := s.signUp(t, "Owner")
		org := decoded[receipt](t, owner.activate(unique("Acme"))).OrganizationID
		pipeline := s.follower(t, "events.read")
		follows, waits := pipeline.stream(t, "", ""), pipeline.stream(t, "organization="+org, "")
		got, own := follows.take(t, 1), waits.take(t, 1)
		s.stores.events.kill(t)
		eventually(t, "the streams end", func() bool {
			_, more := follows.next(t)
			return !more
		})
		refused(t, pipeline.get("/v1/events?cursor="+follows.last), 503, "log_unavailable")
		s.stores.events.run(t)
		for _, key := range []string{"first", "second"} {
			name := unique("Acme")
			eventually(t, "the log is back", func() bool { return owner.rename(org, name, idempotencyKey(key)).done() })
		}
		got = append(got, pipeline.stream(t, "", follows.last).take(t, 2)...)
		own = append(own, pipeline.stream(t, "organization="+org, waits.last).take(t, 2)...)
		gapless(t, got)
		is.New(t).Equal(eventIDs(own), eventIDs(got))

		// The one subscription that all wait for is back as well.
		live := pipeline.stream(t, "cursor=head", "")
		ok(t, owner.rename(org, unique("Acme")))
		live.take(t, 1)
	})
}

// The examples of the page for pipelines work when they are pasted.
func TestTheExamplesOfThePageForPipelinesWork(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		page, err := os.ReadFile("../docs/pipelines.md")
		is.NoErr(err)
		var script strings.Builder
		for _, block := range regexp.MustCompile("(?s)```sh feed\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
			script.WriteString(block[1])
		}
		s := b.start(t)
		ada := s.signUp(t, "Ada")
		org := decoded[receipt](t, ada.activate(unique("Engines"))).OrganizationID
		shell := exec.Command("bash", "-euo", "pipefail", "-c", script.String())
		shell.Dir = t.TempDir()
		shell.Env = append(os.Environ(), "T="+*s.url.Load(), "OPERATOR_KEY="+*s.key.Load(), "ORG="+org)
		shell.Stderr = os.Stderr
		out, err := shell.Output()
		is.NoErr(err)
		shows(t, string(out), `"items":[{"specversion":"1.0"`, `"items":[],"next_cursor":"`, "data: {", `"asyncapi":"3.0.0"`, `"title":"organization.roles_changed.v1"`)
		is.Equal(strings.Count(string(out), `"code":`), 0) // nothing was refused
	})
}
