// Package sqlite keeps the documents and indexes of views in one SQLite file.
//
// Every Apply is one transaction over all views, so a process that is killed
// leaves either all of a batch or nothing. After a power cut the file holds a
// state that was once complete, possibly not the newest (WAL with
// synchronous=NORMAL): the checkpoint is in the same file, and the projector
// goes on from it. The file may be deleted whenever nobody has it open; the
// views are then built from the log again.
//
// One process at a time uses a file: positions are answered from memory.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/eventstore"
	"tenure/projections"
)

// Options are the settings of a Storage; the zero value of each is a default.
type Options struct {
	// Readers is how many queries run at the same time. Default 4, or the
	// number of processors if that is more.
	Readers int
	// Partitions is how many partitions' positions are kept in memory.
	// Default 65,536.
	Partitions int
	// CacheBytes is the memory for pages of the file, half of it for writing.
	// Default 128 MiB.
	CacheBytes int
}

// The errors of Open, and of everything else once the file is damaged.
var (
	// ErrNewer says that a newer version of Tenure wrote the file.
	ErrNewer = errors.New("projections/sqlite: the file was written by a newer version; run that version, or delete the file and it is built again")
	// ErrCorrupt says that the file is damaged, or is none of ours.
	ErrCorrupt = errors.New("projections/sqlite: the file is damaged or is not a views file; delete it and it is built again")
	// ErrClosed says that the storage was closed.
	ErrClosed = errors.New("projections/sqlite: storage is closed")
)

// Storage implements projections.Storage.
type Storage struct {
	writing sync.Mutex // held around every use of writer
	writer  *writer
	readers chan *reader
	count   int // of readers
	places  *places
	indexes *indexes
	closed  chan struct{}
	closing sync.Once
}

var _ projections.Storage = (*Storage)(nil)

const (
	applicationID = 0x54565753 // "TVWS"
	schemaVersion = 1

	// Large pages: rebuilding writes long runs of documents, and the write of a
	// page costs a system call or two whatever its size.
	pageBytes = 8192
	// The log of changed pages grows to this size before it is copied into the
	// file, so that a page that changes often is copied once.
	walBytes = 64 << 20
	busyWait = time.Second
)

