package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"tenure/eventstore"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// What is read of the file, and what shows that it is right. The events' bytes are
// proved by the ledger, which reads them by position: the table events, and by their
// numbers the tables streams and types. The rest is what Check compares with these.
//
//	table or index               read by                          right because
//	events                       ReadAll, and whoever has found   its columns are hashed, but for position and
//	                             a position                       recorded_at, which are numbers of the store's own
//	streams.name                 every event, by its number       hashed with the event
//	types.name                   every event, by its number       hashed with the event
//	sqlite_autoindex_streams_1   who looks for a stream by name   integrity_check: the same names as the table,
//	                                                              each once; Check: names are texts, or they are
//	                                                              found by number alone
//	sqlite_autoindex_types_1     nobody; it keeps names unique    integrity_check
//	revisions                    ReadStream                       Check: it has each event up to indexed, where
//	                                                              the event is, and nothing else
//	indexed                      which events are looked for in   Check: one row, a position of the log; what it
//	                             revisions, and which beside it   says is held against revisions and events
//	sqlite_schema                everything                       Check: what a new log has, word for word, and
//	                                                              beside it at most tables that nothing here
//	                                                              reads, with their indexes: no trigger, no
//	                                                              view, no other index
//	pages, free pages, header    everything                       integrity_check; user_version and
//	                                                              application_id by who opens the file
//
// Space within pages and free pages hold nothing that is read.

// mostFlaws is how many of one kind are named.
const mostFlaws = 100

var (
	_ eventstore.Checked = (*Snapshot)(nil)
	_ eventstore.Checked = (*Store)(nil)
)

// Check implements eventstore.Checked. It goes through the whole file, as it is at one
// moment.
func (s *Snapshot) Check(ctx context.Context) ([]eventstore.Flaw, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &check{conn: s.conn, atOnce: rowsAtOnce, rest: func(time.Duration) {}}
	return c.run(ctx, "PRAGMA integrity_check")
}

// Check implements eventstore.Checked, beside whoever reads and writes. It leaves
// out how the pages of the events hang together: who proves the events reads each of
// them by that.
//
// Each statement reads a moment of its own, of some rows, so that the WAL can be taken
// into the file between two of them; and it works at most half of the time. Only
// integrity_check goes through a table in one go: streams and revisions are the largest
// of these, at some bytes for each stream and event. What is written in the meantime is
// for the next Check.
func (s *Store) Check(ctx context.Context) ([]eventstore.Flaw, error) {
	return s.checkBy(ctx, rowsAtOnce, func(worked time.Duration) {
		timer := time.NewTimer(worked)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	})
}

func (s *Store) checkBy(ctx context.Context, atOnce int, rest func(worked time.Duration)) (flaws []eventstore.Flaw, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	conn, err := openSource(s.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	c := &check{conn: conn, atOnce: atOnce, rest: rest}
	return c.run(ctx, "PRAGMA integrity_check(streams)", "PRAGMA integrity_check(types)", "PRAGMA integrity_check(revisions)", "PRAGMA integrity_check(indexed)")
}

// rowsAtOnce is how many rows one statement goes through.
const rowsAtOnce = 50_000

// check looks for what contradicts the events in one file. Rows that are there when it
// begins stay as they are, whether or not its statements read one moment.
type check struct {
	conn   *sqlite.Conn
	atOnce int                        // rows
	rest   func(worked time.Duration) // after each statement
	flaws  []eventstore.Flaw
}

// run asks SQLite, and then looks at what SQLite cannot know.
func (c *check) run(ctx context.Context, pragmas ...string) ([]eventstore.Flaw, error) {
	c.conn.SetInterrupt(ctx.Done())
	defer c.conn.SetInterrupt(nil)
	steps := []func() error{c.schema, c.index, c.names}
	for _, pragma := range pragmas {
		steps = append(steps, func() error { return c.integrity(pragma) })
	}
	for _, step := range steps {
		err := step()
		switch {
		case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultCorrupt:
			c.found("the file is damaged, or somebody has changed it: %v", err)
		case err != nil:
			return nil, failed(errors.Join(ctx.Err(), err))
		}
	}
	return c.flaws, nil
}

func (c *check) found(problem string, args ...any) {
	c.flaws = append(c.flaws, eventstore.Flaw{Problem: fmt.Sprintf(problem, args...)})
}

func (c *check) rows(query string, visit func(row *sqlite.Stmt), args ...any) error {
	began := time.Now()
	err := sqlitex.ExecuteTransient(c.conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(row *sqlite.Stmt) error {
		visit(row)
		return nil
	}})
	c.rest(time.Since(began))
	return err
}

