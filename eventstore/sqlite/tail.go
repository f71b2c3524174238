package sqlite

import (
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
	"tenure/eventstore"
)

// tail is the end of the log in memory, as all readers see it: how far the log
// is published, its newest events, and where streams end. Everything in it is
// committed. The events that the table revisions lacks are always among the
// newest events.
type tail struct {
	heads *lru.Cache[string, head] // by stream name
	names *lru.Cache[int64, string]
	types atomic.Pointer[[]string] // by row id

	position atomic.Uint64 // of the newest published event

	mu     sync.RWMutex // publishing holds it for writing
	recent ring
	news   chan struct{} // closed by the next publication
}

// head is the end of one stream.
type head struct {
	stream int64 // row id, zero while the stream has no row
	name   string
	next   uint64 // the revision that the next event gets
}

func newTail(o Options) *tail {
	t := &tail{recent: newRing(o.RecentEvents, o.RecentBytes), news: make(chan struct{})}
	// The only error is a size below one, which withDefaults rules out.
	t.heads, _ = lru.New[string, head](o.StreamHeads)
	t.names, _ = lru.New[int64, string](o.StreamHeads)
	t.types.Store(new([]string))
	return t
}

// start begins with the log as it is in the file.
func (t *tail) start(position eventstore.Position) {
	t.recent.startAfter(position)
	t.position.Store(uint64(position))
}

func (t *tail) published() eventstore.Position {
	return eventstore.Position(t.position.Load())
}

// publish makes committed events visible, all at once, and wakes who waits.
func (t *tail) publish(events []entry, heads map[string]head) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, h := range heads {
		if h.next > 0 {
			t.heads.Add(name, h)
		}
	}
	for i := range events {
		t.recent.push(events[i])
	}
	t.position.Store(uint64(events[len(events)-1].Position))
	close(t.news)
	t.news = make(chan struct{})
}

// wait answers a channel that is closed when something after the position is
// published; nil when there is something already.
func (t *tail) wait(after eventstore.Position) <-chan struct{} {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.published() > after {
		return nil
	}
	return t.news
}

// remember keeps the end of a stream that a reader found in the file, where
// the log was published up to seen, unless newer events may have moved it.
func (t *tail) remember(h head, seen eventstore.Position) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.published() == seen {
		t.heads.ContainsOrAdd(h.name, h)
	}
}

// stretch is what memory knows of a stream at one moment.
type stretch struct {
	published eventstore.Position
	next      uint64                // after the stream's last event, zero when none of its events is in memory
	lowest    eventstore.Revision   // of the stream's events in memory
	events    []eventstore.Recorded // from the asked revision or lowest on, whichever is higher, up to the limit
}

// stream looks for the events of a stream from a revision on.
func (t *tail) stream(stream int64, from eventstore.Revision, limit int) stretch {
	t.mu.RLock()
	defer t.mu.RUnlock()
	found := stretch{published: t.published()}
	last := t.recent.last(stream)
	if last == nil {
		return found
	}
	found.next, found.lowest = uint64(last.Revision)+1, last.Revision
	for e := last; e != nil && found.lowest > from; e = t.recent.before(e) {
		found.lowest = e.Revision
	}
	first := max(from, found.lowest)
	if uint64(first) >= found.next {
		return found
	}
	found.events = make([]eventstore.Recorded, min(uint64(limit), found.next-uint64(first)))
	for e := last; e != nil && e.Revision >= first; e = t.recent.before(e) {
		if i := uint64(e.Revision - first); i < uint64(len(found.events)) {
			found.events[i] = e.Recorded
		}
	}
	return found
}

// page reads the log after a position, if memory reaches back that far.
func (t *tail) page(after eventstore.Position, limit int, matches func(string) bool) (page eventstore.Page, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	published := t.published()
	if after >= published {
		return eventstore.Page{Position: after, Head: true}, true
	}
	if after+1 < t.recent.first {
		return eventstore.Page{}, false
	}
	page.Position = after
	for page.Position < published && len(page.Events) < limit {
		page.Position++
		if e := t.recent.slot(page.Position); matches(e.Type) {
			page.Events = append(page.Events, e.Recorded)
		}
	}
	page.Head = page.Position == published
	return page, true
}
