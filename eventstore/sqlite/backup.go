package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"tenure/eventstore"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const backupPages = 512 // between two looks at the context

// Copied says what is in a backup.
type Copied struct {
	Events   int64
	Position eventstore.Position // of the last event
	Bytes    int64
}

// Backup copies the log at from, as it is at this moment, to a new file, which
// Open takes as a log. It does not take the log's lock: this or another process
// may append to the log meanwhile, whose WAL keeps growing until the copy is
// done. The copy is read back and checked, and forced to disk, before it gets
// its name. progress, if there is one, hears how many of all pages are copied.
//
// It fails with fs.ErrNotExist when there is no log, with fs.ErrExist when
// there is a file already, with ErrNotALog and ErrNewer as Open does.
func Backup(ctx context.Context, from, to string, progress func(done, all int)) (Copied, error) {
	if _, err := os.Lstat(to); err == nil {
		return Copied{}, fmt.Errorf("eventstore/sqlite: backup to %s: %w", to, fs.ErrExist)
	}
	partial, err := createPartial(to)
	if err != nil {
		return Copied{}, fmt.Errorf("eventstore/sqlite: backup: %w", err)
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	err = copyLog(ctx, from, partial, progress)
	var copied Copied
	if err == nil {
		copied, err = examine(ctx, partial)
	}
	if err == nil {
		err = putInPlace(partial, to)
	}
	if err != nil {
		return Copied{}, errors.Join(fmt.Errorf("eventstore/sqlite: backup of %s to %s: %w", from, to, err), os.RemoveAll(partial))
	}
	return copied, nil
}

// createPartial makes an empty file beside path that is the owner's alone.
// Backups that run at once do not share it.
func createPartial(path string) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.partial")
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

// copyLog copies all pages inside one read transaction: without one, SQLite
// would begin anew after each commit.
func copyLog(ctx context.Context, from, to string, progress func(done, all int)) (err error) {
	source, err := openSource(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := execute(source, "BEGIN", "SELECT count(*) FROM sqlite_schema"); err != nil {
		return err
	}
	target, err := openExisting(to, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	// The file counts only once it has been forced to disk as a whole.
	if err := execute(target, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF"); err != nil {
		return err
	}
	backup, err := sqlite.NewBackup(target, "main", source, "main")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := backup.Step(backupPages)
		if err != nil {
			return err
		}
		progress(backup.PageCount()-backup.Remaining(), backup.PageCount())
		if !more {
			return nil
		}
	}
}

// openSource opens a log that is there, and leaves its mode as it is.
func openSource(path string) (*sqlite.Conn, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	conn, err := openExisting(path, lockWait)
	if err != nil {
		return nil, err
	}
	tables, err := checkIsLog(conn, path)
	if err == nil && tables == 0 {
		err = fmt.Errorf("%w: %s", ErrNotALog, path)
	}
	if err == nil {
		err = execute(conn, "PRAGMA query_only = ON")
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// examine reads the whole copy. Nobody else has it open, so that SQLite needs
// neither locks nor files beside it.
func examine(ctx context.Context, path string) (copied Copied, err error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return Copied{}, err
	}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(whole), RawQuery: "immutable=1"}
	conn, err := sqlite.OpenConn(name.String(), sqlite.OpenReadOnly, sqlite.OpenURI)
	if err != nil {
		return Copied{}, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	conn.SetInterrupt(ctx.Done())
	verdict := ""
	err = sqlitex.ExecuteTransient(conn, "PRAGMA integrity_check(1)", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		verdict = row.ColumnText(0)
		return nil
	}})
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	if err != nil {
		return Copied{}, errors.Join(ctx.Err(), err)
	}
	err = sqlitex.ExecuteTransient(conn, "SELECT count(*), ifnull(max(position), 0) FROM events", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		copied.Events, copied.Position = row.ColumnInt64(0), eventstore.Position(row.ColumnInt64(1))
		return nil
	}})
	if err != nil {
		return Copied{}, errors.Join(ctx.Err(), err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Copied{}, err
	}
	copied.Bytes = info.Size()
	return copied, nil
}

// putInPlace forces the file to disk and gives it its name, if that is free.
func putInPlace(partial, path string) error {
	if err := syncFile(partial); err != nil {
		return err
	}
	err := os.Link(partial, path)
	switch {
	case err == nil:
		err = os.Remove(partial)
	case !errors.Is(err, fs.ErrExist): // a file system without links
		err = os.Rename(partial, path)
	}
	if err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}

func syncFile(path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return file.Sync()
}
