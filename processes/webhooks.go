package processes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/webhook"
	"tenure/eventstore"
	"tenure/relay"
	sending "tenure/relay/webhook"
)

// Webhooks delivers the events of the feed to the webhooks: to each one by one,
// in order, the next when the one before has arrived or was given up. One node
// at a time does it.
//
// How far a webhook is stands in a checkpoint, which is kept about once a
// second; the log has it once an hour, and with every failure, so that losing
// the checkpoints costs little. Killed at any point: what was delivered after
// the checkpoint is delivered again, with the same webhook-id. The number of
// failed attempts and the time of the next one are in the log, so a restart does
// not begin the three days anew. A node that hangs and wakes up late can deliver
// beside its successor for a moment: receivers drop what comes twice.
type Webhooks struct {
	Commands    *commands.Commands
	Feed        *relay.Feed
	Checkpoints Checkpoints
	Sender      *sending.Sender
	Logger      *slog.Logger
	Observe     func(outcome string) // delivered, failed or given_up; may be nil

	running map[domain.WebhookID]delivery
}

// delivery is the work for one webhook in one version.
type delivery struct {
	version int
	cancel  context.CancelFunc
	ended   chan struct{}
}

const (
	webhookPage   = 100
	webhookLook   = 250 * time.Millisecond // between looks at what operators have changed
	reachedEvery  = time.Hour
	webhookRepair = 2 * time.Second // after a failure of ours
)

// Run delivers until ctx ends.
func (x *Webhooks) Run(ctx context.Context) error {
	x.running = make(map[domain.WebhookID]delivery)
	defer func() {
		for _, d := range x.running {
			d.cancel()
			<-d.ended
		}
	}()
	for ctx.Err() == nil {
		if s, err := x.Commands.Webhooks(ctx); err == nil {
			x.arrange(ctx, s)
		} else if ctx.Err() == nil {
			x.Logger.Warn("webhooks cannot be read; trying again", "error", err)
			sleep(ctx, webhookRepair)
		}
		sleep(ctx, webhookLook)
	}
	return ctx.Err()
}

// arrange has each webhook delivered to as it is now.
func (x *Webhooks) arrange(ctx context.Context, s webhook.State) {
	for id, d := range x.running {
		if w, ok := s.Webhook(id); !ok || w.Version != d.version {
			d.cancel()
			<-d.ended
			delete(x.running, id)
		}
	}
	for _, w := range s.Webhooks() {
		if _, runs := x.running[w.ID]; runs || w.Disabled != "" {
			continue
		}
		inner, cancel := context.WithCancel(ctx)
		d := delivery{version: w.Version, cancel: cancel, ended: make(chan struct{})}
		x.running[w.ID] = d
		go func() {
			defer close(d.ended)
			for inner.Err() == nil {
				if err := x.deliver(inner, w.ID); err != nil && inner.Err() == nil {
					x.Logger.Warn("webhook deliveries are interrupted; trying again", "webhook", w.ID, "error", err)
				}
				sleep(inner, webhookRepair)
			}
		}()
	}
}

// way is one webhook's way through the feed.
type way struct {
	*Webhooks
	webhook.Webhook
	checkpoint string
	reached    eventstore.Position // delivered, or not wanted
	saved      eventstore.Position
	savedAt    time.Time
	recorded   time.Time // in the log
}

