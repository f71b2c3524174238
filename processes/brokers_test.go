package processes_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/processes"
	viewsqlite "tenure/projections/sqlite"
	"tenure/relay"
	"tenure/relay/broker"
	"tenure/relay/broker/brokertest"
)

var flow = flag.Int("flow", 2000, "events that flow while brokers are cut off and publishers killed")

// outward is a stack with brokers that its events are published to.
type outward struct {
	*stack
	codec       *codec.Codec
	feed        *relay.Feed
	checkpoints *viewsqlite.Storage
	last        map[int]eventstore.Expected // of the streams of organizations
}

func newOutward(t *testing.T) *outward {
	t.Helper()
	p := &outward{stack: newStack(t), codec: codec.New(), last: make(map[int]eventstore.Expected)}
	views, err := viewsqlite.Open(filepath.Join(t.TempDir(), "views.db"), viewsqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.feed, err = relay.New(relay.Config{Log: p.log, Codec: codec.New(), PublicURL: "https://members.example"}); err != nil {
		t.Fatal(err)
	}
	p.checkpoints = views
	ctx, cancel := context.WithCancel(p.ctx)
	var running sync.WaitGroup
	running.Go(func() { p.feed.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		views.Close()
	})
	return p
}

// grow appends events to the streams of organizations, some to each in turn.
func (p *outward) grow(events, organizations int) {
	p.t.Helper()
	together := min((events+organizations-1)/organizations, 10)
	for n := 0; events > 0; n = (n + 1) % organizations {
		p.growOne(n, min(together, events))
		events -= together
	}
}

func (p *outward) growOne(n, events int) {
	p.t.Helper()
	id := domain.OrganizationID(uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(n))).String())
	before, grown := p.last[n]
	all := make([]eventstore.Event, events)
	for i := range all {
		var e domain.Event = organization.Renamed{OrganizationID: id, Before: "A name", After: domain.OrganizationName(fmt.Sprint("Name ", i))}
		if !grown && i == 0 {
			before = eventstore.NoStream()
			e = organization.MemberJoined{OrganizationID: id, AccountID: "0192d2a1-7f5e-7c3a-9a41-000000000002", Email: "grace@example.com", DisplayName: "Grace Hopper"}
		}
		var err error
		if all[i], err = p.codec.Encode(eventstore.ID(uuid.New()), e, codec.Metadata{Actor: domain.ByProcess("test"), OccurredAt: p.now()}); err != nil {
			p.t.Fatal(err)
		}
	}
	result, err := p.log.Append(p.ctx, "organization-"+string(id), before, all)
	if err != nil {
		p.t.Fatal(err)
	}
	p.last[n] = eventstore.Exactly(result.LastRevision)
}

// node is what publishes.
type node struct {
	*processes.Brokers
	cancel  context.CancelFunc
	ended   chan struct{}
	forgets atomic.Bool // checkpoints, as one that is killed does
}

// forgetful are checkpoints of a node that may be killed.
type forgetful struct {
	processes.Checkpoints
	killed *atomic.Bool
}

func (f forgetful) SaveCheckpoint(ctx context.Context, name string, p eventstore.Position) error {
	if f.killed.Load() {
		return context.Canceled
	}
	return f.Checkpoints.SaveCheckpoint(ctx, name, p)
}

// publish runs a node that publishes to a target.
func (p *outward) publish(target string) *node {
	p.t.Helper()
	parsed, err := broker.Parse(target)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.ctx)
	n := &node{cancel: cancel, ended: make(chan struct{})}
	n.Brokers = processes.NewBrokers(p.newCommands(), p.feed, forgetful{p.checkpoints, &n.forgets}, slog.New(slog.DiscardHandler))
	go func() {
		defer close(n.ended)
		n.Run(ctx, parsed)
	}()
	p.t.Cleanup(n.stop)
	return n
}

// stop ends a node in order.
func (n *node) stop() {
	n.cancel()
	<-n.ended
}

// kill ends it where it is: nothing more is noted.
func (n *node) kill() {
	n.forgets.Store(true)
	n.stop()
}

// arrived waits until a node has published all there is.
func (p *outward) arrived(n *node, name string) {
	p.t.Helper()
	head, err := p.log.Head(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	p.published(n, name, func(s processes.Status) bool { return s.Position >= head })
}

// published waits until a node has published enough.
func (p *outward) published(n *node, name string, enough func(processes.Status) bool) {
	p.t.Helper()
	for until := time.Now().Add(5 * time.Minute); !enough(n.Health().Statuses()[name]); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			p.t.Fatalf("%s is at %+v", name, n.Health().Statuses()[name])
		}
	}
}

