package sqlite

import (
	"context"
	"errors"
	"fmt"

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
//	sqlite_schema                everything                       Check: what a new log has, word for word; so
//	                                                              there is no trigger, view or other table
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

// Check implements eventstore.Checked. It goes through the whole file.
func (s *Snapshot) Check(ctx context.Context) ([]eventstore.Flaw, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return runCheck(ctx, s.conn, "PRAGMA integrity_check")
}

// Check implements eventstore.Checked, beside whoever reads and writes. It leaves
// out how the pages of the events hang together: who proves the events reads each of
// them by that.
func (s *Store) Check(ctx context.Context) (flaws []eventstore.Flaw, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	snapshot, err := OpenSnapshot(s.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	return runCheck(ctx, snapshot.conn,
		"PRAGMA integrity_check(streams)", "PRAGMA integrity_check(types)", "PRAGMA integrity_check(revisions)", "PRAGMA integrity_check(indexed)")
}

// check looks for what contradicts the events in one file.
type check struct {
	conn  *sqlite.Conn
	flaws []eventstore.Flaw
}

// runCheck asks SQLite, and then looks at what SQLite cannot know.
func runCheck(ctx context.Context, conn *sqlite.Conn, pragmas ...string) ([]eventstore.Flaw, error) {
	conn.SetInterrupt(ctx.Done())
	defer conn.SetInterrupt(nil)
	c := &check{conn: conn}
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
	return sqlitex.ExecuteTransient(c.conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(row *sqlite.Stmt) error {
		visit(row)
		return nil
	}})
}

func (c *check) integrity(pragma string) error {
	return c.rows(pragma, func(row *sqlite.Stmt) {
		if verdict := row.ColumnText(0); verdict != "ok" {
			c.found("the file is damaged, or somebody has changed it: %s", verdict)
		}
	})
}

const selectSchema = "SELECT type || ' ' || name || ' of ' || tbl_name || ': ' || ifnull(sql, '') FROM sqlite_schema"

// schema compares all tables and indexes with those of a new log.
func (c *check) schema() (err error) {
	log, err := sqlite.OpenConn(":memory:")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := sqlitex.ExecuteScript(log, schema, nil); err != nil {
		return err
	}
	missing := make(map[string]bool)
	if err := (&check{conn: log}).rows(selectSchema, func(row *sqlite.Stmt) { missing[row.ColumnText(0)] = true }); err != nil {
		return err
	}
	err = c.rows(selectSchema, func(row *sqlite.Stmt) {
		if text := row.ColumnText(0); !missing[text] {
			c.found("the file has a table, an index or a trigger that a log has not: %s", text)
		} else {
			delete(missing, text)
		}
	})
	for text := range missing {
		c.found("the file lacks a table or an index of a log: %s", text)
	}
	return err
}

const (
	// A stream of which there is no event was never written.
	selectNames = "SELECT id, name, typeof(name) FROM streams WHERE typeof(name) <> 'text' OR id NOT BETWEEN 1 AND 2147483647" +
		" OR NOT EXISTS (SELECT 1 FROM revisions WHERE event >= id << 32 AND event < (id + 1) << 32)" +
		" AND id NOT IN (SELECT stream FROM events WHERE position > (SELECT max(position) FROM indexed))" + limited

	selectTypes = "SELECT count(*), ifnull(max(id), 0), ifnull(sum(typeof(name) <> 'text'), 0) FROM types"
)

// names looks at what numbers stand for.
func (c *check) names() error {
	err := c.rows(selectNames, func(row *sqlite.Stmt) {
		if row.ColumnText(2) != "text" {
			c.found("the name of stream %d is not a text: nobody finds it", row.ColumnInt64(0))
		} else {
			c.found("a stream without events is in the table streams: %s", row.ColumnText(1))
		}
	}, mostFlaws)
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

	selectMisplaced = "SELECT e.position, ifnull(s.name, ''), e.revision, " + areNumbers + ", ifnull(r.position, 0)" +
		" FROM events e LEFT JOIN revisions r ON r.event = (e.stream << 32) + e.revision LEFT JOIN streams s ON s.id = e.stream" +
		" WHERE e.position <= ? AND r.position IS NOT e.position OR NOT (" + areNumbers + ") ORDER BY e.position" + limited

	selectIndexState = "SELECT (SELECT count(*) FROM indexed WHERE rowid = 1 AND typeof(position) = 'integer'), (SELECT count(*) FROM indexed)," +
		" (SELECT ifnull(max(position), 0) FROM indexed), (SELECT ifnull(max(position), 0) FROM events)"

	// Where each event was found there is nothing else if there are as many.
	selectCounts = "SELECT (SELECT count(*) FROM revisions WHERE typeof(position) = 'integer'), (SELECT count(*) FROM events WHERE position <= ?)"

	selectStrays = "SELECT ifnull(s.name, ''), r.event & 4294967295, r.position" +
		" FROM revisions r LEFT JOIN events e ON e.position = r.position LEFT JOIN streams s ON s.id = r.event >> 32" +
		" WHERE r.position > ? OR e.position IS NULL OR r.event <> (e.stream << 32) + e.revision ORDER BY r.event" + limited
)

// index compares the table revisions with the events, both ways.
func (c *check) index() error {
	indexed := int64(0)
	err := c.rows(selectIndexState, func(row *sqlite.Stmt) {
		indexed = row.ColumnInt64(2)
		if row.ColumnInt64(0) != 1 || row.ColumnInt64(1) != 1 || indexed < 0 || indexed > row.ColumnInt64(3) {
			c.found("the table indexed is not as it was written: it says that streams are indexed up to position %d of %d", indexed, row.ColumnInt64(3))
		}
	})
	if err != nil {
		return err
	}
	err = c.rows(selectMisplaced, func(row *sqlite.Stmt) {
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
	}, indexed, mostFlaws)
	if err != nil {
		return err
	}
	same := false
	err = c.rows(selectCounts, func(row *sqlite.Stmt) { same = row.ColumnInt64(0) == row.ColumnInt64(1) }, indexed)
	if err != nil || same {
		return err
	}
	before := len(c.flaws)
	err = c.rows(selectStrays, func(row *sqlite.Stmt) {
		c.flaws = append(c.flaws, eventstore.Flaw{
			Problem:  "the index of streams has an event here that is not in the log",
			Position: eventstore.Position(row.ColumnInt64(2)), Stream: row.ColumnText(0), Revision: eventstore.Revision(row.ColumnInt64(1)),
		})
	}, indexed, mostFlaws)
	if err == nil && before == 0 && len(c.flaws) == 0 {
		c.found("the index of streams has another number of events than the log")
	}
	return err
}