// The list of an entry is its place and the number of its index in one integer,
// so that an index of a partition is a contiguous stretch of one tree.
const schema = `
CREATE TABLE places (
	place     INTEGER PRIMARY KEY,
	view      TEXT NOT NULL,
	partition TEXT NOT NULL,
	position  INTEGER NOT NULL,
	UNIQUE (view, partition)
) STRICT;
CREATE TABLE documents (
	place INTEGER NOT NULL,
	id    TEXT NOT NULL,
	body  BLOB NOT NULL,
	PRIMARY KEY (place, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE indexes (
	number INTEGER PRIMARY KEY,
	name   TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE entries (
	list INTEGER NOT NULL, -- place << 20 | number of the index
	sort TEXT NOT NULL,
	id   TEXT NOT NULL,
	PRIMARY KEY (list, sort, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
	name     TEXT PRIMARY KEY,
	position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

// Open opens the file at path, and makes it if there is none. It fails with
// ErrNewer and ErrCorrupt; nothing in the file is changed then.
func Open(path string, o Options) (*Storage, error) {
	if o.Readers <= 0 {
		o.Readers = max(4, runtime.NumCPU())
	}
	if o.Partitions <= 0 {
		o.Partitions = 1 << 16
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 128 << 20
	}
	s := &Storage{readers: make(chan *reader, o.Readers), places: newPlaces(o.Partitions), indexes: &indexes{}, closed: make(chan struct{})}
	// The owner alone can read it; SQLite gives the files beside it the same mode.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, explain(err)
	}
	if err := file.Close(); err != nil {
		return nil, explain(err)
	}
	conn, err := connect(path, o.CacheBytes/2, sqlite.OpenReadWrite)
	if err != nil {
		return nil, explain(err)
	}
	if err := prepareFile(conn); err != nil {
		return nil, errors.Join(explain(err), conn.Close())
	}
	if s.writer, err = newWriter(conn, s.indexes); err != nil {
		return nil, errors.Join(explain(err), conn.Close())
	}
	for range o.Readers {
		if err := s.addReader(path, o.CacheBytes/2/o.Readers); err != nil {
			return nil, errors.Join(explain(err), s.Close())
		}
	}
	return s, nil
}

// Newest is the highest position that any view or consumer has got to.
func (s *Storage) Newest(ctx context.Context) (eventstore.Position, error) {
	var newest int64
	err := s.read(ctx, func(r *reader) error {
		return single(r.conn, "SELECT max(coalesce((SELECT max(position) FROM places), 0), coalesce((SELECT max(position) FROM checkpoints), 0))", &newest)
	})
	return eventstore.Position(newest), err
}

// Scrub leaves no trace in the files of what documents held before. What is
// deleted is overwritten, but when pages are split or joined copies of rows stay
// where nothing looks: so the file is written anew, and the log of changed pages
// taken into it and cut to nothing. Meanwhile nothing else is written. It fails
// while a reader is in the way, and can be tried again.
func (s *Storage) Scrub(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return ErrClosed
	default:
	}
	s.writer.conn.SetInterrupt(ctx.Done())
	err := sqlitex.ExecuteTransient(s.writer.conn, "VACUUM", nil)
	s.writer.conn.SetInterrupt(nil)
	if err != nil {
		return errors.Join(ctx.Err(), explain(err))
	}
	var busy int64
	if err := single(s.writer.conn, "PRAGMA wal_checkpoint(TRUNCATE)", &busy); err != nil {
		return explain(err)
	}
	if busy != 0 {
		return fmt.Errorf("%w: the file is being read", projections.ErrUnavailable)
	}
	return nil
}

// Close waits for what is under way and closes the file.
func (s *Storage) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.closed)
		for range s.count {
			err = errors.Join(err, (<-s.readers).conn.Close())
		}
		s.writing.Lock()
		defer s.writing.Unlock()
		err = errors.Join(err, s.writer.conn.Close())
	})
	return err
}

func (s *Storage) addReader(path string, cacheBytes int) error {
	conn, err := connect(path, cacheBytes, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	r, err := newReader(conn)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	s.count++
	s.readers <- r
	return nil
}

// read lends a reader to f.
func (s *Storage) read(ctx context.Context, f func(r *reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return ErrClosed
	default:
	}
	select {
	case r := <-s.readers:
		defer func() { s.readers <- r }()
		return explain(f(r))
	case <-s.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write gives the writer to f, in a transaction that ends with f. What f has
// written is known to places before the next one writes.
func (s *Storage) write(ctx context.Context, f func(w *writer) (written, error)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return ErrClosed
	default:
	}
	err := s.writer.transaction(f, func(moved written, commit func() error) error {
		return s.places.publish(moved, func() error {
			if err := commit(); err != nil {
				return err
			}
			s.indexes.committed()
			return nil
		})
	})
	if err != nil {
		s.places.forget()
		s.indexes.forget()
	}
	return explain(err)
}

func connect(path string, cacheBytes int, flags sqlite.OpenFlags) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	// The driver would wait for ever: a view that another program keeps locked is
	// a failure that has to show, and no reason not to shut down.
	conn.SetBusyTimeout(busyWait)
	for _, pragma := range []string{
		fmt.Sprintf("PRAGMA page_size = %d", pageBytes), // of a new file only
		"PRAGMA synchronous = NORMAL",
		fmt.Sprintf("PRAGMA cache_size = -%d", cacheBytes/1024),
		fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", walBytes/pageBytes),
		"PRAGMA temp_store = MEMORY",
		// What is deleted or replaced is overwritten: documents hold names of people
		// who may be erased; see Scrub.
		"PRAGMA secure_delete = ON",
	} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// prepareFile makes the tables in a new file, and refuses what is not ours.
func prepareFile(conn *sqlite.Conn) error {
	id, version, tables := int64(0), int64(0), int64(0)
	for query, value := range map[string]*int64{
		"PRAGMA application_id":              &id,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := single(conn, query, value); err != nil {
			return err
		}
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA journal_mode = WAL", nil); err != nil {
			return err
		}
		return sqlitex.ExecuteScript(conn, schema+fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion), nil)
	case id != applicationID || version < schemaVersion:
		return ErrCorrupt
	case version > schemaVersion:
		return ErrNewer
	}
	return nil
}

func single(conn *sqlite.Conn, query string, value *int64) error {
	return sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		*value = stmt.ColumnInt64(0)
		return nil
	}})
}

// explain makes ErrCorrupt of what SQLite says about a damaged file.
func explain(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%w (%w)", ErrCorrupt, err)
	}
	return err
}

// Remove deletes a views file with what belongs to it. Nobody may have it open.
func Remove(path string) error {
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
