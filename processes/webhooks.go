package processes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/webhook"
	"tenure/projections"
	"tenure/relay"
	sending "tenure/relay/webhook"
)

// Webhooks delivers the events of the feed to the webhooks: to each one by one,
// in order, the next when the one before has arrived or was given up. One node
// at a time does it.
//
// How far a webhook is stands in a checkpoint, which is kept about once a
// second, after what was tried is in the delivery log; the log of events has it
// once an hour, and with every failure, so that losing the checkpoints costs
// little. Killed at any point: what was delivered after the checkpoint is
// delivered again, with the same webhook-id. The number of failed attempts and
// the time of the next one are in the log, so a restart does not begin the three
// days anew. Killed between the delivery of a dead letter and its record, the
// letter is delivered again. A node that hangs and wakes up late can deliver
// beside its successor for a moment: receivers drop what comes twice.
//
// What a webhook of an organization may have is asked for before each attempt: a
// policy that takes it away is in force for the next event.
type Webhooks struct {
	Commands      *commands.Commands
	Feed          *relay.Feed
	Checkpoints   Checkpoints
	Log           *projections.DeliveryLog
	Sender        *sending.Sender // to webhooks of the operators
	Organizations *sending.Sender // to those of organizations
	Logger        *slog.Logger
	Observe       func(outcome string) // delivered, failed or given_up; may be nil

	running   map[domain.WebhookID]delivery
	forgotten map[domain.WebhookID]bool // of the deleted ones that are remembered, whose delivery log is gone
	arranged  webhook.State
}

// delivery is the work for one webhook in one version.
type delivery struct {
	version int
	cancel  context.CancelFunc
	ended   chan struct{}
}

const (
	webhookPage   = 100
	webhookLook   = 250 * time.Millisecond // between looks at what people have changed
	savedEvery    = time.Second            // how far something was delivered
	passedEvery   = time.Minute            // how far nothing had to be
	reachedEvery  = time.Hour
	webhookRepair = 2 * time.Second // after a failure of ours
)

// Run delivers until ctx ends.
func (x *Webhooks) Run(ctx context.Context) error {
	x.running, x.forgotten, x.arranged = make(map[domain.WebhookID]delivery), make(map[domain.WebhookID]bool), webhook.State{}
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
	if s == x.arranged {
		return
	}
	x.arranged = s
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
	forgotten := make(map[domain.WebhookID]bool)
	for _, id := range s.Deleted() {
		if !x.forgotten[id] {
			if err := x.Log.Forget(ctx, id); err != nil {
				x.arranged = webhook.State{} // look again
				x.Logger.Warn("the delivery log of a deleted webhook could not be deleted; trying again", "webhook", id, "error", err)
				continue
			}
		}
		forgotten[id] = true
	}
	x.forgotten = forgotten
}

// deliver delivers until ctx ends, something of ours fails, or the webhook has
// changed.
func (x *Webhooks) deliver(ctx context.Context, id domain.WebhookID) error {
	d, err := x.way(ctx, id)
	if err != nil || d == nil {
		return err
	}
	defer func() { d.save(context.WithoutCancel(ctx), true) }()
	for _, l := range d.Wanted() {
		if err := d.again(ctx, l); err != nil {
			return err
		}
	}
	reader, err := x.Feed.From(d.query(), d.reached)
	if err != nil {
		return err
	}
	// Killed when all was delivered, and before that ended the webhook: nothing more
	// comes that would.
	_, over, err := x.Commands.DeletionConcluded(ctx, d.Owner)
	if err != nil {
		return err
	}
	deleted := d.standing.Ended
	for {
		d.readAt, d.forgotten = time.Now(), d.Feed.Forgotten()
		batch, err := reader.Next(ctx, webhookPage)
		if err != nil {
			return err
		}
		if over && batch.Head && len(batch.Events) == 0 {
			return x.Commands.EndWebhook(ctx, id)
		}
		for _, e := range batch.Events {
			if d.wants(e) {
				if err := d.one(ctx, e); errors.Is(err, errOld) {
					return nil
				} else if err != nil {
					return err
				}
				d.delivered = true
			}
			d.reached = e.Position
			d.save(ctx, false)
			if deleted = deleted || d.Owner != "" && e.Type == organizationDeleted; deleted {
				if last, over, err := x.Commands.DeletionConcluded(ctx, d.Owner); err != nil {
					return err
				} else if over && e.Revision >= last {
					return x.Commands.EndWebhook(ctx, id)
				}
			}
		}
		if d.Owner == "" { // an organization's place is found again as fast
			d.reached = max(d.reached, reader.Reached())
		}
		d.save(ctx, false)
		if !batch.Head {
			continue
		}
		waiting, cancel := context.WithTimeout(ctx, d.patience())
		err = reader.Wait(waiting)
		cancel()
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// organizationDeleted is the event after which the webhook of an organization
// delivers no more than what comes of that.
const organizationDeleted = "organization.deleted.v1"

// way finds out where the deliveries of a webhook go on; nil for one that has
// stopped.
func (x *Webhooks) way(ctx context.Context, id domain.WebhookID) (*way, error) {
	s, err := x.Commands.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	w, ok := s.Webhook(id)
	if !ok || w.Disabled != "" {
		return nil, nil
	}
	standing, err := x.Commands.WebhookStanding(ctx, w)
	if err != nil {
		return nil, err
	}
	d := &way{Webhooks: x, Webhook: w, standing: standing, checkpoint: fmt.Sprintf("webhook.%s.%d", id, w.Replays), recorded: time.Now(), savedAt: time.Now()}
	d.sender = x.Sender
	if w.Owner != "" {
		d.sender = x.Organizations
	}
	kept, err := x.Checkpoints.Checkpoint(ctx, d.checkpoint)
	if err != nil {
		return nil, err
	}
	d.reached, d.saved = max(kept, position(w.Reached)), kept
	return d, nil
}
