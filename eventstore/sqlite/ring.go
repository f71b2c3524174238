package sqlite

import "tenure/eventstore"

// ring holds the newest events of the log, bounded in number and bytes. Their
// positions follow each other without gaps, since the writer gives them out.
type ring struct {
	slots    []entry
	first    eventstore.Position // the oldest event in it; the next to come when it is empty
	count    int
	bytes    int
	maxBytes int
	lasts    map[int64]eventstore.Position // the newest event in it of each stream
}

// entry is an event in memory.
type entry struct {
	eventstore.Recorded
	stream   int64               // row id
	previous eventstore.Position // the one before it in its stream, if that was in memory when it came
}

func newRing(events, bytes int) ring {
	return ring{slots: make([]entry, events), maxBytes: bytes, first: 1, lasts: map[int64]eventstore.Position{}}
}

// startAfter says, while the ring is empty, which event is the last before it.
func (r *ring) startAfter(position eventstore.Position) { r.first = position + 1 }

// push adds the event after the newest, and drops the oldest that no longer fit.
func (r *ring) push(e entry) {
	for r.count > 0 && (r.count == len(r.slots) || r.bytes+e.size() > r.maxBytes) {
		r.drop()
	}
	e.previous = r.lasts[e.stream]
	r.lasts[e.stream] = e.Position
	*r.slot(e.Position) = e
	r.count++
	r.bytes += e.size()
}

// last is the newest event of a stream, nil if none is in the ring.
func (r *ring) last(stream int64) *entry {
	position, ok := r.lasts[stream]
	if !ok {
		return nil
	}
	return r.slot(position)
}

// before is the event before e in its stream, nil if it is not in the ring.
func (r *ring) before(e *entry) *entry {
	if e.previous < r.first {
		return nil
	}
	return r.slot(e.previous)
}

func (r *ring) drop() {
	e := r.slot(r.first)
	r.bytes -= e.size()
	if r.lasts[e.stream] == e.Position {
		delete(r.lasts, e.stream)
	}
	*e = entry{}
	r.first++
	r.count--
}

// slot is the place of the event at a position that is in the ring.
func (r *ring) slot(position eventstore.Position) *entry {
	return &r.slots[uint64(position)%uint64(len(r.slots))]
}

func (e *entry) size() int { return len(e.Data) + len(e.Metadata) + len(e.Type) + len(e.Stream) }
