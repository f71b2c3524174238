// Package throttle bounds how often something may be tried.
package throttle

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Rate is how often something may happen: Events at once, and the same number
// again over each Per. The zero Rate is no limit.
type Rate struct {
	Events int
	Per    time.Duration
}

// Limiter counts. Implementations are safe for concurrent use, and shared by
// all nodes where there are several.
type Limiter interface {
	// Allow counts one event under key. When there were too many, it counts
	// nothing and says after how long the next one is allowed.
	Allow(ctx context.Context, key string, rate Rate) (retryAfter time.Duration, ok bool)
	// Return takes back one event that was allowed: it turned out to be none
	// of those to be counted.
	Return(ctx context.Context, key string, rate Rate)
}

// Memory is the Limiter of a single node. It holds a bounded number of keys, of
// which the least recently used is forgotten; a restart forgets all.
//
// It is the generic cell rate algorithm: of each key it knows when the events
// so far will have been worked off at the rate. (A limiter of x/time/rate
// cannot take an event back.)
type Memory struct {
	now func() time.Time

	mu   sync.Mutex
	keys *simplelru.LRU[string, time.Time]
}

// NewMemory makes a Memory for up to that many keys.
func NewMemory(keys int, now func() time.Time) *Memory {
	lru, err := simplelru.NewLRU[string, time.Time](max(keys, 1), nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &Memory{now: now, keys: lru}
}

// Allow implements Limiter.
func (m *Memory) Allow(_ context.Context, key string, rate Rate) (time.Duration, bool) {
	if rate.Events <= 0 {
		return 0, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	done, _ := m.keys.Get(key)
	if done.Before(now) {
		done = now
	}
	done = done.Add(rate.interval())
	if wait := done.Sub(now) - rate.Per; wait > 0 {
		return wait, false
	}
	m.keys.Add(key, done)
	return 0, true
}

// Return implements Limiter.
func (m *Memory) Return(_ context.Context, key string, rate Rate) {
	if rate.Events <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if done, ok := m.keys.Get(key); ok {
		m.keys.Add(key, done.Add(-rate.interval()))
	}
}

func (r Rate) interval() time.Duration { return r.Per / time.Duration(r.Events) }
