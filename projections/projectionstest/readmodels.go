package projectionstest

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/projections"
)

// ReadModels checks on random histories that every query answers what a search
// through all events would: after a projector that was killed, failed and ran
// twice; after all events have come again; and after the views were built anew.
// Each call of log opens an empty log. There are 40 histories, each with a log and
// views of its own, unless -rapid.checks says otherwise.
func ReadModels(t *testing.T, open Open, places func(t testing.TB) string, log func(t testing.TB) eventstore.Store) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		is.New(t).NoErr(checks.Value.Set("40"))
	}
	rapid.Check(t, func(rt *rapid.T) {
		is := is.New(rt)
		events := log(t)
		defer events.Close()
		place := places(t)
		history := newHistory(rt)

		history.grow(rapid.IntRange(0, 40).Draw(rt, "steps"))
		write(rt, events, history.events)
		interrupted(rt, events, func() projections.Storage { return open(t, place) })

		storage := open(t, place)
		defer func() { is.NoErr(storage.Close()) }()
		model := newModel(read(rt, events))
		reader := projections.NewReader(storage, 1<<20)
		check(rt, reader, model)

		// All events come again: the partitions have seen them.
		project(rt, events, forgetful{storage}, projections.Options{BatchEvents: 7})
		check(rt, reader, model)

		// Further ones come to what pages are in memory.
		before := len(history.events)
		history.grow(rapid.IntRange(0, 10).Draw(rt, "further steps"))
		write(rt, events, history.events[before:])
		project(rt, events, storage, projections.Options{})
		model = newModel(read(rt, events))
		check(rt, reader, model)

		for _, name := range names {
			is.NoErr(storage.Drop(context.Background(), name))
		}
		project(rt, events, storage, projections.Options{})
		check(rt, projections.NewReader(storage, 1<<20), model)
	})
}

// names are those of projections.Views.
var names = []string{
	"members.v2", "invitations.v2", "organizations.v2", "directory.v1", "memberships.v2", "invitees.v2", "timeline.v3", "deadlines.v2", "api_keys.v1",
	"spaces.v1", "work.v1", "settings.v2", "profiles.v1", "checkpoints.v1",
}

// interrupted applies the log with projectors that are stopped somewhere, whose
// storage fails somewhere, and of which two run at once; the last gets to the end.
func interrupted(t *rapid.T, events eventstore.Store, open func() projections.Storage) {
	is := is.New(t)
	for range rapid.IntRange(0, 3).Draw(t, "runs") {
		storage := open()
		shaky := &failing{Storage: storage, plan: rapid.SliceOfN(rapid.IntRange(-1, 6), 1, 6).Draw(t, "failures")}
		o := projections.Options{BatchEvents: rapid.IntRange(1, 20).Draw(t, "batch"), Documents: rapid.SampledFrom([]int{1, 5, 1000}).Draw(t, "documents")}
		stopAfter := rapid.IntRange(1, 12).Draw(t, "stop after batches")

		ctx, stop := context.WithCancel(context.Background())
		o.Observe = func(projections.Applied) {
			if stopAfter--; stopAfter <= 0 {
				stop()
			}
		}
		p := newProjector(events, shaky, o)
		var running sync.WaitGroup
		running.Go(func() { is.True(errors.Is(p.Run(ctx), context.Canceled)) })
		if rapid.Bool().Draw(t, "twice") {
			other := newProjector(events, storage, projections.Options{BatchEvents: 3})
			running.Go(func() { is.True(errors.Is(other.Run(ctx), context.Canceled)) })
		}
		head, err := events.Head(ctx)
		if err == nil {
			err = p.Wait(ctx, head) // ends with ctx if the projector is stopped before
		}
		is.True(err == nil || errors.Is(err, context.Canceled))
		stop()
		running.Wait()
		is.NoErr(storage.Close())
	}
	storage := open()
	project(t, events, storage, projections.Options{})
	is.NoErr(storage.Close())
}

// project applies the log to its end.
func project(t *rapid.T, events eventstore.Store, storage projections.Storage, o projections.Options) {
	is := is.New(t)
	ctx, stop := context.WithCancel(context.Background())
	p := newProjector(events, storage, o)
	var running sync.WaitGroup
	running.Go(func() { is.True(errors.Is(p.Run(ctx), context.Canceled)) })
	head, err := events.Head(ctx)
	is.NoErr(err)
	patient, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = p.Wait(patient, head)
	if err != nil {
		t.Errorf("%+v", p.State())
	}
	stop()
	running.Wait()
	is.NoErr(err)
}

func newProjector(events eventstore.Store, storage projections.Storage, o projections.Options) *projections.Projector {
	o.RetryAfter = time.Millisecond
	o.Logger = slog.New(slog.DiscardHandler)
	return projections.NewProjector(events, codec.New().Decode, storage, projections.Views(), o)
}

// failing is a storage that loses its connection: its n-th Apply does as many
// partitions as the plan says and fails then, -1 for none that fail.
type failing struct {
	projections.Storage
	mu   sync.Mutex
	plan []int
}

var errInjected = errors.New("projectionstest: connection lost")

func (f *failing) Apply(ctx context.Context, batches []projections.Batch) error {
	f.mu.Lock()
	partitions := -1
	if len(f.plan) > 0 {
		partitions, f.plan = f.plan[0], f.plan[1:]
	}
	f.mu.Unlock()
	if partitions < 0 {
		return f.Storage.Apply(ctx, batches)
	}
	for _, b := range batches {
		for _, c := range b.Changes {
			if partitions--; partitions < 0 {
				return errInjected
			}
			if err := f.Storage.Apply(ctx, []projections.Batch{{View: b.View, Changes: []projections.Change{c}}}); err != nil {
				return err
			}
		}
	}
	return errInjected // all was done, and nobody knows
}

// forgetful is a storage that has lost its checkpoints.
type forgetful struct{ projections.Storage }

func (forgetful) Checkpoint(context.Context, string) (eventstore.Position, error) { return 0, nil }

// write appends the events to the log.
func write(t *rapid.T, log eventstore.Store, events []recorded) {
	is := is.New(t)
	c := codec.New()
	for _, e := range events {
		encoded, err := c.Encode(e.id, e.event, e.metadata)
		is.NoErr(err)
		expected := eventstore.NoStream()
		if last, err := log.ReadStream(context.Background(), e.stream, 0, 10_000); err == nil {
			expected = eventstore.Exactly(last[len(last)-1].Revision)
		} else {
			is.True(errors.Is(err, eventstore.ErrStreamNotFound))
		}
		_, err = log.Append(context.Background(), e.stream, expected, []eventstore.Event{encoded})
		is.NoErr(err)
	}
}

// read is the whole log, decoded.
func read(t *rapid.T, log eventstore.Store) (events []codec.Envelope) {
	is := is.New(t)
	c := codec.New()
	for after := eventstore.Position(0); ; {
		page, err := log.ReadAll(context.Background(), after, 1000, eventstore.Filter{})
		is.NoErr(err)
		for _, r := range page.Events {
			e, err := c.Decode(r)
			is.NoErr(err)
			events = append(events, e)
		}
		if page.Head {
			return events
		}
		after = page.Position
	}
}
