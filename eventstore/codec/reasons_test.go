package codec_test

import (
	"context"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// reasonsUnder says of every event under whom its reason is sealed, by the field
// that names them. A new one has to be decided on: a reason may name whoever the
// event is about, and has to go with them.
var reasonsUnder = map[string]string{
	"account_id": `
		account.avatar_changed.v1 account.email_verified.v1 account.erased.v1 account.identity_linked.v1 account.identity_unlinked.v1
		account.organization_selected.v1 account.password_assigned.v1 account.password_reset_requested.v1 account.password_set.v1
		account.profile_changed.v1 account.registered.v1 account.registration_repeated.v1 account.seen.v1 account.session_ended.v1
		account.session_started.v1 account.verification_requested.v1 invitation.accepted.v1 organization.activated.v1
		organization.join_request_closed.v1 organization.join_requested.v1 organization.member_erased.v1 organization.member_joined.v1
		organization.member_reactivated.v1 organization.member_removed.v1 organization.member_renamed.v1 organization.member_suspended.v1
		organization.password_reset.v1 organization.personal_space_renamed.v1 organization.roles_changed.v1 organization.spaces_assigned.v1
		organization.work_assigned.v1 organization.work_released.v1`,
	"invitation_id": `
		invitation.declined.v1 invitation.expired.v1 invitation.issued.v1 invitation.resent.v1 invitation.revoked.v1
		organization.invitation_closed.v1 organization.invitation_erased.v1 organization.invitation_opened.v1
		organization.invitation_spaces_changed.v1 organization.seat_claimed.v1`,
	"to": `
		organization.ownership_transfer_ended.v1 organization.ownership_transfer_requested.v1 organization.ownership_transferred.v1`,
	"erasure_id": `
		erasure.concluded.v1 erasure.requested.v1`,
	// About nobody: under the account that gave the reason.
	"": `
		command.changed_nothing.v1 api_key.created.v1 api_key.revoked.v1 broker.failed.v1 broker.paused.v1 broker.reached.v1 broker.replayed.v1
		broker.resumed.v1 ledger.checkpoint_cosigned.v1 ledger.checkpoint_signed.v1 keyring.bound.v1 mail.abandoned.v1 mail.claimed.v1
		mail.sent.v1 organization.auto_activation_changed.v1 organization.deleted.v1 organization.email_domain_changed.v1
		organization.policy_changed.v1 organization.renamed.v1 organization.requests_summarized.v1 organization.seats_changed.v1
		organization.settings_changed.v1 organization.space_created.v1 organization.space_deleted.v1 organization.space_renamed.v1
		organization.values_erased.v1 policy.published.v1 reservation.confirmed.v1 reservation.made.v1 reservation.released.v1 webhook.changed.v1 webhook.deleted.v1
		webhook.delivered.v1 webhook.delivery_failed.v1 webhook.disabled.v1 webhook.enabled.v1 webhook.given_up.v1 webhook.registered.v1
		webhook.replayed.v1 webhook.retried.v1 webhook.retry_requested.v1 webhook.secret_rotated.v1`,
}

func TestUnderWhomReasonsAreSealed(t *testing.T) {
	is := is.New(t)
	want := make(map[string]string)
	for field, names := range reasonsUnder {
		for name := range strings.FieldsSeq(names) {
			want[name] = field
		}
	}
	is.Equal(codec.AboutWhom(), want)
}

// The reason of a transfer is about the one who is asked, and goes with them. Those
// that were sealed under the owner are still read, as long as both are there.
func TestReasonsOfTransfers(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	c := codec.NewSealing(v.Ring)
	m := aMetadata()
	m.Actor, m.Reason = domain.ByAccount(anAccount), "Tim will run it."
	read := func(e eventstore.Event) string {
		t.Helper()
		decoded, err := c.Decode(eventstore.Recorded{Event: e})
		is.NoErr(err)
		return decoded.Metadata.Reason
	}
	var all []eventstore.Event
	for _, e := range []domain.Event{
		organization.OwnershipTransferRequested{OrganizationID: anOrganization, From: anAccount, To: anotherAccount},
		organization.OwnershipTransferEnded{OrganizationID: anOrganization, From: anAccount, To: anotherAccount, Outcome: "cancelled"},
		organization.OwnershipTransferred{OrganizationID: anOrganization, From: anAccount, To: anotherAccount},
	} {
		encoded, err := c.Encode(anEventID(), e, m)
		is.NoErr(err)
		is.Equal(read(encoded), m.Reason)
		all = append(all, encoded)
	}
	former, err := codec.SealedUnderActor(c, anEventID(), organization.OwnershipTransferRequested{OrganizationID: anOrganization, From: anAccount, To: anotherAccount}, m)
	is.NoErr(err)
	is.Equal(read(former), m.Reason)
	is.NoErr(v.Destroy(context.Background(), string(anotherAccount)))
	for _, e := range append(all, former) {
		is.Equal(read(e), codec.ErasedReason)
	}
}
