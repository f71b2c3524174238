package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/eventstore/sqlite"
	"tenure/relay"
)

const publicURL = "https://members.example.com"

// bench is a log and a feed of it that is followed.
type bench struct {
	testing.TB
	is   *is.I
	log  eventstore.Store
	feed *relay.Feed
	next map[string]eventstore.Expected
}

func newBench(t testing.TB) *bench {
	t.Helper()
	is := is.New(t)
	log, err := sqlite.Open(filepath.Join(t.TempDir(), "log.db"), sqlite.Options{})
	is.NoErr(err)
	b := &bench{TB: t, is: is, log: log, next: make(map[string]eventstore.Expected)}
	b.feed = b.newFeed(16)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- b.feed.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		is.NoErr(log.Close())
	})
	return b
}

func (b *bench) newFeed(deployment byte) *relay.Feed {
	b.Helper()
	feed, err := relay.New(relay.Config{Log: b.log, Codec: codec.New(), PublicURL: publicURL, Deployment: [16]byte{deployment}})
	b.is.NoErr(err)
	return feed
}

// write appends events to a stream.
func (b *bench) write(stream string, events ...domain.Event) {
	b.Helper()
	encoded := make([]eventstore.Event, len(events))
	for i, e := range events {
		var err error
		encoded[i], err = codec.New().Encode(eventstore.ID(uuid.New()), e, codec.Metadata{
			Actor: domain.ByAccount("0192d2a1-7f5e-7c3a-9a41-000000000002"), OccurredAt: time.Now(), Reason: "because\nof it",
		})
		b.is.NoErr(err)
	}
	b.append(stream, encoded)
}

func (b *bench) append(stream string, events []eventstore.Event) {
	b.Helper()
	expected, ok := b.next[stream]
	if !ok {
		expected = eventstore.NoStream()
	}
	done, err := b.log.Append(context.Background(), stream, expected, events)
	b.is.NoErr(err)
	b.next[stream] = eventstore.Exactly(done.LastRevision)
}

func (b *bench) open(q relay.Query) *relay.Reader {
	b.Helper()
	r, err := b.feed.Open(context.Background(), q)
	b.is.NoErr(err)
	return r
}

// toHead reads on up to the end of the log.
func (b *bench) toHead(r *relay.Reader, limit int) (events []relay.Event) {
	b.Helper()
	for {
		batch, err := r.Next(context.Background(), limit)
		b.is.NoErr(err)
		b.is.True(len(batch.Events) <= limit)
		events = append(events, batch.Events...)
		if batch.Head {
			return events
		}
	}
}

// org makes the id of an organization.
func org(n int) domain.OrganizationID {
	return domain.OrganizationID(fmt.Sprintf("0192d2a1-7f5e-7c3a-9a41-%012d", n))
}

func stream(n int) string { return "organization-" + string(org(n)) }

func renamed(n, times int) domain.Event {
	return organization.Renamed{OrganizationID: org(n), Before: "Engines", After: domain.OrganizationName(fmt.Sprint("Engines ", times))}
}

// seen is a stand-in for all that is not in the feed.
func seen() domain.Event {
	return account.Seen{AccountID: "0192d2a1-7f5e-7c3a-9a41-000000000002", At: time.Now()}
}

func ids(events []relay.Event) (all []eventstore.ID) {
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}

// sequences reads the sequence of each event, by organization, and fails where
// one is not the last one's successor.
func sequences(t testing.TB, events []relay.Event, after map[string]int) {
	t.Helper()
	for _, e := range events {
		var shown struct{ Organization, Sequence string }
		if err := json.Unmarshal(e.JSON, &shown); err != nil {
			t.Fatal(err)
		}
		after[shown.Organization]++
		if want := fmt.Sprintf("%020d", after[shown.Organization]); shown.Sequence != want {
			t.Fatalf("sequence %s of %s, want %s", shown.Sequence, shown.Organization, want)
		}
	}
}

// mixed writes events of three organizations among others.
func (b *bench) mixed() {
	b.Helper()
	for i := range 60 {
		switch {
		case i%7 == 3:
			b.write("account-0192d2a1-7f5e-7c3a-9a41-000000000002", seen(), domain.ChangedNothing{})
		case i%5 == 2:
			b.write(stream(i%3), domain.ChangedNothing{})
		default:
			b.write(stream(i%3), renamed(i%3, i), organization.Deleted{OrganizationID: org(i % 3), Name: "Engines"})
		}
	}
}

