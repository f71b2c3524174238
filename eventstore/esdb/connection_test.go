package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/eventstore/esdb"
	"tenure/eventstore/esdb/esdbtest"
)

func several(n int) []eventstore.Event {
	list := make([]eventstore.Event, n)
	for i := range list {
		list[i] = eventstore.Event{ID: eventstore.ID(uuid.New()), Type: "test.happened.v1", Data: []byte(`{}`), Metadata: []byte(`{}`)}
	}
	return list
}

// patient is a context for what has to happen in the end.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// insist appends again, with the same ids, until it is told the result.
func insist(ctx context.Context, store eventstore.Store, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	for {
		result, err := store.Append(ctx, stream, expected, events)
		var conflict *eventstore.ConflictError
		if err == nil || errors.As(err, &conflict) || ctx.Err() != nil {
			return result, err
		}
	}
}

// restless is a connection string for clients that look for their server often.
func restless(server *esdbtest.Server) string { return server.URL() + "&discoveryInterval=5" }

// cutting cuts all connections again and again until the test ends it.
func cutting(t *testing.T, server *esdbtest.Server, every time.Duration) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-time.After(every/2 + rand.N(every)):
				server.Cut()
			}
		}
	}()
	return func() { close(ended); <-done }
}

// TestCutsDuringAppends has writers that append through cuts, and retry what
// fails: every event is there once, in the order of its writer.
func TestCutsDuringAppends(t *testing.T) {
	is := is.New(t)
	server := serve(t)
	server.Delay(2 * time.Millisecond) // so that cuts come between the write and its answer
	store := open(t, restless(server), esdb.Options{})
	ctx := patient(t)
	const writers, each = 8, 40
	written := make([][]eventstore.Event, writers)
	stop := cutting(t, server, 25*time.Millisecond)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			expected := eventstore.NoStream()
			for range each {
				batch := several(1 + w%3)
				result, err := insist(ctx, store, fmt.Sprint("stream-", w), expected, batch)
				if err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				expected = eventstore.Exactly(result.LastRevision)
				written[w] = append(written[w], batch...)
			}
		})
	}
	wg.Wait()
	stop()
	for w := range writers {
		found, err := store.ReadStream(ctx, fmt.Sprint("stream-", w), 0, 1000)
		is.NoErr(err)
		is.Equal(len(found), len(written[w]))
		for i, e := range found {
			is.Equal(e.ID, written[w][i].ID)
		}
	}
}

// TestCutsDuringSubscriptions has subscribers at several places of the log, on
// connections that break all the time.
func TestCutsDuringSubscriptions(t *testing.T) {
	is := is.New(t)
	server := serve(t)
	store, ctx := open(t, restless(server), esdb.Options{RecentEvents: 50}), patient(t)
	writer := open(t, restless(server), esdb.Options{})
	const total = 600
	first, err := writer.Append(ctx, "before", eventstore.NoStream(), several(total/3))
	is.NoErr(err)
	stop := cutting(t, server, 100*time.Millisecond)
	var readers sync.WaitGroup
	seen := make([][]eventstore.Recorded, 4)
	for i := range seen {
		readers.Go(func() {
			filter := eventstore.Filter{}
			if i%2 == 1 {
				filter.TypePrefixes = []string{"test."}
			}
			sub, err := store.Subscribe(ctx, 0, filter)
			if err != nil {
				t.Errorf("Subscribe: %v", err)
				return
			}
			defer func() { _ = sub.Close() }()
			for len(seen[i]) < total {
				page, err := sub.Next(ctx, 1+i*30)
				if err != nil {
					t.Errorf("Next: %v", err)
					return
				}
				seen[i] = append(seen[i], page.Events...)
			}
		})
	}
	is.True(first.Position > 0)
	expected := eventstore.NoStream()
	for n := 0; n < total-total/3; n += 5 {
		result, err := insist(ctx, writer, "meanwhile", expected, several(5))
		is.NoErr(err)
		expected = eventstore.Exactly(result.LastRevision)
	}
	readers.Wait()
	stop()
	for _, got := range seen {
		is.Equal(len(got), total)
		next, last := map[string]eventstore.Revision{}, eventstore.Position(0)
		for _, e := range got {
			is.Equal(e.Revision, next[e.Stream])
			is.True(e.Position > last)
			next[e.Stream]++
			last = e.Position
		}
	}
}

// TestServerAway lets the client die, and looks for the next one.
func TestServerAway(t *testing.T) {
	is := is.New(t)
	server := serve(t)
	store, ctx := open(t, server.URL(), esdb.Options{}), patient(t)
	result, err := store.Append(ctx, "s", eventstore.NoStream(), several(1))
	is.NoErr(err)
	sub, err := store.Subscribe(ctx, 0, eventstore.Filter{})
	is.NoErr(err)
	page, err := sub.Next(ctx, 10)
	is.NoErr(err)
	is.Equal(len(page.Events), 1)
	next := make(chan eventstore.Page, 1)
	go func() {
		page, err := sub.Next(ctx, 10)
		if err != nil {
			t.Errorf("Next: %v", err)
		}
		next <- page
	}()

	is.NoErr(server.Refuse())
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			if _, err := store.Append(ctx, fmt.Sprint("w", w), eventstore.NoStream(), several(1)); err == nil {
				t.Error("Append succeeds without a server")
			}
		})
	}
	wg.Wait()
	is.True(store.Health(ctx) != nil)
	is.NoErr(server.Accept())

	again, err := insist(ctx, store, "s", eventstore.Exactly(result.LastRevision), several(1))
	is.NoErr(err)
	is.NoErr(store.Health(ctx))
	page = <-next // the subscription has come back by itself
	is.Equal(page.Position, again.Position)
	is.Equal(len(page.Events), 1)
}

