package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"tenure/eventstore"
	"tenure/projections"
)

// many is how many entries one statement inserts: starting a statement costs
// about as much as inserting a row.
const many = 16

// writer is the connection that changes the file.
type writer struct {
	conn                                 *sqlite.Conn
	indexes                              *indexes
	begin, commit, rollback              *sqlite.Stmt
	find, addPlace, movePlace            *sqlite.Stmt
	put, remove                          *sqlite.Stmt
	addEntry, addEntries, removeEntry    *sqlite.Stmt
	addIndex, checkpoint                 *sqlite.Stmt
	placesOf, dropDocuments, dropEntries *sqlite.Stmt
	dropPlace, dropCheckpoint            *sqlite.Stmt
}

func newWriter(conn *sqlite.Conn, x *indexes) (*writer, error) {
	w := &writer{conn: conn, indexes: x}
	if err := x.load(conn); err != nil {
		return nil, err
	}
	return w, prepare(conn, map[string]**sqlite.Stmt{
		"BEGIN IMMEDIATE": &w.begin,
		"COMMIT":          &w.commit,
		"ROLLBACK":        &w.rollback,
		"SELECT place, position FROM places WHERE view = ? AND partition = ?":                          &w.find,
		"INSERT INTO places (view, partition, position) VALUES (?, ?, ?)":                              &w.addPlace,
		"UPDATE places SET position = ?1 WHERE place = ?2 AND position = ?3":                           &w.movePlace,
		"INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = ?3":                   &w.put,
		"DELETE FROM documents WHERE place = ? AND id = ?":                                             &w.remove,
		"INSERT INTO indexes VALUES (?, ?)":                                                            &w.addIndex,
		insertEntries(1):                                                                               &w.addEntry,
		insertEntries(many):                                                                            &w.addEntries,
		"DELETE FROM entries WHERE list = ? AND sort = ? AND id = ?":                                   &w.removeEntry,
		"INSERT INTO checkpoints VALUES (?, ?) ON CONFLICT DO UPDATE SET position = max(position, ?2)": &w.checkpoint,
		"SELECT place FROM places WHERE view = ?":                                                      &w.placesOf,
		"DELETE FROM documents WHERE place = ?":                                                        &w.dropDocuments,
		"DELETE FROM entries WHERE list >= ? AND list < ?":                                             &w.dropEntries,
		"DELETE FROM places WHERE place = ?":                                                           &w.dropPlace,
		"DELETE FROM checkpoints WHERE name = ?":                                                       &w.dropCheckpoint,
	})
}

// Apply implements projections.Storage. All batches are one transaction.
func (s *Storage) Apply(ctx context.Context, batches []projections.Batch) error {
	return s.write(ctx, func(w *writer) (written, error) {
		moved := make(written)
		for _, b := range batches {
			changes, err := s.placed(w, b)
			if err != nil {
				return nil, err
			}
			if err := w.changeAll(changes); err != nil {
				return nil, err
			}
			if b.Checkpoint > 0 {
				if err := w.save(b.View, b.Checkpoint); err != nil {
					return nil, err
				}
			}
			for _, c := range changes {
				moved[partition{b.View, c.Partition}] = place{id: c.place, position: c.To}
			}
		}
		return moved, nil
	})
}

// SaveCheckpoint implements projections.Storage.
func (s *Storage) SaveCheckpoint(ctx context.Context, name string, p eventstore.Position) error {
	return s.write(ctx, func(w *writer) (written, error) { return nil, w.save(name, p) })
}

// Drop implements projections.Storage.
func (s *Storage) Drop(ctx context.Context, view string) error {
	defer s.places.forget()
	return s.write(ctx, func(w *writer) (written, error) { return nil, w.drop(view) })
}

// placedChange is a change with the integer of its partition.
type placedChange struct {
	projections.Change
	place int64
}

// placed moves the partitions to their new positions and answers with the
// changes in the order in which their rows lie in the file.
func (s *Storage) placed(w *writer, b projections.Batch) ([]placedChange, error) {
	changes := make([]placedChange, len(b.Changes))
	for i, c := range b.Changes {
		key := partition{b.View, c.Partition}
		at, known, _ := s.places.find(key)
		if !known {
			var err error
			if at, err = findPlace(w.find, key); err != nil {
				return nil, err
			}
		}
		if at.position != c.From {
			return nil, superseded(b.View)
		}
		id, err := w.move(key, at, c.To)
		if err != nil {
			return nil, err
		}
		changes[i] = placedChange{Change: c, place: id}
	}
	slices.SortFunc(changes, func(a, b placedChange) int { return cmp.Compare(a.place, b.place) })
	return changes, nil
}

func superseded(view string) error {
	return fmt.Errorf("view %s: %w", view, projections.ErrSuperseded)
}

// move sets a partition's position, and checks in the file that it was where
// memory has it.
func (w *writer) move(key partition, at place, to eventstore.Position) (int64, error) {
	if at.id == 0 {
		w.addPlace.BindText(1, key.view)
		w.addPlace.BindText(2, key.name)
		w.addPlace.BindInt64(3, int64(to))
		err := run(w.addPlace)
		return w.conn.LastInsertRowID(), err
	}
	w.movePlace.BindInt64(1, int64(to))
	w.movePlace.BindInt64(2, at.id)
	w.movePlace.BindInt64(3, int64(at.position))
	if err := run(w.movePlace); err != nil {
		return 0, err
	}
	if w.conn.Changes() == 0 {
		return 0, superseded(key.view)
	}
	return at.id, nil
}

