package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"tenure/commands"
	"tenure/domain"
)

// Options are the settings of a History; the zero value of each is a default.
type Options struct {
	// CacheBytes is about how many bytes of pasts are kept. Default 128 MiB.
	CacheBytes int
	// Folds is how many pasts are folded at once; each takes a core. Default 2.
	Folds int
	// Waiting is how many folds may wait for that. Default 32.
	Waiting int
}

// ErrBusy says that too many pasts are being folded: try again later.
var ErrBusy = errors.New("history: too much of the past is being looked up")

// foldTimeout bounds a fold. It goes on when nobody waits any more, so that who
// asks again finds it.
const foldTimeout = 2 * time.Minute

// History finds organizations as they were. It is safe for concurrent use.
type History struct {
	commands *commands.Commands
	options  Options
	cache    *cache
	flights  singleflight.Group
	folds    *semaphore.Weighted
	reads    *semaphore.Weighted // of indexes
	waiting  atomic.Int64
	locks    [64]*semaphore.Weighted // of the indexes, by organization
}

// New makes a History of the log of the commands.
func New(c *commands.Commands, o Options) *History {
	o.CacheBytes = cmp.Or(o.CacheBytes, 128<<20)
	o.Folds = cmp.Or(o.Folds, 2)
	o.Waiting = cmp.Or(o.Waiting, 32)
	h := &History{commands: c, options: o, cache: newCache(o.CacheBytes), folds: semaphore.NewWeighted(int64(o.Folds)), reads: semaphore.NewWeighted(readIndexes)}
	for i := range h.locks {
		h.locks[i] = semaphore.NewWeighted(1)
	}
	return h
}

// At answers with an organization as it was. It fails with ErrAhead, a
// *NotFoundedError, ErrBusy, and CodeNotFound where there is no such
// organization.
func (h *History) At(ctx context.Context, org domain.OrganizationID, m Moment) (*Past, error) {
	x, n, err := h.locate(ctx, org, m)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, x.founded()
	}
	return h.past(ctx, x, n)
}

// Forget drops what is kept, and what is being folded: somebody's name is in it
// who was erased. Who asks next sees the pseudonym, at every moment of the past.
func (h *History) Forget() { h.cache.forgetAll() }

// locate finds the events that a moment has.
func (h *History) locate(ctx context.Context, org domain.OrganizationID, m Moment) (*index, int, error) {
	asked := time.Now()
	if m.Instant.After(h.commands.Now()) {
		return nil, 0, ErrAhead
	}
	lock := h.lock(org)
	if err := lock.Acquire(ctx, 1); err != nil {
		return nil, 0, err
	}
	defer lock.Release(1)
	x, ok := h.cache.index(org)
	n, known := 0, false
	if ok {
		n, known = x.count(m, asked)
	} else {
		x = &index{org: org, epoch: h.cache.begin()}
	}
	if !known {
		var err error
		if x, err = h.extend(ctx, x); err != nil {
			return nil, 0, err
		}
		if len(x.entries) == 0 {
			return nil, 0, domain.Refuse(domain.CodeNotFound, "No such organization", "Check the organization's id.")
		}
		h.cache.keepIndex(x)
		if n, known = x.count(m, asked); !known {
			return nil, 0, ErrAhead // a position that the log has not got to
		}
	}
	return x, n, nil
}

func (h *History) lock(org domain.OrganizationID) *semaphore.Weighted {
	hash := fnv.New32a()
	hash.Write([]byte(org))
	return h.locks[hash.Sum32()%uint32(len(h.locks))]
}

// past is the past with the first n events of an index: from the cache, from a
// fold that is under way, or from one of its own.
func (h *History) past(ctx context.Context, x *index, n int) (*Past, error) {
	if p, ok := h.cache.past(x.org, n); ok {
		return p, nil
	}
	flight := h.flights.DoChan(fmt.Sprintf("%s %d %d", x.org, n, x.epoch), func() (any, error) {
		if h.waiting.Add(1) > int64(h.options.Waiting+h.options.Folds) {
			h.waiting.Add(-1)
			return nil, ErrBusy
		}
		defer h.waiting.Add(-1)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), foldTimeout)
		defer cancel()
		if err := h.folds.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer h.folds.Release(1)
		p, err := h.fold(ctx, x, n)
		if err == nil {
			h.cache.keepPast(p, x.epoch)
		}
		return p, err
	})
	select {
	case done := <-flight:
		if done.Err != nil {
			return nil, done.Err
		}
		return done.Val.(*Past), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
