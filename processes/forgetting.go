package processes

import (
	"context"
	"log/slog"
	"time"

	"tenure/domain/erasure"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Forgetting has a node forget who was erased as soon as the log says under which
// keys everything about them was sealed: what it has in memory, and the mails in
// its outbox. Every node does that for itself.
//
// A node that is not running when that is said has nothing in memory; its outbox
// is swept when it starts. Killed in between, it starts.
type Forgetting struct {
	Log    eventstore.Store
	Codec  *codec.Codec
	After  eventstore.Position // of the log, before anything was in memory
	Forget func(erasure.Concluded)
	Sweep  func(context.Context) error // deletes what is about people whose keys are gone
	Logger *slog.Logger
}

// sweepAgain is after how long the outbox is swept once more: a mail may have been
// composed by one that knew the keys still, and put there after the first time.
const sweepAgain = time.Minute

// Run follows the log until ctx ends, and answers with its error.
func (f *Forgetting) Run(ctx context.Context) error {
	again := time.NewTimer(0) // sweeps at the start
	defer again.Stop()
	concluded := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-again.C:
			case <-concluded:
				again.Reset(sweepAgain)
			case <-ctx.Done():
				return
			}
			for err := f.Sweep(ctx); err != nil && ctx.Err() == nil; err = f.Sweep(ctx) {
				f.Logger.Warn("the outbox cannot be searched for people who were erased; trying again", "error", err)
				sleep(ctx, longestPause)
			}
		}
	}()
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, longestPause) {
		began := time.Now()
		err := f.follow(ctx, concluded)
		if time.Since(began) > longestPause {
			pause = firstPause
		}
		if ctx.Err() == nil {
			f.Logger.Warn("the log cannot be followed for people who are erased; trying again", "error", err)
			sleep(ctx, pause)
		}
	}
	return ctx.Err()
}

func (f *Forgetting) follow(ctx context.Context, concluded chan<- struct{}) error {
	sub, err := f.Log.Subscribe(ctx, f.After, eventstore.Filter{TypePrefixes: []string{"erasure.concluded."}})
	if err != nil {
		return err
	}
	defer sub.Close()
	const together = 100
	for {
		page, err := sub.Next(ctx, together)
		if err != nil {
			return err
		}
		for _, recorded := range page.Events {
			e, err := f.Codec.Decode(recorded)
			if err != nil {
				return err
			}
			f.Forget(e.Event.(erasure.Concluded))
			select {
			case concluded <- struct{}{}:
			default: // it will be swept
			}
		}
		f.After = max(f.After, page.Position)
	}
}
