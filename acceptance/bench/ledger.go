package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"tenure/commands"
	"tenure/commands/token"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/eventstore/sqlite"
	"tenure/ledger"
	viewsqlite "tenure/projections/sqlite"
)

// benchLedger compares the tree, and the verification of a log, with the scan of
// the log.
func benchLedger(ctx context.Context, dir string) error {
	data, store, err := seedLog(ctx, dir, 4, manySizes()...)
	if err != nil {
		return err
	}
	defer store.Close()
	path, views := filepath.Join(dir, "log.db"), filepath.Join(dir, "views.db")
	m, err := measure(
		func() (float64, error) { return rawScan(path) },
		func() (float64, error) { return hashLeaves(ctx, store) },
		func() (float64, error) { return growTree(ctx, store, views) },
		func() (float64, error) { return proveLeaves(ctx, views) },
		func() (float64, error) { return auditLog(ctx, path) },
		func() (float64, error) { return exportLog(ctx, path, filepath.Join(dir, "log.ndjson"), ledger.NDJSON) },
		func() (float64, error) {
			return exportLog(ctx, path, filepath.Join(dir, "log.parquet"), ledger.Parquet)
		},
		func() (float64, error) { return verifyExport(filepath.Join(dir, "log.ndjson")) },
		func() (float64, error) { return verifyExport(filepath.Join(dir, "log.parquet")) },
	)
	if err != nil {
		return err
	}
	title("(j) The ledger over %d events", data.events)
	row("%-44s %10.0f events/s", "raw scan of the log's rows", m[0])
	row("%-44s %10.0f leaves/s   %.2f of the scan", "log read, leaves hashed", m[1], m[1]/m[0])
	row("%-44s %10.0f leaves/s   %.2f of the scan", "tree grown from the log, on disk", m[2], m[2]/m[0])
	row("%-44s %10.0f /s", "inclusion proofs, one after the other", m[3])
	for i, what := range []string{"whole log verified", "exported as NDJSON", "exported as Parquet", "NDJSON verified", "Parquet verified"} {
		row("%-44s %10.0f events/s   %.2f of the scan", what, m[4+i], m[4+i]/m[0])
	}
	return nil
}

func hashLeaves(ctx context.Context, store eventstore.Store) (float64, error) {
	begin, n := time.Now(), 0
	for page := (eventstore.Page{}); !page.Head; {
		var err error
		if page, err = store.ReadAll(ctx, page.Position, 1000, eventstore.Filter{}); err != nil {
			return 0, err
		}
		for i := range page.Events {
			ledger.LeafHash(&page.Events[i])
			n++
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// growTree runs the ledger on a log until all of it is in a new tree.
func growTree(ctx context.Context, store eventstore.Store, path string) (float64, error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(path + suffix)
	}
	views, err := viewsqlite.Open(path, viewsqlite.Options{})
	if err != nil {
		return 0, err
	}
	defer views.Close()
	keys, err := token.NewKeys(bytes.Repeat([]byte{7}, token.MinKeyBytes))
	if err != nil {
		return 0, err
	}
	key, err := ledger.NewKey(keys)
	if err != nil {
		return 0, err
	}
	l := ledger.New(ledger.Dependencies{
		Log: store, Tree: ledger.NewTree(views), Key: key, Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Commands: commands.New(commands.Dependencies{Store: store, Codec: codec.New(), Keys: keys, Now: time.Now, CachedEvents: 1000}),
	})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- l.Run(ctx) }()
	for l.State().Signed == 0 && l.State().Err == nil {
		time.Sleep(time.Millisecond)
	}
	s, took := l.State(), time.Since(begin)
	cancel()
	<-done
	if s.Err != nil {
		return 0, fmt.Errorf("the tree does not grow: %w", s.Err)
	}
	return float64(s.Size) / took.Seconds(), nil
}

func proveLeaves(ctx context.Context, path string) (float64, error) {
	views, err := viewsqlite.Open(path, viewsqlite.Options{})
	if err != nil {
		return 0, err
	}
	defer views.Close()
	tree := ledger.NewTree(views)
	size, _, err := tree.Size(ctx)
	if err != nil {
		return 0, err
	}
	begin, n := time.Now(), uint64(0)
	for ; time.Since(begin) < *window; n++ {
		if _, err := tree.Inclusion(ctx, n*7919%size, size); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

func auditLog(ctx context.Context, path string) (float64, error) {
	log, err := sqlite.OpenSnapshot(path)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	begin := time.Now()
	report, err := ledger.Audit(ctx, log, ledger.Options{})
	if err != nil {
		return 0, err
	}
	if !report.OK {
		return 0, fmt.Errorf("the log is not verified: %+v", report.Findings)
	}
	return float64(report.Events) / time.Since(begin).Seconds(), nil
}

// exportLog writes the whole log to a file, as the auditor's command does.
func exportLog(ctx context.Context, path, to string, format ledger.Format) (float64, error) {
	log, err := sqlite.OpenSnapshot(path)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	file, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	begin := time.Now()
	done, err := ledger.Export(ctx, log, file, ledger.ExportOptions{Format: format})
	if err == nil && !done.Fits {
		err = errors.New("the log is not what was signed")
	}
	return float64(done.Events) / time.Since(begin).Seconds(), err
}

func verifyExport(path string) (float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	begin := time.Now()
	report, err := ledger.VerifyExport(file, ledger.Options{})
	if err == nil && !report.OK {
		err = fmt.Errorf("the export is not verified: %+v", report.Findings)
	}
	if err != nil {
		return 0, err
	}
	return float64(report.Events) / time.Since(begin).Seconds(), nil
}
