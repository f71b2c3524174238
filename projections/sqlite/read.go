package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"tenure/eventstore"
	"tenure/projections"
)

// reader is a connection with its queries.
type reader struct {
	conn      *sqlite.Conn
	begin     *sqlite.Stmt
	end       *sqlite.Stmt
	place     *sqlite.Stmt
	document  *sqlite.Stmt
	ascending *sqlite.Stmt
	backward  *sqlite.Stmt
	byID      *sqlite.Stmt
	byIDBack  *sqlite.Stmt
	position  *sqlite.Stmt
}

// CROSS JOIN keeps SQLite to the order of the tables as they stand.
const rangeQuery = `
SELECT e.sort, e.id, d.body FROM entries e CROSS JOIN documents d ON d.place = ?6 AND d.id = e.id
WHERE e.list = ?1 AND `

func newReader(conn *sqlite.Conn) (*reader, error) {
	r := &reader{conn: conn}
	return r, prepare(conn, map[string]**sqlite.Stmt{
		"BEGIN":  &r.begin,
		"COMMIT": &r.end,
		"SELECT place, position FROM places WHERE view = ? AND partition = ?":                                           &r.place,
		"SELECT body FROM documents WHERE place = ? AND id = ?":                                                         &r.document,
		rangeQuery + "(e.sort, e.id) > (?2, ?3) AND e.sort < ?4 ORDER BY e.sort, e.id LIMIT ?5":                         &r.ascending,
		rangeQuery + "(e.sort, e.id) < (?2, ?3) AND e.sort >= ?4 ORDER BY e.sort DESC, e.id DESC LIMIT ?5":              &r.backward,
		"SELECT '', id, body FROM documents WHERE place = ?1 AND id > ?2 AND id >= ?3 AND id < ?4 ORDER BY id LIMIT ?5": &r.byID,
		"SELECT '', id, body FROM documents WHERE place = ?1 AND id < ?2 AND id >= ?3 ORDER BY id DESC LIMIT ?4":        &r.byIDBack,
		"SELECT position FROM checkpoints WHERE name = ?":                                                               &r.position,
	})
}