// TestContextWhileDiscovering calls a server that takes connections and never
// says a word; the client looks for it for minutes.
func TestContextWhileDiscovering(t *testing.T) {
	is := is.New(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer func() { is.NoErr(listener.Close()) }()
	url := "esdb://" + listener.Addr().String() + "?tls=false&gossipTimeout=3600"
	store := open(t, url, esdb.Options{})
	sub, err := store.Subscribe(t.Context(), 0, eventstore.Filter{})
	is.NoErr(err)
	for name, call := range map[string]func(context.Context) error{
		"Append": func(ctx context.Context) error {
			_, err := store.Append(ctx, "s", eventstore.NoStream(), several(1))
			return err
		},
		"ReadStream": func(ctx context.Context) error { _, err := store.ReadStream(ctx, "s", 0, 1); return err },
		"ReadAll": func(ctx context.Context) error {
			_, err := store.ReadAll(ctx, 0, 1, eventstore.Filter{})
			return err
		},
		"Head":   func(ctx context.Context) error { _, err := store.Head(ctx); return err },
		"Health": store.Health,
		"Next":   func(ctx context.Context) error { _, err := sub.Next(ctx, 1); return err },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	short := open(t, url, esdb.Options{Deadline: 10 * time.Millisecond})
	_, err = short.Append(t.Context(), "s", eventstore.NoStream(), several(1))
	is.True(errors.Is(err, context.DeadlineExceeded))
	_, err = short.Head(t.Context())
	is.True(errors.Is(err, context.DeadlineExceeded))

	waiting := make(chan error, 1)
	go func() { _, err := store.Head(context.Background()); waiting <- err }()
	time.Sleep(10 * time.Millisecond)
	is.NoErr(store.Close()) // does not wait for a client that looks for its server
	is.True(errors.Is(<-waiting, eventstore.ErrClosed))
}

// TestCutsDuringReads reads a stream through cuts: a read is whole, or fails.
func TestCutsDuringReads(t *testing.T) {
	is := is.New(t)
	server := serve(t)
	store, ctx := open(t, restless(server), esdb.Options{}), patient(t)
	const size = 500
	_, err := store.Append(ctx, "s", eventstore.NoStream(), several(size))
	is.NoErr(err)
	head, err := store.Head(ctx)
	is.NoErr(err)
	stop := cutting(t, server, 40*time.Millisecond)
	defer stop()
	for range 12 {
		if events, err := store.ReadStream(ctx, "s", 0, size+1); err == nil {
			is.Equal(len(events), size)
		}
		if page, err := store.ReadAll(ctx, 0, size+1, eventstore.Filter{}); err == nil && page.Head {
			is.Equal(len(page.Events), size)
			is.Equal(page.Position, head)
		}
		if found, err := store.Head(ctx); err == nil {
			is.Equal(found, head)
		}
	}
}

// warnings counts what a log says from a level on.
type warnings struct {
	slog.Handler
	n *atomic.Int64
}

func (w warnings) Handle(context.Context, slog.Record) error { w.n.Add(1); return nil }

// TestQuietCut cuts a connection once: one warning, and no error for anybody.
func TestQuietCut(t *testing.T) {
	is := is.New(t)
	server := serve(t)
	heard := warnings{slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}), &atomic.Int64{}}
	store, ctx := open(t, server.URL(), esdb.Options{Logger: slog.New(heard)}), patient(t)
	_, err := store.Append(ctx, "s", eventstore.NoStream(), several(1))
	is.NoErr(err)
	sub, err := store.Subscribe(ctx, 0, eventstore.Filter{})
	is.NoErr(err)
	for live := false; !live; {
		page, err := sub.Next(ctx, 10)
		is.NoErr(err)
		live = page.Head
	}
	is.Equal(heard.n.Load(), int64(0))
	server.Cut()
	for i := range 3 {
		_, err = store.Append(ctx, "s", eventstore.Exactly(eventstore.Revision(i)), several(1))
		is.NoErr(err)
		page, err := sub.Next(ctx, 10)
		is.NoErr(err)
		is.Equal(len(page.Events), 1)
	}
	is.True(heard.n.Load() <= 1)
}

func TestDiscovery(t *testing.T) {
	is := is.New(t)
	server := serve(t)
	store, ctx := open(t, "esdb+discover://"+server.Address()+"?tls=false", esdb.Options{}), patient(t)
	result, err := store.Append(ctx, "s", eventstore.NoStream(), several(1))
	is.NoErr(err)
	head, err := store.Head(ctx)
	is.NoErr(err)
	is.Equal(head, result.Position)
}
