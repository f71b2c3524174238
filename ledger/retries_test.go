package ledger_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"tenure/eventstore"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/ledger"
)

// flaky is a log that cannot be read now and then.
type flaky struct {
	*logsqlite.Store
	broken  atomic.Bool
	checks  atomic.Int32 // that have begun
	checked atomic.Bool
}

func (f *flaky) ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	if f.broken.Load() {
		return eventstore.Page{}, errors.New("the disk is gone")
	}
	return f.Store.ReadAll(ctx, after, limit, filter)
}

func (f *flaky) Check(ctx context.Context) ([]eventstore.Flaw, error) {
	f.checks.Add(1)
	flaws, err := f.Store.Check(ctx)
	f.checked.Store(err == nil)
	return flaws, err
}

// TestARoundThatFailsChecksNothingAnew: it is tried again in seconds, and the file has
// been gone through already.
func TestARoundThatFailsChecksNothingAnew(t *testing.T) {
	w := four(t)
	log := &flaky{Store: w.log}
	l := ledger.New(ledger.Dependencies{
		Log: log, Tree: ledger.NewTree(w.views), Commands: w.commands, Key: w.key, Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- l.Run(running) }()
	w.until(log.checked.Load)
	for range 3 {
		log.broken.Store(true)
		w.until(func() bool { return l.State().Failing })
		log.broken.Store(false)
		w.until(func() bool { return !l.State().Failing })
	}
	stop()
	w.is.True(errors.Is(<-done, context.Canceled))
	w.is.Equal(log.checks.Load(), int32(1))
	w.is.NoErr(l.Recheck(ctx)) // who asks for it gets it
	w.is.Equal(log.checks.Load(), int32(2))
}
