package history

import (
	"context"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/policy"
	"tenure/eventstore"
	"tenure/projections"
	"tenure/projections/memory"
)

// Past is an organization as it was after one of its events. It is never changed.
type Past struct {
	Position eventstore.Position // of that event
	At       time.Time           // when it took effect
	Reader   *projections.Reader // of the organization's own views
	Trail    commands.Trail      // what permission checks rested on
	Rules    *policy.Policy      // that was in force

	org     domain.OrganizationID
	events  int // of the organization's, counted
	cost    int
	storage *memory.Storage
}

// foldChunk is how many events are in memory decoded at once. Each chunk merges
// the lists of the partitions once.
const foldChunk = 16_000

// fold makes the past with the first n events of an index. It goes on from the
// latest past before it that is kept.
func (h *History) fold(ctx context.Context, x *index, n int) (*Past, error) {
	storage, trail, from := memory.New(), commands.Trail{}, 0
	if before, ok := h.cache.before(x.org, n); ok {
		storage, trail, from = before.storage.Clone(), before.Trail, before.events
	}
	replay, err := projections.NewReplay(storage, projections.OrganizationViews())
	if err != nil {
		return nil, err
	}
	for from < n {
		to := min(n, from+foldChunk)
		decoded, err := h.read(ctx, x, x.entries[from:to])
		if err != nil {
			return nil, err
		}
		events := make([]projections.Event, len(decoded))
		for i, e := range decoded {
			events[i] = projections.Event{Envelope: e.Envelope, Recorded: e.recorded}
			if e.own {
				trail = trail.Follow(e.Envelope)
			}
		}
		if err := replay.Apply(ctx, events); err != nil {
			return nil, err
		}
		from = to
	}
	last := x.entries[n-1]
	p := &Past{
		Position: last.position, At: last.at(), Reader: projections.NewReader(storage, 0), Trail: trail,
		org: x.org, events: n, storage: storage,
	}
	// The trail holds about a third of what the views do.
	p.cost = storage.Size() * 4 / 3
	p.Rules, err = h.commands.RulesOf(trail)
	return p, err
}
