package commands

import (
	"context"
	"slices"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/webhook"
	"tenure/eventstore"
)

// WebhookStanding is what a webhook may do now.
type WebhookStanding struct {
	Personal bool                // the events keep their personal data
	Guards   []domain.Permission // what it may read of the values that take a permission of their own
	Held     bool                // no role of the organization may have it any more
	Ended    bool                // the organization was deleted
}

// Same reports whether both let the same into the events.
func (s WebhookStanding) Same(other WebhookStanding) bool {
	return s.Personal == other.Personal && slices.Equal(s.Guards, other.Guards)
}

// Reads reports whether values are in the events that it takes the permission to
// read.
func (s WebhookStanding) Reads(p domain.Permission) bool { return slices.Contains(s.Guards, p) }

// WebhookStanding finds out what a webhook may do now. One of an organization may
// do what a role of the organization's policy may, whoever has made it; what
// leaves after the organization has ended leaves without personal data. Values that
// take a permission of their own leave where all who may have it have that one, since
// each of them chooses where to.
func (c *Commands) WebhookStanding(ctx context.Context, w webhook.Webhook) (WebhookStanding, error) {
	if w.Owner == "" {
		standing := WebhookStanding{Personal: w.Personal}
		if w.Personal {
			standing.Guards = organization.Guards()
		}
		return standing, nil
	}
	s, _, err := c.organizations.load(ctx, string(w.Owner))
	if err != nil {
		return WebhookStanding{}, err
	}
	p, err := c.rules(s)
	if err != nil {
		return WebhookStanding{}, err
	}
	guards := slices.DeleteFunc(organization.Guards(), func(guard domain.Permission) bool {
		return s.Deleted || !p.Entails(domain.ManageWebhooks, guard)
	})
	return WebhookStanding{
		Guards:   guards,
		Personal: w.Personal && !s.Deleted && p.SomeRole(domain.ManageWebhooks, domain.ReadHistory, domain.ReadMembers),
		Held:     !s.Deleted && !p.SomeRole(domain.ManageWebhooks, domain.ReadHistory),
		Ended:    s.Deleted,
	}, nil
}

// StopWebhook stops a webhook for a cause, and tells those who manage the
// organization's webhooks.
func (c *Commands) StopWebhook(ctx context.Context, id domain.WebhookID, cause string) error {
	recipients, err := c.webhookManagers(ctx, id)
	if err != nil {
		return err
	}
	_, err = c.webhooks.execute(ctx, allWebhooks, delivering, func(s webhook.State) ([]domain.Event, error) {
		if _, ok := s.Webhook(id); !ok {
			return nil, nil
		}
		return webhook.Disable(s, id, cause, recipients)
	})
	return err
}

// webhookManagers are those members who manage the webhooks of the organization
// that a webhook belongs to.
func (c *Commands) webhookManagers(ctx context.Context, id domain.WebhookID) ([]domain.AccountID, error) {
	all, err := c.Webhooks(ctx)
	w, ok := all.Webhook(id)
	if err != nil || !ok || w.Owner == "" {
		return nil, err
	}
	s, _, err := c.organizations.load(ctx, string(w.Owner))
	if err != nil || s.Deleted {
		return nil, err
	}
	p, err := c.rules(s)
	if err != nil {
		return nil, err
	}
	return s.Holders(p, domain.ManageWebhooks), nil
}

// DeletionConcluded reports whether an organization was deleted and all that comes of it has
// happened: no work is assigned any more, and no invitation open. Last is its newest
// event. Of no organization it never holds.
func (c *Commands) DeletionConcluded(ctx context.Context, org domain.OrganizationID) (last eventstore.Revision, ok bool, err error) {
	if org == "" {
		return 0, false, nil
	}
	s, expected, err := c.organizations.load(ctx, string(org))
	if err != nil || !s.Deleted || len(s.Invitations()) > 0 || len(organization.ReleaseOfDeleted(s)) > 0 {
		return 0, false, err
	}
	last, _ = expected.Last()
	return last, true, nil
}

// EndWebhook deletes the webhook of an organization that is no more.
func (c *Commands) EndWebhook(ctx context.Context, id domain.WebhookID) error {
	_, err := c.webhooks.execute(ctx, allWebhooks, delivering, func(s webhook.State) ([]domain.Event, error) { return webhook.Delete(s, id) })
	return err
}

// WebhookFailed records an attempt that has failed; the webhook's state says when
// the next one is due, or that the event was given up, or that it is switched off.
func (c *Commands) WebhookFailed(ctx context.Context, id domain.WebhookID, version int, a webhook.Attempt) error {
	all, err := c.Webhooks(ctx)
	if err != nil {
		return err
	}
	var recipients []domain.AccountID
	if w, _ := all.Webhook(id); w.Hopeless(c.Now()) {
		if recipients, err = c.webhookManagers(ctx, id); err != nil {
			return err
		}
	}
	_, err = c.webhooks.execute(ctx, allWebhooks, delivering, func(s webhook.State) ([]domain.Event, error) {
		return webhook.Fail(s, id, version, a, c.Now(), recipients), nil
	})
	return err
}

// WebhookRetried records what has come of trying a dead letter once more: an empty
// cause is that it has arrived.
func (c *Commands) WebhookRetried(ctx context.Context, id domain.WebhookID, version int, event, cause string) error {
	_, err := c.webhooks.execute(ctx, allWebhooks, delivering, func(s webhook.State) ([]domain.Event, error) {
		return webhook.Settle(s, id, version, event, cause), nil
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

// WebhookNotice is what the mail about a webhook that has stopped says.
type WebhookNotice struct {
	Wanted       bool // false when it goes on again, or the recipient does not manage it any more
	Recipient    account.State
	Organization organization.State
	Webhook      webhook.Webhook
}

// WebhookNotice finds what one of those who manage a webhook is told.
func (c *Commands) WebhookNotice(ctx context.Context, id domain.WebhookID, recipient domain.AccountID) (WebhookNotice, error) {
	all, err := c.Webhooks(ctx)
	w, ok := all.Webhook(id)
	if err != nil || !ok || w.Owner == "" || w.Disabled == "" {
		return WebhookNotice{}, err
	}
	s, _, err := c.organizations.load(ctx, string(w.Owner))
	if err != nil {
		return WebhookNotice{}, err
	}
	_, refused := c.Authorize(ctx, domain.ByAccount(recipient), w.Owner, domain.ManageWebhooks)
	if refused != nil && !isRefusal(refused) {
		return WebhookNotice{}, refused
	}
	who, err := c.Account(ctx, recipient)
	return WebhookNotice{Wanted: refused == nil, Recipient: who, Organization: s, Webhook: w}, err
}
