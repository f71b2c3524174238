package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	zombie "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/eventstore/sqlite"
)

// benchLog compares appends with the raw insert speed and the disk.
func benchLog(ctx context.Context, dir string) error {
	event, err := sample()
	if err != nil {
		return err
	}
	store, err := sqlite.Open(filepath.Join(dir, "log.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	writers := []int{1, 16, 64}
	functions := []func() (float64, error){
		func() (float64, error) { return syncs(filepath.Join(dir, "sync")) },
		func() (float64, error) { return rawInserts(filepath.Join(dir, "raw.db"), event, 50_000) },
	}
	for _, n := range writers {
		functions = append(functions, func() (float64, error) { return appends(ctx, store, event, n) })
	}
	if err := warm(functions[len(functions)-1]); err != nil {
		return err
	}
	m, err := measure(functions...)
	if err != nil {
		return err
	}
	title("(a) Appends of one event of %d bytes, each on disk before its answer", len(event.Data)+len(event.Metadata))
	row("%-44s %10.0f /s", "fdatasync of the disk", m[0])
	row("%-44s %10.0f /s", "raw inserts of the same rows, one transaction", m[1])
	for i, n := range writers {
		row("%-44s %10.0f /s   %.2f of raw", fmt.Sprintf("appends, %d writers", n), m[2+i], m[2+i]/m[1])
	}
	return nil
}

// sample is a typical event, as the log holds it.
func sample() (eventstore.Event, error) {
	e := organization.RolesChanged{
		OrganizationID: domain.OrganizationID(newID()), AccountID: domain.AccountID(newID()),
		Before: []domain.Role{"USER"}, After: []domain.Role{"VIEWER"},
	}
	m := codec.Metadata{Actor: domain.ByAccount(domain.AccountID(newID())), OccurredAt: time.Now().UTC(), Correlation: newID()}
	return codec.New().Encode(eventstore.ID(uuid.Must(uuid.NewV7())), e, m)
}

// appends lets n writers append to streams of their own, one event at a time.
func appends(ctx context.Context, store eventstore.Store, event eventstore.Event, n int) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	begin := time.Now()
	for range n {
		all.Go(func() {
			stream, expected := "organization-"+newID(), eventstore.NoStream()
			for time.Since(begin) < *window {
				e := event
				e.ID = eventstore.ID(uuid.Must(uuid.NewV7()))
				result, err := store.Append(ctx, stream, expected, []eventstore.Event{e})
				if err != nil {
					failed.Store(&err)
					return
				}
				expected = eventstore.Exactly(result.LastRevision)
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}

// rawInserts writes the same rows into the same tables with the same driver, in
// one transaction.
func rawInserts(path string, event eventstore.Event, rows int) (rate float64, err error) {
	store, err := sqlite.Open(path, sqlite.Options{}) // makes the tables
	if err != nil {
		return 0, err
	}
	if err := store.Close(); err != nil {
		return 0, err
	}
	defer os.Remove(path)
	conn, err := zombie.OpenConn(path, zombie.OpenReadWrite|zombie.OpenWAL)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return insertRows(conn, event, rows)
}

func insertRows(conn *zombie.Conn, event eventstore.Event, rows int) (float64, error) {
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA synchronous=FULL", nil); err != nil {
		return 0, err
	}
	insert, err := conn.Prepare("INSERT INTO events (position, stream, revision, id, type, data, metadata, recorded_at) VALUES (?, ?, ?, ?, 1, ?, ?, ?)")
	if err != nil {
		return 0, err
	}
	index, err := conn.Prepare("INSERT INTO revisions (event, position) VALUES (?, ?)")
	if err != nil {
		return 0, err
	}
	for _, fill := range []string{"INSERT INTO types VALUES (1, 't')", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 64) INSERT INTO streams SELECT i, 'organization-' || i FROM n"} {
		if err := sqlitex.Execute(conn, fill, nil); err != nil {
			return 0, err
		}
	}
	begin := time.Now()
	if err := sqlitex.Execute(conn, "BEGIN IMMEDIATE", nil); err != nil {
		return 0, err
	}
	for i := range rows {
		stream, revision := int64(i%64)+1, int64(i/64)
		if err := step(insert, int64(i)+1, stream, revision, event.ID[:], event.Data, event.Metadata, time.Now().UnixNano()); err != nil {
			return 0, err
		}
		if err := step(index, stream<<32|revision, int64(i)+1); err != nil {
			return 0, err
		}
	}
	if err := sqlitex.Execute(conn, "COMMIT", nil); err != nil {
		return 0, err
	}
	return float64(rows) / time.Since(begin).Seconds(), nil
}

// step binds the values and runs the statement.
func step(s *zombie.Stmt, values ...any) error {
	for i, v := range values {
		switch v := v.(type) {
		case int64:
			s.BindInt64(i+1, v)
		case []byte:
			s.BindBytes(i+1, v)
		}
	}
	if _, err := s.Step(); err != nil {
		return err
	}
	return s.Reset()
}

// syncs measures how often the disk confirms a page per second.
func syncs(path string) (float64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	page := make([]byte, 4096)
	begin, n := time.Now(), 0
	for ; time.Since(begin) < *window/2; n++ {
		if _, err := f.WriteAt(page, int64(n%256)*4096); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}
