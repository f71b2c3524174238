package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/matryer/is"

	"tenure/httpapi"
)

// received is an event as a receiver reads it.
type received struct {
	ID, Type, Organization, Sequence, Cursor string
	Data                                     map[string]any
}

func (s *stack) follower(scopes ...string) string {
	s.Helper()
	return s.want(201, "POST", "/v1/operator/api-keys", s.operator, map[string]any{"name": "pipeline", "scopes": scopes}).str("key")
}

func (s *stack) feed(path, token string) (items []received, next string, head bool) {
	s.Helper()
	a := s.want(200, "GET", path, token, nil)
	var page struct {
		Items []received
		Next  string `json:"next_cursor"`
		Head  bool
	}
	s.is.NoErr(json.Unmarshal(a.body, &page))
	return page.Items, page.Next, page.Head
}

func (s *stack) open(path, token, accept string, headers ...string) *http.Response {
	s.Helper()
	request, err := http.NewRequest("GET", s.url+path, nil)
	s.is.NoErr(err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", accept)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	s.is.NoErr(err)
	s.Cleanup(func() { response.Body.Close() })
	return response
}

// sse reads server-sent events one by one.
type sse struct {
	lines *bufio.Reader
	last  string // id
}

// next reads up to the next event that has data; err ends the stream. With
// heartbeat it is satisfied with an id alone.
func (r *sse) next(heartbeat bool) (e received, data bool, err error) {
	var text string
	id := false
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			return e, false, err
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "id: "):
			r.last, id = line[4:], true
		case strings.HasPrefix(line, "data: "):
			text = line[6:]
		case line == "" && text != "":
			return e, true, json.Unmarshal([]byte(text), &e)
		case line == "" && id && heartbeat:
			return e, false, nil
		}
	}
}

func TestFeedForWhomItIs(t *testing.T) {
	c := newScene(newStack(t))
	is := is.New(t)
	reader, personal := c.follower("events.read"), c.follower("events.read", "events.read_personal")
	onlyPersonal := c.follower("events.read_personal")
	everything, next, head := c.feed("/v1/events?limit=1000", reader)
	is.True(head)
	is.True(len(everything) > 8)
	again, stays, _ := c.feed("/v1/events?cursor="+next, reader)
	is.Equal(len(again), 0)
	is.Equal(stays, next)
	for _, e := range everything {
		is.Equal(e.Data["email"], nil)
		is.Equal(e.Data["display_name"], nil)
	}
	full, _, _ := c.feed("/v1/events?type=organization.member_joined", personal)
	is.Equal(full[0].Data["email"], "admin@example.com")
	is.Equal(full[0].Data["display_name"], "Person admin@example.com")
	of, _, _ := c.feed("/v1/events?organization="+c.org, c.owner.token)
	is.Equal(len(of), len(everything))
	is.Equal(of[1].Data["email"], nil) // members read names in the history
	c.refused(403, "permission_denied", "GET", "/v1/events", c.owner.token, nil)
	c.refused(403, "permission_denied", "GET", "/v1/events", onlyPersonal, nil)
	c.refused(404, "not_found", "GET", "/v1/events?organization="+c.key, reader, nil)
	c.refused(404, "not_found", "GET", "/v1/events?organization=x", reader, nil)
	c.refused(404, "not_found", "GET", "/v1/events?organization=x", c.owner.token, nil)
	c.refused(422, "invalid", "GET", "/v1/events?cursor=x", reader, nil)
	c.refused(422, "invalid", "GET", "/v1/events?type=account.", reader, nil)
	c.refused(422, "invalid", "GET", "/v1/events?limit=1001", reader, nil)
	c.refused(422, "invalid", "GET", "/v1/events?wait=21", reader, nil)
	c.refused(409, "cursor_ahead", "GET", "/v1/events?cursor="+c.config.Feed.CursorOf(ahead), reader, nil)
	c.want(200, "HEAD", "/v1/events", reader, nil, "Accept", "text/event-stream")
	c.is.Equal(c.want(200, "GET", "/v1/events/schemas/organization.renamed.v1", "", nil).str("title"), "organization.renamed.v1")
	c.refused(404, "not_found", "GET", "/v1/events/schemas/account.registered.v1", "", nil)
	c.is.Equal(c.want(200, "GET", "/asyncapi.json", "", nil).str("asyncapi"), "3.0.0")
}

