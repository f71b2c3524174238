package processes_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/domain/erasure"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/processes"
)

// A node forgets whom it reads of, also of what was written before it followed the
// log, and sweeps its outbox at the start and then.
func TestANodeForgetsWhoWasErased(t *testing.T) {
	s := newStack(t)
	conclude := func(revision int, subject string) {
		e, err := codec.New().Encode(eventstore.ID(uuid.New()), erasure.Concluded{ErasureID: domain.ErasureID(subject), Subjects: []string{subject}}, codec.Metadata{OccurredAt: s.now()})
		if err != nil {
			t.Fatal(err)
		}
		expected := eventstore.NoStream()
		if revision > 0 {
			expected = eventstore.Exactly(eventstore.Revision(revision - 1))
		}
		if _, err := s.log.Append(s.ctx, "erasures-all", expected, []eventstore.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var forgotten []string
	var sweeps atomic.Int64
	f := &processes.Forgetting{
		Log: s.log, Codec: codec.New(), Logger: slog.New(slog.DiscardHandler),
		Forget: func(e erasure.Concluded) {
			mu.Lock()
			defer mu.Unlock()
			forgotten = append(forgotten, e.Subjects...)
		},
		Sweep: func(context.Context) error { sweeps.Add(1); return nil },
	}
	knows := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(forgotten) == n
		}
	}
	conclude(0, "one")
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	s.eventually("what was written before is forgotten", knows(1))
	s.eventually("the outbox was swept", func() bool { return sweeps.Load() > 0 })
	before := sweeps.Load()
	conclude(1, "two")
	s.eventually("what is written later is forgotten", knows(2))
	s.eventually("the outbox was swept again", func() bool { return sweeps.Load() > before })
	cancel()
	if err := <-ended; err == nil {
		t.Error("it ended without the end of its context")
	}
}