// deliver delivers until ctx ends or something of ours fails.
func (x *Webhooks) deliver(ctx context.Context, id domain.WebhookID) error {
	s, err := x.Commands.Webhooks(ctx)
	if err != nil {
		return err
	}
	w, ok := s.Webhook(id)
	if !ok || w.Disabled != "" {
		return nil
	}
	d := &way{Webhooks: x, Webhook: w, checkpoint: fmt.Sprintf("webhook.%s.%d", id, w.Replays), recorded: time.Now()}
	kept, err := x.Checkpoints.Checkpoint(ctx, d.checkpoint)
	if err != nil {
		return err
	}
	d.reached = max(kept, eventstore.Position(w.Reached))
	d.saved = kept
	defer d.save(context.WithoutCancel(ctx), true)
	for ctx.Err() == nil {
		if err := d.follow(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// follow delivers from where it has got to, until what it has read of the feed is
// not to be sent as it was: when a delivery has to wait, or somebody was erased,
// the rest is read, and shown, again.
func (d *way) follow(ctx context.Context) error {
	reader, err := d.Feed.From(relay.Query{Organization: d.Organization, Type: d.Type, Personal: d.Personal}, d.reached)
	if err != nil {
		return err
	}
	for {
		forgotten := d.Feed.Forgotten()
		batch, err := reader.Next(ctx, webhookPage)
		if err != nil {
			return err
		}
		for _, e := range batch.Events {
			if d.Feed.Forgotten() != forgotten {
				return nil
			}
			if done, err := d.one(ctx, e); !done || err != nil {
				return err
			}
			d.reached = e.Position
			d.save(ctx, false)
		}
		d.reached = max(d.reached, reader.Reached())
		d.save(ctx, false)
		if !batch.Head {
			continue
		}
		waiting, cancel := context.WithTimeout(ctx, time.Second)
		err = reader.Wait(waiting)
		cancel()
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// one tries to deliver an event; done says that the next one's turn has come: it
// has arrived, or was left as a dead letter. Where it is not due yet, one waits
// until it is.
func (d *way) one(ctx context.Context, e relay.Event) (done bool, err error) {
	id := uuid.UUID(e.ID).String()
	if f := d.Failing; f != nil && f.EventID == id && d.Commands.Now().Before(f.NextAt) {
		for d.Commands.Now().Before(f.NextAt) {
			if sleep(ctx, min(f.NextAt.Sub(d.Commands.Now()), webhookLook)); ctx.Err() != nil {
				return false, ctx.Err()
			}
		}
		return false, nil
	}
	err = d.Sender.Send(ctx, d.URL, sending.Message{ID: id, Body: e.JSON, Secrets: d.secrets(), At: d.Commands.Now()})
	if err == nil {
		d.observe("delivered")
		if d.Failing == nil {
			return true, nil
		}
		d.Failing = nil
		return true, d.Commands.WebhookReached(ctx, d.ID, d.Version, e.Position)
	}
	var failure *sending.Error
	if !errors.As(err, &failure) {
		return false, err
	}
	if failure.Gone {
		d.observe("failed")
		return false, cmp.Or(d.Commands.WebhookGone(ctx, d.ID), errGone)
	}
	return d.failed(ctx, id, e, failure.Cause)
}

var errGone = errors.New("the receiver says that it is gone")

// failed records a failed attempt, and learns when the next one is due; given
// says that there is none.
func (d *way) failed(ctx context.Context, id string, e relay.Event, cause string) (given bool, err error) {
	attempt := webhook.Attempt{EventID: id, Cause: cause, After: uint64(d.reached), Position: uint64(e.Position)}
	if err := d.Commands.WebhookFailed(ctx, d.ID, d.Version, attempt); err != nil {
		return false, err
	}
	s, err := d.Commands.Webhooks(ctx)
	if err != nil {
		return false, err
	}
	w, ok := s.Webhook(d.ID)
	if !ok || w.Version != d.Version {
		return false, errors.New("the webhook was changed") // whoever runs this knows
	}
	d.Webhook = w
	if w.Failing == nil {
		d.observe("given_up")
		return true, nil
	}
	d.observe("failed")
	return false, nil
}

// secrets are those that sign now.
func (d *way) secrets() [][]byte {
	all := [][]byte{d.Commands.WebhookSecret(d.ID, d.Generation)}
	if d.Generation > 1 && d.Commands.Now().Before(d.OverlapUntil) {
		all = append(all, d.Commands.WebhookSecret(d.ID, d.Generation-1))
	}
	return all
}

// save keeps how far it is: at most once a second but at the end, and now and
// then in the log. That it fails costs repeated deliveries at most.
func (d *way) save(ctx context.Context, last bool) {
	if d.reached <= d.saved || !last && time.Since(d.savedAt) < time.Second {
		return
	}
	if err := d.Checkpoints.SaveCheckpoint(ctx, d.checkpoint, d.reached); err != nil {
		d.Logger.Warn("webhook cannot keep its checkpoint", "webhook", d.ID, "error", err)
		return
	}
	d.saved, d.savedAt = d.reached, time.Now()
	if time.Since(d.recorded) >= reachedEvery {
		d.recorded = time.Now()
		if err := d.Commands.WebhookReached(ctx, d.ID, d.Version, d.reached); err != nil {
			d.Logger.Warn("webhook cannot record how far it is", "webhook", d.ID, "error", err)
		}
	}
}

func (d *way) observe(outcome string) {
	if d.Observe != nil {
		d.Observe(outcome)
	}
}