// ranges goes through a table in the order of its key, some rows at a time. The query
// has the first key that may come as ?1 and the number of rows as ?2; it answers how
// many there are and the last key.
func (c *check) ranges(query string, count func(row *sqlite.Stmt), each func(first, last int64) error, args ...any) error {
	for first := int64(math.MinInt64); ; {
		rows, last := int64(0), int64(0)
		err := c.rows(query, func(row *sqlite.Stmt) {
			if rows, last = row.ColumnInt64(0), row.ColumnInt64(1); rows > 0 {
				count(row)
			}
		}, append([]any{first, c.atOnce}, args...)...)
		if err != nil || rows == 0 {
			return err
		}
		if err := each(first, last); err != nil {
			return err
		}
		if last == math.MaxInt64 {
			return nil
		}
		first = last + 1
	}
}

func (c *check) integrity(pragma string) error {
	return c.rows(pragma, func(row *sqlite.Stmt) {
		if verdict := row.ColumnText(0); verdict != "ok" {
			c.found("the file is damaged, or somebody has changed it: %s", verdict)
		}
	})
}

const selectSchema = "SELECT type || ' ' || name || ' of ' || tbl_name || ': ' || ifnull(sql, ''), type, name, tbl_name, ifnull(sql, '') FROM sqlite_schema"

// schema compares all tables and indexes with those of a new log. Others may have a
// table beside these, as ANALYZE does (sqlite_stat1) and programs that copy the file:
// nothing that is read here goes by it.
func (c *check) schema() (err error) {
	log, err := sqlite.OpenConn(":memory:")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := sqlitex.ExecuteScript(log, schema, nil); err != nil {
		return err
	}
	missing, ours := make(map[string]bool), make(map[string]bool)
	err = (&check{conn: log, rest: func(time.Duration) {}}).rows(selectSchema, func(row *sqlite.Stmt) {
		missing[row.ColumnText(0)], ours[row.ColumnText(2)] = true, true
	})
	if err != nil {
		return err
	}
	err = c.rows(selectSchema, func(row *sqlite.Stmt) {
		switch text := row.ColumnText(0); {
		case missing[text]:
			delete(missing, text)
		case ours[asName(row.ColumnText(2))] || ours[asName(row.ColumnText(3))] || !isTable(row.ColumnText(1), row.ColumnText(4)):
			c.found("the file has a table, an index or a trigger that a log has not: %s", text)
		}
	})
	for text := range missing {
		c.found("the file lacks a table or an index of a log: %s", text)
	}
	return err
}

// asName is how SQLite compares names: up to a zero, and whatever their case.
func asName(text string) string {
	text, _, _ = strings.Cut(text, "\x00")
	return strings.ToLower(text)
}

// isTable holds for tables of rows and for their indexes, as SQLite writes them down.
func isTable(kind, sql string) bool {
	switch kind {
	case "table":
		return strings.HasPrefix(sql, "CREATE TABLE ")
	case "index":
		return sql == "" || strings.HasPrefix(sql, "CREATE INDEX ") || strings.HasPrefix(sql, "CREATE UNIQUE INDEX ")
	}
	return false
}

const (
	selectStreams = "SELECT count(*), max(id) FROM (SELECT id FROM streams WHERE id >= ?1 ORDER BY id LIMIT ?2 + 0)"

	// A stream of which there is no event was never written.
	selectNames = "SELECT id, name, typeof(name) FROM streams WHERE id BETWEEN ?1 AND ?2 AND (typeof(name) <> 'text' OR id NOT BETWEEN 1 AND 2147483647" +
		" OR NOT EXISTS (SELECT 1 FROM revisions WHERE event >= id << 32 AND event < (id + 1) << 32)" +
		" AND id NOT IN (SELECT stream FROM events WHERE position > (SELECT max(position) FROM indexed))) LIMIT ?3 + 0"

	selectTypes = "SELECT count(*), ifnull(max(id), 0), ifnull(sum(typeof(name) <> 'text'), 0) FROM types"
)

// names looks at what numbers stand for.
func (c *check) names() error {
	left := mostFlaws
	err := c.ranges(selectStreams, func(*sqlite.Stmt) {}, func(first, last int64) error {
		return c.rows(selectNames, func(row *sqlite.Stmt) {
			left--
			if row.ColumnText(2) != "text" {
				c.found("the name of stream %d is not a text: nobody finds it", row.ColumnInt64(0))
			} else {
				c.found("a stream without events is in the table streams: %s", row.ColumnText(1))
			}
		}, first, last, left)
	})
	if err != nil {
		return err
	}
	return c.rows(selectTypes, func(row *sqlite.Stmt) {
		if row.ColumnInt64(0) != row.ColumnInt64(1) || row.ColumnInt64(2) > 0 {
			c.found("the table types is not as it was written")
		}
	})
}