func TestFeedAsLines(t *testing.T) {
	c := newScene(newStack(t))
	key := c.follower("events.read")
	want, _, _ := c.feed("/v1/events?limit=1000", key)
	response := c.open("/v1/events", key, "application/x-ndjson")
	c.is.Equal(response.Header.Get("Content-Type"), "application/x-ndjson")
	lines := bufio.NewScanner(response.Body)
	for i := 0; lines.Scan(); i++ {
		var e event.Event
		c.is.NoErr(json.Unmarshal(lines.Bytes(), &e))
		c.is.NoErr(e.Validate())
		c.is.Equal(e.ID(), want[i].ID)
		want[i].ID = ""
	}
	c.is.NoErr(lines.Err())
	for _, e := range want {
		c.is.Equal(e.ID, "") // every event was among the lines
	}
	rest := c.open("/v1/events?cursor="+want[3].Cursor, key, "application/x-ndjson")
	text, err := io.ReadAll(rest.Body)
	c.is.NoErr(err)
	c.is.Equal(strings.Count(string(text), "\n"), len(want)-4)
}

func TestFeedWaits(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	key := s.follower("events.read")
	_, next, _ := s.feed("/v1/events", key)
	type result struct {
		items []received
		next  string
	}
	waited := make(chan result, 2)
	for _, query := range []string{"", "&organization=" + org} {
		go func() {
			items, next, _ := s.feed("/v1/events?wait=20&type=organization.renamed&cursor="+next+query, key)
			waited <- result{items, next}
		}()
	}
	s.want(200, "PATCH", "/v1/organizations/"+org, ada.token, map[string]any{"name": "Looms"})
	for range 2 {
		r := <-waited
		s.is.Equal(len(r.items), 1)
		s.is.Equal(r.items[0].Type, "organization.renamed.v1")
		s.is.Equal(r.items[0].Cursor, r.next)
	}
	items, _, head := s.feed("/v1/events?wait=1&cursor=head", key)
	s.is.Equal(len(items), 0)
	s.is.True(head)
}

func TestFeedAsServerSentEvents(t *testing.T) {
	s := newStack(t, func(c *httpapi.Config) { c.Streams.Heartbeat = 20 * time.Millisecond })
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	rename := func(name string) {
		s.want(200, "PATCH", "/v1/organizations/"+org, ada.token, map[string]any{"name": name})
	}
	response := s.open("/v1/events?organization="+org, ada.token, "text/event-stream")
	s.is.Equal(response.Header.Get("Content-Type"), "text/event-stream")
	stream := &sse{lines: bufio.NewReader(response.Body)}
	next := func(stream *sse) received {
		t.Helper()
		e, _, err := stream.next(false)
		s.is.NoErr(err)
		return e
	}
	s.is.Equal(next(stream).Type, "organization.activated.v1")
	_, data, err := stream.next(true) // a heartbeat
	s.is.NoErr(err)
	s.is.True(!data)
	rename("Looms")
	e := next(stream)
	s.is.Equal(e.Data["after"], "Looms")
	s.is.Equal(e.Sequence, "00000000000000000002")
	s.is.Equal(stream.last, e.Cursor)
	response.Body.Close()

	rename("Mills")
	rename("Engines")
	resumed := &sse{lines: bufio.NewReader(s.open("/v1/events?organization="+org, ada.token, "text/event-stream", "Last-Event-ID", stream.last).Body)}
	s.is.Equal(next(resumed).Data["after"], "Mills")
	s.is.Equal(next(resumed).Data["after"], "Engines")
	fresh := &sse{lines: bufio.NewReader(s.open("/v1/events?cursor=head", s.follower("events.read"), "text/event-stream").Body)}
	_, _, err = fresh.next(true)
	s.is.NoErr(err)
	rename("Looms")
	s.is.Equal(next(fresh).Data["after"], "Looms")
}

// Whoever follows what is quiet hears that the stream is there, however much is
// written elsewhere.
func TestFeedIsHeardOfInABusyLog(t *testing.T) {
	s := newStack(t, func(c *httpapi.Config) { c.Streams.Heartbeat = 100 * time.Millisecond })
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	stream := &sse{lines: bufio.NewReader(s.open("/v1/events?organization="+org, ada.token, "text/event-stream").Body)}
	_, _, err := stream.next(false)
	s.is.NoErr(err)
	heard := make(chan error, 1)
	go func() {
		_, data, err := stream.next(true)
		if data {
			err = errors.New("an event of another organization")
		}
		heard <- err
	}()
	for range 3000 {
		select {
		case err := <-heard:
			s.is.NoErr(err)
			return
		default:
			s.bulk(1, 1)
		}
	}
	t.Fatal("not a word")
}

