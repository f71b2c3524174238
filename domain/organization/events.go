package organization

import (
	"time"

	"tenure/domain"
)

// The events of an organization's stream, in the order in which they usually
// happen. Before and after values stand in the event, so that a reader of the
// history needs nothing else.
type (
	// Activated founds the organization; the founder is its first member (O1).
	Activated struct {
		OrganizationID domain.OrganizationID   `json:"organization_id"`
		Name           domain.OrganizationName `json:"name"`
		Policy         string                  `json:"policy"`
		PolicyVersion  int                     `json:"policy_version"`
		AccountID      domain.AccountID        `json:"account_id"`
		Email          domain.Email            `json:"email" personal:"account_id"`
		Username       domain.Username         `json:"username" personal:"account_id"`
		DisplayName    string                  `json:"display_name" personal:"account_id"`
		Roles          []domain.Role           `json:"roles"`
	}

	// Renamed gives the organization another name.
	Renamed struct {
		OrganizationID domain.OrganizationID   `json:"organization_id"`
		Before         domain.OrganizationName `json:"before"`
		After          domain.OrganizationName `json:"after"`
	}

	// InvitationOpened takes the invitee's e-mail and username inside the
	// organization. Generation 1 is the first issue, each resend is one more.
	InvitationOpened struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		Generation     int                   `json:"generation"`
		Email          domain.Email          `json:"email" personal:"invitation_id"`
		Username       domain.Username       `json:"username,omitempty" personal:"invitation_id"`
		Roles          []domain.Role         `json:"roles"`
		Language       string                `json:"language"`
		InvitedBy      domain.AccountID      `json:"invited_by"`
		ExpiresAt      time.Time             `json:"expires_at"`
		Provider       string                `json:"provider,omitempty"`
		Tenant         string                `json:"tenant,omitempty"`
		Notify         domain.Email          `json:"notify,omitempty" personal:"invitation_id"`
	}

	// InvitationClosed gives the invitee's e-mail and username back, for every
	// outcome but acceptance, which MemberJoined records.
	InvitationClosed struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		Outcome        string                `json:"outcome"` // declined, revoked, expired or accepted (by an account that is a member already)
	}

	// MemberJoined admits an account; an open invitation with InvitationID is
	// closed by it.
	MemberJoined struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Email          domain.Email          `json:"email" personal:"account_id"`
		Username       domain.Username       `json:"username,omitempty" personal:"account_id"`
		DisplayName    string                `json:"display_name" personal:"account_id"`
		Roles          []domain.Role         `json:"roles"`
		InvitationID   domain.InvitationID   `json:"invitation_id,omitempty"`
		InvitedBy      domain.AccountID      `json:"invited_by,omitempty"`
	}

	// MemberRenamed follows a change of the member's display name in the account.
	MemberRenamed struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Before         string                `json:"before" personal:"account_id"`
		After          string                `json:"after" personal:"account_id"`
	}

	// RolesChanged replaces a member's roles.
	RolesChanged struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Before         []domain.Role         `json:"before"`
		After          []domain.Role         `json:"after"`
	}

	// MemberRemoved ends a membership; Roles are those it had.
	MemberRemoved struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Roles          []domain.Role         `json:"roles"`
	}

	// OwnershipTransferRequested waits for the owner's confirmation by mail (O5).
	OwnershipTransferRequested struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		TransferID     domain.TransferID     `json:"transfer_id"`
		From           domain.AccountID      `json:"from"`
		To             domain.AccountID      `json:"to"`
		ExpiresAt      time.Time             `json:"expires_at"`
	}

	// OwnershipTransferEnded ends a request without a change of owner.
	OwnershipTransferEnded struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		TransferID     domain.TransferID     `json:"transfer_id"`
		From           domain.AccountID      `json:"from"`
		To             domain.AccountID      `json:"to"`
		Outcome        string                `json:"outcome"` // cancelled, expired or voided (a side is no longer eligible)
	}

	// OwnershipTransferred makes To the owner and gives From another role, in
	// one event (O5).
	OwnershipTransferred struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		TransferID     domain.TransferID     `json:"transfer_id"`
		From           domain.AccountID      `json:"from"`
		FromBefore     []domain.Role         `json:"from_before"`
		FromAfter      []domain.Role         `json:"from_after"`
		To             domain.AccountID      `json:"to"`
		ToBefore       []domain.Role         `json:"to_before"`
		ToAfter        []domain.Role         `json:"to_after"`
	}
)

// EventType implements domain.Event.
func (Activated) EventType() string { return "organization.activated.v1" }

// EventType implements domain.Event.
func (Renamed) EventType() string { return "organization.renamed.v1" }

// EventType implements domain.Event.
func (InvitationOpened) EventType() string { return "organization.invitation_opened.v1" }

// EventType implements domain.Event.
func (InvitationClosed) EventType() string { return "organization.invitation_closed.v1" }

// EventType implements domain.Event.
func (MemberJoined) EventType() string { return "organization.member_joined.v1" }

// EventType implements domain.Event.
func (MemberRenamed) EventType() string { return "organization.member_renamed.v1" }

// EventType implements domain.Event.
func (RolesChanged) EventType() string { return "organization.roles_changed.v1" }

// EventType implements domain.Event.
func (MemberRemoved) EventType() string { return "organization.member_removed.v1" }

// EventType implements domain.Event.
func (OwnershipTransferRequested) EventType() string {
	return "organization.ownership_transfer_requested.v1"
}

// EventType implements domain.Event.
func (OwnershipTransferEnded) EventType() string { return "organization.ownership_transfer_ended.v1" }

// EventType implements domain.Event.
func (OwnershipTransferred) EventType() string { return "organization.ownership_transferred.v1" }
