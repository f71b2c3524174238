package ledger_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/eventstore"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/ledger"
)

// indexes are what streams are read by: nothing of it is hashed. Each change leaves
// every event as it was, in a log whose index is complete.
var indexes = map[string]struct{ change, problem string }{
	"left out":              {`DELETE FROM revisions WHERE position = 7`, "does not find this event"},
	"all left out":          {`DELETE FROM revisions`, "does not find this event"},
	"another event":         {`UPDATE revisions SET position = 1 WHERE position = 7`, "finds another event in the place of this one"},
	"two changed":           {`UPDATE revisions SET position = CASE position WHEN 7 THEN 10 ELSE 7 END WHERE position IN (7, 10)`, "finds another event in the place of this one"},
	"of another stream":     {`UPDATE revisions SET event = event + (1 << 40) WHERE position = 10`, "does not find this event"},
	"another revision":      {`UPDATE revisions SET event = event + 7 WHERE position = 10`, "does not find this event"},
	"added":                 {`INSERT INTO revisions SELECT max(event) + 1, 2 FROM revisions`, "an event here that is not in the log"},
	"added, of no event":    {`INSERT INTO revisions SELECT max(event) + 1, 99 FROM revisions`, "an event here that is not in the log"},
	"not up to there":       {`UPDATE indexed SET position = 3`, "an event here that is not in the log"},
	"beyond the end":        {`UPDATE indexed SET position = 99`, "the table indexed is not as it was written"},
	"up to nowhere":         {`DELETE FROM indexed`, "the table indexed is not as it was written"},
	"up to two places":      {`INSERT INTO indexed VALUES (0)`, "the table indexed is not as it was written"},
	"a name that is none":   {`UPDATE streams SET name = CAST(name AS BLOB) WHERE name = 'b'`, "is not a text"},
	"a name too many":       {`INSERT INTO streams (name) VALUES ('x')`, "a stream without events"},
	"a type too many":       {`INSERT INTO types VALUES (99, 'test.other.v1')`, "the table types is not as it was written"},
	"a number that is none": {`UPDATE events SET stream = stream || 'x' WHERE position = 7`, "a number of the event is none"},
	"a trigger":             {`CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM revisions; END; UPDATE indexed SET position = position`, "a table, an index or a trigger that a log has not"},
	"another index":         {`CREATE UNIQUE INDEX i ON events (stream, revision); UPDATE indexed SET position = position`, "a table, an index or a trigger that a log has not"},
	"no index of names": {`PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_streams_1';
		UPDATE sqlite_schema SET sql = replace(sql, 'UNIQUE', '') WHERE name = 'streams'`, "a table, an index or a trigger that a log has not"},
}

// TestWhatStreamsAreReadByIsVerified changes it in the file, whose events are all in
// their places: who verifies finds it, and so does the server when it starts.
func TestWhatStreamsAreReadByIsVerified(t *testing.T) {
	for name, c := range indexes {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := four(t)
			w.close()
			w.open() // which completes the index
			w.tamper(c.change)
			r := w.audit(true)
			is.True(!r.OK)
			is.Equal(r.Events, uint64(8)) // which are all there
			is.True(strings.Contains(r.Findings[0].Problem, c.problem))
		})
	}
}

// TestTheServerLooksAtWhatStreamsAreReadBy: it says so, and signs nothing any more.
func TestTheServerLooksAtWhatStreamsAreReadBy(t *testing.T) {
	is := is.New(t)
	w := four(t)
	w.close()
	w.open()
	is.NoErr(w.ledger.Recheck(ctx))
	w.tamper(`DELETE FROM revisions WHERE position = 7`)
	w.open()
	var wrong *ledger.Mismatch
	is.True(errors.As(w.ledger.Recheck(ctx), &wrong))
	is.Equal(wrong.Position, eventstore.Position(7))
	is.True(strings.HasSuffix(wrong.Error(), "the index of streams lacks it: a revision 2: position 7"))
}

// TestEveryByteThatAStreamIsFoundByCounts flips a bit in each byte of the index over
// the names of streams that is in use, and of the table revisions.
func TestEveryByteThatAStreamIsFoundByCounts(t *testing.T) {
	is := is.New(t)
	w := four(t)
	w.close()
	w.open()
	w.close()
	pages := w.roots("sqlite_autoindex_streams_1", "revisions", "indexed")
	whole, err := os.ReadFile(w.file("log.db"))
	is.NoErr(err)
	for _, page := range pages {
		begin := (page - 1) * 8192
		first := begin + int(binary.BigEndian.Uint16(whole[begin+5:])) // where the cells begin
		for i := begin; i < begin+8192; i++ {
			if i == begin+8 { // the pointers to the cells, and what lies between them and these
				i = first
			}
			flipped := bytes.Clone(whole)
			flipped[i] ^= 1 << (i % 8)
			is.NoErr(os.WriteFile(w.file("log.db"), flipped, 0o600))
			if log, err := logsqlite.OpenSnapshot(w.file("log.db")); err == nil {
				r, err := ledger.Audit(ctx, log, ledger.Options{Key: w.key.Verifier()})
				if err == nil && r.OK {
					t.Errorf("byte %d of page %d, at %d", i-begin, page, i)
				}
				is.NoErr(log.Close())
			}
		}
	}
	is.NoErr(os.WriteFile(w.file("log.db"), whole, 0o600))
	is.True(w.audit(false).OK)
}

// roots are the first pages of tables and indexes.
func (w *world) roots(names ...string) (pages []int) {
	conn, err := sqlite.OpenConn(w.file("log.db"), sqlite.OpenReadWrite)
	w.is.NoErr(err)
	for _, name := range names {
		w.is.NoErr(sqlitex.Execute(conn, `SELECT rootpage FROM sqlite_schema WHERE name = ?`, &sqlitex.ExecOptions{Args: []any{name}, ResultFunc: func(row *sqlite.Stmt) error {
			pages = append(pages, row.ColumnInt(0))
			return nil
		}}))
	}
	w.is.NoErr(conn.Close())
	w.is.Equal(len(pages), len(names))
	return pages
}
