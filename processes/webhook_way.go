package processes

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"tenure/commands"
	"tenure/domain/webhook"
	"tenure/eventstore"
	"tenure/projections"
	"tenure/relay"
	sending "tenure/relay/webhook"
)

// way is one webhook's way through the feed.
type way struct {
	*Webhooks
	webhook.Webhook
	sender     *sending.Sender
	standing   commands.WebhookStanding
	checkpoint string
	reached    eventstore.Position // delivered, or not wanted
	saved      eventstore.Position
	savedAt    time.Time
	recorded   time.Time // in the log
	delivered  bool      // something was, since the checkpoint
	attempts   []projections.Delivery
	readAt     time.Time // the events in hand
	forgotten  int64     // of the feed, before that
}

// heldFor is how long events stay in hand: what was erased meanwhile is not sent
// to a receiver that was away for days.
const heldFor = time.Minute

func position(p uint64) eventstore.Position { return eventstore.Position(p) }

// query is for the events of the webhook. Of an organization all are read, so
// that its end is noticed whatever types are wanted.
func (d *way) query() relay.Query {
	q := relay.Query{Organization: d.Organization, Type: d.Type, Personal: d.standing.Personal, Reads: d.standing.Reads}
	if d.Owner != "" {
		q.Type = ""
	}
	return q
}

func (d *way) wants(e relay.Event) bool { return strings.HasPrefix(e.Type, d.Type) }

var (
	errGone    = errors.New("the receiver says that it is gone")
	errHeld    = errors.New("the organization's policy lets nobody have webhooks")
	errChanged = errors.New("the webhook, or what it may have, was changed")
	errOld     = errors.New("the events were read too long ago, or before somebody was erased")
)

