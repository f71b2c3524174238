package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/eventstore/sqlite"
)

// TestSnapshotIsOfOneMoment reads the log as it was while more is written, page
// by page, and compares with what the store says.
func TestSnapshotIsOfOneMoment(t *testing.T) {
	is := is.New(t)
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "log.db")
	store := open(t, path, sqlite.Options{})
	write := func(from, to uint64) {
		for n := from; n < to; n++ {
			e := event(n)
			e.Type = []string{"test.happened.v1", "other.happened.v1"}[n%2]
			e.Data = bytes.Repeat([]byte{byte(n)}, int(n*67%200))
			if n%25 == 3 {
				e.Data = bytes.Repeat(e.Data, 3_000)
			}
			_, err := store.Append(ctx, fmt.Sprint("s", n), eventstore.NoStream(), []eventstore.Event{e})
			is.NoErr(err)
		}
	}
	write(0, 50)
	before, err := store.ReadAll(ctx, 0, 1000, eventstore.Filter{})
	is.NoErr(err)
	snapshot, err := sqlite.OpenSnapshot(path)
	is.NoErr(err)
	write(50, 60)
	for _, limit := range []int{1, 7, 50, 1000} {
		for _, filter := range []eventstore.Filter{{}, {TypePrefixes: []string{"other."}}, {TypePrefixes: []string{"none."}}} {
			var got, want []eventstore.Recorded
			for _, e := range before.Events {
				if len(filter.TypePrefixes) == 0 || e.Type == filter.TypePrefixes[0]+"happened.v1" {
					want = append(want, e)
				}
			}
			for page := (eventstore.Page{}); !page.Head; {
				page, err = snapshot.ReadAll(ctx, page.Position, limit, filter)
				is.NoErr(err)
				is.True(len(page.Events) <= limit)
				got = append(got, page.Events...)
			}
			is.Equal(got, want)
		}
		// The same in one page's memory.
		var got []eventstore.Recorded
		for page := (eventstore.Page{}); !page.Head; {
			is.NoErr(snapshot.ReadInto(ctx, page.Position, limit, &page))
			is.True(len(page.Events) <= limit)
			for _, e := range page.Events {
				is.True(cap(e.Data) <= 2*len(e.Data)+20_000) // large ones leave no room behind
				e.Data, e.Metadata = bytes.Clone(e.Data), bytes.Clone(e.Metadata)
				got = append(got, e)
			}
		}
		is.Equal(got, before.Events)
	}
	is.NoErr(snapshot.Close())
	write(60, 61) // the store has lost nothing by it
	_, err = sqlite.Open(path, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrLocked))

	again, err := sqlite.OpenSnapshot(path)
	is.NoErr(err)
	defer again.Close()
	page, err := again.ReadAll(ctx, 0, 1000, eventstore.Filter{})
	is.NoErr(err)
	is.Equal(len(page.Events), 61)
	_, err = again.ReadAll(ctx, 0, 0, eventstore.Filter{})
	is.True(err != nil)
	ended, end := context.WithCancel(ctx)
	end()
	_, err = again.ReadAll(ended, 0, 10, eventstore.Filter{})
	is.True(errors.Is(err, context.Canceled))
}

func TestSnapshotIsRefused(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	_, err := sqlite.OpenSnapshot(filepath.Join(dir, "log.db"))
	is.True(errors.Is(err, fs.ErrNotExist))
	is.NoErr(os.WriteFile(filepath.Join(dir, "other"), []byte("something else that is no database, and long enough to be taken for one"), 0o600))
	_, err = sqlite.OpenSnapshot(filepath.Join(dir, "other"))
	is.True(errors.Is(err, sqlite.ErrNotALog))
	is.NoErr(os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600))
	_, err = sqlite.OpenSnapshot(filepath.Join(dir, "empty"))
	is.True(errors.Is(err, sqlite.ErrNotALog))
}
