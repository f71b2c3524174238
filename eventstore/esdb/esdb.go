// Package esdb keeps the log in an EventStoreDB, or a KurrentDB, which is the
// same database under its later name (servers from 22.10 on).
//
// A revision of the port is the server's, and a position is the commit position
// of the server's $all stream; events of the server's own, whose types begin
// with $, are left out. Nothing but the two is kept: several stores, in as many
// processes, may share a server.
//
// Every append names the revision that it expects. The server compares the ids
// of an append that comes late with what is there, so an append is sent again
// when the connection breaks under it, and answers as the first time. An append
// whose caller went away in between may be in the log or not; its caller finds
// out as the port says.
//
// The end of the log is read once for all subscribers of the store: one
// subscription feeds the newest events into memory, as sqlite keeps them, and
// who is further behind reads pages. It comes back by itself, after the last
// position that it has seen, so a lost connection makes subscribers wait and
// no more. It has no filter: a filtered one tells its position only every so
// many events, which would hold up everybody who waits for a position, and in a
// form that cannot be told from the place of an event that is yet to come.
//
// The client connects at the first call. It dies for good when it finds no
// server, and then blocks its callers without regard to their context; so each
// call runs in a goroutine of its own, on a client that was seen to work and is
// replaced when it breaks.
package esdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"tenure/eventstore"
)

// Options of a store. The zero value is fit for production.
type Options struct {
	// Logger hears of lost and regained connections. Nil is silence.
	Logger *slog.Logger
	// Deadline is how long an append may take, and how long a read may wait for
	// its next event. 0 is the defaultDeadline of the connection string, and
	// without one 10 seconds.
	Deadline time.Duration

	RecentEvents int // newest events kept in memory for subscribers; 0 is 8,192
	RecentBytes  int // bytes of these events; 0 is 16 MiB
}

// Store is a log on a server. It implements eventstore.Store.
type Store struct {
	clients  *clients
	tail     *tail
	deadline time.Duration
	logger   *slog.Logger

	// calls is held for reading by every call under way, so that Close can
	// wait for them.
	calls    sync.RWMutex
	closing  context.Context // ends when Close begins
	close    context.CancelFunc
	isClosed atomic.Bool
}

var _ eventstore.Store = (*Store)(nil)

// Open makes a store on the server that a connection string names, such as
// esdb://host:2113 or esdb+discover://cluster:2113?tls=false. It fails when the
// string cannot be right, and does not connect yet: Health does.
func Open(connection string, options Options) (*Store, error) {
	config, err := parse(connection)
	if err != nil {
		return nil, err
	}
	options = withDefaults(options, config)
	s := &Store{deadline: options.Deadline, logger: options.Logger}
	s.closing, s.close = context.WithCancel(context.Background())
	config.Logger = logTo(options.Logger)
	s.clients = newClients(s.closing, config)
	s.tail = newTail(s, options)
	return s, nil
}

// Health says whether the log can be read.
func (s *Store) Health(ctx context.Context) error {
	_, err := s.Head(ctx)
	return err
}

// Close implements eventstore.Store. Calls under way are answered, blocked
// calls of Next end with ErrClosed. A second Close does nothing.
func (s *Store) Close() error {
	s.isClosed.Store(true)
	s.close()
	s.calls.Lock()
	defer s.calls.Unlock()
	s.clients.close()
	return nil
}

// usable refuses a call whose context has ended, or on a closed store.
func (s *Store) usable(ctx context.Context) error {
	if s.isClosed.Load() {
		return eventstore.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("eventstore/esdb: %w", err)
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

func withDefaults(o Options, config *esdb.Configuration) Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Deadline <= 0 && config.DefaultDeadline != nil {
		o.Deadline = *config.DefaultDeadline
	}
	if o.Deadline <= 0 {
		o.Deadline = 10 * time.Second
	}
	if o.RecentEvents <= 0 {
		o.RecentEvents = 1 << 13
	}
	if o.RecentBytes <= 0 {
		o.RecentBytes = 16 << 20
	}
	return o
}

// logTo passes on what the client has to say. It reports as an error what its
// callers are told anyway, a cancelled call for one, so all of it is for who
// looks for details.
func logTo(logger *slog.Logger) esdb.LoggingFunc {
	return func(level esdb.LogLevel, format string, args ...any) {
		if logger.Enabled(context.Background(), slog.LevelDebug) {
			logger.Debug("eventstore client: "+fmt.Sprintf(format, args...), "level", level)
		}
	}
}

var errLimit = errors.New("eventstore/esdb: limit must be at least 1")
