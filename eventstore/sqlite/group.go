package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tenure/eventstore"
)

const insertEvent = "INSERT INTO events (position, stream, revision, id, type, data, metadata, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

var errStreamFull = fmt.Errorf("%w: the stream cannot hold more events", eventstore.ErrInvalidAppend)

// append adds one append to the group, or decides why it is not added. The
// error is one of the file, and fails the whole group.
func (w *writer) append(r *request) error {
	h, err := w.head(r.stream)
	if err != nil {
		return err
	}
	expected := r.expected.Next()
	if last, ok := r.expected.Last(); ok && expected <= last {
		expected = last // the highest revision there is has no next; no stream is there
	}
	switch {
	case uint64(expected) == h.next && h.next+uint64(len(r.events)) > maxRevisions:
		r.err = errStreamFull
		return nil
	case uint64(expected) == h.next:
		return w.insertAll(r, h)
	case uint64(expected) < h.next:
		repeated, err := w.repeated(r, h, expected)
		if err != nil || repeated {
			return err
		}
	}
	actual := eventstore.NoStream()
	if h.next > 0 {
		actual = eventstore.Exactly(eventstore.Revision(h.next - 1))
	}
	r.err = &eventstore.ConflictError{Stream: r.stream, Expected: r.expected, Actual: actual}
	return nil
}

// head is the end of a stream as this group leaves it so far.
func (w *writer) head(stream string) (head, error) {
	if h, ok := w.group.heads[stream]; ok {
		return h, nil
	}
	h, ok := w.tail.heads.Get(stream)
	if !ok {
		var err error
		if h, err = w.findHead(stream); err != nil {
			return h, err
		}
	}
	w.group.heads[h.name] = h
	return h, nil
}

// findHead looks where memory does not have the stream's end: in its newest
// event if that is in memory, else in the file.
func (w *writer) findHead(stream string) (h head, err error) {
	h.name = strings.Clone(stream)
	if h.stream, err = number(w.conn, "SELECT id FROM streams WHERE name = ?", stream); err != nil || h.stream == 0 {
		return h, err
	}
	seen := w.tail.stream(h.stream, 1<<63-1, 1)
	if h.next = seen.next; h.next == 0 {
		h.next, err = nextRevision(w.conn, h.stream, seen.published)
	}
	return h, err
}

// repeated reports whether the stream has exactly the request's events where
// the request wants them; then the answer is that of the first time.
func (w *writer) repeated(r *request, h head, from eventstore.Revision) (bool, error) {
	if uint64(from)+uint64(len(r.events)) > h.next {
		return false, nil
	}
	there, _, err := w.tail.readStream(context.Background(), w.conn, h, from, len(r.events))
	if err != nil {
		return false, err
	}
	for i := range w.group.entries {
		if e := &w.group.entries[i]; e.stream == h.stream && e.Revision >= from {
			there = append(there, e.Recorded)
		}
	}
	if there = there[:min(len(there), len(r.events))]; len(there) < len(r.events) {
		return false, fmt.Errorf("%w: stream %s ends early", errDamaged, h.name)
	}
	same := slices.EqualFunc(there, r.events, func(a eventstore.Recorded, b eventstore.Event) bool { return a.ID == b.ID })
	if same {
		last := there[len(there)-1]
		r.result = eventstore.Result{LastRevision: last.Revision, Position: last.Position}
	}
	return same, nil
}

// insertAll writes the request's events to the end of the stream.
func (w *writer) insertAll(r *request, h head) (err error) {
	if h.stream == 0 {
		if h.stream, err = w.insertName("INSERT INTO streams (name) VALUES (?)", h.name); err != nil {
			return err
		}
	}
	position := w.tail.published() + eventstore.Position(len(w.group.entries))
	for i := range r.events {
		e := &r.events[i]
		kind, name, err := w.kind(e.Type)
		if err != nil {
			return err
		}
		e.Type = name
		position++
		recorded := eventstore.Recorded{
			Event: *e, Stream: h.name, Revision: eventstore.Revision(h.next), Position: position, RecordedAt: w.group.recorded,
		}
		if err := w.insertOne(&recorded, h.stream, kind); err != nil {
			return err
		}
		w.group.entries = append(w.group.entries, entry{Recorded: recorded, stream: h.stream})
		w.group.bytes += w.group.entries[len(w.group.entries)-1].size()
		h.next++
	}
	w.group.heads[h.name] = h
	r.result = eventstore.Result{LastRevision: eventstore.Revision(h.next - 1), Position: position}
	return nil
}

func (w *writer) insertOne(e *eventstore.Recorded, stream, kind int64) error {
	w.insert.BindInt64(1, int64(e.Position))
	w.insert.BindInt64(2, stream)
	w.insert.BindInt64(3, int64(e.Revision))
	w.insert.BindBytes(4, e.ID[:])
	w.insert.BindInt64(5, kind)
	w.insert.BindBytes(6, e.Data)
	w.insert.BindBytes(7, e.Metadata)
	w.insert.BindInt64(8, w.lastTime)
	return step(w.insert)
}

// kind is the row of a type, and the one copy of its name that memory keeps.
func (w *writer) kind(name string) (int64, string, error) {
	names := *w.tail.types.Load()
	if id, ok := w.types[name]; ok {
		return id, names[id-1], nil
	}
	name = strings.Clone(name)
	id, err := w.insertName("INSERT INTO types (name) VALUES (?)", name)
	if err != nil {
		return 0, "", err
	}
	w.types[name] = id
	names = append(slices.Clone(names), name)
	w.tail.types.Store(&names)
	return id, name, nil
}

func (w *writer) insertName(query, name string) (id int64, err error) {
	insert, err := w.conn.Prepare(query)
	if err != nil {
		return 0, err
	}
	insert.BindText(1, name)
	if err := step(insert); err != nil {
		return 0, err
	}
	return w.conn.LastInsertRowID(), nil
}
