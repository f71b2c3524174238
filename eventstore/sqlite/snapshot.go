package sqlite

import (
	"context"
	"errors"
	"time"

	"tenure/eventstore"
	"zombiezen.com/go/sqlite"
)

// Snapshot is the log in a file as it is at one moment, for who reads it beside
// the process that has it open. While a Snapshot is open that one may append; its
// WAL keeps growing. It is for one goroutine.
//
// Unlike a Store it trusts nothing but the rows: what does not belong together
// any more is read as it stands there.
type Snapshot struct{ conn *sqlite.Conn }

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
	return &Snapshot{conn}, nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() error { return s.conn.Close() }

const selectSnapshot = "SELECT e.position, ifnull(s.name, ''), e.revision, e.id, ifnull(t.name, ''), e.data, e.metadata, e.recorded_at FROM events e" +
	" LEFT JOIN streams s ON s.id = e.stream LEFT JOIN types t ON t.id = e.type WHERE e.position > ? ORDER BY e.position LIMIT ?"

// ReadAll is that of eventstore.Store.
func (s *Snapshot) ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	if limit < 1 {
		return eventstore.Page{}, errLimit
	}
	matches, page, rows, bytes := matching(filter), eventstore.Page{Position: after}, 0, 0
	err := each(ctx, s.conn, selectSnapshot, []int64{int64(after), int64(limit) + maxPageRows}, func(row *sqlite.Stmt) (bool, error) {
		rows++
		page.Position = eventstore.Position(row.ColumnInt64(0))
		if matches(row.ColumnText(4)) {
			e := snapshotEvent(row)
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

func snapshotEvent(row *sqlite.Stmt) eventstore.Recorded {
	e := eventstore.Recorded{
		Event:      eventstore.Event{Type: row.ColumnText(4), Data: make([]byte, row.ColumnLen(5)), Metadata: make([]byte, row.ColumnLen(6))},
		Stream:     row.ColumnText(1),
		Revision:   eventstore.Revision(row.ColumnInt64(2)),
		Position:   eventstore.Position(row.ColumnInt64(0)),
		RecordedAt: time.Unix(0, row.ColumnInt64(7)).UTC(),
	}
	if row.ColumnLen(3) == len(e.ID) { // else it is none
		row.ColumnBytes(3, e.ID[:])
	}
	row.ColumnBytes(5, e.Data)
	row.ColumnBytes(6, e.Metadata)
	return e
}
