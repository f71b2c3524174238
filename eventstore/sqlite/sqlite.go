// Package sqlite keeps the log in one SQLite file.
//
// One goroutine writes. Everything that has queued up while it was busy goes
// into its next transaction, so that one forced write (WAL, synchronous=FULL)
// serves many appends; each append in it is checked on its own, and a conflict
// fails that append alone. An answer means on disk.
//
// The newest events and the ends of streams are in memory as well: consumers
// near the head, and readers who ask a stream for news, do not touch the file.
// Committed events become visible to all readers at one moment, in the order
// of their positions.
//
// When the process is killed, what happens depends on the last step that was
// finished:
//
//   - before the transaction's commit record is in the WAL: the append is not
//     in the log, nothing of it is left;
//   - after that, before the append was answered: it is in the log, and sent
//     again with the same ids it is answered as the first time;
//   - before the index of streams has caught up with the events: the next Open
//     completes it;
//   - during a checkpoint: the next Open repeats it from the WAL;
//   - during a Backup: a file that ends in ".partial" is left, never the backup.
//
// The operating system drops the lock on the log with the process.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tenure/eventstore"
	"zombiezen.com/go/sqlite"
)

// Errors of Open, to be matched with errors.Is.
var (
	ErrLocked  = errors.New("eventstore/sqlite: the log is open in another process")
	ErrNewer   = errors.New("eventstore/sqlite: the log was written by a newer version of this program")
	ErrNotALog = errors.New("eventstore/sqlite: the file is not a log")
)

// Options of a store. The zero value is fit for production.
type Options struct {
	// Now is the clock for RecordedAt, which never goes backwards in the log
	// even when the clock does. Nil is time.Now.
	Now func() time.Time
	// OnCommit hears of each transaction: how many events, and the time from
	// its first statement to the end of the commit. It delays the next
	// transaction, so it must not block.
	OnCommit func(events int, took time.Duration)

	Readers      int // connections for reads that memory does not answer; 0 is 4
	StreamHeads  int // streams whose end is kept in memory; 0 is 65,536
	RecentEvents int // newest events kept in memory; 0 is 8,192
	RecentBytes  int // bytes of these events; 0 is 16 MiB
}

// Store is a log in a file. It implements eventstore.Store.
type Store struct {
	path    string
	lock    *sqlite.Conn
	readers chan *sqlite.Conn
	tail    *tail
	writer  *writer
	queue   chan *request

	// calls is held for reading by every call under way, so that Close can
	// wait for them.
	calls    sync.RWMutex
	closing  chan struct{} // closed when Close begins
	isClosed atomic.Bool
	written  chan struct{} // closed when the writer has ended
	closed   sync.Once
	closeErr error
}

var _ eventstore.Store = (*Store)(nil)

// Open opens the log at path and makes it if there is none; the folder must
// exist. It fails with ErrLocked when another process, or another Store of this
// one, has the log open; with ErrNewer and ErrNotALog for a file that this
// version does not write to.
func Open(path string, options Options) (*Store, error) {
	options = withDefaults(options)
	lock, err := lockLog(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, lock: lock,
		readers: make(chan *sqlite.Conn, options.Readers),
		queue:   make(chan *request, maxGroupAppends),
		closing: make(chan struct{}), written: make(chan struct{}),
	}
	if err := s.open(options); err != nil {
		return nil, errors.Join(err, s.closeConnections())
	}
	go func() {
		defer close(s.written)
		s.writer.run(s.queue)
	}()
	return s, nil
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	return s.tail.published(), nil
}

// Close implements eventstore.Store. Calls under way are answered, blocked
// calls of Next end with ErrClosed. A second Close does nothing and answers as
// the first.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.isClosed.Store(true)
		close(s.closing)
		s.calls.Lock()
		close(s.queue)
		s.calls.Unlock()
		<-s.written
		s.closeErr = s.closeConnections()
	})
	return s.closeErr
}

// usable refuses a call whose context has ended, or on a closed store.
func (s *Store) usable(ctx context.Context) error {
	if s.isClosed.Load() {
		return eventstore.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("eventstore/sqlite: %w", err)
	}
	return nil
}

// enter begins a call that Close has to wait for; it ends with s.calls.RUnlock.
func (s *Store) enter(ctx context.Context) error {
	s.calls.RLock()
	if err := s.usable(ctx); err != nil {
		s.calls.RUnlock()
		return err
	}
	return nil
}

func (s *Store) open(options Options) error {
	conn, err := openLog(s.path)
	if err != nil {
		return err
	}
	s.tail = newTail(options)
	if s.writer, err = newWriter(conn, s.tail, options); err != nil {
		return errors.Join(err, conn.Close())
	}
	for range options.Readers {
		reader, err := openReader(s.path)
		if err != nil {
			return err
		}
		s.readers <- reader
	}
	return nil
}

func (s *Store) closeConnections() error {
	var errs []error
	for len(s.readers) > 0 {
		reader := <-s.readers
		errs = append(errs, reader.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.conn.Close())
	}
	errs = append(errs, s.lock.Close())
	return errors.Join(errs...)
}

func withDefaults(o Options) Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnCommit == nil {
		o.OnCommit = func(int, time.Duration) {}
	}
	orDefault := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	orDefault(&o.Readers, 4)
	orDefault(&o.StreamHeads, 1<<16)
	orDefault(&o.RecentEvents, 1<<13)
	orDefault(&o.RecentBytes, 16<<20)
	return o
}
