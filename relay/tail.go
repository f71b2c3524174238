package relay

import (
	"sort"
	"sync"

	"tenure/eventstore"
)

// Bounds of the tail.
const (
	tailEvents = 4096
	tailBytes  = 16 << 20 // of what the log holds of them
)

// tail is the end of the feed in memory, read from the log once for all readers
// that wait there. An event is shown once, however many readers it goes to.
type tail struct {
	render *renderer

	mu       sync.Mutex
	begun    bool
	entries  []*entry
	bytes    int
	since    eventstore.Position // entries has all of the feed after it
	position eventstore.Position // and up to here
	news     chan struct{}       // closed when position moves; nil when nobody waits
}

// entry is an event, and how it is shown without and with personal data.
type entry struct {
	eventstore.Recorded
	shown [2]shown
}

type shown struct {
	once  sync.Once
	event Event
	err   error
}

func newTail(r *renderer) *tail { return &tail{render: r} }

// begin says after which position to follow a log that ends at head.
func (t *tail) begin(head eventstore.Position) eventstore.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.begun, t.since, t.position = true, head, head
	}
	return t.position
}

// take adds what comes next in the log.
func (t *tail) take(page eventstore.Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range page.Events {
		if _, ok := organizationOf(&page.Events[i]); ok {
			t.entries = append(t.entries, &entry{Recorded: page.Events[i]})
			t.bytes += page.Events[i].Size()
		}
	}
	t.position = max(t.position, page.Position)
	if len(t.entries) > 2*tailEvents || t.bytes > 2*tailBytes {
		t.forget()
	}
	if t.news != nil {
		close(t.news)
		t.news = nil
	}
}

// forget drops the older half.
func (t *tail) forget() {
	n := 0
	for len(t.entries)-n > tailEvents || t.bytes > tailBytes && n < len(t.entries) {
		t.since = t.entries[n].Position
		t.bytes -= t.entries[n].Size()
		n++
	}
	t.entries = append(make([]*entry, 0, 2*tailEvents), t.entries[n:]...)
}

// read answers with up to limit entries after a position that are wanted, and
// how far they go; ok is false where memory does not reach back that far.
func (t *tail) read(after eventstore.Position, limit int, wanted func(*entry) bool) (found []*entry, position eventstore.Position, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun || after < t.since {
		return nil, after, false
	}
	position = after
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].Position > after })
	for ; i < len(t.entries) && len(found) < limit; i++ {
		position = t.entries[i].Position
		if wanted(t.entries[i]) {
			found = append(found, t.entries[i])
		}
	}
	if i == len(t.entries) {
		position = max(t.position, after)
	}
	return found, position, true
}

// again has every entry shown anew.
func (t *tail) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range t.entries {
		t.entries[i] = &entry{Recorded: e.Recorded}
	}
}

// reached is how far the tail goes, zero before it has begun.
func (t *tail) reached() eventstore.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.position
}

// wait answers with a channel that is closed once the tail goes beyond the
// position; nil when it does already.
func (t *tail) wait(after eventstore.Position) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.position > after {
		return nil
	}
	if t.news == nil {
		t.news = make(chan struct{})
	}
	return t.news
}

// show shows an entry; the first reader that asks does the work.
// What differs between readers by more than that is shown to each by itself.
func (t *tail) show(e *entry, to view) (Event, error) {
	if to.reads != nil && t.render.guarded(e.Type) {
		return t.render.event(e.Recorded, to)
	}
	s := &e.shown[0]
	if to.personal {
		s = &e.shown[1]
	}
	to.reads = nil // so that nobody sees what somebody else may
	s.once.Do(func() { s.event, s.err = t.render.event(e.Recorded, to) })
	return s.event, s.err
}
