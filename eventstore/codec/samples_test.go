package codec_test

import (
	"time"

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
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// The values of the samples. The golden files hold them: never change one.
const (
	anOrganization = domain.OrganizationID("0192d2a1-7f5e-7c3a-9a41-000000000001")
	anAccount      = domain.AccountID("0192d2a1-7f5e-7c3a-9a41-000000000002")
	anotherAccount = domain.AccountID("0192d2a1-7f5e-7c3a-9a41-000000000003")
	anErasure      = domain.ErasureID("0192d2a1-7f5e-7c3a-9a41-000000000009")
	anInvitation   = domain.InvitationID("0192d2a1-7f5e-7c3a-9a41-000000000004")
	aTransfer      = domain.TransferID("0192d2a1-7f5e-7c3a-9a41-000000000005")
	aSession       = domain.SessionID("0192d2a1-7f5e-7c3a-9a41-000000000006")
	anAPIKey       = domain.APIKeyID("0192d2a1-7f5e-7c3a-9a41-000000000007")
	aSpace         = domain.SpaceID("0192d2a1-7f5e-7c3a-9a41-000000000009")
	aWebhook       = domain.WebhookID("0192d2a1-7f5e-7c3a-9a41-00000000000c")
	aMail          = domain.MailID("0192d2a1-7f5e-7c3a-9a41-000000000008")
)

func aTime() time.Time { return time.Date(2030, 5, 6, 7, 8, 9, 123456789, time.UTC) }

func aMetadata() codec.Metadata {
	return codec.Metadata{
		Actor: domain.ByAccount(anAccount), OccurredAt: aTime().Add(-time.Hour),
		Correlation: "request-1", Causation: "0192d2a1-7f5e-7c3a-9a41-00000000000a",
		CommandID: "0192d2a1-7f5e-7c3a-9a41-00000000000b", Fingerprint: "c0ffee",
		Reason: "She asked for it: <\"ünïcode\">", Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

func anEventID() eventstore.ID { return eventstore.ID{1, 2, 3, 4} }

// additions holds, by the name of its file, an event of each type that has got
// fields since its file was made, with a value in every field.
func additions() map[string]domain.Event {
	later, admin := aTime(), []domain.Role{"ADMIN", "BILLING"}
	london, turin := "London", "Turin"
	return map[string]domain.Event{
		"organization.join_requested.v1+digest": organization.JoinRequested{
			OrganizationID: anOrganization, AccountID: anotherAccount, Email: "grace@example.com", DisplayName: "Grace Hopper", RequestedAt: later, DigestAt: later,
		},
		"invitation.issued.v1+provider": invitation.Issued{
			InvitationID: anInvitation, OrganizationID: anOrganization, Email: "grace@example.com", Username: "grace",
			Roles: admin, Language: "en", InvitedBy: anAccount, ExpiresAt: later,
			Provider: "microsoft", Tenant: "9188040d-6c67-4c5b-b112-36a304b66dad", Notify: "post@example.com",
		},
		"erasure.concluded.v1+more":           erasure.Concluded{ErasureID: domain.ErasureID(anAccount), Subjects: []string{string(anAccount)}, More: true},
		"organization.member_removed.v1+left": organization.MemberRemoved{OrganizationID: anOrganization, AccountID: anotherAccount, Roles: admin, Left: true},
		"organization.activated.v1+personal": organization.Activated{
			OrganizationID: anOrganization, Name: "Personal space", Policy: "personal", PolicyVersion: 1,
			AccountID: anAccount, Email: "ada@example.com", Username: "ada", DisplayName: "Ada Lovelace", Roles: []domain.Role{"OWNER"}, Personal: true,
		},
		"organization.invitation_opened.v1+provider": organization.InvitationOpened{
			OrganizationID: anOrganization, InvitationID: anInvitation, Generation: 1, Email: "grace@example.com", Username: "grace",
			Roles: admin, Language: "en", InvitedBy: anAccount, ExpiresAt: later,
			Provider: "microsoft", Tenant: "9188040d-6c67-4c5b-b112-36a304b66dad", Notify: "post@example.com",
		},
		"organization.settings_changed.v1+ids": organization.SettingsChanged{OrganizationID: anOrganization, Section: organization.SectionBilling, Changes: []organization.SettingChange{
			{Name: "city", Before: &london, BeforeID: "0192d2a1-7f5e-7c3a-9a41-000000000021-1", After: &turin, AfterID: "0192d2a1-7f5e-7c3a-9a41-000000000022-1"},
			{Name: "contact", After: &turin, AfterID: "0192d2a1-7f5e-7c3a-9a41-000000000022-2"},
			{Name: "vat", Before: &london, BeforeID: "0192d2a1-7f5e-7c3a-9a41-000000000021-2"},
		}},
		"webhook.changed.v1+owner":         webhook.Changed{WebhookID: aWebhook, URLBefore: "https://hooks.example.com/a", URLAfter: "https://hooks.example.com/b", Owner: anOrganization},
		"webhook.deleted.v1+owner":         webhook.Deleted{WebhookID: aWebhook, Owner: anOrganization},
		"webhook.delivery_failed.v1+at":    webhook.DeliveryFailed{WebhookID: aWebhook, EventID: "0192d2a1-7f5e-7c3a-9a41-00000000000a", Attempt: 2, Cause: "status_500", NextAt: later, At: later},
		"webhook.disabled.v1+owner":        webhook.Disabled{WebhookID: aWebhook, Cause: webhook.CauseFailing, Owner: anOrganization, Recipients: []domain.AccountID{anAccount}},
		"webhook.enabled.v1+owner":         webhook.Enabled{WebhookID: aWebhook, Owner: anOrganization},
		"webhook.registered.v1+owner":      webhook.Registered{WebhookID: aWebhook, URL: "https://hooks.example.com/a", OrganizationID: anOrganization, Type: "organization.member_", Personal: true, After: 1042, Owner: anOrganization},
		"webhook.replayed.v1+owner":        webhook.Replayed{WebhookID: aWebhook, After: 1042, Owner: anOrganization},
		"webhook.secret_rotated.v1+owner":  webhook.SecretRotated{WebhookID: aWebhook, Generation: 2, OverlapUntil: later, Owner: anOrganization},
		"reservation.made.v1+attempt":      reservation.Made{Kind: "organization_name", Key: "c0ffee", Holder: string(anOrganization), Attempt: 2, ExpiresAt: later},
		"reservation.confirmed.v1+attempt": reservation.Confirmed{Kind: "organization_name", Key: "c0ffee", Holder: string(anOrganization), Attempt: 2},
	}
}

// samples holds one event of each type, with a value in every field but those
// of additions.
func samples() []domain.Event {
	before, after := "London", "Turin"
	later, owner, admin := aTime(), []domain.Role{"OWNER"}, []domain.Role{"ADMIN", "BILLING"}
	return []domain.Event{
		account.EmailVerified{AccountID: anAccount, By: "verification"},
		account.Erased{AccountID: anAccount},
		erasure.Concluded{ErasureID: anErasure, Subjects: []string{string(anAccount), string(anInvitation)}, OrganizationIDs: []domain.OrganizationID{anOrganization}},
		erasure.Requested{ErasureID: anErasure, Address: "qPdc1Yb0H2kSxw4Qb6m0bY5M0lV7s3g8y2wB1x9Zk0c"},
		organization.PersonalSpaceRenamed{OrganizationID: anOrganization, AccountID: anAccount, Before: "Personal space", After: "Zoë's own"},
		organization.InvitationErased{OrganizationID: anOrganization, InvitationID: anInvitation, Pseudonym: "4f1c9a2b00112233"},
		organization.MemberErased{OrganizationID: anOrganization, AccountID: anotherAccount, Pseudonym: "4f1c9a2b00112233"},
		account.IdentityLinked{AccountID: anAccount, Provider: "google", Issuer: "https://accounts.google.com", Subject: "110169484474386276334"},
		account.IdentityUnlinked{AccountID: anAccount, Provider: "google", Issuer: "https://accounts.google.com", Subject: "110169484474386276334"},
		account.OrganizationSelected{AccountID: anAccount, Before: anOrganization, After: anOrganization},
		account.PasswordAssigned{AccountID: anAccount, OrganizationID: anOrganization, Hash: "$argon2id$v=19$m=65536,t=1,p=2$c2FsdA$aGFzaA"},
		account.PasswordResetRequested{AccountID: anAccount, Generation: 2, ExpiresAt: later},
		account.PasswordSet{AccountID: anAccount, Hash: "$argon2id$v=19$m=65536,t=1,p=2$c2FsdA$aGFzaA", KeptSession: aSession},
		account.ProfileChanged{AccountID: anAccount, DisplayNameBefore: "Ada", DisplayNameAfter: "Ada Lovelace", LanguageBefore: "en", LanguageAfter: "de"},
		account.Registered{AccountID: anAccount, Email: "ada@example.com", DisplayName: "Ada Lovelace", Language: "en"},
		account.RegistrationRepeated{AccountID: anAccount},
		account.SessionEnded{AccountID: anAccount, SessionID: aSession, Cause: "signed_out"},
		account.AvatarChanged{AccountID: anAccount, Before: "https://example.com/a.png", After: "https://example.com/b.png"},
		account.Seen{AccountID: anAccount, At: later},
		account.SessionStarted{AccountID: anAccount, SessionID: aSession, ExpiresAt: later},
		account.VerificationRequested{AccountID: anAccount, Generation: 1, ExpiresAt: later},

		domain.ChangedNothing{},

		apikey.Created{APIKeyID: anAPIKey, Name: "Billing", Scopes: []apikey.Scope{apikey.ScopeOperator, apikey.ScopeReadOrganizations}, ExpiresAt: &later},
		apikey.Revoked{APIKeyID: anAPIKey},

		checkpoint.Cosigned{Size: 1042, Witness: "witness.example", Line: "— witness.example AAAAAA=="},
		checkpoint.Signed{Size: 1042, Root: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", Note: "tenure/ledger\n1042\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— tenure/ledger AAAAAA==\n"},

		invitation.Accepted{InvitationID: anInvitation, OrganizationID: anOrganization, AccountID: anotherAccount},
		invitation.Declined{InvitationID: anInvitation, OrganizationID: anOrganization},
		invitation.Expired{InvitationID: anInvitation, OrganizationID: anOrganization, Generation: 3},
		invitation.Issued{
			InvitationID: anInvitation, OrganizationID: anOrganization, Email: "grace@example.com", Username: "grace",
			Roles: admin, Language: "en", InvitedBy: anAccount, ExpiresAt: later,
		},
		invitation.Resent{InvitationID: anInvitation, OrganizationID: anOrganization, Generation: 2, InvitedBy: anAccount, ExpiresAt: later},
		invitation.Revoked{InvitationID: anInvitation, OrganizationID: anOrganization, Cause: "revoked"},

		sealing.KeyringBound{KeyringID: "VMRQMAHHJCWBHYKN4XDP"},

		mailing.Abandoned{MailID: aMail, Template: "invitation", Cause: "rejected"},
		mailing.Claimed{MailID: aMail, Template: "invitation", By: "node-1", Until: later},
		mailing.Sent{MailID: aMail, Template: "invitation", MessageID: "<1@example.com>"},

		organization.Activated{
			OrganizationID: anOrganization, Name: "Analytical Engines & Söhne", Policy: "default", PolicyVersion: 4,
			AccountID: anAccount, Email: "ada@example.com", Username: "ada", DisplayName: "Ada Lovelace", Roles: owner,
		},
		organization.EmailDomainChanged{OrganizationID: anOrganization, Before: "acme.example", After: "xn--mller-kva.example"},
		organization.InvitationSpacesChanged{
			OrganizationID: anOrganization, InvitationID: anInvitation, Before: []domain.SpaceID{aSpace}, After: []domain.SpaceID{},
		},
		organization.InvitationClosed{OrganizationID: anOrganization, InvitationID: anInvitation, Outcome: "declined"},
		organization.InvitationOpened{
			OrganizationID: anOrganization, InvitationID: anInvitation, Generation: 1, Email: "grace@example.com", Username: "grace",
			Roles: admin, Language: "en", InvitedBy: anAccount, ExpiresAt: later,
		},
		organization.MemberJoined{
			OrganizationID: anOrganization, AccountID: anotherAccount, Email: "grace@example.com", Username: "grace",
			DisplayName: "Grace Hopper", Roles: admin, InvitationID: anInvitation, InvitedBy: anAccount, Via: "request", Spaces: []domain.SpaceID{aSpace},
		},
		organization.MemberRemoved{OrganizationID: anOrganization, AccountID: anotherAccount, Roles: admin, Spaces: []domain.SpaceID{aSpace}},
		organization.MemberRenamed{OrganizationID: anOrganization, AccountID: anotherAccount, Before: "Grace", After: "Grace Hopper"},
		organization.OwnershipTransferEnded{OrganizationID: anOrganization, TransferID: aTransfer, From: anAccount, To: anotherAccount, Outcome: "expired"},
		organization.OwnershipTransferRequested{OrganizationID: anOrganization, TransferID: aTransfer, From: anAccount, To: anotherAccount, ExpiresAt: later},
		organization.OwnershipTransferred{
			OrganizationID: anOrganization, TransferID: aTransfer, From: anAccount, FromBefore: owner, FromAfter: admin,
			To: anotherAccount, ToBefore: admin, ToAfter: owner,
		},
		organization.PasswordReset{OrganizationID: anOrganization, AccountID: anotherAccount},
		organization.PolicyChanged{
			OrganizationID: anOrganization, Before: organization.PolicyVersion{Policy: "default", Version: 4}, After: organization.PolicyVersion{Policy: "school", Version: 2},
			Roles: map[domain.Role][]domain.Role{"OWNER": {"HEAD", "TEACHER"}, "ADMIN": {}, "BILLING": {"TEACHER"}}, NoRole: []domain.Role{"PUPIL"}, KeepsSeats: true, DigestAt: later,
		},
		organization.Renamed{OrganizationID: anOrganization, Before: "Analytical Engines", After: "Difference Engines"},
		organization.AutoActivationChanged{OrganizationID: anOrganization, Before: true, After: true},
		organization.Deleted{OrganizationID: anOrganization, Name: "Analytical Engines"},
		organization.JoinRequestClosed{OrganizationID: anOrganization, AccountID: anotherAccount, Outcome: "rejected"},
		organization.JoinRequested{OrganizationID: anOrganization, AccountID: anotherAccount, Email: "grace@example.com", DisplayName: "Grace Hopper"},
		organization.MemberReactivated{OrganizationID: anOrganization, AccountID: anotherAccount, Roles: admin},
		organization.MemberSuspended{OrganizationID: anOrganization, AccountID: anotherAccount, Roles: admin},
		organization.SeatClaimed{OrganizationID: anOrganization, InvitationID: anInvitation},
		organization.SeatsChanged{OrganizationID: anOrganization, Before: 10, After: 25},
		organization.SettingsChanged{OrganizationID: anOrganization, Section: organization.SectionBilling, Changes: []organization.SettingChange{
			{Name: "city", Before: &before, After: &after},
		}},
		organization.SpaceCreated{OrganizationID: anOrganization, SpaceID: aSpace, Name: "Engine room"},
		organization.SpaceDeleted{OrganizationID: anOrganization, SpaceID: aSpace, Name: "Engine room"},
		organization.SpaceRenamed{OrganizationID: anOrganization, SpaceID: aSpace, Before: "Engine room", After: "Mill"},
		organization.SpacesAssigned{OrganizationID: anOrganization, AccountID: anotherAccount, Before: []domain.SpaceID{aSpace}, After: []domain.SpaceID{aSpace}},
		organization.ValuesErased{OrganizationID: anOrganization, ValueIDs: []domain.ValueID{"0192d2a1-7f5e-7c3a-9a41-000000000021-1"}},
		organization.WorkAssigned{OrganizationID: anOrganization, AccountID: anotherAccount, Kind: "contact", WorkID: "42", SpaceID: aSpace},
		organization.WorkReleased{OrganizationID: anOrganization, AccountID: anotherAccount, Kind: "contact", WorkID: "42", SpaceID: aSpace, Cause: "removed"},
		organization.RequestsSummarized{
			OrganizationID: anOrganization, Due: later, Requests: 3, Recipients: []domain.AccountID{anAccount, anotherAccount}, NextAt: later,
		},
		organization.RolesChanged{OrganizationID: anOrganization, AccountID: anotherAccount, Before: admin, After: []domain.Role{"MEMBER"}},

		publication.Published{Name: "school", Version: 2, Document: "name: school\nversion: 2\nsummary: \"Ümläute & <tags>\"\n"},

		reservation.Confirmed{Kind: "organization_name", Key: "c0ffee", Holder: string(anOrganization)},
		reservation.Made{Kind: "organization_name", Key: "c0ffee", Holder: string(anOrganization), ExpiresAt: later},
		reservation.Released{Kind: "organization_name", Key: "c0ffee", Holder: string(anOrganization)},

		broker.Failed{Broker: "nats", Cause: "too_large", Since: later},
		broker.Paused{Broker: "nats"},
		broker.Reached{Broker: "nats", Position: 1042},
		broker.Replayed{Broker: "nats", After: 1042},
		broker.Resumed{Broker: "nats"},

		webhook.Changed{WebhookID: aWebhook, URLBefore: "https://hooks.example.com/a", URLAfter: "https://hooks.example.com/b"},
		webhook.Deleted{WebhookID: aWebhook},
		webhook.Delivered{WebhookID: aWebhook, Position: 1042},
		webhook.DeliveryFailed{WebhookID: aWebhook, EventID: "0192d2a1-7f5e-7c3a-9a41-00000000000a", Attempt: 2, Cause: "status_500", NextAt: later},
		webhook.Disabled{WebhookID: aWebhook, Cause: webhook.CauseGone},
		webhook.Enabled{WebhookID: aWebhook},
		webhook.GivenUp{WebhookID: aWebhook, EventID: "0192d2a1-7f5e-7c3a-9a41-00000000000a", After: 1041, Position: 1042, Attempts: 20, Cause: "timed_out"},
		webhook.Registered{WebhookID: aWebhook, URL: "https://hooks.example.com/a", OrganizationID: anOrganization, Type: "organization.member_", Personal: true, After: 1042},
		webhook.Replayed{WebhookID: aWebhook, After: 1042},
		webhook.Retried{WebhookID: aWebhook, EventID: "0192d2a1-7f5e-7c3a-9a41-00000000000a", Cause: "status_500"},
		webhook.RetryRequested{WebhookID: aWebhook, EventIDs: []string{"0192d2a1-7f5e-7c3a-9a41-00000000000a"}, Owner: anOrganization},
		webhook.SecretRotated{WebhookID: aWebhook, Generation: 2, OverlapUntil: later},
	}
}
