package sqlite

import (
	"cmp"
	"slices"

	"tenure/eventstore"
)

const (
	insertRevision = "INSERT INTO revisions (event, position) VALUES (?, ?)"

	fillRevisions = "INSERT INTO revisions (event, position) SELECT (stream << 32) + revision, position FROM events" +
		" WHERE position > (SELECT position FROM indexed) ORDER BY 1"

	noteIndexed = "UPDATE indexed SET position = ifnull((SELECT max(position) FROM events), 0)"

	selectIndexed = "SELECT position FROM indexed"

	maxRevisions = 1 << 32 // of a stream
)

// key is where the table revisions has an event.
func key(stream int64, revision eventstore.Revision) int64 { return stream<<32 + int64(revision) }

// lag is how far the table revisions is behind the events.
type lag struct{ events, bytes int }

func (l lag) with(e *entry) lag { return lag{events: l.events + 1, bytes: l.bytes + e.size()} }

// indexIfDue fills the table revisions, in the group's transaction, when it
// would lag too far behind with the group. It answers the lag after the commit.
func (w *writer) indexIfDue() (lag, error) {
	behind := w.lag
	for i := range w.group.entries {
		behind = behind.with(&w.group.entries[i])
	}
	if behind.events <= w.maxLag.events && behind.bytes <= w.maxLag.bytes {
		return behind, nil
	}
	return lag{}, w.index()
}

// index adds the newest events to the table revisions, in the order of its
// keys; what is committed of them is in memory.
func (w *writer) index() error {
	w.keys = w.keys[:0]
	published := w.tail.published()
	for p := published - eventstore.Position(w.lag.events) + 1; p <= published; p++ {
		e := w.tail.recent.slot(p)
		w.keys = append(w.keys, [2]int64{key(e.stream, e.Revision), int64(p)})
	}
	for i := range w.group.entries {
		e := &w.group.entries[i]
		w.keys = append(w.keys, [2]int64{key(e.stream, e.Revision), int64(e.Position)})
	}
	slices.SortFunc(w.keys, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	insert, err := w.conn.Prepare(insertRevision)
	if err != nil {
		return err
	}
	for _, k := range w.keys {
		insert.BindInt64(1, k[0])
		insert.BindInt64(2, k[1])
		if err := step(insert); err != nil {
			return err
		}
	}
	return execute(w.conn, noteIndexed)
}

// measureLag looks into the file, where a transaction has failed.
func (w *writer) measureLag() error {
	indexed, err := number(w.conn, selectIndexed)
	if err != nil {
		return err
	}
	w.lag = lag{}
	for p := eventstore.Position(indexed) + 1; p <= w.tail.published(); p++ {
		w.lag = w.lag.with(w.tail.recent.slot(p))
	}
	return nil
}