// Documents implements projections.Storage.
func (s *Storage) Documents(ctx context.Context, view string, keys []projections.Key) ([][]byte, error) {
	bodies := make([][]byte, len(keys))
	err := s.read(ctx, func(r *reader) error {
		return r.snapshot(len(keys) > 1, func() error {
			for i, key := range keys {
				at, err := s.placeOf(r, view, key.Partition)
				if err != nil {
					return err
				}
				if bodies[i], err = r.body(at, key.ID); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return bodies, err
}

// Positions implements projections.Storage.
func (s *Storage) Positions(ctx context.Context, view string, partitions []string) ([]eventstore.Position, error) {
	positions := make([]eventstore.Position, len(partitions))
	var missing []int
	for i, name := range partitions {
		at, known, _ := s.places.find(partition{view, name})
		if !known {
			missing = append(missing, i)
		}
		positions[i] = at.position
	}
	if len(missing) == 0 {
		return positions, nil
	}
	err := s.read(ctx, func(r *reader) error {
		return r.snapshot(len(missing) > 1, func() error {
			for _, i := range missing {
				at, err := s.placeOf(r, view, partitions[i])
				if err != nil {
					return err
				}
				positions[i] = at.position
			}
			return nil
		})
	})
	return positions, err
}

// Checkpoint implements projections.Storage.
func (s *Storage) Checkpoint(ctx context.Context, name string) (position eventstore.Position, err error) {
	err = s.read(ctx, func(r *reader) error {
		defer r.position.Reset()
		r.position.BindText(1, name)
		found, err := r.position.Step()
		if found {
			position = eventstore.Position(r.position.ColumnInt64(0))
		}
		return err
	})
	return position, err
}

// Range implements projections.Storage.
func (s *Storage) Range(ctx context.Context, view string, q projections.RangeQuery) (rows []projections.Row, position eventstore.Position, err error) {
	if q.Limit < 1 {
		return nil, 0, fmt.Errorf("projections/sqlite: range of %d rows", q.Limit)
	}
	err = s.read(ctx, func(r *reader) error {
		at, err := s.placeOf(r, view, q.Partition)
		if err != nil || at.id == 0 {
			return err
		}
		position = at.position
		stmt, ok := s.bind(r, at, q)
		if !ok {
			return nil
		}
		defer stmt.Reset()
		for {
			found, err := stmt.Step()
			if err != nil || !found {
				return err
			}
			rows = append(rows, projections.Row{
				Place: projections.Place{Sort: stmt.ColumnText(0), ID: stmt.ColumnText(1)},
				Body:  column(stmt, 2),
			})
		}
	})
	return rows, position, err
}

// bind readies the statement for a range; ok is false if the index was never
// written to.
func (s *Storage) bind(r *reader, at place, q projections.RangeQuery) (stmt *sqlite.Stmt, ok bool) {
	if q.Index == "" {
		return r.bindByID(at, q), true
	}
	list, ok := s.indexes.list(at.id, q.Index)
	if !ok {
		return nil, false
	}
	return r.bindEntries(at, list, q), true
}

// bindEntries sets the bounds of a query for entries: strictly after one place,
// and inside the prefix on the other side.
func (r *reader) bindEntries(at place, list int64, q projections.RangeQuery) *sqlite.Stmt {
	after, end := q.After, successor(q.Prefix)
	stmt := r.ascending
	if q.Descending {
		stmt = r.backward
		if after == (projections.Place{}) || end != "" && after.Sort >= end {
			after = projections.Place{Sort: end}
		}
		if after == (projections.Place{}) {
			bindEnd(stmt, 2, "")
		} else {
			stmt.BindText(2, after.Sort)
		}
		stmt.BindText(4, q.Prefix)
	} else {
		if after.Sort < q.Prefix {
			after = projections.Place{Sort: q.Prefix} // ids are not empty, so nothing at the prefix is left out
		}
		stmt.BindText(2, after.Sort)
		bindEnd(stmt, 4, end)
	}
	stmt.BindInt64(1, list)
	stmt.BindText(3, after.ID)
	stmt.BindInt64(5, int64(q.Limit))
	stmt.BindInt64(6, at.id)
	return stmt
}

// bindByID does the same for a query for documents by their ids.
func (r *reader) bindByID(at place, q projections.RangeQuery) *sqlite.Stmt {
	after, end := q.After.ID, successor(q.Prefix)
	stmt := r.byID
	if q.Descending {
		stmt = r.byIDBack
		if after == "" || end != "" && after > end {
			after = end
		}
		bindEnd(stmt, 2, after)
		stmt.BindText(3, q.Prefix)
		stmt.BindInt64(4, int64(q.Limit))
	} else {
		stmt.BindText(2, after)
		stmt.BindText(3, q.Prefix)
		bindEnd(stmt, 4, end)
		stmt.BindInt64(5, int64(q.Limit))
	}
	stmt.BindInt64(1, at.id)
	return stmt
}

// bindEnd binds an exclusive upper bound; the empty one is above every text: a
// BLOB, which SQLite orders after all TEXT.
func bindEnd(stmt *sqlite.Stmt, param int, end string) {
	if end == "" {
		stmt.BindBytes(param, nil)
		return
	}
	stmt.BindText(param, end)
}

// successor is the least text that is greater than all that begin with prefix,
// empty if there is none.
func successor(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}

// snapshot runs f so that all of its queries see one state, if they are many.
func (r *reader) snapshot(many bool, f func() error) error {
	if !many {
		return f()
	}
	if err := run(r.begin); err != nil {
		return err
	}
	err := f()
	if endErr := run(r.end); err == nil {
		err = endErr
	}
	return err
}

func (s *Storage) placeOf(r *reader, view, name string) (place, error) {
	key := partition{view, name}
	found, known, change := s.places.find(key)
	if known {
		return found, nil
	}
	found, err := findPlace(r.place, key)
	if err == nil && found.id != 0 {
		s.places.remember(key, found, change)
	}
	return found, err
}

func (r *reader) body(at place, id string) ([]byte, error) {
	if at.id == 0 {
		return nil, nil
	}
	defer r.document.Reset()
	r.document.BindInt64(1, at.id)
	r.document.BindText(2, id)
	found, err := r.document.Step()
	if err != nil || !found {
		return nil, err
	}
	return column(r.document, 0), nil
}

func findPlace(stmt *sqlite.Stmt, key partition) (place, error) {
	defer stmt.Reset()
	stmt.BindText(1, key.view)
	stmt.BindText(2, key.name)
	found, err := stmt.Step()
	if err != nil || !found {
		return place{}, err
	}
	return place{id: stmt.ColumnInt64(0), position: eventstore.Position(stmt.ColumnInt64(1))}, nil
}

func column(stmt *sqlite.Stmt, i int) []byte {
	body := make([]byte, stmt.ColumnLen(i))
	stmt.ColumnBytes(i, body)
	return body
}

func prepare(conn *sqlite.Conn, queries map[string]**sqlite.Stmt) error {
	for query, stmt := range queries {
		prepared, err := conn.Prepare(query)
		if err != nil {
			return err
		}
		*stmt = prepared
	}
	return nil
}

// run executes a statement without results.
func run(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	if resetErr := stmt.Reset(); err == nil {
		err = resetErr
	}
	return err
}
