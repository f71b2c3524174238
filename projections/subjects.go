package projections

import (
	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/webhook"
)

// organizationOf says whose timeline an event belongs to.
func organizationOf(e domain.Event) domain.OrganizationID {
	switch x := e.(type) {
	case organization.Activated:
		return x.OrganizationID
	case organization.EmailDomainChanged:
		return x.OrganizationID
	case organization.Renamed:
		return x.OrganizationID
	case organization.PersonalSpaceRenamed:
		return x.OrganizationID
	case organization.InvitationOpened:
		return x.OrganizationID
	case organization.InvitationClosed:
		return x.OrganizationID
	case organization.MemberJoined:
		return x.OrganizationID
	case organization.MemberRenamed:
		return x.OrganizationID
	case organization.RolesChanged:
		return x.OrganizationID
	case organization.MemberRemoved:
		return x.OrganizationID
	case organization.MemberSuspended:
		return x.OrganizationID
	case organization.MemberReactivated:
		return x.OrganizationID
	case organization.PasswordReset:
		return x.OrganizationID
	case organization.MemberErased:
		return x.OrganizationID
	case organization.JoinRequested:
		return x.OrganizationID
	case organization.JoinRequestClosed:
		return x.OrganizationID
	case organization.RequestsSummarized:
		return x.OrganizationID
	case organization.AutoActivationChanged:
		return x.OrganizationID
	case organization.SeatClaimed:
		return x.OrganizationID
	case organization.SeatsChanged:
		return x.OrganizationID
	case organization.OwnershipTransferRequested:
		return x.OrganizationID
	case organization.OwnershipTransferEnded:
		return x.OrganizationID
	case organization.OwnershipTransferred:
		return x.OrganizationID
	}
	return organizationOfParts(e)
}

// organizationOfParts is organizationOf for what an organization has besides members.
func organizationOfParts(e domain.Event) domain.OrganizationID {
	switch x := e.(type) {
	case organization.InvitationSpacesChanged:
		return x.OrganizationID
	case organization.SpaceCreated:
		return x.OrganizationID
	case organization.SpaceRenamed:
		return x.OrganizationID
	case organization.SpaceDeleted:
		return x.OrganizationID
	case organization.SpacesAssigned:
		return x.OrganizationID
	case organization.WorkAssigned:
		return x.OrganizationID
	case organization.WorkReleased:
		return x.OrganizationID
	case organization.SettingsChanged:
		return x.OrganizationID
	case organization.ValuesErased:
		return x.OrganizationID
	case organization.Deleted:
		return x.OrganizationID
	case organization.PolicyChanged:
		return x.OrganizationID
	}
	if org := ownerOf(e); org != "" {
		return org
	}
	org, _, _ := invitationOf(e)
	return org
}

// ownerOf is the organization whose webhook people have changed, or that has
// stopped.
func ownerOf(e domain.Event) domain.OrganizationID {
	switch x := e.(type) {
	case webhook.Registered:
		return x.Owner
	case webhook.Changed:
		return x.Owner
	case webhook.SecretRotated:
		return x.Owner
	case webhook.Disabled:
		return x.Owner
	case webhook.Enabled:
		return x.Owner
	case webhook.Replayed:
		return x.Owner
	case webhook.RetryRequested:
		return x.Owner
	case webhook.Deleted:
		return x.Owner
	}
	return ""
}

// accountsOf lists the accounts that an event is about.
func accountsOf(e domain.Event) []domain.AccountID {
	switch x := e.(type) {
	case organization.Activated:
		return []domain.AccountID{x.AccountID}
	case organization.MemberJoined:
		return []domain.AccountID{x.AccountID}
	case organization.MemberRenamed:
		return []domain.AccountID{x.AccountID}
	case organization.PersonalSpaceRenamed:
		return []domain.AccountID{x.AccountID}
	case organization.RolesChanged:
		return []domain.AccountID{x.AccountID}
	case organization.MemberRemoved:
		return []domain.AccountID{x.AccountID}
	case organization.MemberSuspended:
		return []domain.AccountID{x.AccountID}
	case organization.MemberReactivated:
		return []domain.AccountID{x.AccountID}
	case organization.PasswordReset:
		return []domain.AccountID{x.AccountID}
	case organization.MemberErased:
		return []domain.AccountID{x.AccountID}
	case organization.JoinRequested:
		return []domain.AccountID{x.AccountID}
	case organization.JoinRequestClosed:
		return []domain.AccountID{x.AccountID}
	case organization.OwnershipTransferRequested:
		return []domain.AccountID{x.From, x.To}
	case organization.OwnershipTransferEnded:
		return []domain.AccountID{x.From, x.To}
	case organization.OwnershipTransferred:
		return []domain.AccountID{x.From, x.To}
	case organization.SpacesAssigned:
		return []domain.AccountID{x.AccountID}
	case organization.WorkAssigned:
		return []domain.AccountID{x.AccountID}
	case organization.WorkReleased:
		return []domain.AccountID{x.AccountID}
	case invitation.Accepted:
		return []domain.AccountID{x.AccountID}
	}
	return nil
}