const (
	// SQLite compares a text with a number otherwise than it reads it as one.
	areNumbers = "typeof(e.stream) = 'integer' AND typeof(e.revision) = 'integer' AND typeof(e.type) = 'integer' AND typeof(e.recorded_at) = 'integer'"

	selectEvents = "SELECT count(*), max(position), sum(position <= ?3) FROM (SELECT position FROM events WHERE position BETWEEN ?1 AND ?4 ORDER BY position LIMIT ?2 + 0)"

	selectMisplaced = "SELECT e.position, ifnull(s.name, ''), e.revision, " + areNumbers + ", ifnull(r.position, 0)" +
		" FROM events e LEFT JOIN revisions r ON r.event = (e.stream << 32) + e.revision LEFT JOIN streams s ON s.id = e.stream" +
		" WHERE e.position BETWEEN ?1 AND ?2 AND (e.position <= ?3 AND r.position IS NOT e.position OR NOT (" + areNumbers + ")) ORDER BY e.position LIMIT ?4 + 0"

	selectIndexState = "SELECT (SELECT count(*) FROM indexed WHERE rowid = 1 AND typeof(position) = 'integer'), (SELECT count(*) FROM indexed)," +
		" (SELECT ifnull(max(position), 0) FROM indexed), (SELECT ifnull(max(position), 0) FROM events)"

	// Where each event was found there is nothing else if there are as many.
	selectRevisions = "SELECT count(*), max(event), sum(typeof(position) = 'integer' AND position <= ?3)," +
		" sum(typeof(position) <> 'integer' OR position > (SELECT ifnull(max(position), 0) FROM indexed))" +
		" FROM (SELECT event, position FROM revisions WHERE event >= ?1 ORDER BY event LIMIT ?2 + 0)"

	selectStrays = "SELECT ifnull(s.name, ''), r.event & 4294967295, r.position" +
		" FROM revisions r LEFT JOIN events e ON e.position = r.position LEFT JOIN streams s ON s.id = r.event >> 32" +
		" WHERE r.position > (SELECT ifnull(max(position), 0) FROM indexed) OR e.position IS NULL OR r.event <> (e.stream << 32) + e.revision ORDER BY r.event" + limited
)

// index compares the table revisions with the events, both ways.
func (c *check) index() error {
	indexed, head := int64(0), int64(0)
	err := c.rows(selectIndexState, func(row *sqlite.Stmt) {
		indexed, head = row.ColumnInt64(2), row.ColumnInt64(3)
		if row.ColumnInt64(0) != 1 || row.ColumnInt64(1) != 1 || indexed < 0 || indexed > head {
			c.found("the table indexed is not as it was written: it says that streams are indexed up to position %d of %d", indexed, head)
		}
	})
	if err != nil {
		return err
	}
	left, events, strays := mostFlaws, int64(0), int64(0)
	err = c.ranges(selectEvents, func(row *sqlite.Stmt) { events += row.ColumnInt64(2) }, func(first, last int64) error {
		return c.rows(selectMisplaced, func(row *sqlite.Stmt) {
			left--
			f := eventstore.Flaw{
				Problem:  "who reads the stream does not find this event: the index of streams lacks it",
				Position: eventstore.Position(row.ColumnInt64(0)), Stream: row.ColumnText(1), Revision: eventstore.Revision(row.ColumnInt64(2)),
			}
			if !row.ColumnBool(3) {
				f.Problem = "a number of the event is none: who looks for it does not find it"
			} else if there := row.ColumnInt64(4); there != 0 {
				f.Problem = fmt.Sprintf("who reads the stream finds another event in the place of this one: the index of streams has position %d", there)
			}
			c.flaws = append(c.flaws, f)
		}, first, last, indexed, left)
	}, indexed, head)
	if err != nil {
		return err
	}
	err = c.ranges(selectRevisions, func(row *sqlite.Stmt) {
		events -= row.ColumnInt64(2)
		strays += row.ColumnInt64(3)
	}, func(int64, int64) error { return nil }, indexed)
	if err != nil || events == 0 && strays == 0 {
		return err
	}
	before := len(c.flaws)
	err = c.rows(selectStrays, func(row *sqlite.Stmt) {
		c.flaws = append(c.flaws, eventstore.Flaw{
			Problem:  "the index of streams has an event here that is not in the log",
			Position: eventstore.Position(row.ColumnInt64(2)), Stream: row.ColumnText(0), Revision: eventstore.Revision(row.ColumnInt64(1)),
		})
	}, mostFlaws)
	if err == nil && before == 0 && len(c.flaws) == 0 {
		c.found("the index of streams has another number of events than the log")
	}
	return err
}
