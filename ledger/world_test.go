package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/commands"
	"tenure/commands/token"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/ledger"
	"tenure/projections/sqlite"
)

var ctx = context.Background()

// world is a log with its ledger.
type world struct {
	testing.TB
	is       *is.I
	dir      string
	log      *logsqlite.Store
	views    *sqlite.Storage
	commands *commands.Commands
	key      *ledger.Key
	ledger   *ledger.Ledger
	leaves   []ledger.Hash
	next     map[string]int // revisions
	step     func(string)
}

func theKey(t testing.TB) (*token.Keys, *ledger.Key) {
	t.Helper()
	is := is.New(t)
	keys, err := token.NewKeys(bytes.Repeat([]byte{7}, 32))
	is.NoErr(err)
	key, err := ledger.NewKey(keys)
	is.NoErr(err)
	return keys, key
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, is: is.New(t), dir: t.TempDir(), next: make(map[string]int), step: func(string) {}}
	_, w.key = theKey(t)
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

// open opens the log and the views, as a server that starts.
func (w *world) open() {
	w.Helper()
	var err error
	w.log, err = logsqlite.Open(w.file("log.db"), logsqlite.Options{})
	w.is.NoErr(err)
	w.views, err = sqlite.Open(w.file("views.db"), sqlite.Options{})
	w.is.NoErr(err)
	w.commands, w.ledger = w.node()
}

// node is what one of several nodes has for itself.
func (w *world) node() (*commands.Commands, *ledger.Ledger) {
	keys, _ := theKey(w)
	c := commands.New(commands.Dependencies{Store: w.log, Codec: codec.New(), Keys: keys, Now: time.Now, CachedEvents: 1000})
	return c, ledger.New(ledger.Dependencies{
		Log: w.log, Tree: ledger.NewTree(w.views), Commands: c, Key: w.key, Interval: 5 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler), Step: func(name string) { w.step(name) },
	})
}

func (w *world) close() {
	if w.log == nil {
		return
	}
	w.is.NoErr(errors.Join(w.views.Close(), w.log.Close()))
	w.log = nil
}

// append writes one event to each of the streams, in this order.
func (w *world) append(streams ...string) {
	w.Helper()
	for _, stream := range streams {
		revision := w.next[stream]
		expected := eventstore.NoStream()
		if revision > 0 {
			expected = eventstore.Exactly(eventstore.Revision(revision - 1))
		}
		e := eventstore.Event{
			ID: eventstore.ID(uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%s %d", stream, revision))), Type: "test.happened.v1",
			Data: fmt.Appendf(nil, `{"n":%d,"organization_id":"acme"}`, revision), Metadata: []byte(`{"actor":{"kind":"public"}}`),
		}
		_, err := w.log.Append(ctx, stream, expected, []eventstore.Event{e})
		w.is.NoErr(err)
		w.next[stream]++
		w.leaves = append(w.leaves, ledger.LeafHash(&eventstore.Recorded{Event: e, Stream: stream, Revision: eventstore.Revision(revision)}))
	}
}

// sign has the ledger do what there is to do.
func (w *world) sign() {
	w.Helper()
	w.is.NoErr(w.ledger.Once(ctx))
	w.is.Equal(w.ledger.State().Signed, uint64(len(w.leaves)))
}

// notes are those of all checkpoints in the log.
func (w *world) sizes() (sizes []uint64) {
	w.Helper()
	events, err := w.log.ReadStream(ctx, commands.LedgerStream, 0, 1000)
	w.is.NoErr(err)
	for i := range events {
		e, err := codec.New().Decode(events[i])
		w.is.NoErr(err)
		c, err := ledger.Verify(noteOf(e.Event), w.key.Verifier())
		w.is.NoErr(err)
		root, err := ledger.InMemory(w.leaves).Root(c.Size)
		w.is.NoErr(err)
		w.is.Equal(c.Root, root)
		sizes = append(sizes, c.Size)
	}
	return sizes
}

var everything eventstore.Filter

// odd writes events of the organization whose bytes are hard to write down.
func (w *world) odd() {
	w.Helper()
	for _, data := range []string{"", "\xff\x00", "{\"organization_id\":\"acme\",\"name\":\"\u2028<&>\\u0000 \\\\\"}", "\x01\t\n\r\"\\", "null"} {
		e := eventstore.Event{
			ID: eventstore.ID(uuid.New()), Type: "test.happened.v1", Data: []byte(data),
			Metadata: []byte(`{"actor":{"kind":"account","id":"a"},"at":"2031-03-03T12:00:00.000000001Z","reason":"` + "\u202e" + `"}`),
		}
		_, err := w.log.Append(ctx, "organization-acme", eventstore.Exactly(eventstore.Revision(w.next["organization-acme"]-1)), []eventstore.Event{e})
		w.is.NoErr(err)
		w.leaves = append(w.leaves, ledger.LeafHash(&eventstore.Recorded{Event: e, Stream: "organization-acme", Revision: eventstore.Revision(w.next["organization-acme"])}))
		w.next["organization-acme"]++
	}
}