// changeAll writes one table after the other, each in the order of its keys:
// neighbours share pages.
func (w *writer) changeAll(changes []placedChange) error {
	for _, c := range changes {
		if err := w.putAll(c); err != nil {
			return err
		}
	}
	removed, added, err := w.entryRows(changes)
	if err != nil {
		return err
	}
	for _, e := range removed {
		w.removeEntry.BindInt64(1, e.list)
		w.removeEntry.BindText(2, e.Sort)
		w.removeEntry.BindText(3, e.ID)
		if err := run(w.removeEntry); err != nil {
			return err
		}
	}
	for len(added) >= many {
		if err := insert(w.addEntries, added[:many]); err != nil {
			return err
		}
		added = added[many:]
	}
	for i := range added {
		if err := insert(w.addEntry, added[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) putAll(c placedChange) error {
	puts := slices.Clone(c.Puts)
	slices.SortFunc(puts, func(a, b projections.Document) int { return strings.Compare(a.ID, b.ID) })
	for _, d := range puts {
		w.put.BindInt64(1, c.place)
		w.put.BindText(2, d.ID)
		w.put.BindBytes(3, d.Body)
		if err := run(w.put); err != nil {
			return err
		}
	}
	for _, id := range c.Deletes {
		w.remove.BindInt64(1, c.place)
		w.remove.BindText(2, id)
		if err := run(w.remove); err != nil {
			return err
		}
	}
	return nil
}

// row is a row of the table of entries.
type row struct {
	list int64
	projections.Place
}

func (w *writer) entryRows(changes []placedChange) (removed, added []row, err error) {
	for _, c := range changes {
		if removed, err = w.appendRows(removed, c.place, c.Removed); err != nil {
			return nil, nil, err
		}
		if added, err = w.appendRows(added, c.place, c.Added); err != nil {
			return nil, nil, err
		}
	}
	slices.SortFunc(removed, compareRows)
	slices.SortFunc(added, compareRows)
	return removed, added, nil
}

func (w *writer) appendRows(rows []row, at int64, entries []projections.IndexEntry) ([]row, error) {
	rows = slices.Grow(rows, len(entries))
	for _, e := range entries {
		list, err := w.indexes.listFor(at, e.Index, w.addIndex)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{list: list, Place: projections.Place{Sort: e.Sort, ID: e.ID}})
	}
	return rows, nil
}

func compareRows(a, b row) int {
	if order := cmp.Compare(a.list, b.list); order != 0 {
		return order
	}
	if order := strings.Compare(a.Sort, b.Sort); order != 0 {
		return order
	}
	return strings.Compare(a.ID, b.ID)
}

func insert(stmt *sqlite.Stmt, rows []row) error {
	for i, r := range rows {
		stmt.BindInt64(3*i+1, r.list)
		stmt.BindText(3*i+2, r.Sort)
		stmt.BindText(3*i+3, r.ID)
	}
	return run(stmt)
}

func insertEntries(n int) string {
	return "INSERT INTO entries VALUES " + strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", n), ", ") + " ON CONFLICT DO NOTHING"
}

func (w *writer) save(name string, p eventstore.Position) error {
	w.checkpoint.BindText(1, name)
	w.checkpoint.BindInt64(2, int64(p))
	return run(w.checkpoint)
}

// transaction runs f; publish runs the commit and tells readers of it.
func (w *writer) transaction(f func(w *writer) (written, error), publish func(moved written, commit func() error) error) error {
	if err := run(w.begin); err != nil {
		return err
	}
	moved, err := f(w)
	if err == nil {
		err = publish(moved, func() error { return run(w.commit) })
	}
	if err != nil && !w.conn.AutocommitEnabled() {
		if rollbackErr := run(w.rollback); rollbackErr != nil {
			err = fmt.Errorf("%w; rollback: %w", err, rollbackErr)
		}
	}
	return err
}

func (w *writer) drop(view string) error {
	ids, err := w.placesIn(view)
	if err != nil {
		return err
	}
	for _, id := range ids {
		w.dropDocuments.BindInt64(1, id)
		w.dropEntries.BindInt64(1, id<<indexBits)
		w.dropEntries.BindInt64(2, (id+1)<<indexBits)
		w.dropPlace.BindInt64(1, id)
		for _, stmt := range []*sqlite.Stmt{w.dropDocuments, w.dropEntries, w.dropPlace} {
			if err := run(stmt); err != nil {
				return err
			}
		}
	}
	w.dropCheckpoint.BindText(1, view)
	return run(w.dropCheckpoint)
}

func (w *writer) placesIn(view string) (ids []int64, err error) {
	defer w.placesOf.Reset()
	w.placesOf.BindText(1, view)
	for {
		found, err := w.placesOf.Step()
		if err != nil || !found {
			return ids, err
		}
		ids = append(ids, w.placesOf.ColumnInt64(0))
	}
}
