package esdb_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"tenure/eventstore"
	"tenure/eventstore/esdb"
	"tenure/eventstore/esdb/esdbtest"
	"tenure/eventstore/storetest"
)

// TestContractOnRealServer runs the contract against the server that
// TENURE_TEST_ESDB names, such as esdb://localhost:2113?tls=false, which nobody
// else may write to meanwhile. What the tests leave there stays there.
func TestContractOnRealServer(t *testing.T) {
	url := os.Getenv("TENURE_TEST_ESDB")
	if url == "" { // then one of our own, to which the same is done
		server, err := esdbtest.Start("127.0.0.1:0", filepath.Join(t.TempDir(), "log.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		url = server.URL()
	}
	var server sync.Mutex // one test at a time: each has the end of the log for itself
	storetest.Run(t, func(t *testing.T) storetest.Open {
		server.Lock()
		t.Cleanup(server.Unlock)
		base, err := open(t, url, esdb.Options{}).Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		names := &names{prefix: uuid.NewString()[:8] + "-", given: map[string]string{}}
		return func(t *testing.T) eventstore.Store {
			return &world{Store: open(t, url, esdb.Options{}), base: base, names: names}
		}
	})
}

// world is a part of a server's log that looks like an empty log: it begins
// after base, and its streams have names that no other has.
type world struct {
	*esdb.Store
	base  eventstore.Position
	names *names
}

func (w *world) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	result, err := w.Store.Append(ctx, w.names.outward(stream), expected, events)
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		conflict.Stream = stream
	}
	return result, err
}

func (w *world) ReadStream(ctx context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	events, err := w.Store.ReadStream(ctx, w.names.outward(stream), from, limit)
	return w.inward(events), err
}

func (w *world) ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	page, err := w.Store.ReadAll(ctx, max(after, w.base), limit, filter)
	return w.page(page), err
}

func (w *world) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := w.Store.Head(ctx)
	return w.position(head), err
}

func (w *world) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	sub, err := w.Store.Subscribe(ctx, max(after, w.base), filter)
	return worldly{sub, w}, err
}

type worldly struct {
	eventstore.Subscription
	world *world
}

func (s worldly) Next(ctx context.Context, limit int) (eventstore.Page, error) {
	page, err := s.Subscription.Next(ctx, limit)
	return s.world.page(page), err
}

func (w *world) position(p eventstore.Position) eventstore.Position {
	if p <= w.base {
		return 0
	}
	return p
}

func (w *world) page(page eventstore.Page) eventstore.Page {
	page.Events, page.Position = w.inward(page.Events), w.position(page.Position)
	return page
}

// inward gives the events the names that the test knows.
func (w *world) inward(events []eventstore.Recorded) []eventstore.Recorded {
	var named []eventstore.Recorded
	for _, e := range events {
		e.Stream = w.names.inward(e.Stream)
		named = append(named, e)
	}
	return named
}

// names are those of a world's streams.
type names struct {
	prefix string
	mu     sync.Mutex
	given  map[string]string // names too long for the prefix, by what they have become
}

// outward leaves names that the store has to refuse as they are.
func (n *names) outward(stream string) string {
	switch {
	case stream == "" || strings.HasPrefix(stream, "$") || len(stream) > eventstore.MaxStreamBytes:
		return stream
	case len(n.prefix)+len(stream) <= eventstore.MaxStreamBytes:
		return n.prefix + stream
	}
	short := fmt.Sprintf("%s%x", n.prefix, sha256.Sum256([]byte(stream)))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.given[short] = stream
	return short
}

func (n *names) inward(stream string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if long, ok := n.given[stream]; ok {
		return long
	}
	return strings.TrimPrefix(stream, n.prefix)
}
