package webhook

import (
	"time"

	"tenure/domain"
)

// The events of the webhooks' stream. Positions are those of the log, as texts.
// Secrets are derived from the server's own and stand nowhere.
type (
	// Registered has events delivered to a URL: those after a position, of one
	// organization or of all, of the types that begin with Type. Owner is the
	// organization that the webhook belongs to, here and below; empty for the
	// operators'.
	Registered struct {
		WebhookID      domain.WebhookID      `json:"webhook_id"`
		URL            string                `json:"url"`
		OrganizationID domain.OrganizationID `json:"organization_id,omitempty"`
		Type           string                `json:"type,omitempty"`
		Personal       bool                  `json:"personal,omitempty"`
		After          uint64                `json:"after,string"`
		Owner          domain.OrganizationID `json:"owner,omitempty"`
	}

	// Changed has them delivered elsewhere.
	Changed struct {
		WebhookID domain.WebhookID      `json:"webhook_id"`
		URLBefore string                `json:"url_before"`
		URLAfter  string                `json:"url_after"`
		Owner     domain.OrganizationID `json:"owner,omitempty"`
	}

	// SecretRotated signs with the secret of a new generation, and until
	// OverlapUntil also with the one before.
	SecretRotated struct {
		WebhookID    domain.WebhookID      `json:"webhook_id"`
		Generation   int                   `json:"generation"`
		OverlapUntil time.Time             `json:"overlap_until"`
		Owner        domain.OrganizationID `json:"owner,omitempty"`
	}

	// Disabled stops the deliveries where they are. Recipients are told of it by
	// mail.
	Disabled struct {
		WebhookID  domain.WebhookID      `json:"webhook_id"`
		Cause      string                `json:"cause"` // one of the causes in webhook.go
		Owner      domain.OrganizationID `json:"owner,omitempty"`
		Recipients []domain.AccountID    `json:"recipients,omitempty"`
	}

	// Enabled goes on.
	Enabled struct {
		WebhookID domain.WebhookID      `json:"webhook_id"`
		Owner     domain.OrganizationID `json:"owner,omitempty"`
	}

	// Replayed goes back to a position: everything after it is delivered again.
	Replayed struct {
		WebhookID domain.WebhookID      `json:"webhook_id"`
		After     uint64                `json:"after,string"`
		Owner     domain.OrganizationID `json:"owner,omitempty"`
	}

	// Deleted ends the deliveries for good.
	Deleted struct {
		WebhookID domain.WebhookID      `json:"webhook_id"`
		Owner     domain.OrganizationID `json:"owner,omitempty"`
	}

	// DeliveryFailed records an attempt that will be repeated.
	DeliveryFailed struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
		EventID   string           `json:"event_id"`
		Attempt   int              `json:"attempt"`
		Cause     string           `json:"cause"` // a cause of package relay/webhook
		NextAt    time.Time        `json:"next_at"`
		At        time.Time        `json:"at,omitzero"` // when it failed
	}

	// GivenUp leaves an event behind that could not be delivered in time: the
	// next one's turn has come. After is the position before the event.
	GivenUp struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
		EventID   string           `json:"event_id"`
		After     uint64           `json:"after,string"`
		Position  uint64           `json:"position,string"`
		Attempts  int              `json:"attempts"`
		Cause     string           `json:"cause"`
	}

	// RetryRequested has dead letters tried once more.
	RetryRequested struct {
		WebhookID domain.WebhookID      `json:"webhook_id"`
		EventIDs  []string              `json:"event_ids"`
		Owner     domain.OrganizationID `json:"owner,omitempty"`
	}

	// Retried says what has come of that for one of them: with a cause it stays a
	// dead letter.
	Retried struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
		EventID   string           `json:"event_id"`
		Cause     string           `json:"cause,omitempty"`
	}

	// Delivered records now and then how far the deliveries have got.
	Delivered struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
		Position  uint64           `json:"position,string"`
	}
)

// EventType implements domain.Event.
func (Registered) EventType() string { return "webhook.registered.v1" }

// EventType implements domain.Event.
func (Changed) EventType() string { return "webhook.changed.v1" }

// EventType implements domain.Event.
func (SecretRotated) EventType() string { return "webhook.secret_rotated.v1" }

// EventType implements domain.Event.
func (Disabled) EventType() string { return "webhook.disabled.v1" }

// EventType implements domain.Event.
func (Enabled) EventType() string { return "webhook.enabled.v1" }

// EventType implements domain.Event.
func (Replayed) EventType() string { return "webhook.replayed.v1" }

// EventType implements domain.Event.
func (Deleted) EventType() string { return "webhook.deleted.v1" }

// EventType implements domain.Event.
func (DeliveryFailed) EventType() string { return "webhook.delivery_failed.v1" }

// EventType implements domain.Event.
func (GivenUp) EventType() string { return "webhook.given_up.v1" }

// EventType implements domain.Event.
func (RetryRequested) EventType() string { return "webhook.retry_requested.v1" }

// EventType implements domain.Event.
func (Retried) EventType() string { return "webhook.retried.v1" }

// EventType implements domain.Event.
func (Delivered) EventType() string { return "webhook.delivered.v1" }
