package processes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/broker"
	"tenure/eventstore"
	"tenure/relay"
	publishing "tenure/relay/broker"
)

// Brokers publishes the feed to message brokers, to each by itself: one that is
// away holds up nothing else. One node at a time should publish to a broker.
//
// Events are read in batches in the order of the log. The next batch is read when
// the broker has confirmed all of the one before, and within a batch the next
// event of an organization is sent when the one before is confirmed: whatever
// fails, no event of an organization arrives before all that came before it have.
// What is not confirmed is sent again, with pauses that grow; nothing is skipped.
//
// How far a broker is stands in a checkpoint, which is kept some times a second;
// the log has it once an hour, and after each outage, so that losing the
// checkpoints costs little. Killed at any point: what was confirmed after the
// checkpoint is published again, with the same id. A node that hangs and wakes up
// late can publish beside its successor for a moment: what it sends has been
// sent, and its checkpoint is behind the one that is kept, which only grows.
type Brokers struct {
	Commands    *commands.Commands
	Feed        *relay.Feed
	Checkpoints Checkpoints
	Logger      *slog.Logger

	health *Health
}

// NewBrokers makes the publishing; Run begins it.
func NewBrokers(c *commands.Commands, feed *relay.Feed, checkpoints Checkpoints, logger *slog.Logger) *Brokers {
	return &Brokers{Commands: c, Feed: feed, Checkpoints: checkpoints, Logger: logger, health: NewHealth()}
}

// Health says how the publishing to those brokers goes that this node publishes
// to, by their names.
func (x *Brokers) Health() *Health { return x.health }

const (
	brokerPage    = 512
	brokerSave    = 100 * time.Millisecond // between checkpoints
	brokerLook    = 250 * time.Millisecond // between looks at what operators have changed
	brokerPatient = 5 * time.Second        // that publishing may fail before the log says so
)

// Run publishes to a broker until ctx ends.
func (x *Brokers) Run(ctx context.Context, t publishing.Target) error {
	defer x.health.drop(t.Name) // another node knows more from now on
	for ctx.Err() == nil {
		o := &outlet{Brokers: x, target: t, name: domain.BrokerName(t.Name), recorded: time.Now()}
		if err := o.run(ctx); err != nil && ctx.Err() == nil {
			x.Logger.Warn("publishing to a broker is interrupted; trying again", "broker", t.Name, "error", err)
			sleep(ctx, webhookRepair)
		}
	}
	return ctx.Err()
}

// Position is how far the publishing to a broker is.
func (x *Brokers) Position(ctx context.Context, name string) (eventstore.Position, error) {
	s, err := x.Commands.Brokers(ctx)
	if err != nil {
		return 0, err
	}
	b := s.Broker(domain.BrokerName(name))
	kept, err := x.Checkpoints.Checkpoint(ctx, checkpointOf(name, b))
	return max(kept, eventstore.Position(b.Reached)), err
}

// checkpointOf names the checkpoint of a broker. Since those only grow, one that
// begins elsewhere has another.
func checkpointOf(name string, b broker.Broker) string {
	return fmt.Sprintf("broker.%s.%d", name, b.Replays)
}

// outlet is the work for one broker in one version.
type outlet struct {
	*Brokers
	target     publishing.Target
	name       domain.BrokerName
	known      broker.Broker
	connection *publishing.Connection // nil while there is none
	reached    eventstore.Position    // confirmed, or not wanted
	saved      eventstore.Position
	savedAt    time.Time
	recorded   time.Time // in the log
	failing    bool      // the log says so
	forgotten  int64     // of the feed, before it was read
}

// errSteered says that an operator has changed something, or that what is to be
// published has to be read again.
var errSteered = errors.New("the broker was changed, or somebody was erased")

// run publishes until ctx ends, an operator changes something, which is no
// error, or something of ours fails.
func (o *outlet) run(ctx context.Context) error {
	s, err := o.Commands.Brokers(ctx)
	if err != nil {
		return err
	}
	o.known = s.Broker(o.name)
	kept, err := o.Checkpoints.Checkpoint(ctx, checkpointOf(o.target.Name, o.known))
	if err != nil {
		return err
	}
	o.reached, o.saved, o.failing = max(kept, eventstore.Position(o.known.Reached)), kept, o.known.Failing != nil
	if o.target.FromHead && o.reached == 0 && o.known.Replays == 0 {
		if err := o.beginAtHead(ctx); err != nil {
			return err
		}
	}
	o.health.passed(o.target.Name, o.reached)
	defer o.close()
	if err = o.publish(ctx); errors.Is(err, errSteered) {
		return nil
	}
	return err
}

