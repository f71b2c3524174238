package webhook

import (
	"time"

	"tenure/domain"
)

// The events of the webhooks' stream. Positions are those of the log, as texts.
// Secrets are derived from the server's own and stand nowhere.
type (
	// Registered has events delivered to a URL: those after a position, of one
	// organization or of all, of the types that begin with Type.
	Registered struct {
		WebhookID      domain.WebhookID      `json:"webhook_id"`
		URL            string                `json:"url"`
		OrganizationID domain.OrganizationID `json:"organization_id,omitempty"`
		Type           string                `json:"type,omitempty"`
		Personal       bool                  `json:"personal,omitempty"`
		After          uint64                `json:"after,string"`
	}

	// Changed has them delivered elsewhere.
	Changed struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
		URLBefore string           `json:"url_before"`
		URLAfter  string           `json:"url_after"`
	}

	// SecretRotated signs with the secret of a new generation, and until
	// OverlapUntil also with the one before.
	SecretRotated struct {
		WebhookID    domain.WebhookID `json:"webhook_id"`
		Generation   int              `json:"generation"`
		OverlapUntil time.Time        `json:"overlap_until"`
	}

	// Disabled stops the deliveries where they are.
	Disabled struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
		Cause     string           `json:"cause"` // operator, or gone (the receiver says that it is)
	}

	// Enabled goes on.
	Enabled struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
	}

	// Replayed goes back to a position: everything after it is delivered again.
	Replayed struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
		After     uint64           `json:"after,string"`
	}

	// Deleted ends the deliveries for good.
	Deleted struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
	}

	// DeliveryFailed records an attempt that will be repeated.
	DeliveryFailed struct {
		WebhookID domain.WebhookID `json:"webhook_id"`
		EventID   string           `json:"event_id"`
		Attempt   int              `json:"attempt"`
		Cause     string           `json:"cause"` // refused_address, unreachable, timed_out, or status_ and the answer's
		NextAt    time.Time        `json:"next_at"`
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
func (Delivered) EventType() string { return "webhook.delivered.v1" }
