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

// Webhook finds a webhook; an organization finds its own alone, operators, who
// name none, find all. It fails with CodeNotFound.
func (c *Commands) Webhook(ctx context.Context, owner domain.OrganizationID, id domain.WebhookID) (webhook.Webhook, error) {
	s, err := c.Webhooks(ctx)
	if err != nil {
		return webhook.Webhook{}, err
	}
	return findWebhook(s, owner, id)
}

func findWebhook(s webhook.State, owner domain.OrganizationID, id domain.WebhookID) (webhook.Webhook, error) {
	w, ok := s.Webhook(id)
	if !ok || !s.Owns(owner, id) {
		return w, domain.Refuse(domain.CodeNotFound, "No such webhook", "Look the webhook up in the list of webhooks.")
	}
	return w, nil
}

// WebhookSecret is the secret of a generation. It is derived: no stream holds it.
func (c *Commands) WebhookSecret(id domain.WebhookID, generation int) []byte {
	return c.Keys.Secret("webhook", string(id), strconv.Itoa(generation))
}

// onWebhook runs a decision about a webhook of an organization, or of any one for
// operators. Members need webhooks.manage; they may lose it between the look and
// the append, as if they had been a moment faster.
func (c *Commands) onWebhook(ctx context.Context, r Request, owner domain.OrganizationID, id domain.WebhookID, decide func(webhook.State, webhook.Webhook) ([]domain.Event, error)) (Receipt, error) {
	if _, err := c.mayManageWebhooks(ctx, r, owner); err != nil {
		return Receipt{}, err
	}
	return c.webhooks.execute(ctx, allWebhooks, r, func(s webhook.State) ([]domain.Event, error) {
		w, err := findWebhook(s, owner, id)
		if err != nil {
			return nil, err
		}
		return decide(s, w)
	})
}

func (c *Commands) mayManageWebhooks(ctx context.Context, r Request, owner domain.OrganizationID) (Membership, error) {
	if owner == "" {
		return Membership{}, nil // the route has asked for a scope
	}
	return c.Authorize(ctx, r.Actor, owner, domain.ManageWebhooks)
}

// RegisterWebhook has the events after a position delivered. One of an
// organization, which has an owner, shows the history elsewhere, so it takes
// history.read as well, and members.read to leave the personal data in. It answers
// with the secret that deliveries are signed with; a dry run has none. It fails
// with CodeInvalid, CodeNotFound and CodePermissionDenied.
func (c *Commands) RegisterWebhook(ctx context.Context, r Request, w webhook.Registered, after eventstore.Position) (domain.WebhookID, []byte, Receipt, error) {
	m, err := c.mayManageWebhooks(ctx, r, w.Owner)
	if err != nil {
		return "", nil, Receipt{}, err
	}
	if err := mayReceive(m, w.Owner, w.Personal); err != nil {
		return "", nil, Receipt{}, err
	}
	w.WebhookID, w.After = domain.WebhookID(c.newID(r, "webhook", "webhooks-"+allWebhooks)), uint64(after)
	receipt, err := c.webhooks.execute(ctx, allWebhooks, r, func(s webhook.State) ([]domain.Event, error) { return webhook.Register(s, w) })
	if err != nil || c.dry {
		return w.WebhookID, nil, receipt, err
	}
	return w.WebhookID, c.WebhookSecret(w.WebhookID, 1), receipt, nil
}

// mayReceive refuses whoever may not read what a webhook of an organization
// delivers, and so may not choose where to.
func mayReceive(m Membership, owner domain.OrganizationID, personal bool) error {
	if owner == "" {
		return nil
	}
	needed := []domain.Permission{domain.ReadHistory}
	if personal {
		needed = append(needed, domain.ReadMembers)
	}
	for _, permission := range needed {
		if !m.Policy.Allows(m.Roles, permission) {
			return m.Policy.Refuse(domain.CodePermissionDenied, "Permission denied", "Ask an administrator of the organization for a role that allows "+string(permission)+".")
		}
	}
	return nil
}

// WebhookChange is what of a webhook is changed; nil for what stays.
type WebhookChange struct {
	URL     *string
	Enabled *bool
}

// ChangeWebhook changes a webhook. Another URL takes what registering the webhook
// took. It fails with CodeNotFound, CodeInvalid and CodePermissionDenied.
func (c *Commands) ChangeWebhook(ctx context.Context, r Request, owner domain.OrganizationID, id domain.WebhookID, change WebhookChange) (Receipt, error) {
	m, err := c.mayManageWebhooks(ctx, r, owner)
	if err != nil {
		return Receipt{}, err
	}
	return c.onWebhook(ctx, r, owner, id, func(s webhook.State, w webhook.Webhook) (all []domain.Event, err error) {
		if change.URL != nil {
			if err := mayReceive(m, owner, w.Personal); err != nil {
				return nil, err
			}
			if all, err = webhook.Change(s, id, *change.URL); err != nil {
				return nil, err
			}
		}
		var switched []domain.Event
		switch {
		case change.Enabled == nil:
		case *change.Enabled:
			switched, err = webhook.Enable(s, id)
		case r.Actor.Kind == domain.ActorAccount:
			switched, err = webhook.Disable(s, id, webhook.CauseAdministrator, nil)
		default:
			switched, err = webhook.Disable(s, id, webhook.CauseOperator, nil)
		}
		return append(all, switched...), err
	})
}

// RotateWebhookSecret begins to sign with another secret, which it answers with;
// a dry run has none. It fails with CodeNotFound, CodeInvalid and
// CodePermissionDenied.
func (c *Commands) RotateWebhookSecret(ctx context.Context, r Request, owner domain.OrganizationID, id domain.WebhookID, overlap time.Duration) ([]byte, Receipt, error) {
	receipt, err := c.onWebhook(ctx, r, owner, id, func(s webhook.State, _ webhook.Webhook) ([]domain.Event, error) {
		return webhook.RotateSecret(s, id, overlap, c.Now())
	})
	if err != nil || c.dry || len(receipt.Events) == 0 {
		return nil, receipt, err
	}
	return c.WebhookSecret(id, receipt.Events[0].(webhook.SecretRotated).Generation), receipt, nil
}

// RetryWebhook tries dead letters once more: those with these ids, or all for
// none. It fails with CodeNotFound, CodeInvalid and CodePermissionDenied.
func (c *Commands) RetryWebhook(ctx context.Context, r Request, owner domain.OrganizationID, id domain.WebhookID, events []string) (Receipt, error) {
	return c.onWebhook(ctx, r, owner, id, func(s webhook.State, _ webhook.Webhook) ([]domain.Event, error) {
		return webhook.Retry(s, id, events)
	})
}

// DeleteWebhook ends a webhook. It fails with CodeNotFound and
// CodePermissionDenied.
func (c *Commands) DeleteWebhook(ctx context.Context, r Request, owner domain.OrganizationID, id domain.WebhookID) (Receipt, error) {
	if _, err := c.mayManageWebhooks(ctx, r, owner); err != nil {
		return Receipt{}, err
	}
	return c.webhooks.execute(ctx, allWebhooks, r, func(s webhook.State) ([]domain.Event, error) {
		if !s.Owns(owner, id) {
			_, err := findWebhook(s, owner, id)
			return nil, err
		}
		return webhook.Delete(s, id)
	})
}