// check compares what has arrived with the feed: every event, each organization's
// in its order once repetitions are dropped. It answers with the number of those.
func (p *outward) check(all []brokertest.Received) (repeated int) {
	p.t.Helper()
	want := make(map[string]relay.Event)
	reader, err := p.feed.From(relay.Query{}, 0)
	for head := false; !head && err == nil; {
		var batch relay.Batch
		if batch, err = reader.Next(p.ctx, 1000); err == nil {
			head = batch.Head
			for _, e := range batch.Events {
				want[uuid.UUID(e.ID).String()] = e
			}
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
	is := is.New(p.t)
	seen, sequences := make(map[string]bool), make(map[string]int)
	for _, r := range all {
		e, ok := want[r.ID]
		if !ok || string(r.Body) != string(e.JSON) || r.Type != e.Type || r.Organization != string(e.Organization) {
			p.t.Fatalf("is not in the feed: %+v", r)
		}
		is.Equal(r.ContentType, "application/cloudevents+json; charset=utf-8")
		if seen[r.ID] {
			repeated++
			continue
		}
		seen[r.ID] = true
		var body struct{ ID, Organization, Sequence string }
		is.NoErr(json.Unmarshal(r.Body, &body))
		sequence, err := strconv.Atoi(body.Sequence)
		is.NoErr(err)
		if is.Equal(body.ID, r.ID); sequence != sequences[body.Organization]+1 {
			p.t.Fatalf("%d comes after %d in organization %s", sequence, sequences[body.Organization], body.Organization)
		}
		sequences[body.Organization] = sequence
	}
	is.Equal(len(seen), len(want)) // every event has arrived
	return repeated
}

// Every kind of broker gets every event, in order, while connections are cut, the
// broker is killed and starts again, and the publisher is killed between the
// broker's confirmation and its own note of it.
func TestEveryBrokerGetsEveryEvent(t *testing.T) {
	for kind, start := range brokertest.Kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			p, b := newOutward(t), start(t, "tenure")
			dice := rand.New(rand.NewPCG(1, 2))
			p.grow(*flow/4, 50)
			began := time.Now()
			n := p.publish(b.Target())
			steps := max(10, *flow/1000)
			for range steps {
				p.grow(*flow*3/4/steps, 50)
				switch dice.IntN(3) {
				case 0:
					b.Cut()
				case 1:
					n.kill()
					n = p.publish(b.Target())
				}
			}
			// What was confirmed and not noted is published again.
			p.arrived(n, kind)
			n.kill()
			b.Stop()
			p.grow(100, 50)
			n = p.publish(b.Target())
			b.Start()
			p.arrived(n, kind)
			n.stop()
			took := time.Since(began).Round(time.Millisecond)
			repeated := p.check(b.Received())
			t.Logf("%d events in %v, %d repeated", len(b.Received())-repeated, took, repeated)
			if kind == "nats" {
				is.Equal(repeated, 0) // the stream knows them by their ids
			}
			for _, r := range b.Received()[:10] {
				is.Equal(r.Key, map[string]string{"kafka": r.Organization}[kind]+map[bool]string{true: r.ID}[kind != "kafka"])
			}

			// A node that ended in order repeats nothing.
			before := len(b.Received())
			n = p.publish(b.Target())
			p.arrived(n, kind)
			is.Equal(len(b.Received()), before)

			// From the beginning, with the same ids.
			_, err := p.commands.ReplayBroker(p.ctx, public(), domain.BrokerName(kind), 0)
			is.NoErr(err)
			p.grow(1, 50)
			p.published(n, kind, func(s processes.Status) bool { return s.Done >= before-repeated })
			p.arrived(n, kind)
			p.check(b.Received())
			if r, ok := b.(*brokertest.RabbitMQServer); ok {
				p.meetsRabbitMQ(n, r)
			}
		})
	}
}

// meetsRabbitMQ shows that a message is not taken for delivered because a broker
// has confirmed it: it also confirms what no queue takes;
// and that it is known why the broker closes a channel.
func (p *outward) meetsRabbitMQ(n *node, r *brokertest.RabbitMQServer) {
	p.t.Helper()
	r.Unbind()
	p.grow(10, 50)
	p.eventually("it fails for want of a queue", func() bool { return n.causeOf("amqp") == broker.CauseRefused })
	r.Bind()
	p.arrived(n, "amqp")
	p.check(r.Received())
	r.Loosen()
	p.grow(10, 50)
	p.arrived(n, "amqp") // it binds its own queue again
	p.check(r.Received())
	p.growLarge(brokertest.MaxMessage)
	p.eventually("it is too large", func() bool { return n.causeOf("amqp") == broker.CauseTooLarge })
}

// causeOf is why a node publishes nothing, empty while it does.
func (n *node) causeOf(name string) string {
	var failure *broker.Error
	if s := n.Health().Statuses()[name]; s.Failing && errors.As(s.Err, &failure) {
		return failure.Cause
	}
	return ""
}
