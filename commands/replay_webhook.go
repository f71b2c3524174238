package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tenure/domain"
	"tenure/domain/webhook"
	"tenure/eventstore"
)

// ReplayWindow is how long ago a replay since an instant may begin. One from a
// cursor goes back as far as one likes.
const ReplayWindow = 30 * 24 * time.Hour

// replaySkew is by how much the clock of a node may differ from that of the log:
// a replay begins so much earlier, and leaves out nothing.
const replaySkew = 5 * time.Minute

// ReplayWebhook delivers everything after a position again. It fails with
// CodeNotFound and CodePermissionDenied.
func (c *Commands) ReplayWebhook(ctx context.Context, r Request, owner domain.OrganizationID, id domain.WebhookID, after eventstore.Position) (Receipt, error) {
	return c.onWebhook(ctx, r, owner, id, func(s webhook.State, _ webhook.Webhook) ([]domain.Event, error) {
		return webhook.Replay(s, id, uint64(after))
	})
}

// ReplayWebhookSince delivers everything that has happened since an instant
// again, and a little more; what was not delivered before that is not passed
// over. It fails as ReplayWebhook does, and with CodeInvalid.
func (c *Commands) ReplayWebhookSince(ctx context.Context, r Request, owner domain.OrganizationID, id domain.WebhookID, since time.Time) (Receipt, error) {
	if _, err := c.mayManageWebhooks(ctx, r, owner); err != nil {
		return Receipt{}, err
	}
	w, err := c.Webhook(ctx, owner, id)
	if err != nil {
		return Receipt{}, err
	}
	if now := c.Now(); since.After(now) || since.Before(now.Add(-ReplayWindow)) {
		return Receipt{}, domain.Invalid("since", fmt.Sprintf("Give an instant of the last %d days; a cursor goes back further.", int(ReplayWindow.Hours()/24)))
	}
	after, err := c.recordedBefore(ctx, w.Organization, since.Add(-replaySkew))
	if err != nil {
		return Receipt{}, err
	}
	return c.onWebhook(ctx, r, owner, id, func(s webhook.State, w webhook.Webhook) ([]domain.Event, error) {
		return webhook.Replay(s, id, min(uint64(after), w.Reached))
	})
}

// recordedBefore is a position before everything that was recorded at an instant
// or later: of an organization, or of the whole log. Positions say nothing of
// times and cannot be searched, so for the log it begins with what the webhooks'
// own stream or the ledger's has just before: the one has something for every hour
// in which anything is delivered, the other for every few seconds in which anything
// is written.
func (c *Commands) recordedBefore(ctx context.Context, org domain.OrganizationID, at time.Time) (eventstore.Position, error) {
	if org != "" {
		return c.lastBefore(ctx, "organization-"+string(org), at)
	}
	var after eventstore.Position
	for _, stream := range []string{"webhooks-" + allWebhooks, LedgerStream} {
		last, err := c.lastBefore(ctx, stream, at)
		if err != nil {
			return 0, err
		}
		after = max(after, last)
	}
	const mostPages = 50 // what is left is delivered again as well
	for range mostPages {
		page, err := c.Store.ReadAll(ctx, after, tracesPage, eventstore.Filter{})
		if err != nil {
			return 0, err
		}
		for _, e := range page.Events {
			if !e.RecordedAt.Before(at) {
				return after, nil
			}
			after = e.Position
		}
		if page.Head {
			return after, nil
		}
		after = max(after, page.Position)
	}
	return after, nil
}

// lastBefore is the position of the last event of a stream that was recorded
// before an instant, 0 for none: revisions and times grow together, so it is a
// search by halves.
func (c *Commands) lastBefore(ctx context.Context, stream string, at time.Time) (last eventstore.Position, err error) {
	early := func(revision uint64) (bool, error) {
		events, err := c.Store.ReadStream(ctx, stream, eventstore.Revision(revision), 1)
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return false, nil
		}
		if err != nil || len(events) == 0 || !events[0].RecordedAt.Before(at) {
			return false, err
		}
		last = max(last, events[0].Position)
		return true, nil
	}
	// All before low are early, and high is not.
	low, high := uint64(0), uint64(0)
	for step := uint64(1); ; step *= 2 {
		is, err := early(high)
		if err != nil {
			return 0, err
		}
		if !is {
			break
		}
		low, high = high+1, high+step
	}
	for low < high {
		middle := low + (high-low)/2
		is, err := early(middle)
		switch {
		case err != nil:
			return 0, err
		case is:
			low = middle + 1
		default:
			high = middle
		}
	}
	return last, nil
}
