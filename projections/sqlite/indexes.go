package sqlite

import (
	"fmt"
	"maps"
	"sync/atomic"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	indexBits  = 20 // of a list
	maxIndexes = 1 << indexBits
)

// indexes numbers the names of indexes. There are few: all are in memory.
type indexes struct {
	known atomic.Pointer[map[string]int64] // what is in the file
	added map[string]int64                 // by the transaction under way; of the writer
}

// load reads the names from the file.
func (x *indexes) load(conn *sqlite.Conn) error {
	known := make(map[string]int64)
	err := sqlitex.ExecuteTransient(conn, "SELECT name, number FROM indexes", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		known[stmt.ColumnText(0)] = stmt.ColumnInt64(1)
		return nil
	}})
	x.known.Store(&known)
	return err
}

// list is the number of an index of a place; ok is false if nothing was ever in
// an index of that name.
func (x *indexes) list(at int64, index string) (list int64, ok bool) {
	number, ok := (*x.known.Load())[index]
	return at<<indexBits | number, ok
}

// listFor is list for the writer, which numbers a name that is new.
func (x *indexes) listFor(at int64, index string, insert *sqlite.Stmt) (int64, error) {
	if list, ok := x.list(at, index); ok {
		return list, nil
	}
	number, ok := x.added[index]
	if !ok {
		number = int64(len(*x.known.Load()) + len(x.added) + 1)
		if number >= maxIndexes {
			return 0, fmt.Errorf("projections/sqlite: more than %d names of indexes", maxIndexes)
		}
		insert.BindInt64(1, number)
		insert.BindText(2, index)
		if err := run(insert); err != nil {
			return 0, err
		}
		if x.added == nil {
			x.added = make(map[string]int64)
		}
		x.added[index] = number
	}
	return at<<indexBits | number, nil
}

// committed tells readers of the names that the transaction has added.
func (x *indexes) committed() {
	if len(x.added) == 0 {
		return
	}
	known := maps.Clone(*x.known.Load())
	maps.Copy(known, x.added)
	x.known.Store(&known)
	x.added = nil
}

// forget drops the names that a transaction had added when it failed.
func (x *indexes) forget() { x.added = nil }
