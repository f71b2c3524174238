package commands

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

const (
	loadPage   = 1000 // events read at a time when an aggregate is folded
	queueLimit = 4096 // commands that may wait for one aggregate
)

// aggregates are the aggregates of one kind, folded from their streams, in a
// cache that is bounded by the number of events folded. A cached aggregate
// reads only what is new. Losing the cache loses nothing.
type aggregates[S any] struct {
	Dependencies
	prefix string // of the stream names
	evolve func(S, domain.Event) S
	origin *aggregates[S] // what a dry run goes on from, or nil

	// traceless are streams in which a command that changes nothing leaves no
	// trace: see written.
	traceless bool

	mu     sync.Mutex
	cached *simplelru.LRU[string, *aggregate[S]]
	folded int // events folded into what is cached
}

// aggregate is one stream's aggregate. Commands queue up in waiting; one
// goroutine at a time decides them, as long as there are any.
type aggregate[S any] struct {
	stream  string
	current atomic.Pointer[snapshot[S]] // what is in the log only
	origin  *aggregate[S]               // what a dry run goes on from, or nil

	fold sync.Mutex          // held while current moves on
	keys map[string]answered // what commands with an Idempotency-Key did; guarded by fold

	mu      sync.Mutex
	waiting []*pending[S]
	leading bool
}

// snapshot is an aggregate's state after some event. It is never changed.
type snapshot[S any] struct {
	state    S
	next     uint64              // the revision of the next event: the number of events folded
	position eventstore.Position // at or after that of the last event folded
}

// answered is what a command with an Idempotency-Key did.
type answered struct {
	fingerprint string
	first, last eventstore.Revision
}

func newAggregates[S any](d Dependencies, prefix string, evolve func(S, domain.Event) S) *aggregates[S] {
	a := &aggregates[S]{Dependencies: d, prefix: prefix, evolve: evolve}
	// Entries of streams without events are bounded by their number.
	a.cached, _ = simplelru.NewLRU[string, *aggregate[S]](max(d.CachedEvents/8, 1), func(_ string, g *aggregate[S]) {
		a.folded -= int(g.current.Load().next)
	})
	return a
}

// load answers with the state after every event that is in the log by now.
func (a *aggregates[S]) load(ctx context.Context, id string) (S, eventstore.Expected, error) {
	s, err := a.latest(ctx, id)
	if err != nil {
		var none S
		return none, eventstore.Expected{}, err
	}
	return s.state, s.expected(), nil
}

// latest is load, for who wants to know what the state rests on.
func (a *aggregates[S]) latest(ctx context.Context, id string) (*snapshot[S], error) {
	return a.refresh(ctx, a.get(id))
}

// get finds the aggregate in the cache, or puts an empty one there.
func (a *aggregates[S]) get(id string) *aggregate[S] {
	a.mu.Lock()
	defer a.mu.Unlock()
	if found, ok := a.cached.Get(id); ok {
		return found
	}
	made := &aggregate[S]{stream: a.prefix + id}
	made.current.Store(&snapshot[S]{})
	a.fork(made, id)
	a.cached.Add(id, made)
	return made
}

// forget makes the aggregate start over from the log.
func (a *aggregates[S]) forget(g *aggregate[S]) {
	g.fold.Lock()
	defer g.fold.Unlock()
	before := g.current.Swap(&snapshot[S]{})
	g.keys = nil
	a.account(g, -int(before.next))
}

// drop makes the aggregate start over from the log, if it is in memory.
func (a *aggregates[S]) drop(id string) {
	a.mu.Lock()
	g, ok := a.cached.Peek(id)
	a.mu.Unlock()
	if ok {
		a.forget(g)
	}
}

// account keeps the cache within its bound after g has folded n more events.
func (a *aggregates[S]) account(g *aggregate[S], n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := g.stream[len(a.prefix):]
	if cached, ok := a.cached.Peek(id); !ok || cached != g {
		return // evicted meanwhile: not counted any more
	}
	a.folded += n
	for a.folded > a.CachedEvents && a.cached.Len() > 1 {
		a.cached.RemoveOldest()
	}
}

// refresh folds what is new in the log.
func (a *aggregates[S]) refresh(ctx context.Context, g *aggregate[S]) (*snapshot[S], error) {
	s := g.current.Load()
	news, err := a.read(ctx, g, s.next)
	if err != nil || len(news) == 0 {
		return s, err
	}
	g.fold.Lock()
	defer g.fold.Unlock()
	for {
		s = g.current.Load()
		if news, err = a.read(ctx, g, s.next); err != nil || len(news) == 0 {
			return s, err
		}
		if err := a.Codec.Prefetch(ctx, news); err != nil {
			return nil, err
		}
		next := &snapshot[S]{state: s.state, next: s.next, position: s.position}
		for _, recorded := range news {
			e, err := a.Codec.Decode(recorded)
			if err != nil {
				return nil, err
			}
			next.state = a.evolve(next.state, e.Event)
			g.remember(e.Metadata, e.Revision)
			next.next, next.position = uint64(e.Revision)+1, e.Position
		}
		g.current.Store(next)
		a.account(g, len(news))
	}
}

func (a *aggregates[S]) read(ctx context.Context, g *aggregate[S], from uint64) ([]eventstore.Recorded, error) {
	news, err := a.Store.ReadStream(ctx, g.stream, eventstore.Revision(from), loadPage)
	if errors.Is(err, eventstore.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("commands: reading %s: %w", a.prefix, err)
	}
	return news, nil
}

func (s *snapshot[S]) expected() eventstore.Expected {
	if s.next == 0 {
		return eventstore.NoStream()
	}
	return eventstore.Exactly(eventstore.Revision(s.next - 1))
}

// remember keeps what the command of an Idempotency-Key wrote, for as long as
// the stream is cached: identifiers are derived from keys and must not be made
// twice. The caller holds fold.
func (g *aggregate[S]) remember(m codec.Metadata, revision eventstore.Revision) {
	if m.CommandID == "" {
		return
	}
	known, ok := g.keys[m.CommandID]
	if !ok {
		known = answered{fingerprint: m.Fingerprint, first: revision}
	}
	known.last = revision
	if g.keys == nil {
		g.keys = make(map[string]answered)
	}
	g.keys[m.CommandID] = known
}

// answered finds what the command with this id did before.
func (g *aggregate[S]) answered(commandID string) (answered, bool) {
	g.fold.Lock()
	defer g.fold.Unlock()
	known, ok := g.keys[commandID]
	if !ok && g.origin != nil {
		return g.origin.answered(commandID)
	}
	return known, ok
}
