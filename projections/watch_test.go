package projections_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/projections"
)

// rebuiltElsewhere is two nodes, of which the first has rebuilt the list of
// members and dropped the one before, after the second was told to do something.
func (f *fixture) rebuiltElsewhere(second func(options projections.Options) *projections.Projector, before func()) *projections.Projector {
	f.t.Helper()
	options := projections.Options{
		Shared: true, RetryAfter: time.Millisecond, RetireAfter: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
	f.append(activated(), joined(1, "Ada"))
	one := projections.NewProjector(f.log, codec.New().Decode, f.views, projections.Views(), options)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = one.Run(ctx) }()
	f.t.Cleanup(func() { stop(); <-done })
	two := second(options)
	f.is.NoErr(one.Wait(patience(f.t), f.head))
	f.is.NoErr(two.Wait(patience(f.t), f.head))
	f.is.Equal(f.members(two.Reader(1<<20)), 2)
	before()
	f.is.NoErr(one.StartRebuild(f.t.Context(), "members"))
	f.until(one, "members.v2", projections.PhaseNone)
	rows, _, err := f.views.Range(f.t.Context(), "members.v2", projections.RangeQuery{Partition: string(org), Limit: 10})
	f.is.NoErr(err)
	f.is.Equal(len(rows), 0)
	return two
}

// A node that hung for so long that the rows it reads are gone reads others.
func TestANodeThatHungServesNoGenerationThatIsGone(t *testing.T) {
	f := newFixture(t)
	ctx, hang := context.WithCancel(t.Context())
	watching := make(chan struct{})
	two := f.rebuiltElsewhere(func(o projections.Options) *projections.Projector {
		p := projections.NewProjector(f.log, codec.New().Decode, f.views, projections.Views(), o)
		go func() { defer close(watching); _ = p.Watch(ctx) }()
		return p
	}, func() { hang(); <-watching })
	f.is.NoErr(two.Wait(patience(t), f.head)) // which it knew before
	f.is.Equal(f.members(two.Reader(1<<20)), 2)
}

// lost is a log that cannot be reached for a time.
type lost struct {
	eventstore.Store
	away atomic.Bool
}

var errLogAway = errors.New("the log is away")

// Head implements eventstore.Store.
func (l *lost) Head(ctx context.Context) (eventstore.Position, error) {
	if l.away.Load() {
		return 0, errLogAway
	}
	return l.Store.Head(ctx)
}

// What a node that watches does first is to look which rows serve: whatever else
// it cannot find out.
func TestANodeWithoutTheLogFollowsTheGenerations(t *testing.T) {
	f := newFixture(t)
	log := &lost{Store: f.log}
	two := f.rebuiltElsewhere(func(o projections.Options) *projections.Projector {
		o.RetireAfter = time.Hour // it does not look by itself before it reads
		p := projections.NewProjector(log, codec.New().Decode, f.views, projections.Views(), o)
		go func() { _ = p.Watch(t.Context()) }()
		return p
	}, func() { log.away.Store(true) })
	r := two.Reader(1 << 20)
	eventually(t, two, func(s projections.State) bool { return s.Halted && f.members(r) == 2 })
}