// A stream goes on for nobody who may not read it any more.
func TestFeedEndsWithTheAccess(t *testing.T) {
	c := newScene(newStack(t, func(c *httpapi.Config) { c.Streams.Heartbeat = 20 * time.Millisecond }))
	admin, viewer := c.callers[4], c.callers[6]
	c.is.Equal(admin.name+" "+viewer.name, "admin viewer")
	key, id := c.stack.key("events.read")
	for _, end := range []struct {
		path, token string
		by          func()
	}{
		{"/v1/events?organization=" + c.org, viewer.token, func() {
			me := c.want(200, "GET", "/v1/me", viewer.token, nil).str("account_id")
			c.want(200, "DELETE", "/v1/organizations/"+c.org+"/members/"+me, c.owner.token, nil)
		}},
		{"/v1/events", key, func() { c.want(200, "DELETE", "/v1/operator/api-keys/"+id, c.operator, nil) }},
		{"/v1/events?organization=" + c.org, admin.token, func() {
			me := c.want(200, "GET", "/v1/me", admin.token, nil).str("account_id")
			c.want(200, "PUT", "/v1/organizations/"+c.org+"/members/"+me+"/roles", c.owner.token, map[string]any{"roles": []string{"USER"}})
		}},
		{"/v1/events?organization=" + c.org, c.owner.token, func() { c.want(204, "DELETE", "/v1/sessions/current", c.owner.token, nil) }},
	} {
		stream := &sse{lines: bufio.NewReader(c.open(end.path, end.token, "text/event-stream").Body)}
		_, _, err := stream.next(false)
		c.is.NoErr(err)
		end.by()
		c.offset.Add(int64(2 * time.Second))
		for err == nil {
			_, _, err = stream.next(true)
		}
		c.is.Equal(err, io.EOF) // in order: whoever comes again is told why
	}
}

func TestFeedIsBounded(t *testing.T) {
	s := newStack(t, func(c *httpapi.Config) {
		c.Streams = httpapi.Streams{Most: 3, PerCaller: 2, Heartbeat: 20 * time.Millisecond}
	})
	first, second := s.follower("events.read"), s.follower("events.read")
	held := s.open("/v1/events?cursor=head", first, "text/event-stream")
	s.open("/v1/events?cursor=head", first, "text/event-stream")
	a := s.refused(429, "too_many_streams", "GET", "/v1/events?cursor=head", first, nil, "Accept", "text/event-stream")
	s.is.True(a.header.Get("Retry-After") != "")
	s.refused(429, "too_many_streams", "GET", "/v1/events?wait=1", first, nil)
	s.open("/v1/events?cursor=head", second, "text/event-stream")
	s.refused(429, "too_many_streams", "GET", "/v1/events?cursor=head", second, nil, "Accept", "application/x-ndjson")
	s.want(200, "GET", "/v1/events?cursor=head", second, nil) // a page takes no place
	held.Body.Close()
	for s.do("GET", "/v1/events?wait=1&cursor=head", first, nil).status != 200 { // its place is free once that was noticed
	}
}

// When a node stops, streams of events end in order; an export that has not come
// to its end breaks off.
func TestFeedEndsWithTheNode(t *testing.T) {
	s := newStack(t)
	key := s.follower("events.read")
	stream := &sse{lines: bufio.NewReader(s.open("/v1/events?cursor=head", key, "text/event-stream").Body)}
	waiting := make(chan int, 1)
	go func() { waiting <- s.raw("GET", "/v1/events?cursor=head&wait=20", key, nil).status }()
	for !strings.Contains(string(s.raw("GET", "/metrics", s.operator, nil).body), "tenure_feed_streams 2") {
	}
	s.is.NoErr(s.api.Shutdown(context.Background()))
	_, _, err := stream.next(false)
	s.is.Equal(err, io.EOF)
	s.is.Equal(<-waiting, 200)
}

// A reader that does not take what it is sent is cut off, and holds nobody up.
func TestFeedCutsWhoDoesNotRead(t *testing.T) {
	s := newStack(t, func(c *httpapi.Config) { c.Streams.Stall = 50 * time.Millisecond })
	s.bulk(20_000, 4)
	key := s.follower("events.read")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.is.NoErr(err)
	go s.api.Serve(listener)
	connection, err := net.Dial("tcp", listener.Addr().String())
	s.is.NoErr(err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\nAuthorization: Bearer "+key+"\r\n\r\n")
	s.is.NoErr(err)
	gone := func() bool {
		return strings.Contains(string(s.raw("GET", "/metrics", s.operator, nil).body), "tenure_feed_streams 0")
	}
	for gone() { // until it has begun
	}
	for !gone() { // until it was cut
	}
	text, err := io.ReadAll(connection)
	s.is.True(err != nil || !strings.HasSuffix(string(text), "0\r\n\r\n")) // it can tell that this is not all
}
