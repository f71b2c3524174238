// Package sqlite keeps keys in one SQLite file, apart from the log.
//
// An answer means on disk (WAL, synchronous=FULL). Keys that are destroyed are
// overwritten in the file (secure_delete), and the WAL, where they stood as well,
// is emptied before Destroy answers; what the disk itself keeps of overwritten
// blocks is wrapped under the master key. Several processes may have the file
// open: the server, and the commands that look after keys.
//
// Killed within Destroy before its commit, nothing is destroyed; after it, before
// the WAL is emptied, the next Destroy or Open empties it.
package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/keyring"
)

// Options are the settings of a Store.
type Options struct {
	// MayMake has a new file made where there is none.
	MayMake bool
}

// The errors of Open.
var (
	// ErrNewer says that a newer version of Tenure wrote the file.
	ErrNewer = errors.New("keyring/sqlite: the file was written by a newer version of this program")
	// ErrNotKeys says that the file is none of ours, or is damaged.
	ErrNotKeys = errors.New("keyring/sqlite: the file does not hold keys, or is damaged: restore it from its backup")
)

const (
	applicationID = 0x54656b79 // "Teky"
	schemaVersion = 1
	lockWait      = 10 * time.Second
)

const schema = `
CREATE TABLE identity (
	id TEXT NOT NULL
) STRICT;
CREATE TABLE keys (
	subject    TEXT NOT NULL,
	generation INTEGER NOT NULL,
	master     TEXT NOT NULL,
	text       BLOB NOT NULL,
	PRIMARY KEY (subject, generation)
) STRICT, WITHOUT ROWID;
CREATE TABLE destroyed (
	subject TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
`

// Store implements keyring.Store.
type Store struct {
	identity string
	writing  sync.Mutex
	writer   *sqlite.Conn
	reading  sync.Mutex
	reader   *sqlite.Conn
}

var _ keyring.Store = (*Store)(nil)

// Open opens the file at path. It fails with keyring.ErrNoStore where there is
// none and none may be made, with ErrNewer and ErrNotKeys.
//
// Nothing but SQLite may open and close the file while this process has it open:
// closing any descriptor of it gives up the locks of the process on it.
func Open(path string, o Options) (_ *Store, err error) {
	if o.MayMake {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // new, or left alone
		if err == nil {
			err = file.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("keyring/sqlite: %w", err)
		}
	}
	switch err := os.Chmod(path, 0o600); { // one that was restored may be open to others
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s", keyring.ErrNoStore, path)
	case err != nil:
		return nil, fmt.Errorf("keyring/sqlite: %w", err)
	}
	s := &Store{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.writer, err = connect(path); err != nil {
		return nil, err
	}
	if s.identity, err = prepare(s.writer, o.MayMake); err != nil {
		return nil, err
	}
	if err := s.emptyLog(s.writer); err != nil {
		return nil, err
	}
	if s.reader, err = connect(path); err != nil {
		return nil, err
	}
	return s, execute(s.reader, "PRAGMA query_only = ON")
}

// Identity implements keyring.Store.
func (s *Store) Identity(context.Context) (string, error) { return s.identity, nil }

// Close implements keyring.Store.
func (s *Store) Close() error {
	var errs []error
	for _, conn := range []*sqlite.Conn{s.reader, s.writer} {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	return errors.Join(errs...)
}

func connect(path string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, explain(err)
	}
	conn.SetBusyTimeout(lockWait)
	if err := execute(conn, "PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON", "PRAGMA temp_store = MEMORY"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// prepare makes the tables in a new file, refuses what is not ours, and answers
// with the store's name.
func prepare(conn *sqlite.Conn, mayMake bool) (identity string, err error) {
	application, version, tables, err := header(conn)
	if err != nil {
		return "", err
	}
	switch {
	case tables == 0 && mayMake:
		if err := execute(conn, "PRAGMA journal_mode = WAL"); err != nil {
			return "", err
		}
		make := schema + fmt.Sprintf("INSERT INTO identity VALUES ('%s'); PRAGMA application_id = %d; PRAGMA user_version = %d;",
			rand.Text(), applicationID, schemaVersion)
		if err := sqlitex.ExecuteScript(conn, make, nil); err != nil {
			return "", explain(err)
		}
	case application != applicationID:
		return "", ErrNotKeys
	case version > schemaVersion:
		return "", ErrNewer
	}
	if err := execute(conn, "PRAGMA journal_mode = WAL"); err != nil { // a backup is not
		return "", err
	}
	return identify(conn)
}

// header is what a file says that it is.
func header(conn *sqlite.Conn) (application, version, tables int64, err error) {
	for query, value := range map[string]*int64{
		"PRAGMA application_id":              &application,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		err := sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
			*value = row.ColumnInt64(0)
			return nil
		}})
		if err != nil {
			return 0, 0, 0, explain(err)
		}
	}
	return application, version, tables, nil
}

func identify(conn *sqlite.Conn) (identity string, err error) {
	err = sqlitex.ExecuteTransient(conn, "SELECT id FROM identity", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		identity = row.ColumnText(0)
		return nil
	}})
	if err == nil && identity == "" {
		err = ErrNotKeys
	}
	return identity, explain(err)
}

// emptyLog takes what the WAL holds into the file and cuts the WAL to nothing.
func (s *Store) emptyLog(conn *sqlite.Conn) error {
	busy := false
	err := sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(TRUNCATE)", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		busy = row.ColumnInt64(0) != 0
		return nil
	}})
	if err == nil && busy {
		err = fmt.Errorf("%w: another program is reading them", keyring.ErrUnavailable)
	}
	return explain(err)
}

func execute(conn *sqlite.Conn, statements ...string) error {
	for _, statement := range statements {
		if err := sqlitex.ExecuteTransient(conn, statement, nil); err != nil {
			return explain(err)
		}
	}
	return nil
}

func explain(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultOK:
		return err
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%w (%w)", ErrNotKeys, err)
	}
	return fmt.Errorf("%w: keyring/sqlite: %w", keyring.ErrUnavailable, err)
}
