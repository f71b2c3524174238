package sqlite_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	"tenure/eventstore"
	"tenure/eventstore/sqlite"
	"tenure/eventstore/storetest"
	driver "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func TestContract(t *testing.T) {
	for name, options := range map[string]sqlite.Options{
		"defaults": {},
		// Nearly everything comes from the file, and moves out of memory while
		// it is read.
		"small memory": {StreamHeads: 2, RecentEvents: 8, RecentBytes: 4096, Readers: 1},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Open {
				path := filepath.Join(t.TempDir(), "log.db")
				return func(t *testing.T) eventstore.Store {
					store, err := sqlite.Open(path, options)
					if err != nil {
						t.Fatal(err)
					}
					return store
				}
			})
		})
	}
}

func open(t *testing.T, path string, options sqlite.Options) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func event(n uint64) eventstore.Event {
	e := eventstore.Event{Type: "test.happened.v1", Data: []byte(`{"a":1}`), Metadata: []byte(`{}`)}
	binary.BigEndian.PutUint64(e.ID[:], n+1)
	return e
}

// grow appends n events to a stream, one by one.
func grow(t *testing.T, store *sqlite.Store, stream string, from, n int) {
	t.Helper()
	expected := eventstore.NoStream()
	if from > 0 {
		expected = eventstore.Exactly(eventstore.Revision(from - 1))
	}
	for i := range n {
		result, err := store.Append(t.Context(), stream, expected, []eventstore.Event{event(uint64(from + i))})
		if err != nil {
			t.Fatal(err)
		}
		expected = eventstore.Exactly(result.LastRevision)
	}
}

func TestOpenTwice(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "log.db")
	first := open(t, path, sqlite.Options{})
	_, err := sqlite.Open(path, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrLocked))
	grow(t, first, "s", 0, 1) // the first one goes on
	is.NoErr(first.Close())
	grow(t, open(t, path, sqlite.Options{}), "s", 1, 1)
}

func TestOpenRefusals(t *testing.T) {
	is := is.New(t)
	folder := t.TempDir()

	newer := filepath.Join(folder, "newer.db")
	is.NoErr(open(t, newer, sqlite.Options{}).Close())
	change(t, newer, "PRAGMA user_version = 2")
	_, err := sqlite.Open(newer, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrNewer))

	other := filepath.Join(folder, "other.db")
	change(t, other, "CREATE TABLE events (position INTEGER PRIMARY KEY)")
	_, err = sqlite.Open(other, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrNotALog))

	text := filepath.Join(folder, "text")
	is.NoErr(os.WriteFile(text, bytes.Repeat([]byte("not a database\n"), 1000), 0o600))
	_, err = sqlite.Open(text, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrNotALog))

	_, err = sqlite.Open(filepath.Join(folder, "missing", "log.db"), sqlite.Options{})
	is.True(errors.Is(err, fs.ErrNotExist))
}

// change changes a database behind a store's back.
func change(t *testing.T, path, statements string) {
	t.Helper()
	conn, err := driver.OpenConn(path, driver.OpenReadWrite|driver.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, statements, nil); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	is := is.New(t)
	folder := t.TempDir()
	store := open(t, filepath.Join(folder, "log.db"), sqlite.Options{})
	grow(t, store, "s", 0, 1)
	_, err := sqlite.Backup(t.Context(), filepath.Join(folder, "log.db"), filepath.Join(folder, "backup.db"), nil)
	is.NoErr(err)
	files, err := os.ReadDir(folder)
	is.NoErr(err)
	is.True(len(files) >= 4) // log, WAL, lock, backup
	for _, file := range files {
		info, err := file.Info()
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), fs.FileMode(0o600))
	}
}

func TestRecordedAtNeverGoesBack(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "log.db")
	now := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	var clock atomic.Int64
	clock.Store(now.UnixNano())
	options := sqlite.Options{Now: func() time.Time { return time.Unix(0, clock.Load()) }}
	store := open(t, path, options)
	grow(t, store, "s", 0, 1)
	clock.Add(int64(-time.Hour))
	grow(t, store, "s", 1, 1)
	is.NoErr(store.Close())
	store = open(t, path, options)
	grow(t, store, "s", 2, 1)
	clock.Add(int64(2 * time.Hour))
	grow(t, store, "s", 3, 1)
	for range 2 {
		events, err := store.ReadStream(t.Context(), "s", 0, 10)
		is.NoErr(err)
		for i, want := range []time.Time{now, now, now, now.Add(time.Hour)} {
			is.Equal(events[i].RecordedAt, want)
		}
		is.NoErr(store.Close())
		store = open(t, path, options) // from the file
	}
}

