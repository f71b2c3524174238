package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
)

const backupPages = 512 // between two looks at the context

// Backup copies the log, as it is at this moment, to a new file at path while
// appends go on; the WAL keeps growing until it is done. Open takes the file as
// a log. Until it is whole and on disk it is called path + ".partial". It fails
// with fs.ErrExist when there is a file at path.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.RUnlock()
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("eventstore/sqlite: backup to %s: %w", path, os.ErrExist)
	}
	partial := path + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return failed(err)
	}
	err := s.copyTo(ctx, partial)
	if err == nil {
		err = putInPlace(partial, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("eventstore/sqlite: backup to %s: %w", path, err), os.RemoveAll(partial))
	}
	return nil
}

// copyTo copies all pages inside one read transaction of its own connection:
// without one, SQLite would begin anew after each commit.
func (s *Store) copyTo(ctx context.Context, path string) (err error) {
	from, err := openReader(s.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := execute(from, "BEGIN", "SELECT count(*) FROM sqlite_schema"); err != nil {
		return err
	}
	to, err := openFile(path, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	// The file counts only once it has been forced to disk as a whole.
	if err := execute(to, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF"); err != nil {
		return err
	}
	backup, err := sqlite.NewBackup(to, "main", from, "main")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	for {
		if err := s.usable(ctx); err != nil {
			return err
		}
		if more, err := backup.Step(backupPages); err != nil || !more {
			return err
		}
	}
}

// putInPlace forces the file to disk and gives it its name.
func putInPlace(partial, path string) error {
	if err := syncFile(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, path); err != nil {
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
