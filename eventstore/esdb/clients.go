package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"tenure/eventstore"
)

// clients hands out the client that works. At any time there is one at most;
// when it breaks, the next call makes another one.
type clients struct {
	closing context.Context
	config  *esdb.Configuration

	mu      sync.Mutex
	current *link // nil before the first call, and after one has broken
}

// link is one client. Its calls are counted, because it must not be closed
// under a call: the client would panic in it.
type link struct {
	client *esdb.Client
	ready  chan struct{} // closed when the client was seen to work, or not
	err    error         // why not; set before ready is closed

	calls   int  // under way
	retired bool // it gets no more calls, and is closed after the last one
}

func newClients(closing context.Context, config *esdb.Configuration) *clients {
	return &clients{closing: closing, config: config}
}

// take waits for a client that works; it goes back with give.
func (c *clients) take(ctx context.Context) (*link, error) {
	for {
		l, err := c.begin()
		if err != nil {
			return nil, err
		}
		select {
		case <-l.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.closing.Done():
			return nil, eventstore.ErrClosed
		}
		if l.err != nil {
			return nil, l.err
		}
		c.mu.Lock()
		usable := !l.retired
		if usable {
			l.calls++
		}
		c.mu.Unlock()
		if usable {
			return l, nil
		}
	}
}

// begin answers the current client, and makes one if there is none.
func (c *clients) begin() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Err() != nil {
		return nil, eventstore.ErrClosed
	}
	if c.current == nil {
		config := *c.config
		client, err := esdb.NewClient(&config)
		if err != nil {
			return nil, err
		}
		c.current = &link{client: client, ready: make(chan struct{}), calls: 1}
		go c.warmUp(c.current)
	}
	return c.current, nil
}

// warmUp makes the first call on a client: the one that looks for the server,
// however long that takes. Nobody else is on the client meanwhile.
func (c *clients) warmUp(l *link) {
	if _, err := safely(l.client.GetServerVersion); err != nil {
		l.err = fmt.Errorf("%w: %w", errAway, err)
	}
	c.give(l, l.err != nil)
	close(l.ready)
}

// give ends a call, and says whether the client broke in it.
func (c *clients) give(l *link, broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.calls--
	if broken {
		c.retire(l)
	}
	c.closeIdle(l)
}

func (c *clients) retire(l *link) {
	l.retired = true
	if c.current == l {
		c.current = nil
	}
}

// closeIdle closes a retired client after its last call. A call that the client
// never lets go of keeps it open: its goroutine costs less than a panic.
func (c *clients) closeIdle(l *link) {
	if l.retired && l.calls == 0 {
		_ = l.client.Close() // it has no error to tell
	}
}

func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.current; l != nil {
		c.retire(l)
		c.closeIdle(l)
	}
}

// call makes one call on a client that works, and returns when ctx ends even
// where the client does not. An answer that comes too late is dropped.
func call[T any](ctx context.Context, c *clients, f func(context.Context, *esdb.Client) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	l, err := c.take(ctx)
	if err != nil {
		var none T
		return none, err
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := safely(func() (T, error) { return f(ctx, l.client) })
		c.give(l, broken(err))
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// safely turns a panic of the client into an error: it panics on messages that
// it does not know, and when it is closed under a call.
func safely[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return f()
}

var (
	errPanic = errors.New("eventstore/esdb: the client panicked")
	errAway  = errors.New("eventstore/esdb: no server")
)

// broken says whether an error tells that the client has lost its server.
func broken(err error) bool {
	return is(err, esdb.ErrorCodeConnectionClosed) || is(err, esdb.ErrorUnavailable) || status.Code(err) == codes.Unavailable ||
		errors.Is(err, errPanic)
}

// passing says whether an error may be gone at the next try: the client broke,
// it has to turn to another node, the server was slow, or somebody that we do
// not know cut the call off.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Canceled, codes.Aborted, codes.Internal, codes.DeadlineExceeded:
		return true
	}
	return broken(err) || is(err, esdb.ErrorCodeNotLeader) || errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded)
}

// is says whether the client gave an error this code.
func is(err error, code esdb.ErrorCode) bool {
	var e *esdb.Error
	return errors.As(err, &e) && e.IsErrorCode(code)
}

// noStream says whether the server said that there is no such stream. The client
// gives the same code to whatever gRPC calls not found, a node for one.
func noStream(err error) bool {
	return is(err, esdb.ErrorCodeResourceNotFound) && status.Code(err) != codes.NotFound
}

// failed is an error as the store's callers get it: that of a context that has
// ended can be told, and that of a server that is away.
func failed(ctx context.Context, what string, err error) error {
	if errors.Is(err, eventstore.ErrClosed) {
		return eventstore.ErrClosed
	}
	switch ended := ctx.Err(); {
	case ended != nil:
		err = ended
	case is(err, esdb.ErrorCodeDeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded:
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	if errors.Is(err, errAway) || errors.Is(err, context.DeadlineExceeded) || passing(err) {
		err = fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
	return fmt.Errorf("eventstore/esdb: %s: %w", what, err)
}

// toLeader asks a cluster to answer from its leader, whose answers are never
// old; a node that is not sends the client there. The client means to ask, but
// forgets to send it.
func (c *clients) toLeader(ctx context.Context) context.Context {
	if c.config.NodePreference != esdb.NodePreferenceLeader {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}