func TestOnCommit(t *testing.T) {
	is := is.New(t)
	var events, commits atomic.Int64
	store := open(t, filepath.Join(t.TempDir(), "log.db"), sqlite.Options{OnCommit: func(n int, _ time.Duration) {
		events.Add(int64(n))
		commits.Add(1)
	}})
	grow(t, store, "s", 0, 5)
	_, err := store.Append(t.Context(), "s", eventstore.NoStream(), []eventstore.Event{event(99)})
	is.True(err != nil) // a conflict commits nothing
	is.NoErr(store.Close())
	is.Equal(events.Load(), int64(5))
	is.True(commits.Load() <= 5)
}

// TestForeignEvents puts an event into the file that the store does not know
// of, as an append would be whose commit failed after all had been written: the
// next append fails, then everything is seen, and appends go on behind it.
func TestForeignEvents(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "log.db")
	store := open(t, path, sqlite.Options{})
	grow(t, store, "s", 0, 2)
	sub, err := store.Subscribe(t.Context(), 2, eventstore.Filter{})
	is.NoErr(err)
	change(t, path, `
		INSERT INTO streams (id, name) VALUES (2, 'foreign');
		INSERT INTO types (id, name) VALUES (2, 'foreign.v1');
		INSERT INTO events VALUES (3, 1, 2, zeroblob(16), 2, '{}', '{}', 1), (4, 2, 0, zeroblob(16), 2, '{}', '{}', 1)`)
	_, err = store.Append(t.Context(), "s", eventstore.Exactly(1), []eventstore.Event{event(2)})
	is.True(err != nil)
	page, err := sub.Next(ctx, 10)
	is.NoErr(err)
	is.Equal(len(page.Events), 2)
	is.Equal(page.Events[1].Type, "foreign.v1")
	_, err = store.Append(t.Context(), "s", eventstore.Exactly(1), []eventstore.Event{event(2)})
	var conflict *eventstore.ConflictError
	is.True(errors.As(err, &conflict))
	is.Equal(conflict.Actual, eventstore.Exactly(2))
	grow(t, store, "s", 3, 1)
	grow(t, store, "foreign", 1, 1)
	is.NoErr(store.Close())
	store = open(t, path, sqlite.Options{})
	grow(t, store, "foreign", 2, 1)
	events, err := store.ReadStream(t.Context(), "s", 0, 10)
	is.NoErr(err)
	is.Equal(len(events), 4)
}

// TestNewsComesFromMemory empties the file behind the store's back: consumers
// near the head, and readers of recent events, do not notice.
func TestNewsComesFromMemory(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "log.db")
	store := open(t, path, sqlite.Options{})
	grow(t, store, "s", 0, 10)
	change(t, path, "DELETE FROM events; DELETE FROM revisions; DELETE FROM streams; DELETE FROM types")
	events, err := store.ReadStream(t.Context(), "s", 10, 100)
	is.NoErr(err)
	is.Equal(len(events), 0)
	events, err = store.ReadStream(t.Context(), "s", 3, 100)
	is.NoErr(err)
	is.Equal(len(events), 7)
	page, err := store.ReadAll(t.Context(), 0, 100, eventstore.Filter{})
	is.NoErr(err)
	is.Equal(len(page.Events), 10)
	sub, err := store.Subscribe(t.Context(), 4, eventstore.Filter{})
	is.NoErr(err)
	page, err = sub.Next(t.Context(), 100)
	is.NoErr(err)
	is.Equal(len(page.Events), 6)
}

func TestDamageIsAnError(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "log.db")
	store := open(t, path, sqlite.Options{})
	grow(t, store, "s", 0, 5)
	is.NoErr(store.Close())
	change(t, path, "DELETE FROM revisions WHERE event = (1 << 32) + 2; UPDATE events SET type = 77 WHERE position = 4")
	store = open(t, path, sqlite.Options{})
	_, err := store.ReadStream(t.Context(), "s", 1, 10)
	is.True(err != nil) // a hole is not the end
	_, err = store.ReadAll(t.Context(), 0, 10, eventstore.Filter{})
	is.True(err != nil) // a type that is nowhere
}

