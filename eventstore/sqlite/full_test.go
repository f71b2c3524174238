package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore"
)

// TestAFullDiskPasses fills a log that may not grow, as on a disk that is full:
// appends fail, what was acknowledged is there, and writing goes on once there
// is room.
func TestAFullDiskPasses(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	store, err := Open(filepath.Join(t.TempDir(), "log.db"), Options{})
	is.NoErr(err)
	defer store.Close()
	// The writer is idle: the connection is free until the first append.
	pages, err := number(store.writer.conn, "PRAGMA page_count")
	is.NoErr(err)
	_, err = number(store.writer.conn, fmt.Sprintf("PRAGMA max_page_count = %d", pages+8))
	is.NoErr(err)

	var n uint64
	write := func() error {
		e := eventstore.Event{Type: "test.happened.v1", Data: make([]byte, 8000), Metadata: []byte(`{}`)}
		binary.BigEndian.PutUint64(e.ID[:], n+1)
		expected := eventstore.NoStream()
		if n > 0 {
			expected = eventstore.Exactly(eventstore.Revision(n - 1))
		}
		_, err := store.Append(ctx, "stream", expected, []eventstore.Event{e})
		if err == nil {
			n++
		}
		return err
	}
	for err = write(); err == nil; err = write() {
		is.True(n < 100)
	}
	is.True(errors.Is(err, eventstore.ErrUnavailable))
	is.True(errors.Is(write(), eventstore.ErrUnavailable)) // still
	_, err = number(store.writer.conn, "PRAGMA max_page_count = 100000")
	is.NoErr(err)
	is.NoErr(write())
	all, err := store.ReadStream(ctx, "stream", 0, 1000)
	is.NoErr(err)
	is.Equal(uint64(len(all)), n)
}
