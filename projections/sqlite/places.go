package sqlite

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"tenure/eventstore"
)

// places remembers partitions: the integer that stands for one in the file, and
// its position. What it holds is what the file holds; what it lacks is read
// from there. Only the writer changes partitions, and it commits while it tells
// places: a position is never ahead of the data that a query sees, and who has
// seen newer data finds no older position afterwards.
type places struct {
	mu     sync.Mutex
	known  *simplelru.LRU[partition, place]
	change uint64 // counts the commits
}

type partition struct{ view, name string }

type place struct {
	id       int64 // zero: never written
	position eventstore.Position
}

// written are the partitions that a transaction has moved.
type written map[partition]place

func newPlaces(size int) *places {
	known, err := simplelru.NewLRU[partition, place](size, nil)
	if err != nil {
		panic(err) // size is positive
	}
	return &places{known: known}
}

// find answers from memory; change tells remember what it was found at.
func (p *places) find(key partition) (found place, ok bool, change uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok = p.known.Get(key)
	return found, ok, p.change
}

// remember keeps what was read from the file, unless there was a commit since
// find: the place read may be the one before it.
func (p *places) remember(key partition, read place, change uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.change == change {
		p.known.Add(key, read)
	}
}

// publish commits, and keeps what was written.
func (p *places) publish(w written, commit func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := commit(); err != nil {
		return err
	}
	p.change++
	for key, place := range w {
		p.known.Add(key, place)
	}
	return nil
}

// forget empties the memory.
func (p *places) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.change++
	p.known.Purge()
}
