package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"tenure/eventstore"
	"zombiezen.com/go/sqlite"
)

// Snapshot is the log in a file as it is at one moment, for who reads it beside
// the process that has it open. While a Snapshot is open that one may append; its
// WAL keeps growing. It is safe for concurrent use, and does one thing at a time.
//
// Unlike a Store it trusts nothing but the rows: what does not belong together
// any more is read as it stands there. Only ReadStream goes by the index.
type Snapshot struct {
	mu      sync.Mutex
	conn    *sqlite.Conn
	streams names
	types   names
	late    map[string][]place // of the events that the index does not have yet; nil until it is needed
}

// place is where an event of a stream is.
type place struct {
	revision eventstore.Revision
	position eventstore.Position
}

// OpenSnapshot opens the log at path. It fails with fs.ErrNotExist when there is
// none, with ErrNotALog and ErrNewer as Open does.
func OpenSnapshot(path string) (*Snapshot, error) {
	conn, err := openSource(path)
	if err != nil {
		return nil, err
	}
	if err := execute(conn, "BEGIN", "SELECT count(*) FROM sqlite_schema"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Snapshot{
		conn:    conn,
		streams: names{query: "SELECT name FROM streams WHERE id = ?", known: make(map[int64]string)},
		types:   names{query: "SELECT name FROM types WHERE id = ?", known: make(map[int64]string)},
	}, nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() error { return s.conn.Close() }

const (
	selectSnapshot       = "SELECT " + columns + " FROM events e WHERE e.position > ? ORDER BY e.position" + limited
	selectSnapshotStream = "SELECT " + columns + " FROM revisions r CROSS JOIN events e ON e.position = r.position WHERE r.event >= ? AND r.event < ? ORDER BY r.event" + limited
	selectLate           = "SELECT e.position, ifnull(s.name, ''), e.revision FROM events e LEFT JOIN streams s ON s.id = e.stream" +
		" WHERE e.position > (SELECT position FROM indexed) ORDER BY e.position"
)

// Head is that of eventstore.Store.
func (s *Snapshot) Head(context.Context) (eventstore.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head, err := number(s.conn, "SELECT ifnull(max(position), 0) FROM events")
	if err != nil {
		return 0, failed(err)
	}
	return eventstore.Position(head), nil
}

// ReadStream is that of eventstore.Store.
func (s *Snapshot) ReadStream(ctx context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	if limit < 1 {
		return nil, errLimit
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.findLate(ctx); err != nil {
		return nil, err
	}
	id, err := number(s.conn, "SELECT id FROM streams WHERE name = ?", stream)
	if err != nil {
		return nil, failed(err)
	}
	if id == 0 {
		return nil, eventstore.ErrStreamNotFound
	}
	var events []eventstore.Recorded
	take := func(row *sqlite.Stmt) (bool, error) {
		events = append(events, eventstore.Recorded{})
		return true, s.event(row, &events[len(events)-1])
	}
	from = min(from, maxRevisions)
	if err := each(ctx, s.conn, selectSnapshotStream, []int64{key(id, from), key(id, maxRevisions), int64(limit)}, take); err != nil {
		return nil, err
	}
	for _, at := range s.late[stream] {
		if at.revision < from || len(events) == limit {
			continue
		}
		if err := each(ctx, s.conn, selectSnapshot, []int64{int64(at.position) - 1, 1}, take); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// findLate looks for the events that the index does not have yet; they are few.
func (s *Snapshot) findLate(ctx context.Context) error {
	if s.late != nil {
		return nil
	}
	late := make(map[string][]place)
	err := each(ctx, s.conn, selectLate, nil, func(row *sqlite.Stmt) (bool, error) {
		stream := row.ColumnText(1)
		late[stream] = append(late[stream], place{eventstore.Revision(row.ColumnInt64(2)), eventstore.Position(row.ColumnInt64(0))})
		return true, nil
	})
	if err == nil {
		s.late = late
	}
	return err
}

// ReadAll is that of eventstore.Store.
func (s *Snapshot) ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	var page eventstore.Page
	if err := s.read(ctx, after, limit, matching(filter), &page); err != nil {
		return eventstore.Page{}, err
	}
	return page, nil
}

// ReadInto is ReadAll without a filter, for who goes through the whole log: it
// uses the memory of the page that it gets. What was in that page, its events and
// their bytes, is gone; names stay.
func (s *Snapshot) ReadInto(ctx context.Context, after eventstore.Position, limit int, page *eventstore.Page) error {
	return s.read(ctx, after, limit, nil, page)
}

func (s *Snapshot) read(ctx context.Context, after eventstore.Position, limit int, matches func(string) bool, page *eventstore.Page) error {
	if limit < 1 {
		return errLimit
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	events, rows, bytes := page.Events[:0], 0, 0
	*page = eventstore.Page{Position: after}
	err := each(ctx, s.conn, selectSnapshot, []int64{int64(after), int64(limit) + maxPageRows}, func(row *sqlite.Stmt) (bool, error) {
		rows++
		page.Position = eventstore.Position(row.ColumnInt64(0))
		if matches != nil {
			if name, err := s.types.find(s.conn, row.ColumnInt64(4)); err != nil {
				return false, err
			} else if !matches(name) {
				return true, nil
			}
		}
		n := len(events)
		if n < cap(events) {
			events = events[:n+1] // with the memory of the event that was there
		} else {
			events = append(events, eventstore.Recorded{})
		}
		e := &events[n]
		if err := s.event(row, e); err != nil {
			return false, err
		}
		bytes += len(e.Data) + len(e.Metadata)
		return len(events) < limit && bytes < maxPageBytes, nil
	})
	if err != nil {
		return err
	}
	page.Events = events
	page.Head = len(events) < limit && bytes < maxPageBytes && rows < limit+maxPageRows
	return nil
}

// mostNames is how many names are remembered.
const mostNames = 100_000

// names are those that have numbers.
type names struct {
	query string
	known map[int64]string
	asked bool
	id    int64 // that was asked for last, if one was
	name  string
}

// find is the name that has a number; empty where there is none.
func (n *names) find(conn *sqlite.Conn, id int64) (string, error) {
	if n.asked && id == n.id {
		return n.name, nil
	}
	name, ok := n.known[id]
	if !ok {
		err := each(context.Background(), conn, n.query, []int64{id}, func(row *sqlite.Stmt) (bool, error) {
			name = row.ColumnText(0)
			return false, nil
		})
		if err != nil {
			return "", err
		}
		if len(n.known) >= mostNames {
			clear(n.known)
		}
		n.known[id] = name
	}
	n.asked, n.id, n.name = true, id, name
	return name, nil
}

// event makes an event of the row, in the memory of the one that is there.
func (s *Snapshot) event(row *sqlite.Stmt, e *eventstore.Recorded) (err error) {
	if e.Type, err = s.types.find(s.conn, row.ColumnInt64(4)); err != nil {
		return err
	}
	if e.Stream, err = s.streams.find(s.conn, row.ColumnInt64(1)); err != nil {
		return err
	}
	e.Revision, e.Position = eventstore.Revision(row.ColumnInt64(2)), eventstore.Position(row.ColumnInt64(0))
	e.RecordedAt = time.Unix(0, row.ColumnInt64(7)).UTC()
	var id [len(e.ID) + 1]byte
	if row.ColumnBytes(3, id[:]) != len(e.ID) { // it is none
		clear(id[:])
	}
	e.ID = eventstore.ID(id[:len(e.ID)])
	e.Data = bytesOf(row, 5, e.Data)
	e.Metadata = bytesOf(row, 6, e.Metadata)
	return nil
}

// mostRoom is how much memory of an event is used again: of many pages each place
// has some large event at last.
const mostRoom = 16 << 10

// bytesOf is what stands in a column, in this room where that is large enough.
func bytesOf(row *sqlite.Stmt, column int, room []byte) []byte {
	if room = room[:cap(room)]; len(room) > mostRoom {
		room = nil
	}
	n := row.ColumnBytes(column, room)
	if n < len(room) {
		return room[:n]
	}
	if n = row.ColumnLen(column); n > len(room) || room == nil {
		room = make([]byte, (n+64)&^63) // the next one may be larger
		row.ColumnBytes(column, room)
	}
	return room[:n]
}
