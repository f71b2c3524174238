package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	schemaVersion = 1
	applicationID = 0x54656e75 // "Tenu", so that file(1) and Open tell a log from other databases
	lockWait      = 10 * time.Second
)

// The index on (stream, revision) is a table of its own and lags behind the
// events: an index that is kept up with each append costs a page of the WAL per
// stream and transaction, which is most of the price of a group commit. It is
// filled by the thousand, in the transaction that makes the lag too large, and
// the events that it lacks are always in memory. Position's primary key is what
// guards the log: any event that this process does not know of makes its next
// insert fail.
const schema = `
CREATE TABLE streams (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);
CREATE TABLE types (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);
CREATE TABLE events (
	position    INTEGER PRIMARY KEY,
	stream      INTEGER NOT NULL REFERENCES streams,
	revision    INTEGER NOT NULL,
	id          BLOB NOT NULL,
	type        INTEGER NOT NULL REFERENCES types,
	data        BLOB NOT NULL,
	metadata    BLOB NOT NULL,
	recorded_at INTEGER NOT NULL -- nanoseconds since 1970
);
CREATE TABLE revisions (
	event    INTEGER PRIMARY KEY, -- (stream << 32) + revision: one integer is found in half the time of a pair
	position INTEGER NOT NULL
);
CREATE TABLE indexed (
	position INTEGER NOT NULL -- revisions holds the events up to here
);
INSERT INTO indexed VALUES (0);
`

// lockLog takes the lock that keeps every other process from writing: an
// exclusive transaction on an empty database beside the log, which works alike
// on every system and ends with the process.
func lockLog(path string) (*sqlite.Conn, error) {
	lock, err := openFile(path+".lock", 0)
	if err != nil {
		return nil, err
	}
	if err := execute(lock, "BEGIN EXCLUSIVE"); err != nil {
		if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy {
			err = fmt.Errorf("%w: %s", ErrLocked, path)
		}
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// openLog opens the connection that writes, and makes the tables in a new file.
func openLog(path string) (*sqlite.Conn, error) {
	conn, err := openFile(path, lockWait)
	if err != nil {
		return nil, err
	}
	if err := prepareLog(conn, path); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// openReader opens one of the connections for reads.
func openReader(path string) (*sqlite.Conn, error) {
	conn, err := openFile(path, lockWait)
	if err != nil {
		return nil, err
	}
	if err := execute(conn, "PRAGMA query_only = ON", "PRAGMA cache_size = -16384"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// openFile opens a database that its owner alone can read; SQLite gives the
// files that it makes beside it the same mode.
//
// Nothing but SQLite may open and close a file that a connection of this
// process has open: closing any descriptor of a file gives up all locks of the
// process on it. Without the log's lock another process that looks into the log
// takes itself for the last one, and deletes the WAL with what was acknowledged.
func openFile(path string, wait time.Duration) (*sqlite.Conn, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // new, or left alone
	switch {
	case err == nil:
		err = file.Close()
	case errors.Is(err, fs.ErrExist):
		err = os.Chmod(path, 0o600) // a file that was restored from a copy may be open to others
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore/sqlite: %w", err)
	}
	return openExisting(path, wait)
}

func openExisting(path string, wait time.Duration) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("eventstore/sqlite: %w", err)
	}
	conn.SetBusyTimeout(wait)
	return conn, nil
}

func prepareLog(conn *sqlite.Conn, path string) error {
	tables, err := checkIsLog(conn, path)
	if err != nil {
		return err
	}
	err = execute(conn,
		// A new file only. Events are written one after the other, so that
		// larger pages save more system calls than they waste bytes.
		"PRAGMA page_size = 8192",
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA cache_size = -65536",
		"PRAGMA temp_store = MEMORY",
		// The checkpoint runs inside the commit that reaches this many pages
		// and catches up, since our reads end with their page, and those of
		// Check with a range. A backup, a Snapshot, and Check while SQLite looks
		// at a table hold it back; afterwards the file shrinks to the limit.
		"PRAGMA wal_autocheckpoint = 2000",
		"PRAGMA journal_size_limit = 67108864")
	if err != nil || tables > 0 {
		return err
	}
	return sqlitex.ExecuteScript(conn, schema+fmt.Sprintf(
		"PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion), nil)
}

// checkIsLog refuses what this version does not write to. An empty database,
// without a table, may become a log.
func checkIsLog(conn *sqlite.Conn, path string) (tables int64, err error) {
	version, application, tables, err := identify(conn)
	switch {
	case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultNotADB:
		return 0, fmt.Errorf("%w: %s", ErrNotALog, path)
	case err != nil:
		return 0, failed(err)
	case tables > 0 && application != applicationID:
		return 0, fmt.Errorf("%w: %s", ErrNotALog, path)
	case version > schemaVersion:
		return 0, fmt.Errorf("%w: %s has version %d, this program knows %d", ErrNewer, path, version, schemaVersion)
	}
	return tables, nil
}

func identify(conn *sqlite.Conn) (version, application, tables int64, err error) {
	for query, value := range map[string]*int64{
		"PRAGMA user_version":                &version,
		"PRAGMA application_id":              &application,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if *value, err = number(conn, query); err != nil {
			return 0, 0, 0, err
		}
	}
	return version, application, tables, nil
}

// number answers a query for one integer; no row is zero.
func number(conn *sqlite.Conn, query string, args ...any) (n int64, err error) {
	err = sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(row *sqlite.Stmt) error {
		n = row.ColumnInt64(0)
		return nil
	}})
	return n, err
}

func execute(conn *sqlite.Conn, statements ...string) error {
	for _, statement := range statements {
		if err := sqlitex.ExecuteTransient(conn, statement, nil); err != nil {
			return fmt.Errorf("eventstore/sqlite: %s: %w", statement, err)
		}
	}
	return nil
}