// one delivers an event, however long it takes, or leaves it as a dead letter.
func (d *way) one(ctx context.Context, e relay.Event) error {
	id := uuid.UUID(e.ID).String()
	for {
		attempt := 1
		if f := d.Failing; f != nil && f.EventID == id {
			attempt = f.Attempt + 1
			for d.Commands.Now().Before(f.NextAt) {
				if sleep(ctx, min(f.NextAt.Sub(d.Commands.Now()), webhookLook)); ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
		if time.Since(d.readAt) > heldFor || d.Feed.Forgotten() != d.forgotten {
			return errOld
		}
		tried, failure, err := d.send(ctx, e, attempt)
		if err != nil {
			return err
		}
		if failure == nil {
			d.note(tried, projections.OutcomeDelivered)
			if d.Failing == nil && d.FailingSince.IsZero() {
				return nil
			}
			d.Failing, d.FailingSince = nil, time.Time{}
			return d.Commands.WebhookReached(ctx, d.ID, d.Version, e.Position)
		}
		if failure.Gone {
			d.note(tried, projections.OutcomeFailed)
			return d.stop(ctx, webhook.CauseGone, errGone)
		}
		given, err := d.failed(ctx, e, tried, failure)
		if given || err != nil {
			return err
		}
	}
}

// again tries a dead letter once more.
func (d *way) again(ctx context.Context, l webhook.Letter) error {
	reader, err := d.Feed.From(d.query(), position(l.After))
	if err != nil {
		return err
	}
	for {
		batch, err := reader.Next(ctx, webhookPage)
		if err != nil {
			return err
		}
		for _, e := range batch.Events {
			if e.Position != position(l.Position) {
				continue
			}
			tried, failure, err := d.send(ctx, e, l.Attempts+1)
			if err != nil {
				return err
			}
			tried.Retry = true
			if failure != nil {
				d.note(tried, projections.OutcomeFailed)
				return d.Commands.WebhookRetried(ctx, d.ID, d.Version, l.EventID, failure.Cause)
			}
			d.note(tried, projections.OutcomeDelivered)
			d.FailingSince = time.Time{}
			return d.Commands.WebhookRetried(ctx, d.ID, d.Version, l.EventID, "")
		}
		if batch.Head || reader.Reached() >= position(l.Position) {
			return errors.New("a dead letter is not where it was")
		}
	}
}

// send makes an attempt, if the webhook may still have the event as it is. The
// failure is the receiver's, the error ours.
func (d *way) send(ctx context.Context, e relay.Event, attempt int) (tried projections.Delivery, failure *sending.Error, err error) {
	standing, err := d.Commands.WebhookStanding(ctx, d.Webhook)
	switch {
	case err != nil:
		return tried, nil, err
	case standing.Held:
		return tried, nil, d.stop(ctx, webhook.CausePolicy, errHeld)
	case !standing.Same(d.standing):
		return tried, nil, errChanged
	}
	id, began := uuid.UUID(e.ID).String(), time.Now()
	tried = projections.Delivery{EventID: id, Type: e.Type, At: d.Commands.Now().UTC(), Attempt: attempt}
	tried.Status, err = d.sender.Send(ctx, d.URL, sending.Message{ID: id, Body: e.JSON, Secrets: d.secrets(), At: tried.At})
	tried.DurationMS = time.Since(began).Milliseconds()
	if errors.As(err, &failure) {
		tried.Status, tried.Cause = failure.Status, failure.Cause
		return tried, failure, nil
	}
	return tried, nil, err
}

// failed records a failed attempt, and learns when the next one is due; given
// says that there is none.
func (d *way) failed(ctx context.Context, e relay.Event, tried projections.Delivery, failure *sending.Error) (given bool, err error) {
	attempt := webhook.Attempt{EventID: tried.EventID, Cause: tried.Cause, After: uint64(d.reached), Position: uint64(e.Position), NotBefore: failure.RetryAfter}
	if err := d.Commands.WebhookFailed(ctx, d.ID, d.Version, attempt); err != nil {
		return false, err
	}
	s, err := d.Commands.Webhooks(ctx)
	if err != nil {
		return false, err
	}
	w, ok := s.Webhook(d.ID)
	switch {
	case ok && w.Disabled == webhook.CauseFailing:
		d.note(tried, projections.OutcomeFailed)
		d.Logger.Warn("webhook is switched off: nothing has arrived for days", "webhook", d.ID, "organization", d.Owner, "cause", tried.Cause)
		return false, errChanged
	case !ok || w.Version != d.Version:
		d.note(tried, projections.OutcomeFailed)
		return false, errChanged // whoever runs this knows
	}
	d.Webhook = w
	if w.Failing == nil {
		d.note(tried, projections.OutcomeGivenUp)
		return true, nil
	}
	tried.NextAt = new(w.Failing.NextAt)
	d.note(tried, projections.OutcomeFailed)
	d.write(ctx) // so that who looks sees why nothing comes
	return false, nil
}

// stop switches the webhook off.
func (d *way) stop(ctx context.Context, cause string, because error) error {
	d.Logger.Warn("webhook is switched off", "webhook", d.ID, "organization", d.Owner, "cause", cause)
	if err := d.Commands.StopWebhook(ctx, d.ID, cause); err != nil {
		return err
	}
	return because
}

// note keeps an attempt for the delivery log.
func (d *way) note(tried projections.Delivery, outcome string) {
	tried.Outcome = outcome
	d.attempts = append(d.attempts[max(0, len(d.attempts)-projections.MaxDeliveries):], tried)
	if d.Observe != nil {
		d.Observe(outcome)
	}
}

// write writes the attempts into the delivery log.
func (d *way) write(ctx context.Context) {
	if len(d.attempts) == 0 {
		return
	}
	if err := d.Log.Add(ctx, d.ID, d.attempts); err != nil {
		d.Logger.Warn("webhook cannot write its delivery log", "webhook", d.ID, "error", err)
		return
	}
	d.attempts = nil
}

// secrets are those that sign now.
func (d *way) secrets() [][]byte {
	all := [][]byte{d.Commands.WebhookSecret(d.ID, d.Generation)}
	if d.Generation > 1 && d.Commands.Now().Before(d.OverlapUntil) {
		all = append(all, d.Commands.WebhookSecret(d.ID, d.Generation-1))
	}
	return all
}

// patience is how long to wait for events before there is something to save.
func (d *way) patience() time.Duration {
	if d.delivered || len(d.attempts) > 0 {
		return savedEvery
	}
	return passedEvery
}

// save keeps how far it is: at most once a second but at the end, and now and
// then in the log. That it fails costs repeated deliveries at most.
func (d *way) save(ctx context.Context, last bool) {
	if !last && time.Since(d.savedAt) < d.patience() {
		return
	}
	d.write(ctx)
	d.savedAt = time.Now()
	if d.reached <= d.saved {
		return
	}
	if err := d.Checkpoints.SaveCheckpoint(ctx, d.checkpoint, d.reached); err != nil {
		d.Logger.Warn("webhook cannot keep its checkpoint", "webhook", d.ID, "error", err)
		return
	}
	d.saved, d.delivered = d.reached, false
	if time.Since(d.recorded) >= reachedEvery {
		d.recorded = time.Now()
		if err := d.Commands.WebhookReached(ctx, d.ID, d.Version, d.reached); err != nil {
			d.Logger.Warn("webhook cannot record how far it is", "webhook", d.ID, "error", err)
		}
	}
}
