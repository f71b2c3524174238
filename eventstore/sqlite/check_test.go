package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/eventstore"
	"tenure/eventstore/sqlite"
)

// TestCheckHoldsNothingUp appends between any two statements of a check, and takes the
// whole WAL into the file: no reader is in its way.
func TestCheckHoldsNothingUp(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "log.db")
	store := open(t, path, sqlite.Options{RecentEvents: 10, StreamHeads: 5})
	next := uint64(0)
	more := func() {
		_, err := store.Append(t.Context(), fmt.Sprint("s", next%40), ending(int(next/40)), []eventstore.Event{event(next)})
		is.NoErr(err)
		next++
	}
	for next < 200 {
		more()
	}
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
	is.NoErr(err)
	defer conn.Close()
	conn.SetBusyTimeout(0)
	statements := 0
	flaws, err := store.CheckBy(t.Context(), 7, func() {
		if statements++; statements <= 100 {
			more()
		}
		is.NoErr(sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(RESTART)", &sqlitex.ExecOptions{ResultFunc: func(row *zombiezen.Stmt) error {
			is.Equal(row.ColumnInt(0), 0) // nothing was busy
			return nil
		}}))
	})
	is.NoErr(err)
	is.Equal(len(flaws), 0)
	is.True(statements > 100)
	ended, end := context.WithCancel(t.Context())
	_, err = store.CheckBy(ended, 7, end)
	is.True(errors.Is(err, context.Canceled))
}

// TestCheckByRanges finds the same as in one go, wherever a range ends, and lets pass
// what others put into the file beside the log.
func TestCheckByRanges(t *testing.T) {
	const foreign, schema = "a table, an index or a trigger that a log has not", "PRAGMA writable_schema = ON; "
	for change, problem := range map[string]string{
		"":        "",
		"ANALYZE": "",
		"CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq TEXT UNIQUE); CREATE INDEX _litestream_i ON _litestream_seq (seq)":                  "",
		"CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT)":                                                                                    "",
		"DELETE FROM revisions WHERE position = 4":                                                                                                     "does not find this event",
		"UPDATE revisions SET position = CASE position WHEN 4 THEN 9 ELSE 4 END WHERE position IN (4, 9)":                                              "finds another event in the place of this one",
		"INSERT INTO revisions SELECT max(event) + 1, 4 FROM revisions":                                                                                "an event here that is not in the log",
		"INSERT INTO revisions SELECT min(event) - 1000, 4 FROM revisions":                                                                             "an event here that is not in the log",
		"UPDATE revisions SET event = event + 7 WHERE position = 4":                                                                                    "does not find this event",
		"INSERT INTO streams (name) VALUES ('x')":                                                                                                      "a stream without events",
		"INSERT INTO streams VALUES (-9223372036854775808, 'x')":                                                                                       "a stream without events",
		"UPDATE streams SET name = CAST(name AS BLOB) WHERE id = 3":                                                                                    "is not a text",
		"UPDATE events SET revision = 'x' WHERE position = 4":                                                                                          "a number of the event is none",
		"CREATE VIEW v AS SELECT 1":                                                                                                                    foreign,
		"CREATE TABLE x (y); CREATE TRIGGER t AFTER INSERT ON x BEGIN DELETE FROM revisions; END":                                                      foreign,
		"CREATE INDEX i ON events (stream)":                                                                                                            foreign,
		schema + "INSERT INTO sqlite_schema SELECT type, upper(name), 'x', rootpage, sql FROM sqlite_schema WHERE name = 'sqlite_autoindex_streams_1'": foreign,
		schema + "INSERT INTO sqlite_schema SELECT type, name || char(0) || 'x', 'x', rootpage, sql FROM sqlite_schema WHERE name = 'sqlite_autoindex_streams_1'": foreign,
	} {
		t.Run(change, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "log.db")
			for again := range 2 { // opening it the second time completes the index
				store := open(t, path, sqlite.Options{})
				for n := range uint64(11 * (1 - again)) {
					_, err := store.Append(t.Context(), fmt.Sprint("s", n%4), ending(int(n/4)), []eventstore.Event{event(n)})
					is.NoErr(err)
				}
				is.NoErr(store.Close())
			}
			store := open(t, path, sqlite.Options{})
			conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
			is.NoErr(err)
			is.NoErr(sqlitex.ExecuteScript(conn, change, nil))
			is.NoErr(conn.Close())
			snapshot, err := sqlite.OpenSnapshot(path)
			is.NoErr(err)
			whole, err := snapshot.Check(t.Context())
			is.NoErr(errors.Join(err, snapshot.Close()))
			is.Equal(len(whole) > 0, problem != "")
			for _, rows := range []int{1, 3, 11, 50} {
				flaws, err := store.CheckBy(t.Context(), rows, func() {})
				is.NoErr(err)
				is.Equal(len(flaws) > 0, problem != "")
				if problem != "" {
					is.True(strings.Contains(flaws[0].Problem, problem))
					is.Equal(flaws[0], whole[0])
				}
			}
		})
	}
}
