package commands

import (
	"context"
	"strconv"
	"time"

	"tenure/domain"
	"tenure/domain/webhook"
	"tenure/eventstore"
)

// allWebhooks is the one stream of all webhooks.
const allWebhooks = "all"

// Webhooks answers with all webhooks, from the log itself.
func (c *Commands) Webhooks(ctx context.Context) (webhook.State, error) {
	s, _, err := c.webhooks.load(ctx, allWebhooks)
	return s, err
}

// WebhookSecret is the secret of a generation. It is derived: no stream holds it.
func (c *Commands) WebhookSecret(id domain.WebhookID, generation int) []byte {
	return c.Keys.Secret("webhook", string(id), strconv.Itoa(generation))
}

// RegisterWebhook has the events after a position delivered. It answers with the
// secret that they are signed with; a dry run has none. It fails with
// CodeInvalid.
func (c *Commands) RegisterWebhook(ctx context.Context, r Request, w webhook.Registered, after eventstore.Position) (domain.WebhookID, []byte, Receipt, error) {
	w.WebhookID, w.After = domain.WebhookID(c.newID(r, "webhook", "webhooks-"+allWebhooks)), uint64(after)
	receipt, err := c.webhooks.execute(ctx, allWebhooks, r, func(s webhook.State) ([]domain.Event, error) { return webhook.Register(s, w) })
	if err != nil || c.dry {
		return w.WebhookID, nil, receipt, err
	}
	return w.WebhookID, c.WebhookSecret(w.WebhookID, 1), receipt, nil
}

// WebhookChange is what of a webhook is changed; nil for what stays.
type WebhookChange struct {
	URL     *string
	Enabled *bool
}

// ChangeWebhook changes a webhook. It fails with CodeNotFound and CodeInvalid.
func (c *Commands) ChangeWebhook(ctx context.Context, r Request, id domain.WebhookID, change WebhookChange) (Receipt, error) {
	return c.webhooks.execute(ctx, allWebhooks, r, func(s webhook.State) ([]domain.Event, error) {
		w, ok := s.Webhook(id)
		if !ok {
			return webhook.Enable(s, id, "") // which refuses it
		}
		var all []domain.Event
		if change.URL != nil {
			events, err := webhook.Change(s, id, *change.URL)
			if err != nil {
				return nil, err
			}
			all = append(all, events...)
		}
		if change.Enabled != nil && *change.Enabled != (w.Disabled == "") {
			cause := ""
			if !*change.Enabled {
				cause = webhook.CauseOperator
			}
			events, err := webhook.Enable(s, id, cause)
			if err != nil {
				return nil, err
			}
			all = append(all, events...)
		}
		return all, nil
	})
}

// RotateWebhookSecret begins to sign with another secret, which it answers with;
// a dry run has none. It fails with CodeNotFound and CodeInvalid.
func (c *Commands) RotateWebhookSecret(ctx context.Context, r Request, id domain.WebhookID, overlap time.Duration) ([]byte, Receipt, error) {
	receipt, err := c.webhooks.execute(ctx, allWebhooks, r, func(s webhook.State) ([]domain.Event, error) {
		return webhook.RotateSecret(s, id, overlap, c.Now())
	})
	if err != nil || c.dry || len(receipt.Events) == 0 {
		return nil, receipt, err
	}
	return c.WebhookSecret(id, receipt.Events[0].(webhook.SecretRotated).Generation), receipt, nil
}

// ReplayWebhook delivers everything after a position again. It fails with
// CodeNotFound.
func (c *Commands) ReplayWebhook(ctx context.Context, r Request, id domain.WebhookID, after eventstore.Position) (Receipt, error) {
	return c.webhooks.execute(ctx, allWebhooks, r, func(s webhook.State) ([]domain.Event, error) {
		return webhook.Replay(s, id, uint64(after))
	})
}

// DeleteWebhook ends a webhook. It fails with CodeNotFound.
func (c *Commands) DeleteWebhook(ctx context.Context, r Request, id domain.WebhookID) (Receipt, error) {
	return c.webhooks.execute(ctx, allWebhooks, r, func(s webhook.State) ([]domain.Event, error) { return webhook.Delete(s, id) })
}

// WebhookGone stops a webhook whose receiver says that it is gone.
func (c *Commands) WebhookGone(ctx context.Context, id domain.WebhookID) error {
	_, err := c.webhooks.execute(ctx, allWebhooks, delivering, func(s webhook.State) ([]domain.Event, error) {
		if _, ok := s.Webhook(id); !ok {
			return nil, nil
		}
		return webhook.Enable(s, id, webhook.CauseGone)
	})
	return err
}

// WebhookFailed records an attempt that has failed; the webhook's state says when
// the next one is due, or that the event was given up.
func (c *Commands) WebhookFailed(ctx context.Context, id domain.WebhookID, version int, a webhook.Attempt) error {
	_, err := c.webhooks.execute(ctx, allWebhooks, delivering, func(s webhook.State) ([]domain.Event, error) {
		return webhook.Fail(s, id, version, a, c.Now()), nil
	})
	return err
}

// WebhookReached records how far the deliveries have got.
func (c *Commands) WebhookReached(ctx context.Context, id domain.WebhookID, version int, position eventstore.Position) error {
	_, err := c.webhooks.execute(ctx, allWebhooks, delivering, func(s webhook.State) ([]domain.Event, error) {
		return webhook.Reach(s, id, version, uint64(position)), nil
	})
	return err
}

var delivering = Request{Actor: domain.ByProcess("webhooks")}
