package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/relay"
)

// ahead is an event that is not in the log yet.
var ahead = relay.Event{Position: 1 << 40}

// bulk writes events of some organizations, as their commands would.
func (s *stack) bulk(events, organizations int) (orgs []string) {
	s.Helper()
	next := make([]eventstore.Expected, organizations)
	for i := range next {
		orgs, next[i] = append(orgs, uuid.NewString()), eventstore.NoStream()
	}
	for written, i := 0, 0; written < events; i = (i + 1) % organizations {
		id := domain.OrganizationID(orgs[i])
		batch := make([]eventstore.Event, min(events-written, eventstore.MaxBatchEvents))
		for j := range batch {
			var e domain.Event = organization.MemberRenamed{OrganizationID: id, AccountID: exampleAccount, Before: "Ada", After: fmt.Sprint("Ada ", j)}
			if j == 0 && next[i] == eventstore.NoStream() {
				e = organization.Activated{
					OrganizationID: id, Name: domain.OrganizationName("Bulk " + orgs[i]), Policy: "ownership", PolicyVersion: 1,
					AccountID: exampleAccount, Email: "ada@example.com", Username: "ada", DisplayName: "Ada", Roles: []domain.Role{"OWNER"},
				}
			}
			var err error
			batch[j], err = s.commands.Codec.Encode(eventstore.ID(uuid.New()), e, codec.Metadata{Actor: domain.ByAccount(exampleAccount), OccurredAt: time.Now()})
			s.is.NoErr(err)
		}
		done, err := s.commands.Store.Append(context.Background(), "organization-"+orgs[i], next[i], batch)
		s.is.NoErr(err)
		next[i], written = eventstore.Exactly(done.LastRevision), written+len(batch)
	}
	return orgs
}

const exampleAccount = "0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11"

// receiver keeps what comes and, now and then, the cursor; it is killed at random
// and begins again with the cursor that it has kept.
type receiver struct {
	*stack
	form, query, key string
	dice             *rand.Rand

	cursor    string
	keptAt    int               // of the events so far, those that the cursor covers
	all       int               // different events
	seen      map[string]int    // id → its number
	sequences map[string]string // organization → the last
	again     int
	kills     int
}

func (r *receiver) run(want int) error {
	for r.all < want {
		if err := r.connect(want); err != nil {
			return err
		}
	}
	return nil
}

// connect reads until it is killed, or the stream ends, or there is everything.
func (r *receiver) connect(want int) error {
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	path := "/v1/events?" + r.query
	if r.form == "application/json" {
		path += "&limit=1000&wait=5"
	}
	request, err := http.NewRequestWithContext(ctx, "GET", r.url+path+"&cursor="+r.cursor, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", r.form)
	request.Header.Set("Authorization", "Bearer "+r.key)
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", response.Status)
	}
	if r.form == "application/json" {
		return r.page(response.Body)
	}
	life := want/20 + r.dice.IntN(want/3)
	lines := bufio.NewReaderSize(response.Body, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil // what is left of the line is lost
		}
		if line, ok := strings.CutPrefix(line, "data: "); ok || strings.HasPrefix(line, "{") {
			if err := r.take([]byte(line)); err != nil || r.all == want {
				return err
			}
			if life--; life == 0 {
				r.kills++
				return nil
			}
		}
	}
}

func (r *receiver) page(body io.Reader) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var page struct {
		Items []json.RawMessage
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return err
	}
	for _, item := range page.Items {
		if err := r.take(item); err != nil {
			return err
		}
	}
	return nil
}

func (r *receiver) take(text []byte) error {
	var e received
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("%w: %.200s", err, text)
	}
	if number, twice := r.seen[e.ID]; twice {
		r.again++
		if number < r.keptAt {
			return fmt.Errorf("event %d comes again though the cursor was after it", number)
		}
		return nil
	}
	var last int
	fmt.Sscan(r.sequences[e.Organization], &last)
	if want := fmt.Sprintf("%020d", last+1); e.Sequence != want {
		return fmt.Errorf("sequence %s of %s, want %s", e.Sequence, e.Organization, want)
	}
	r.sequences[e.Organization] = fmt.Sprint(last + 1)
	r.seen[e.ID] = r.all
	if r.all++; r.all%97 == 0 {
		r.cursor, r.keptAt = e.Cursor, r.all
	}
	return nil
}

// 100,000 events flow while receivers are killed at random: each ends with every
// event, in order and without gaps, and what comes again is known by its id.
func TestFeedSurvivesKills(t *testing.T) {
	total := 100_000
	if testing.Short() || raceEnabled {
		total = 6_000
	}
	s := newStack(t)
	key := s.follower("events.read")
	orgs := s.bulk(total/2, 10)
	var receivers []*receiver
	receive := func(form, query string) {
		receivers = append(receivers, &receiver{
			stack: s, form: form, query: query, key: key, dice: rand.New(rand.NewPCG(1, uint64(len(receivers)))),
			seen: make(map[string]int), sequences: make(map[string]string),
		})
	}
	receive("text/event-stream", "type=")
	receive("text/event-stream", "type=")
	receive("application/x-ndjson", "type=")
	receive("application/json", "type=")
	receive("text/event-stream", "organization="+orgs[3])
	receive("application/x-ndjson", "organization="+orgs[4])
	var all sync.WaitGroup
	for _, r := range receivers {
		want := total
		if strings.HasPrefix(r.query, "organization") {
			want = total / 2 / 10
		}
		all.Go(func() {
			if err := r.run(want); err != nil {
				t.Errorf("%s %s: %v", r.form, r.query, err)
			}
		})
	}
	s.bulk(total-total/2, 10)
	all.Wait()
	kills, again := 0, 0
	for _, r := range receivers {
		kills, again = kills+r.kills, again+r.again
	}
	s.is.True(kills > 5)
	s.is.True(again > 0)
	t.Logf("%d events, %d kills, %d came again", total, kills, again)
}
