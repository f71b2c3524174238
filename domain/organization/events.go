package organization

import (
	"time"

	"tenure/domain"
)

// PolicyVersion names one version of a policy.
type PolicyVersion struct {
	Policy  string `json:"policy"`
	Version int    `json:"version"`
}

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
		Personal       bool                    `json:"personal,omitempty"` // the founder's own space: nobody else is ever a member
	}

	// EmailDomainChanged says with which e-mail domain people ask to join by
	// signing in (C6); empty is none.
	EmailDomainChanged struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Before         string                `json:"before"`
		After          string                `json:"after"`
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

	// InvitationSpacesChanged replaces the spaces that the invitee may enter once
	// they are a member.
	InvitationSpacesChanged struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		Before         []domain.SpaceID      `json:"before"`
		After          []domain.SpaceID      `json:"after"`
	}

	// InvitationClosed gives the invitee's e-mail and username back, for every
	// outcome but acceptance, which MemberJoined records.
	InvitationClosed struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		InvitationID   domain.InvitationID   `json:"invitation_id"`
		Outcome        string                `json:"outcome"` // declined, revoked, expired or accepted (by an account that is a member already, or in an organization that was deleted)
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
		Via            string                `json:"via,omitempty"`    // request or addition; empty by an invitation
		Spaces         []domain.SpaceID      `json:"spaces,omitempty"` // assigned with the invitation
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

	// MemberRemoved ends a membership; Roles and Spaces are those it had.
	MemberRemoved struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Roles          []domain.Role         `json:"roles"`
		Spaces         []domain.SpaceID      `json:"spaces,omitempty"`
	}

	// MemberSuspended keeps a member out until MemberReactivated (M7).
	MemberSuspended struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Roles          []domain.Role         `json:"roles"`
	}

	// MemberReactivated lets a suspended member in again, with what it had.
	MemberReactivated struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Roles          []domain.Role         `json:"roles"`
	}

	// PasswordReset has a temporary password made for a member; the account's
	// stream says when it took effect (M6).
	PasswordReset struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
	}

	// JoinRequested asks the organization to let an account in (C6, M1).
	JoinRequested struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Email          domain.Email          `json:"email" personal:"account_id"`
		DisplayName    string                `json:"display_name" personal:"account_id"`
		RequestedAt    time.Time             `json:"requested_at,omitzero"`
		DigestAt       time.Time             `json:"digest_at,omitzero"` // when the requests are summed up next; none where the policy has no digest
	}

	// RequestsSummarized sends each recipient a mail that lists the open requests
	// (C8). There are no recipients when none is open.
	RequestsSummarized struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Due            time.Time             `json:"due"`      // the instant that was scheduled
		Requests       int                   `json:"requests"` // that are open
		Recipients     []domain.AccountID    `json:"recipients,omitempty"`
		NextAt         time.Time             `json:"next_at,omitzero"` // none when none is open
	}

	// JoinRequestClosed ends a request that was not granted; MemberJoined ends
	// one that was.
	JoinRequestClosed struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Outcome        string                `json:"outcome"` // rejected or withdrawn
	}

	// AutoActivationChanged says whether those who ask are let in at once (M2).
	AutoActivationChanged struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Before         bool                  `json:"before"`
		After          bool                  `json:"after"`
	}

	// SeatClaimed keeps a seat for an invitee who is accepting, until the
	// invitation is closed or has made a member (S9).
	SeatClaimed struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		InvitationID   domain.InvitationID   `json:"invitation_id"`
	}

	// SeatsChanged says how many members there may be; 0 is what the policy says.
	SeatsChanged struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Before         int                   `json:"before"`
		After          int                   `json:"after"`
	}

	// SpaceCreated makes a space.
	SpaceCreated struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		SpaceID        domain.SpaceID        `json:"space_id"`
		Name           string                `json:"name"`
	}

	// SpaceRenamed gives a space another name.
	SpaceRenamed struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		SpaceID        domain.SpaceID        `json:"space_id"`
		Before         string                `json:"before"`
		After          string                `json:"after"`
	}

	// SpaceDeleted ends a space; nobody is assigned to it any more.
	SpaceDeleted struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		SpaceID        domain.SpaceID        `json:"space_id"`
		Name           string                `json:"name"`
	}

	// SpacesAssigned replaces the spaces that a member may enter.
	SpacesAssigned struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Before         []domain.SpaceID      `json:"before"`
		After          []domain.SpaceID      `json:"after"`
	}

	// WorkAssigned gives a piece of the host product's work to a member.
	WorkAssigned struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Kind           string                `json:"kind"`
		WorkID         string                `json:"work_id"`
		SpaceID        domain.SpaceID        `json:"space_id,omitempty"`
	}

	// WorkReleased takes it back: the host product gives it to somebody else, or
	// stops it.
	WorkReleased struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		AccountID      domain.AccountID      `json:"account_id"`
		Kind           string                `json:"kind"`
		WorkID         string                `json:"work_id"`
		SpaceID        domain.SpaceID        `json:"space_id,omitempty"`
		Cause          string                `json:"cause"` // finished, removed, suspended, space_lost or organization_deleted
	}

	// SettingsChanged changes settings of a section: what its holders need, and
	// Tenure keeps for them. Whoever may not read the section sees it without the
	// changes (domain.Guarded): their names tell as much as the values.
	SettingsChanged struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Section        Section               `json:"section"`
		Changes        []SettingChange       `json:"changes"`
		ValuesWithheld bool                  `json:"withheld,omitempty" log:"never"`
	}

	// PolicyChanged puts another policy in force (X10). Every member, suspended
	// or not, and every invitation that is open or has expired has from then on
	// what Roles says that their roles become, and NoRole where they had none; see
	// domain.MapRoles.
	PolicyChanged struct {
		OrganizationID domain.OrganizationID         `json:"organization_id"`
		Before         PolicyVersion                 `json:"before"`
		After          PolicyVersion                 `json:"after"`
		Roles          map[domain.Role][]domain.Role `json:"roles"`
		NoRole         []domain.Role                 `json:"no_role,omitempty"`
		KeepsSeats     bool                          `json:"keeps_seats,omitempty"` // one for each open invitation: seats were not limited before, and somebody may be accepting
		DigestAt       time.Time                     `json:"digest_at,omitzero"`    // when the requests that are open are summed up (C8)
	}

	// Deleted ends the organization. Its history stays (D9).
	Deleted struct {
		OrganizationID domain.OrganizationID   `json:"organization_id"`
		Name           domain.OrganizationName `json:"name"`
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
func (EmailDomainChanged) EventType() string { return "organization.email_domain_changed.v1" }

// EventType implements domain.Event.
func (Renamed) EventType() string { return "organization.renamed.v1" }

// EventType implements domain.Event.
func (InvitationOpened) EventType() string { return "organization.invitation_opened.v1" }

// EventType implements domain.Event.
func (InvitationSpacesChanged) EventType() string {
	return "organization.invitation_spaces_changed.v1"
}

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

// EventType implements domain.Event.
func (MemberSuspended) EventType() string { return "organization.member_suspended.v1" }

// EventType implements domain.Event.
func (MemberReactivated) EventType() string { return "organization.member_reactivated.v1" }

// EventType implements domain.Event.
func (PasswordReset) EventType() string { return "organization.password_reset.v1" }

// EventType implements domain.Event.
func (JoinRequested) EventType() string { return "organization.join_requested.v1" }

// EventType implements domain.Event.
func (RequestsSummarized) EventType() string { return "organization.requests_summarized.v1" }

// EventType implements domain.Event.
func (JoinRequestClosed) EventType() string { return "organization.join_request_closed.v1" }

// EventType implements domain.Event.
func (AutoActivationChanged) EventType() string { return "organization.auto_activation_changed.v1" }

// EventType implements domain.Event.
func (SeatClaimed) EventType() string { return "organization.seat_claimed.v1" }

// EventType implements domain.Event.
func (SeatsChanged) EventType() string { return "organization.seats_changed.v1" }

// EventType implements domain.Event.
func (SpaceCreated) EventType() string { return "organization.space_created.v1" }

// EventType implements domain.Event.
func (SpaceRenamed) EventType() string { return "organization.space_renamed.v1" }

// EventType implements domain.Event.
func (SpaceDeleted) EventType() string { return "organization.space_deleted.v1" }

// EventType implements domain.Event.
func (SpacesAssigned) EventType() string { return "organization.spaces_assigned.v1" }

// EventType implements domain.Event.
func (WorkAssigned) EventType() string { return "organization.work_assigned.v1" }

// EventType implements domain.Event.
func (WorkReleased) EventType() string { return "organization.work_released.v1" }

// EventType implements domain.Event.
func (SettingsChanged) EventType() string { return "organization.settings_changed.v1" }

// EventType implements domain.Event.
func (PolicyChanged) EventType() string { return "organization.policy_changed.v1" }

// EventType implements domain.Event.
func (Deleted) EventType() string { return "organization.deleted.v1" }