// From wherever somebody goes on, they get what is left, for every filter and
// every size of a page.
func TestGoingOnAfterAnyEvent(t *testing.T) {
	b := newBench(t)
	b.mixed()
	for _, q := range []relay.Query{
		{}, {Organization: org(1)}, {Organization: org(2), Newest: b.next[stream(2)]}, {Organization: org(0), Newest: eventstore.Exactly(3)},
		{Type: "organization.renamed"}, {Organization: org(1), Type: "organization.d"}, {Organization: org(9)},
	} {
		whole := b.toHead(b.open(q), 1000)
		b.is.True((len(whole) > 8) == (q.Organization != org(9)))
		if q.Type == "" {
			sequences(t, whole, make(map[string]int))
		}
		for i, e := range whole {
			b.is.True(strings.HasPrefix(e.Type, q.Type))
			q.Cursor = b.feed.CursorOf(e)
			b.is.Equal(ids(b.toHead(b.open(q), 1+i%9)), ids(whole[i+1:]))
		}
		for i := range 13 { // pages: each goes on at the cursor of the one before
			q.Cursor = ""
			var got []relay.Event
			for {
				r := b.open(q)
				batch, err := r.Next(context.Background(), 1+i)
				b.is.NoErr(err)
				got, q.Cursor = append(got, batch.Events...), r.Cursor()
				if batch.Head {
					break
				}
			}
			b.is.Equal(ids(got), ids(whole))
		}
	}
}

func TestOneCursorForEveryFilter(t *testing.T) {
	b := newBench(t)
	b.mixed()
	whole := b.toHead(b.open(relay.Query{}), 1000)
	for i, e := range whole {
		if i%11 != 0 {
			continue
		}
		var want []eventstore.ID
		for _, later := range whole[i+1:] {
			if strings.Contains(string(later.JSON), `"organization":"`+string(org(1))) {
				want = append(want, later.ID)
			}
		}
		b.is.Equal(ids(b.toHead(b.open(relay.Query{Organization: org(1), Cursor: b.feed.CursorOf(e)}), 10)), want)
	}
}

func TestCursorsThatAreNone(t *testing.T) {
	b := newBench(t)
	b.write(stream(1), renamed(1, 1), renamed(1, 2))
	ctx := context.Background()
	fails := func(cursor string, want error) {
		t.Helper()
		_, err := b.feed.Open(ctx, relay.Query{Cursor: cursor})
		b.is.True(errors.Is(err, want))
	}
	good := b.feed.CursorOf(b.toHead(b.open(relay.Query{}), 10)[0])
	for i := range good {
		for _, c := range []byte("Ab_0=\n") {
			if damaged := good[:i] + string(c) + good[i+1:]; damaged != good {
				fails(damaged, relay.ErrCursor)
			}
		}
		fails(good[:i]+good[i+1:], relay.ErrCursor)
	}
	for _, none := range []string{" ", "0", "1", good + "A", good + good, "Head", strings.Repeat("A", 16)} {
		fails(none, relay.ErrCursor)
	}
	_, err := b.newFeed(7).Open(ctx, relay.Query{Cursor: good}) // of another deployment
	b.is.True(errors.Is(err, relay.ErrCursor))
	fails(b.feed.CursorOf(relay.Event{Position: 1_000_000}), relay.ErrCursorAhead)
	_, err = b.feed.Open(ctx, relay.Query{Type: "account."})
	b.is.True(errors.Is(err, relay.ErrType))
	b.is.Equal(len(b.toHead(b.open(relay.Query{Cursor: relay.FromHead}), 10)), 0)
}

// An event that this program does not know stops whoever comes to it.
func TestAnUnknownEventIsNotPassedOver(t *testing.T) {
	b := newBench(t)
	b.write(stream(1), renamed(1, 1))
	b.append(stream(1), []eventstore.Event{{ID: eventstore.ID(uuid.New()), Type: "organization.reversed.v1", Data: []byte("{}"), Metadata: []byte("{}")}})
	for _, q := range []relay.Query{{}, {Organization: org(1)}} {
		_, err := b.open(q).Next(context.Background(), 10)
		b.is.True(errors.Is(err, codec.ErrUnknownEvent))
	}
}