// beginAtHead notes the end of the log as where it begins. Killed before: the
// next one begins with the end that it finds.
func (o *outlet) beginAtHead(ctx context.Context) error {
	head, err := o.Feed.Position(ctx, relay.FromHead)
	if err == nil {
		err = o.Commands.BrokerReached(ctx, o.name, o.known.Version, head)
	}
	o.reached = head
	return err
}

func (o *outlet) publish(ctx context.Context) error {
	reader, err := o.Feed.From(relay.Query{Type: o.target.Type, Personal: o.target.Personal, Reads: relay.All(o.target.Personal)}, o.reached)
	if err != nil {
		return err
	}
	defer func() { o.save(context.WithoutCancel(ctx), true) }()
	for {
		if err := o.unchanged(ctx); err != nil {
			return err
		}
		if o.known.Paused {
			sleep(ctx, brokerLook)
			continue
		}
		o.forgotten = o.Feed.Forgotten()
		batch, err := reader.Next(ctx, brokerPage)
		if err != nil {
			return err
		}
		if err := o.send(ctx, batch.Events); err != nil {
			return err
		}
		o.reached = max(o.reached, reader.Reached())
		o.health.passed(o.target.Name, o.reached)
		o.save(ctx, false)
		if !batch.Head {
			continue
		}
		patience := time.Second
		if o.reached > o.saved {
			patience = brokerSave
		}
		waiting, cancel := context.WithTimeout(ctx, patience)
		err = reader.Wait(waiting)
		cancel()
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// unchanged fails with errSteered when the broker is not as it was known.
func (o *outlet) unchanged(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s, err := o.Commands.Brokers(ctx)
	if err == nil && s.Broker(o.name).Version != o.known.Version {
		err = errSteered
	}
	return err
}

// send publishes events, however long it takes.
func (o *outlet) send(ctx context.Context, events []relay.Event) error {
	if len(events) == 0 {
		return nil // which does not show that it goes on
	}
	var since time.Time // of an outage
	for pause := firstPause; len(events) > 0; pause = min(2*pause, longestPause) {
		if o.Feed.Forgotten() != o.forgotten {
			return errSteered // what was read may name somebody who was erased since
		}
		left, err := o.attempt(ctx, events)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if sent := len(events) - len(left); sent > 0 {
			o.health.did(o.target.Name, sent)
			pause = firstPause
		}
		if events = left; err == nil {
			continue
		}
		if since.IsZero() {
			since = o.Commands.Now()
		}
		if err := o.failed(ctx, err, since); err != nil {
			return err
		}
		for until := time.Now().Add(pause); time.Now().Before(until); {
			sleep(ctx, min(time.Until(until), brokerLook))
			if err := o.unchanged(ctx); err != nil {
				return err
			}
		}
	}
	if o.failing {
		o.failing = false
		return o.Commands.BrokerReached(ctx, o.name, o.known.Version, o.reached)
	}
	return nil
}

// attempt publishes events once, and answers with those that are not confirmed.
func (o *outlet) attempt(ctx context.Context, events []relay.Event) (left []relay.Event, err error) {
	if o.connection == nil {
		if o.connection, err = o.target.Dial(ctx); err != nil {
			return events, err
		}
	}
	if left, err = o.connection.Publish(ctx, o.target, events); err != nil {
		o.close()
	}
	return left, err
}

// failed says that an attempt has failed; in the log once it lasts.
func (o *outlet) failed(ctx context.Context, failure error, since time.Time) error {
	o.health.failed(o.target.Name, failure)
	o.Logger.Warn("events cannot be published; trying again", "broker", o.target.Name, "error", failure)
	var cause *publishing.Error
	if !errors.As(failure, &cause) || o.Commands.Now().Sub(since) < brokerPatient && cause.Cause != publishing.CauseTooLarge {
		return nil
	}
	o.failing = true
	return o.Commands.BrokerFailed(ctx, o.name, o.known.Version, cause.Cause, since)
}

// save keeps how far it is: not for each batch but at the end, and now and then
// in the log. That it fails costs repetitions at most.
func (o *outlet) save(ctx context.Context, last bool) {
	if o.reached <= o.saved || !last && time.Since(o.savedAt) < brokerSave {
		return
	}
	if err := o.Checkpoints.SaveCheckpoint(ctx, checkpointOf(o.target.Name, o.known), o.reached); err != nil {
		o.Logger.Warn("broker cannot keep its checkpoint", "broker", o.target.Name, "error", err)
		return
	}
	o.saved, o.savedAt = o.reached, time.Now()
	if time.Since(o.recorded) >= reachedEvery {
		o.recorded = time.Now()
		if err := o.Commands.BrokerReached(ctx, o.name, o.known.Version, o.reached); err != nil {
			o.Logger.Warn("broker cannot record how far it is", "broker", o.target.Name, "error", err)
		}
	}
}

func (o *outlet) close() {
	if o.connection != nil {
		o.connection.Close()
		o.connection = nil
	}
}
