package invitation

import (
	"time"

	"tenure/domain"
)

// The events of an invitation's stream: the life of its link.
type (
	// Issued makes the invitation's first link.
	Issued struct {
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Email          domain.Email          `json:"email" personal:"invitation_id"`
		Username       domain.Username       `json:"username,omitempty" personal:"invitation_id"`
		Roles          []domain.Role         `json:"roles"`
		Language       string                `json:"language"`
		InvitedBy      domain.AccountID      `json:"invited_by"`
		ExpiresAt      time.Time             `json:"expires_at"`
		Provider       string                `json:"provider,omitempty"`                        // S2: who accepts signs in with it; empty: in any way
		Tenant         string                `json:"tenant,omitempty"`                          // S2: of the provider; empty: any
		Notify         domain.Email          `json:"notify,omitempty" personal:"invitation_id"` // S2: where the mail goes instead
	}

	// Resent makes a fresh link; those of lower generations are dead (O6).
	// Whoever resends becomes the inviter.
	Resent struct {
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Generation     int                   `json:"generation"`
		InvitedBy      domain.AccountID      `json:"invited_by"`
		ExpiresAt      time.Time             `json:"expires_at"`
	}

	// Accepted uses the link up; the organization admits the account next.
	Accepted struct {
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
	}

	// Declined is the invitee's no.
	Declined struct {
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		OrganizationID domain.OrganizationID `json:"organization_id"`
	}

	// Revoked withdraws the link.
	Revoked struct {
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Cause          string                `json:"cause"` // CauseRevoked or another cause
	}

	// Expired is recorded once the lifetime is over.
	Expired struct {
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Generation     int                   `json:"generation"`
	}
)

// EventType implements domain.Event.
func (Issued) EventType() string { return "invitation.issued.v1" }

// EventType implements domain.Event.
func (Resent) EventType() string { return "invitation.resent.v1" }

// EventType implements domain.Event.
func (Accepted) EventType() string { return "invitation.accepted.v1" }

// EventType implements domain.Event.
func (Declined) EventType() string { return "invitation.declined.v1" }

// EventType implements domain.Event.
func (Revoked) EventType() string { return "invitation.revoked.v1" }

// EventType implements domain.Event.
func (Expired) EventType() string { return "invitation.expired.v1" }
