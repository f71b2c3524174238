package keyring

import (
	"context"
	"sync"
	"time"
)

// mostTogether bounds the keys of one commit.
const mostTogether = 1024

// adding makes one commit of the keys that several callers want stored at the
// same time, as the log does with appends: while the store is busy with one, the
// next ones gather. A caller alone waits for nobody.
type adding struct {
	mu      sync.Mutex
	waiting []*addition
	leading bool
}

// addition are the keys of one caller.
type addition struct {
	keys    []*Key
	settled []*Key
	err     error
	done    chan struct{}
}

// Ensure stores candidates, and answers for each with the key to seal with: the
// candidate, the newest key that the subject has already, or nil for a subject
// that was destroyed. All of them are on stable storage then. When ctx ends
// before, the keys may or may not be stored, which does no harm.
func (r *Ring) Ensure(ctx context.Context, candidates []*Key) ([]*Key, error) {
	if len(candidates) == 0 {
		return nil, nil
	}
	a := &addition{keys: candidates, done: make(chan struct{})}
	r.adding.mu.Lock()
	r.adding.waiting = append(r.adding.waiting, a)
	lead := !r.adding.leading
	r.adding.leading = true
	r.adding.mu.Unlock()
	if lead {
		go r.addAll()
	}
	select {
	case <-a.done:
		return a.settled, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// addAll stores what waits until nobody does.
func (r *Ring) addAll() {
	for {
		r.adding.mu.Lock()
		n, keys := 0, 0
		for n < len(r.adding.waiting) && (n == 0 || keys+len(r.adding.waiting[n].keys) <= mostTogether) {
			keys += len(r.adding.waiting[n].keys)
			n++
		}
		group := r.adding.waiting[:n:n]
		r.adding.waiting = r.adding.waiting[n:]
		r.adding.leading = n > 0
		r.adding.mu.Unlock()
		if n == 0 {
			return
		}
		r.addGroup(group)
	}
}

func (r *Ring) addGroup(group []*addition) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	var wrapped []Wrapped
	for _, a := range group {
		for _, k := range a.keys {
			wrapped = append(wrapped, k.wrapped)
		}
	}
	asked, began := r.options.Now(), time.Now()
	holdings, err := r.store.Add(ctx, wrapped)
	if err == nil {
		r.options.OnStored(len(wrapped), time.Since(began))
	}
	at := 0
	for _, a := range group {
		a.settled, a.err = make([]*Key, len(a.keys)), err
		for i, k := range a.keys {
			if a.err == nil {
				a.settled[i], a.err = r.settle(k, holdings[at], asked)
			}
			at++
		}
		close(a.done)
	}
}

// settle is the key to seal with, now that the store holds what it holds.
func (r *Ring) settle(candidate *Key, h Holding, at time.Time) (*Key, error) {
	e, err := r.keep(candidate.Subject, h, at, candidate)
	if err != nil || e.destroyed {
		return nil, err
	}
	return e.keys[len(e.keys)-1], nil
}
