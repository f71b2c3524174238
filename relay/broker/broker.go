// Package broker publishes the events of the feed to message brokers, through
// Watermill: to NATS JetStream, Redis Streams, AMQP 0-9-1 and Kafka.
//
// A message is a CloudEvent in the structured mode of the broker's protocol
// binding: its body is the same JSON as everywhere else in the feed, its content
// type application/cloudevents+json. What brokers and consumers choose messages
// by stands beside it, as the bindings allow: id, type and organization. Redis
// Streams have no binding, so there the same are the fields of an entry.
//
// A Connection is used until something fails, and then closed: whoever has it
// opens another one. So it does not matter how each client reconnects, and
// nothing of before is sent later. Killed between the broker's acknowledgement
// and the note that it has arrived: the event is published again, with the same
// id; NATS drops it within the stream's window for duplicates, consumers of the
// others by the id, or by the organization and its sequence.
package broker

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"tenure/relay"
)

// lanes is how many organizations' events are under way at once: a broker may be
// far away, and the events of one organization wait for each other.
const lanes = 32

// contentType is that of every message.
const contentType = "application/cloudevents+json; charset=utf-8"

// The metadata of Watermill's messages; each broker has headers for them.
const (
	metaType         = "type"
	metaOrganization = "organization"
)

// Connection publishes to one broker. It is for one goroutine.
type Connection struct {
	publisher message.Publisher
	topic     func(relay.Event) string // as the publisher understands it
	seed      maphash.Seed
	underWay  sync.WaitGroup
}

// Dial connects to the broker, and makes what takes the events where it is
// missing: the stream in NATS; the exchange, with a queue, in RabbitMQ. It fails
// with an *Error, or with that of ctx.
func (t Target) Dial(ctx context.Context) (*Connection, error) {
	type dialed struct {
		*Connection
		err error
	}
	done := make(chan dialed, 1)
	go func() { // the clients know no contexts, and have limits of their own
		publisher, topic, err := schemes[t.Scheme].dial(t)
		done <- dialed{&Connection{publisher: publisher, topic: topic, seed: maphash.MakeSeed()}, err}
	}()
	select {
	case d := <-done:
		if d.err != nil {
			return nil, t.failure(d.err)
		}
		return d.Connection, nil
	case <-ctx.Done():
		go func() {
			if d := <-done; d.err == nil {
				d.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// Close ends the connection, without waiting for what is under way: that may
// arrive or not.
func (c *Connection) Close() {
	go func() {
		c.underWay.Wait() // the clients' own limits end it
		_ = c.publisher.Close()
	}()
}

// Publish publishes events, each organization's in their order: the next one of
// an organization is sent when the broker has confirmed the one before. It
// answers with those that are not confirmed, in their order, and why the first
// that failed has; or with the error of ctx. The connection is not to be used
// after an error.
func (c *Connection) Publish(ctx context.Context, t Target, events []relay.Event) (left []relay.Event, err error) {
	p := publishing{Connection: c, confirmed: make([]bool, len(events))}
	done := make(chan struct{})
	c.underWay.Go(func() {
		defer close(done)
		p.all(ctx, events)
	})
	select {
	case <-done:
	case <-ctx.Done():
		p.failed(ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range events {
		if !p.confirmed[i] {
			left = append(left, e)
		}
	}
	if p.err != nil && ctx.Err() == nil {
		return left, t.failure(p.err)
	}
	return left, p.err
}

// publishing is one Publish.
type publishing struct {
	*Connection
	mu        sync.Mutex
	confirmed []bool
	err       error // the first
}

// all publishes each organization's events in the lane that is its own.
func (p *publishing) all(ctx context.Context, events []relay.Event) {
	var queues [lanes][]int
	for i, e := range events {
		lane := maphash.String(p.seed, string(e.Organization)) % lanes
		queues[lane] = append(queues[lane], i)
	}
	var running sync.WaitGroup
	for _, queue := range queues {
		if len(queue) > 0 {
			running.Go(func() { p.lane(ctx, events, queue) })
		}
	}
	running.Wait()
}

// lane stops at what fails; the others do not: what is the matter may be one
// event, and not the connection.
func (p *publishing) lane(ctx context.Context, events []relay.Event, queue []int) {
	for _, i := range queue {
		if ctx.Err() != nil {
			return
		}
		if err := p.publisher.Publish(p.topic(events[i]), newMessage(events[i])); err != nil {
			p.failed(err)
			return
		}
		p.mu.Lock()
		p.confirmed[i] = true
		p.mu.Unlock()
	}
}

func (p *publishing) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func newMessage(e relay.Event) *message.Message {
	m := message.NewMessage(uuid.UUID(e.ID).String(), e.JSON)
	m.Metadata = message.Metadata{metaType: e.Type, metaOrganization: string(e.Organization)}
	return m
}

// silent is Watermill's logger: what fails is said by whoever publishes.
var silent = watermill.NopLogger{}

// Error says why nothing can be published.
type Error struct {
	Cause string // a word that may be kept and shown
	Err   error  // for the server's log
}

// The causes.
const (
	CauseUnreachable = "unreachable" // no connection, or no answer in time
	CauseRefused     = "refused"     // the broker does not let us, or does not have what takes the events
	CauseTooLarge    = "too_large"   // the event is larger than the broker takes
	CauseFailed      = "failed"      // anything else: the server's log says more, or the broker's
)

func (e *Error) Error() string { return e.Cause + ": " + e.Err.Error() }

// Unwrap is what the broker's client has said.
func (e *Error) Unwrap() error { return e.Err }

// failure finds the cause of a client's error.
func (t Target) failure(err error) error {
	cause := schemes[t.Scheme].cause(err)
	if cause == "" {
		cause = CauseFailed
		if isNetwork(err) {
			cause = CauseUnreachable
		}
	}
	return &Error{Cause: cause, Err: t.withoutPassword(err)}
}
