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
	streams map[int64]string   // names that were looked up
	types   map[int64]string   // the same
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
	return &Snapshot{conn: conn, streams: make(map[int64]string), types: make(map[int64]string)}, nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() error { return s.conn.Close() }

const (
	selectSnapshot       = "SELECT " + columns + " FROM events e WHERE e.position > ? ORDER BY e.position LIMIT ?"
	selectSnapshotStream = "SELECT " + columns + " FROM revisions r CROSS JOIN events e ON e.position = r.position WHERE r.event >= ? AND r.event < ? ORDER BY r.event LIMIT ?"
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
		e, err := s.event(row)
		events = append(events, e)
		return true, err
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
	if limit < 1 {
		return eventstore.Page{}, errLimit
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	matches, page, rows, bytes := matching(filter), eventstore.Page{Position: after}, 0, 0
	err := each(ctx, s.conn, selectSnapshot, []int64{int64(after), int64(limit) + maxPageRows}, func(row *sqlite.Stmt) (bool, error) {
		rows++
		page.Position = eventstore.Position(row.ColumnInt64(0))
		name, err := s.name(s.types, "SELECT name FROM types WHERE id = ?", row.ColumnInt64(4))
		if err != nil {
			return false, err
		}
		if matches(name) {
			e, err := s.event(row)
			if err != nil {
				return false, err
			}
			page.Events, bytes = append(page.Events, e), bytes+len(e.Data)+len(e.Metadata)
		}
		return len(page.Events) < limit && bytes < maxPageBytes, nil
	})
	if err != nil {
		return eventstore.Page{}, err
	}
	page.Head = len(page.Events) < limit && bytes < maxPageBytes && rows < limit+maxPageRows
	return page, nil
}

// mostNames is how many names of streams are remembered.
const mostNames = 100_000

// name is the name that has a number; empty where there is none.
func (s *Snapshot) name(known map[int64]string, query string, id int64) (string, error) {
	if name, ok := known[id]; ok {
		return name, nil
	}
	name := ""
	err := each(context.Background(), s.conn, query, []int64{id}, func(row *sqlite.Stmt) (bool, error) {
		name = row.ColumnText(0)
		return false, nil
	})
	if err != nil {
		return "", err
	}
	if len(known) >= mostNames {
		clear(known)
	}
	known[id] = name
	return name, nil
}

func (s *Snapshot) event(row *sqlite.Stmt) (e eventstore.Recorded, err error) {
	if e.Type, err = s.name(s.types, "SELECT name FROM types WHERE id = ?", row.ColumnInt64(4)); err != nil {
		return e, err
	}
	if e.Stream, err = s.name(s.streams, "SELECT name FROM streams WHERE id = ?", row.ColumnInt64(1)); err != nil {
		return e, err
	}
	e.Revision, e.Position = eventstore.Revision(row.ColumnInt64(2)), eventstore.Position(row.ColumnInt64(0))
	e.RecordedAt = time.Unix(0, row.ColumnInt64(7)).UTC()
	data := row.ColumnLen(5)
	both := make([]byte, data+row.ColumnLen(6)) // one allocation for both
	e.Data, e.Metadata = both[:data:data], both[data:]
	if row.ColumnLen(3) == len(e.ID) { // else it is none
		row.ColumnBytes(3, e.ID[:])
	}
	row.ColumnBytes(5, e.Data)
	row.ColumnBytes(6, e.Metadata)
	return e, nil
}