func TestBackup(t *testing.T) {
	is := is.New(t)
	folder := t.TempDir()
	store := open(t, filepath.Join(folder, "log.db"), sqlite.Options{})
	grow(t, store, "before", 0, 3000)
	head, err := store.Head(t.Context())
	is.NoErr(err)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // appends go on meanwhile
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				grow(t, store, "meanwhile", n, 1)
			}
		}
	}()
	path := filepath.Join(folder, "a backup?100%.db") // what means something in a URI
	var done, pages int
	copied, err := sqlite.Backup(t.Context(), filepath.Join(folder, "log.db"), path, func(d, all int) {
		is.True(d >= done && d <= all)
		done, pages = d, all
	})
	is.NoErr(err)
	is.True(done == pages && pages > 0)
	close(stop)
	<-stopped
	_, err = sqlite.Backup(t.Context(), filepath.Join(folder, "log.db"), path, nil)
	is.True(errors.Is(err, fs.ErrExist))
	files, err := filepath.Glob(path + "?*")
	is.NoErr(err)
	is.Equal(len(files), 0) // a WAL or a partial copy beside it
	info, err := os.Stat(path)
	is.NoErr(err)
	is.Equal(copied.Bytes, info.Size())

	restored := open(t, path, sqlite.Options{})
	events, err := restored.ReadStream(t.Context(), "before", 0, 4000)
	is.NoErr(err)
	is.Equal(len(events), 3000)
	all, err := restored.ReadAll(t.Context(), 0, 60_000, eventstore.Filter{})
	is.NoErr(err)
	is.True(all.Head && all.Position >= head)
	is.Equal(copied.Position, all.Position)
	is.Equal(copied.Events, int64(len(all.Events)))
	is.Equal(eventstore.Position(len(all.Events)), all.Position) // a whole beginning of the log
	grow(t, restored, "before", 3000, 5)
}

func TestBackupIsRefused(t *testing.T) {
	is := is.New(t)
	folder := t.TempDir()
	log, to := filepath.Join(folder, "log.db"), filepath.Join(folder, "backup.db")
	_, err := sqlite.Backup(t.Context(), log, to, nil)
	is.True(errors.Is(err, fs.ErrNotExist))
	is.NoErr(os.WriteFile(log, nil, 0o600))
	_, err = sqlite.Backup(t.Context(), log, to, nil)
	is.True(errors.Is(err, sqlite.ErrNotALog))
	is.NoErr(os.WriteFile(log, bytes.Repeat([]byte("no database "), 1000), 0o600))
	_, err = sqlite.Backup(t.Context(), log, to, nil)
	is.True(errors.Is(err, sqlite.ErrNotALog))

	is.NoErr(os.Remove(log))
	store := open(t, log, sqlite.Options{})
	grow(t, store, "s", 0, 10)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = sqlite.Backup(ended, log, to, nil)
	is.True(errors.Is(err, context.Canceled))
	_, err = sqlite.Backup(t.Context(), log, filepath.Join(log, "below.db"), nil)
	is.True(err != nil)
	files, err := filepath.Glob(filepath.Join(folder, "backup*"))
	is.NoErr(err)
	is.Equal(len(files), 0)
}

// A copy that does not read back is not a backup.
func TestBackupOfADamagedLog(t *testing.T) {
	is := is.New(t)
	folder := t.TempDir()
	log := filepath.Join(folder, "log.db")
	store := open(t, log, sqlite.Options{})
	grow(t, store, "s", 0, 2000)
	is.NoErr(store.Close())
	conn, err := driver.OpenConn(log, driver.OpenReadWrite)
	is.NoErr(err)
	is.NoErr(sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(TRUNCATE)", nil))
	is.NoErr(conn.Close())
	file, err := os.OpenFile(log, os.O_RDWR, 0)
	is.NoErr(err)
	info, err := file.Stat()
	is.NoErr(err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0xff}, 8192), info.Size()/2/8192*8192)
	is.NoErr(err)
	is.NoErr(file.Close())
	_, err = sqlite.Backup(t.Context(), log, filepath.Join(folder, "backup.db"), nil)
	is.True(err != nil)
	files, err := filepath.Glob(filepath.Join(folder, "backup*"))
	is.NoErr(err)
	is.Equal(len(files), 0)
}
