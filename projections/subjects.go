package projections

import (
	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

// organizationOf says whose timeline an event belongs to.
func organizationOf(e domain.Event) domain.OrganizationID {
	switch x := e.(type) {
	case organization.Activated:
		return x.OrganizationID
	case organization.Renamed:
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
	org, _, _ := invitationOf(e)
	return org
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
	case organization.RolesChanged:
		return []domain.AccountID{x.AccountID}
	case organization.MemberRemoved:
		return []domain.AccountID{x.AccountID}
	case organization.OwnershipTransferRequested:
		return []domain.AccountID{x.From, x.To}
	case organization.OwnershipTransferEnded:
		return []domain.AccountID{x.From, x.To}
	case organization.OwnershipTransferred:
		return []domain.AccountID{x.From, x.To}
	case invitation.Accepted:
		return []domain.AccountID{x.AccountID}
	}
	return nil
}
