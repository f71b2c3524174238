package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/keyring"
)

// Copied says what is in a backup.
type Copied struct {
	Keys      int64
	Destroyed int64 // subjects
}

// Backup copies the keys at from, as they are at this moment, to a new file,
// which Open takes as it is. The server may be running. Nothing is in the copy of
// what was destroyed before. The copy is read back, checked and forced to disk
// before it gets its name.
//
// It fails with keyring.ErrNoStore when there are no keys, and with fs.ErrExist when
// there is a file already.
func Backup(ctx context.Context, from, to string) (copied Copied, err error) {
	if _, err := os.Lstat(to); err == nil {
		return Copied{}, fmt.Errorf("keyring/sqlite: backup to %s: %w", to, fs.ErrExist)
	}
	if _, err := os.Stat(from); err != nil {
		return Copied{}, fmt.Errorf("%w: %w", keyring.ErrNoStore, err)
	}
	file, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*.partial") // mode 0600
	if err != nil {
		return Copied{}, fmt.Errorf("keyring/sqlite: backup: %w", err)
	}
	partial := file.Name()
	defer func() {
		if removed := os.Remove(partial); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}()
	if err := file.Close(); err != nil {
		return Copied{}, err
	}
	if err := copyKeys(ctx, from, partial); err != nil {
		return Copied{}, fmt.Errorf("keyring/sqlite: backup of %s to %s: %w", from, to, err)
	}
	if copied, err = examine(partial); err == nil {
		err = putInPlace(partial, to)
	}
	if err != nil {
		return Copied{}, fmt.Errorf("keyring/sqlite: backup of %s to %s: %w", from, to, err)
	}
	return copied, nil
}

// copyKeys writes the rows to an empty file, and none of the free pages.
func copyKeys(ctx context.Context, from, to string) (err error) {
	source, err := connect(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if _, err := prepare(source, false); err != nil {
		return err
	}
	source.SetInterrupt(ctx.Done())
	err = sqlitex.ExecuteTransient(source, "VACUUM INTO ?", &sqlitex.ExecOptions{Args: []any{to}})
	return errors.Join(ctx.Err(), explain(err))
}

func examine(path string) (copied Copied, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return Copied{}, explain(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	verdict := ""
	err = sqlitex.ExecuteTransient(conn, "PRAGMA integrity_check(1)", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		verdict = row.ColumnText(0)
		return nil
	}})
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("%w: %s", ErrNotKeys, verdict)
	}
	if err == nil {
		err = sqlitex.ExecuteTransient(conn, "SELECT (SELECT count(*) FROM keys), (SELECT count(*) FROM destroyed)",
			&sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
				copied = Copied{row.ColumnInt64(0), row.ColumnInt64(1)}
				return nil
			}})
	}
	return copied, explain(err)
}

// putInPlace forces the file to disk and gives it its name, if that is free.
func putInPlace(partial, path string) error {
	if err := syncFile(partial); err != nil {
		return err
	}
	err := os.Link(partial, path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without links
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
