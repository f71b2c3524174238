package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/keyring"
)

// Find implements keyring.Store.
func (s *Store) Find(ctx context.Context, subjects []string) (found []keyring.Holding, err error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	err = within(ctx, s.reader, "BEGIN", func(conn *sqlite.Conn) error {
		found, err = holdings(conn, subjects)
		return err
	})
	return found, err
}

// Add implements keyring.Store.
func (s *Store) Add(ctx context.Context, keys []keyring.Wrapped) (found []keyring.Holding, err error) {
	if s.writer == nil {
		return nil, ErrReadOnly
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	subjects := make([]string, len(keys))
	err = within(ctx, s.writer, "BEGIN IMMEDIATE", func(conn *sqlite.Conn) error {
		for i, k := range keys {
			subjects[i] = k.Subject
			err := sqlitex.Execute(conn, `INSERT INTO keys (subject, generation, master, text) SELECT ?, ?, ?, ?
				WHERE NOT EXISTS (SELECT 1 FROM destroyed WHERE subject = ?) ON CONFLICT DO NOTHING`,
				&sqlitex.ExecOptions{Args: []any{k.Subject, k.Generation, k.Master, k.Text, k.Subject}})
			if err != nil {
				return err
			}
		}
		found, err = holdings(conn, subjects)
		return err
	})
	return found, err
}

// Destroy implements keyring.Store.
func (s *Store) Destroy(ctx context.Context, subjects []string) error {
	if s.writer == nil {
		return ErrReadOnly
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	err := within(ctx, s.writer, "BEGIN IMMEDIATE", func(conn *sqlite.Conn) error {
		for _, subject := range subjects {
			for _, statement := range []string{"DELETE FROM keys WHERE subject = ?", "INSERT INTO destroyed VALUES (?) ON CONFLICT DO NOTHING"} {
				if err := sqlitex.Execute(conn, statement, &sqlitex.ExecOptions{Args: []any{subject}}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.emptyLog(s.writer)
}

// Page implements keyring.Store. The cursor is the last subject seen.
func (s *Store) Page(ctx context.Context, cursor string, limit int) (keys []keyring.Wrapped, next string, err error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	err = within(ctx, s.reader, "BEGIN", func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, `SELECT subject, generation, master, text FROM keys
			WHERE subject IN (SELECT DISTINCT subject FROM keys WHERE subject > ? ORDER BY subject LIMIT ?) ORDER BY subject, generation`,
			&sqlitex.ExecOptions{Args: []any{cursor, limit}, ResultFunc: func(row *sqlite.Stmt) error {
				keys = append(keys, keyring.Wrapped{Subject: row.ColumnText(0), Generation: row.ColumnInt(1), Master: row.ColumnText(2), Text: blob(row, 3)})
				return nil
			}})
	})
	if len(keys) > 0 {
		next = keys[len(keys)-1].Subject
	}
	return keys, next, err
}

// Replace implements keyring.Store. What was there before stands in the file no
// longer, since a former master key may be one that has leaked.
func (s *Store) Replace(ctx context.Context, before, after []keyring.Wrapped) (changed int, err error) {
	if s.writer == nil {
		return 0, ErrReadOnly
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	err = within(ctx, s.writer, "BEGIN IMMEDIATE", func(conn *sqlite.Conn) error {
		for i, b := range before {
			err := sqlitex.Execute(conn, "UPDATE keys SET master = ?, text = ? WHERE subject = ? AND generation = ? AND text = ?",
				&sqlitex.ExecOptions{Args: []any{after[i].Master, after[i].Text, b.Subject, b.Generation, b.Text}})
			if err != nil {
				return err
			}
			changed += conn.Changes()
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return changed, s.emptyLog(s.writer)
}

// within runs f in a transaction.
func within(ctx context.Context, conn *sqlite.Conn, begin string, f func(*sqlite.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	conn.SetInterrupt(ctx.Done())
	defer conn.SetInterrupt(nil)
	if err := execute(conn, begin); err != nil {
		return err
	}
	err := explain(f(conn))
	if err == nil {
		err = execute(conn, "COMMIT")
	}
	if err != nil {
		conn.SetInterrupt(nil)
		if !conn.AutocommitEnabled() {
			_ = execute(conn, "ROLLBACK") // the first error says why
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}

func holdings(conn *sqlite.Conn, subjects []string) ([]keyring.Holding, error) {
	found := make([]keyring.Holding, len(subjects))
	for i, subject := range subjects {
		h := &found[i]
		err := sqlitex.Execute(conn, "SELECT generation, master, text FROM keys WHERE subject = ? ORDER BY generation",
			&sqlitex.ExecOptions{Args: []any{subject}, ResultFunc: func(row *sqlite.Stmt) error {
				h.Keys = append(h.Keys, keyring.Wrapped{Subject: subject, Generation: row.ColumnInt(0), Master: row.ColumnText(1), Text: blob(row, 2)})
				return nil
			}})
		if err == nil && len(h.Keys) == 0 {
			err = sqlitex.Execute(conn, "SELECT 1 FROM destroyed WHERE subject = ?",
				&sqlitex.ExecOptions{Args: []any{subject}, ResultFunc: func(*sqlite.Stmt) error {
					h.Destroyed = true
					return nil
				}})
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func blob(row *sqlite.Stmt, column int) []byte {
	text := make([]byte, row.ColumnLen(column))
	row.ColumnBytes(column, text)
	return text
}
