package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tenure/eventstore"
	"zombiezen.com/go/sqlite"
)

// Bounds of what one ReadAll or Next takes from the file.
const (
	maxPageEvents = 1 << 16
	maxPageBytes  = 8 << 20
	maxPageRows   = 8192 // besides the limit, that a filter leaves out
)

// Both queries walk an index and sort nothing, so that every step is short: it
// is enough to look at the context between steps.
const (
	// SQLite compiles a statement again whenever a value is bound to a limit that is a
	// bare parameter, which takes as long as fifty rows.
	limited = " LIMIT ? + 0"

	columns = "e.position, e.stream, e.revision, e.id, e.type, e.data, e.metadata, e.recorded_at"

	selectAll = "SELECT " + columns + " FROM events e WHERE e.position > ? AND e.position <= ? ORDER BY e.position" + limited

	selectStream = "SELECT " + columns + " FROM revisions r CROSS JOIN events e ON e.position = r.position" +
		" WHERE r.event >= ? AND r.event < ? AND r.position <= ? ORDER BY r.event" + limited

	selectNext = "SELECT event + 1 FROM revisions WHERE event >= ? AND event < ? AND position <= ? ORDER BY event DESC LIMIT 1"
)

var (
	errLimit   = errors.New("eventstore/sqlite: a read needs a limit of at least 1")
	errDamaged = errors.New("eventstore/sqlite: the file is damaged")
)

// readStream joins what the file and memory hold of a stream. The stretch is
// what memory had.
func (t *tail) readStream(ctx context.Context, conn *sqlite.Conn, h head, from eventstore.Revision, limit int) ([]eventstore.Recorded, stretch, error) {
	from = min(from, maxRevisions)
	seen := t.stream(h.stream, from, limit)
	below := eventstore.Revision(maxRevisions)
	if seen.next > 0 {
		below = seen.lowest
	}
	var events []eventstore.Recorded
	if from < below {
		args := []int64{key(h.stream, from), key(h.stream, below), int64(seen.published), int64(limit)}
		err := each(ctx, conn, selectStream, args, func(row *sqlite.Stmt) (bool, error) {
			e, err := t.event(row, h.name)
			events = append(events, e)
			return true, err
		})
		if err != nil {
			return nil, seen, err
		}
	}
	events = append(events, seen.events[:min(len(seen.events), limit-len(events))]...)
	for i := range events {
		if events[i].Revision != from+eventstore.Revision(i) {
			return nil, seen, fmt.Errorf("%w: stream %s lacks revision %d", errDamaged, h.name, from+eventstore.Revision(i))
		}
	}
	return events, seen, nil
}

// readAll reads a page of the log from the file.
func (t *tail) readAll(ctx context.Context, conn *sqlite.Conn, after eventstore.Position, limit int, matches func(string) bool) (eventstore.Page, error) {
	published := t.published()
	page := eventstore.Page{Position: after}
	bytes, rows := 0, 0
	args := []int64{int64(after), int64(published), int64(limit) + maxPageRows}
	err := each(ctx, conn, selectAll, args, func(row *sqlite.Stmt) (bool, error) {
		rows++
		page.Position = eventstore.Position(row.ColumnInt64(0))
		if kind, err := t.typeName(row); err != nil {
			return false, err
		} else if matches(kind) {
			name, err := t.streamName(conn, row.ColumnInt64(1))
			if err != nil {
				return false, err
			}
			e, err := t.event(row, name)
			if err != nil {
				return false, err
			}
			page.Events = append(page.Events, e)
			bytes += len(e.Data) + len(e.Metadata)
		}
		return len(page.Events) < limit && bytes < maxPageBytes && rows < limit+maxPageRows, nil
	})
	if err != nil {
		return eventstore.Page{}, err
	}
	page.Head = page.Position >= published
	return page, nil
}

// nextRevision is the revision after the last one in the table revisions, zero
// if the stream has none there.
func nextRevision(conn *sqlite.Conn, stream int64, published eventstore.Position) (uint64, error) {
	first := key(stream, 0)
	next, err := number(conn, selectNext, first, key(stream, maxRevisions), int64(published))
	if err != nil || next == 0 {
		return 0, err
	}
	return uint64(next - first), nil
}

// event makes an event of a row with the columns above.
func (t *tail) event(row *sqlite.Stmt, stream string) (eventstore.Recorded, error) {
	kind, err := t.typeName(row)
	if err != nil {
		return eventstore.Recorded{}, err
	}
	data, metadata := row.ColumnLen(5), row.ColumnLen(6)
	buffer := make([]byte, data+metadata)
	row.ColumnBytes(5, buffer[:data])
	row.ColumnBytes(6, buffer[data:])
	e := eventstore.Recorded{
		Event:      eventstore.Event{Type: kind, Data: buffer[:data:data], Metadata: buffer[data:]},
		Stream:     stream,
		Revision:   eventstore.Revision(row.ColumnInt64(2)),
		Position:   eventstore.Position(row.ColumnInt64(0)),
		RecordedAt: time.Unix(0, row.ColumnInt64(7)).UTC(),
	}
	row.ColumnBytes(3, e.ID[:])
	return e, nil
}

func (t *tail) typeName(row *sqlite.Stmt) (string, error) {
	names, i := *t.types.Load(), row.ColumnInt64(4)-1
	if i < 0 || i >= int64(len(names)) {
		return "", fmt.Errorf("%w: position %d has no type", errDamaged, row.ColumnInt64(0))
	}
	return names[i], nil
}

func (t *tail) streamName(conn *sqlite.Conn, stream int64) (string, error) {
	if name, ok := t.names.Get(stream); ok {
		return name, nil
	}
	name := ""
	err := each(context.Background(), conn, "SELECT name FROM streams WHERE id = ?", []int64{stream}, func(row *sqlite.Stmt) (bool, error) {
		name = row.ColumnText(0)
		return false, nil
	})
	t.names.Add(stream, name)
	return name, err
}

// each calls visit for every row until it says stop. A context that ends in the
// middle is an error, so that what was read is never taken for everything.
func each(ctx context.Context, conn *sqlite.Conn, query string, args []int64, visit func(row *sqlite.Stmt) (more bool, err error)) (err error) {
	rows, err := conn.Prepare(query)
	if err != nil {
		return failed(err)
	}
	defer func() { err = errors.Join(err, rows.Reset()) }()
	for i, arg := range args {
		rows.BindInt64(i+1, arg)
	}
	for n := 0; ; n++ {
		if n%64 == 0 && ctx.Err() != nil {
			return failed(ctx.Err())
		}
		found, err := rows.Step()
		if err != nil {
			return failed(err)
		}
		if !found {
			return nil
		}
		if more, err := visit(rows); err != nil || !more {
			return err
		}
	}
}

// failed says whose error it is; one that the disk causes may pass.
func failed(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultCantOpen, sqlite.ResultReadOnly, sqlite.ResultBusy:
		err = errors.Join(eventstore.ErrUnavailable, err)
	}
	return fmt.Errorf("eventstore/sqlite: %w", err)
}
