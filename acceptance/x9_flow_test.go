package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

var flow = flag.Int("flow", usualFlow, "how many events flow while consumers, receivers and the server are killed")

// TestX9_NothingIsLostWhoeverIsKilled has events flow while the server is killed,
// consumers of NDJSON and of server-sent events are killed and go on with the last
// cursor that they have kept, and receivers of webhooks fail in every way and are
// killed. Each ends with every event, in order; what comes twice is known by its id.
func TestX9_NothingIsLostWhoeverIsKilled(t *testing.T) {
	run := onTheFolder
	if *flow > usualFlow {
		run = onEveryBackendInTurn
	}
	run(t, flowing)
}

const usualFlow = 1500

// witnessed is what a consumer has got.
type witnessed struct {
	mu       sync.Mutex
	events   []eventDoc // in the order of their first arrival
	seen     map[string]bool
	repeated int
	killed   int
}

func newWitnessed() *witnessed { return &witnessed{seen: make(map[string]bool)} }

func (w *witnessed) take(e eventDoc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[e.ID] {
		w.repeated++
		return
	}
	w.seen[e.ID] = true
	w.events = append(w.events, e)
}

func (w *witnessed) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.events)
}

// follow reads the feed in a form until ctx ends. It keeps its cursor now and then,
// and is killed now and then: what it had after the cursor comes again.
func (w *witnessed) follow(ctx context.Context, c client, accept string, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	kept := ""
	for ctx.Err() == nil {
		life, kill := context.WithTimeout(ctx, time.Duration(20+rng.IntN(400))*time.Millisecond)
		kept = w.live(life, c, accept, kept, 1+rng.IntN(200))
		kill()
		w.killed++
	}
}

// live reads until it is killed, and answers with the cursor that it has kept.
func (w *witnessed) live(ctx context.Context, c client, accept, kept string, every int) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *c.server.url.Load()+"/v1/events?cursor="+kept, nil)
	if err != nil {
		return kept
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Accept", accept)
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		<-ctx.Done()
		return kept
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		<-ctx.Done()
		return kept
	}
	lines := bufio.NewReader(answer.Body)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			if err == io.EOF && accept == "application/x-ndjson" { // all there was
				time.Sleep(10 * time.Millisecond)
			}
			return kept // a line without its end counts for nothing
		}
		text, isEvent := strings.TrimPrefix(line, "data: "), strings.Contains(line, `"specversion"`)
		var e eventDoc
		if !isEvent || json.Unmarshal([]byte(text), &e) != nil {
			continue
		}
		w.take(e)
		if n%every == 0 {
			kept = e.Cursor
		}
	}
}

// shaky is a receiver of webhooks that fails in every way, and is killed and
// started again at its address.
type shaky struct {
	witnessed
	address string
	server  *http.Server
	rng     *rand.Rand
	odds    int // one attempt in so many fails
	failed  map[string]int
}

