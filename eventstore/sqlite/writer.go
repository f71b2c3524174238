package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"tenure/eventstore"
	"zombiezen.com/go/sqlite"
)

// Bounds of one transaction. Its last append may go beyond the last two.
const (
	maxGroupAppends = 1024
	maxGroupEvents  = 4096
	maxGroupBytes   = 4 << 20
)

// writer is the one goroutine that writes the log. A group is the appends of
// one transaction; nobody sees anything of it before it is committed.
type writer struct {
	conn     *sqlite.Conn
	tail     *tail
	now      func() time.Time
	onCommit func(int, time.Duration)

	begin, commit, insert *sqlite.Stmt

	types    map[string]int64 // row ids
	lag      lag
	maxLag   lag
	keys     [][2]int64 // of indexing, kept for its memory
	lastTime int64      // the newest recorded_at
	damaged  bool       // a transaction failed, and recover has not succeeded yet

	group group
}

// group is what a transaction is about to add.
type group struct {
	requests []*request
	entries  []entry
	heads    map[string]head // of the streams that it looked at
	bytes    int
	recorded time.Time
}

// newWriter takes over conn when it answers without an error.
func newWriter(conn *sqlite.Conn, t *tail, o Options) (*writer, error) {
	w := &writer{
		conn: conn, tail: t, now: o.Now, onCommit: o.OnCommit,
		// A quarter leaves room for the group in which the lag is noticed.
		maxLag: lag{events: o.RecentEvents / 4, bytes: o.RecentBytes / 4},
		group:  group{heads: map[string]head{}},
	}
	for query, statement := range map[string]**sqlite.Stmt{
		"BEGIN IMMEDIATE": &w.begin,
		"COMMIT":          &w.commit,
		insertEvent:       &w.insert,
	} {
		var err error
		if *statement, err = conn.Prepare(query); err != nil {
			return nil, failed(err)
		}
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	return w, nil
}

// run serves requests until the queue is closed and empty.
func (w *writer) run(queue <-chan *request) {
	for first := range queue {
		w.serve(first, queue)
	}
}

// serve commits first and what else is queued, and answers all of it.
func (w *writer) serve(first *request, queue <-chan *request) {
	started := time.Now()
	err := w.start()
	for r := first; r != nil; {
		w.group.requests = append(w.group.requests, r)
		if err == nil {
			err = w.append(r)
		}
		if err != nil || w.group.full() {
			break
		}
		r = next(queue)
	}
	if err == nil {
		err = w.finish()
	}
	if err != nil {
		w.fail(err)
	} else if len(w.group.entries) > 0 {
		w.tail.publish(w.group.entries, w.group.heads)
	}
	for _, r := range w.group.requests {
		r.done <- struct{}{}
	}
	if n := len(w.group.entries); n > 0 && err == nil {
		w.onCommit(n, time.Since(started))
	}
	w.clear()
}

// next takes a request if one is there. The writers that were answered last
// get a chance to come back with their next append before the commit.
func next(queue <-chan *request) *request {
	for try := 0; ; try++ {
		select {
		case r := <-queue:
			return r // nil when the queue is closed
		default:
		}
		if try == 1 {
			return nil
		}
		runtime.Gosched()
	}
}

func (w *writer) start() error {
	if w.damaged {
		if err := w.recover(); err != nil {
			return err
		}
	}
	// A clock that was set back does not turn the log's time around.
	w.lastTime = max(w.lastTime, w.now().UnixNano())
	w.group.recorded = time.Unix(0, w.lastTime).UTC()
	return step(w.begin)
}

// finish commits the group.
func (w *writer) finish() error {
	behind, err := w.indexIfDue()
	if err != nil {
		return err
	}
	if err := step(w.commit); err != nil {
		return err
	}
	w.lag = behind
	return nil
}

// fail rolls back and fails every append of the group.
func (w *writer) fail(err error) {
	w.damaged = true
	for _, r := range w.group.requests {
		r.result, r.err = eventstore.Result{}, failed(err)
	}
	_ = w.recover() // start tries again before the next transaction
}

func (g *group) full() bool {
	return len(g.requests) >= maxGroupAppends || len(g.entries) >= maxGroupEvents || g.bytes >= maxGroupBytes
}

// clear forgets the group, but keeps its memory.
func (w *writer) clear() {
	clear(w.group.requests)
	clear(w.group.entries)
	clear(w.group.heads)
	w.group = group{requests: w.group.requests[:0], entries: w.group.entries[:0], heads: w.group.heads}
}

// recover takes the writer back to what the file holds after a transaction has
// failed. An error of a commit does not say for sure that nothing was
// committed: what was becomes visible now, its writers find it when they
// append again with the same ids.
func (w *writer) recover() error {
	if !w.conn.AutocommitEnabled() {
		if err := execute(w.conn, "ROLLBACK"); err != nil {
			return err
		}
	}
	if err := w.loadTypes(); err != nil {
		return err
	}
	entries, err := w.unpublished()
	if err != nil {
		return err
	}
	heads := map[string]head{}
	for i := range entries {
		e := &entries[i]
		heads[e.Stream] = head{stream: e.stream, name: e.Stream, next: uint64(e.Revision) + 1}
	}
	if len(entries) > 0 {
		w.tail.publish(entries, heads)
	}
	if err := w.measureLag(); err != nil {
		return err
	}
	w.damaged = false
	return nil
}

// unpublished reads the events after the published ones.
func (w *writer) unpublished() ([]entry, error) {
	var entries []entry
	args := []int64{int64(w.tail.published()), 1<<63 - 1, -1}
	err := each(context.Background(), w.conn, selectAll, args, func(row *sqlite.Stmt) (bool, error) {
		stream := row.ColumnInt64(1)
		name, err := w.tail.streamName(w.conn, stream)
		if err != nil {
			return false, err
		}
		e, err := w.tail.event(row, name)
		entries = append(entries, entry{Recorded: e, stream: stream})
		return true, err
	})
	return entries, err
}

// load reads what the writer has to know of the log as it is in the file.
func (w *writer) load() error {
	if err := execute(w.conn, "BEGIN IMMEDIATE", fillRevisions, noteIndexed, "COMMIT"); err != nil {
		return err
	}
	if err := w.loadTypes(); err != nil {
		return err
	}
	last, err := number(w.conn, "SELECT max(position) FROM events")
	if err != nil {
		return failed(err)
	}
	if w.lastTime, err = number(w.conn, "SELECT recorded_at FROM events WHERE position = ?", last); err != nil {
		return failed(err)
	}
	w.tail.start(eventstore.Position(last))
	return nil
}

func (w *writer) loadTypes() error {
	types, names := map[string]int64{}, []string{}
	err := each(context.Background(), w.conn, "SELECT name, id FROM types ORDER BY id", nil, func(row *sqlite.Stmt) (bool, error) {
		names = append(names, row.ColumnText(0))
		types[names[len(names)-1]] = row.ColumnInt64(1)
		if int64(len(names)) != row.ColumnInt64(1) {
			return false, fmt.Errorf("%w: a type is missing", errDamaged)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	w.types = types
	w.tail.types.Store(&names)
	return nil
}

// step runs a statement that answers no rows, and makes it ready for the next.
func step(statement *sqlite.Stmt) error {
	_, err := statement.Step()
	return errors.Join(err, statement.Reset())
}
