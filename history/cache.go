package history

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"tenure/domain"
)

// cache keeps indexes and pasts up to a number of bytes; what was not asked for
// the longest goes first.
type cache struct {
	mu    sync.Mutex
	limit int
	bytes int
	all   *simplelru.LRU[place, kept]
	pasts map[domain.OrganizationID]map[int]bool // by the number of events
	epoch int                                    // how often everything was forgotten
}

// place is what stands where: an organization's past with so many events, or its
// index.
type place struct {
	org    domain.OrganizationID
	events int
}

const indexed = -1

type kept struct {
	index *index
	past  *Past
	cost  int
}

func newCache(limit int) *cache {
	c := &cache{limit: limit, pasts: make(map[domain.OrganizationID]map[int]bool)}
	all, err := simplelru.NewLRU(max(1, limit/256), c.forget)
	if err != nil {
		panic(err) // the size is positive
	}
	c.all = all
	return c
}

func (c *cache) forget(at place, k kept) {
	c.bytes -= k.cost
	if at.events == indexed {
		return
	}
	delete(c.pasts[at.org], at.events)
	if len(c.pasts[at.org]) == 0 {
		delete(c.pasts, at.org)
	}
}

// begin is the epoch of what is looked up from now on.
func (c *cache) begin() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// forgetAll drops everything, and whatever was begun before.
func (c *cache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.all.Purge()
}

func (c *cache) index(org domain.OrganizationID) (*index, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.all.Get(place{org, indexed})
	return k.index, ok
}

func (c *cache) keepIndex(x *index) {
	c.keep(place{x.org, indexed}, kept{index: x, cost: x.cost()}, x.epoch)
}

func (c *cache) past(org domain.OrganizationID, events int) (*Past, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.all.Get(place{org, events})
	return k.past, ok
}

func (c *cache) keepPast(p *Past, epoch int) {
	c.keep(place{p.org, p.events}, kept{past: p, cost: p.cost}, epoch)
}

// before finds the latest past that is not after so many events.
func (c *cache) before(org domain.OrganizationID, events int) (*Past, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := 0
	for n := range c.pasts[org] {
		if n <= events {
			best = max(best, n)
		}
	}
	k, ok := c.all.Get(place{org, best})
	return k.past, ok
}

// keep keeps what is no more than half of everything.
func (c *cache) keep(at place, k kept, epoch int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	c.all.Remove(at)
	if k.cost > c.limit/2 {
		return
	}
	c.all.Add(at, k)
	if at.events != indexed {
		if c.pasts[at.org] == nil {
			c.pasts[at.org] = make(map[int]bool)
		}
		c.pasts[at.org][at.events] = true
	}
	for c.bytes += k.cost; c.bytes > c.limit; {
		c.all.RemoveOldest()
	}
}