func newShaky(t *testing.T, seed uint64, odds int) *shaky {
	s := &shaky{witnessed: witnessed{seen: make(map[string]bool)}, rng: rand.New(rand.NewPCG(seed, 8)), odds: odds, failed: make(map[string]int)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.serve(l)
	t.Cleanup(func() { s.server.Close() })
	return s
}

func (s *shaky) serve(l net.Listener) {
	s.server = &http.Server{Handler: s}
	go s.server.Serve(l)
}

// kill drops every connection, and comes back.
func (s *shaky) kill(t *testing.T) {
	s.server.Close()
	s.killed++
	eventually(t, "the receiver is back", func() bool {
		l, err := net.Listen("tcp", s.address)
		if err == nil {
			s.serve(l)
		}
		return err == nil
	})
}

// ways are those of failing, and of being slow.
var ways = []string{"500", "503", "404", "401", "redirect", "busy", "reset", "reset after", "half", "slow"}

func (s *shaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var e eventDoc
	if err != nil || json.Unmarshal(body, &e) != nil || e.ID != r.Header.Get("webhook-id") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	way := ""
	if s.rng.IntN(s.odds) == 0 {
		way = ways[s.rng.IntN(len(ways))]
		s.failed[way]++
	}
	s.mu.Unlock()
	switch way {
	case "500", "503", "404", "401":
		var status int
		fmt.Sscan(way, &status)
		w.WriteHeader(status)
		return
	case "redirect":
		http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
		return
	case "busy":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case "reset":
		panic(http.ErrAbortHandler)
	case "reset after": // it has the event, and nobody learns of it
		s.take(e)
		panic(http.ErrAbortHandler)
	case "half": // of an answer
		s.take(e)
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	case "slow":
		time.Sleep(50 * time.Millisecond)
	}
	s.take(e)
}

func flowing(t *testing.T, b backend) {
	is := is.New(t)
	s := b.start(t, withFlags("--webhooks-private", "--organization-webhooks-private", "--log-level", "error"), expecting(outages...))
	rng := rand.New(rand.NewPCG(*seed, 9))
	owner := s.signUp(t, "Owner")
	orgs := make([]string, 8)
	for i := range orgs {
		orgs[i] = decoded[receipt](t, owner.activate(unique("Acme"))).OrganizationID
	}
	pipeline := s.follower(t, "events.read")
	odds := max(60, *flow/300)
	all, own := newShaky(t, *seed, odds), newShaky(t, *seed+1, odds)
	s.deliverTo(t, map[string]any{"url": "http://" + all.address, "cursor": firstCursor(t, pipeline)})
	own.accept(t, owner, orgs[0])

	ctx, stop := context.WithCancel(context.Background())
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer stop()
	ndjson, sse := newWitnessed(), newWitnessed()
	helpers.Go(func() { ndjson.follow(ctx, pipeline, "application/x-ndjson", *seed) })
	helpers.Go(func() { sse.follow(ctx, pipeline, "text/event-stream", *seed+1) })

	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var writers sync.WaitGroup
		for _, org := range orgs {
			writers.Go(func() {
				for i := range *flow / len(orgs) {
					key := unique("flow")
					for ctx.Err() == nil && !owner.put(orgPath(org, "settings"), map[string]any{"settings": map[string]string{"n": fmt.Sprint(i)}}, idempotencyKey(key)).done() {
						time.Sleep(20 * time.Millisecond)
					}
				}
			})
		}
		writers.Wait()
	}()
	kills, clock, wrote := 0, time.Duration(0), time.Duration(0)
	var whole, one []eventDoc
	everywhere := func() bool {
		return ndjson.count() >= len(whole) && sse.count() >= len(whole) && all.count() >= len(whole)-len(orgs) && own.count() >= len(one)-1
	}
	for whole == nil || !everywhere() { // the clock runs, so that pauses between attempts pass
		if time.Since(began) > 20*time.Minute {
			t.Fatalf("waited in vain: %d, %d, %d and %d of %d have arrived", ndjson.count(), sse.count(), all.count(), own.count(), len(whole))
		}
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
		clock += time.Minute
		s.shiftClock(t, clock)
		switch rng.IntN(12) {
		case 0:
			if kills < 3+*flow/5000 {
				kills++
				s.kill(t)
				s.run(t)
			}
		case 1:
			all.kill(t)
		case 2:
			own.kill(t)
		}
		select {
		case <-done:
			if whole == nil {
				wrote = time.Since(began)
				whole, one = pipeline.lines(t, ""), pipeline.lines(t, "organization="+orgs[0])
				gapless(t, whole)
				is.True(len(whole) >= *flow/len(orgs)*len(orgs))
			}
		default:
		}
	}
	took := time.Since(began)
	stop()
	helpers.Wait()
	for name, w := range map[string]*witnessed{"NDJSON": ndjson, "server-sent events": sse} {
		gapless(t, w.events)
		is.Equal(eventIDs(w.events), eventIDs(whole))
		is.True(w.repeated > 0 && w.killed > 1)
		t.Logf("%s: %d events, %d of them more than once, killed %d times", name, len(w.events), w.repeated, w.killed)
	}
	is.Equal(eventIDs(all.events), eventIDs(whole[len(orgs):])) // all since it was registered
	is.Equal(eventIDs(own.events), eventIDs(one[1:]))
	t.Logf("webhooks: %d and %d events, %d and %d of them more than once; receivers killed %d and %d times, failures %v %v",
		len(all.events), len(own.events), all.repeated, own.repeated, all.killed, own.killed, all.failed, own.failed)
	t.Logf("seed %d: %d events of %d organizations in %s, everywhere after %s; the server was killed %d times", *seed, len(whole), len(orgs), wrote.Round(time.Millisecond), took.Round(time.Millisecond), kills)
}

// accept registers the receiver with an organization.
func (s *shaky) accept(t *testing.T, by *person, org string) {
	t.Helper()
	made := decoded[receipt](t, by.post(orgPath(org, "webhooks"), map[string]any{"url": "http://" + s.address}))
	by.server.issued.add(made.Secret)
}

// firstCursor is that of the last event there is.
func firstCursor(t *testing.T, c client) string {
	t.Helper()
	_, cursor := c.feed(t, "")
	return cursor
}
