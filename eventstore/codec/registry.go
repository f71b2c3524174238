package codec

import (
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/broker"
	"tenure/domain/checkpoint"
	"tenure/domain/erasure"
	"tenure/domain/invitation"
	"tenure/domain/mailing"
	"tenure/domain/organization"
	"tenure/domain/publication"
	"tenure/domain/reservation"
	"tenure/domain/sealing"
	"tenure/domain/webhook"
)

// registry lists every event in its current form. An entry goes away only
// together with an upcast from its wire name.
func registry() []entry {
	return []entry{
		event[account.AvatarChanged](),
		event[account.EmailVerified](),
		event[account.Erased](),
		event[account.IdentityLinked](),
		event[account.IdentityUnlinked](),
		event[account.OrganizationSelected](),
		event[account.PasswordAssigned](),
		event[account.PasswordResetRequested](),
		event[account.PasswordSet](),
		event[account.ProfileChanged](),
		event[account.Registered](),
		event[account.RegistrationRepeated](),
		event[account.Seen](),
		event[account.SessionEnded](),
		event[account.SessionStarted](),
		event[account.VerificationRequested](),

		event[domain.ChangedNothing](),

		event[apikey.Created](),
		event[apikey.Revoked](),

		event[broker.Failed](),
		event[broker.Paused](),
		event[broker.Reached](),
		event[broker.Replayed](),
		event[broker.Resumed](),

		event[checkpoint.Cosigned](),
		event[checkpoint.Signed](),

		event[invitation.Accepted](),
		event[invitation.Declined](),
		event[invitation.Expired](),
		event[invitation.Issued](),
		event[invitation.Resent](),
		event[invitation.Revoked](),

		event[erasure.Concluded](),
		event[erasure.Requested](),

		event[sealing.KeyringBound](),

		event[mailing.Abandoned](),
		event[mailing.Claimed](),
		event[mailing.Sent](),

		event[organization.Activated](),
		event[organization.AutoActivationChanged](),
		event[organization.Deleted](),
		event[organization.EmailDomainChanged](),
		event[organization.InvitationClosed](),
		event[organization.InvitationErased](),
		event[organization.InvitationOpened](),
		event[organization.InvitationSpacesChanged](),
		event[organization.JoinRequestClosed](),
		event[organization.JoinRequested](),
		event[organization.MemberErased](),
		event[organization.MemberJoined](),
		event[organization.MemberReactivated](),
		event[organization.MemberRemoved](),
		event[organization.MemberRenamed](),
		event[organization.MemberSuspended](),
		event[organization.OwnershipTransferEnded](),
		event[organization.OwnershipTransferRequested](),
		event[organization.OwnershipTransferred](),
		event[organization.PasswordReset](),
		event[organization.PersonalSpaceRenamed](),
		event[organization.PolicyChanged](),
		event[organization.Renamed](),
		event[organization.RequestsSummarized](),
		event[organization.RolesChanged](),
		event[organization.SeatClaimed](),
		event[organization.SeatsChanged](),
		event[organization.SettingsChanged](),
		event[organization.SpaceCreated](),
		event[organization.SpaceDeleted](),
		event[organization.SpaceRenamed](),
		event[organization.SpacesAssigned](),
		event[organization.ValuesErased](),
		event[organization.WorkAssigned](),
		event[organization.WorkReleased](),

		event[publication.Published](),

		event[reservation.Confirmed](),
		event[reservation.Made](),
		event[reservation.Released](),

		event[webhook.Changed](),
		event[webhook.Deleted](),
		event[webhook.Delivered](),
		event[webhook.DeliveryFailed](),
		event[webhook.Disabled](),
		event[webhook.Enabled](),
		event[webhook.GivenUp](),
		event[webhook.Registered](),
		event[webhook.Replayed](),
		event[webhook.Retried](),
		event[webhook.RetryRequested](),
		event[webhook.SecretRotated](),
	}
}

// upcasts lists every form that an event had before.
func upcasts() []upcast {
	return nil
}
