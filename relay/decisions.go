package relay

// decision says whether the events of a type leave the log.
type decision struct {
	says       string // what has happened; empty for those that do not
	internal   string // why not
	collection string // what the subject is one of; empty where that is the organization itself
	field      string // of the event, with the subject's id
}

// about is for the events of an organization's stream. The subject of those that
// are about one thing in it is that thing's path below the organization.
func about(collection, field, says string) decision {
	return decision{says: says, collection: collection, field: field}
}

// internal is for the events of other streams.
func internal(because string) decision { return decision{internal: because} }

// decisions has one for every type there is, so that a new one leaves the log
// by decision and not by accident. All of an organization's stream is in the
// feed: a type that is not would be a gap in its sequence.
var decisions = map[string]decision{
	"organization.activated.v1":                    about("", "", "An organization was founded; the account is its first member."),
	"organization.auto_activation_changed.v1":      about("", "", "Whether those who ask to join are let in at once was changed."),
	"organization.deleted.v1":                      about("", "", "The organization has ended."),
	"organization.email_domain_changed.v1":         about("", "", "The e-mail domain that people ask to join by was changed; empty is none."),
	"organization.invitation_closed.v1":            about("invitations", "invitation_id", "An invitation was declined, was revoked, has expired, or had nobody left to admit."),
	"organization.invitation_erased.v1":            about("invitations", "invitation_id", "The person for whom an invitation was is erased: forget who it was. The invitation has ended before."),
	"organization.invitation_opened.v1":            about("invitations", "invitation_id", "Somebody was invited; with a generation above 1, again with a fresh link."),
	"organization.invitation_spaces_changed.v1":    about("invitations", "invitation_id", "The spaces that the invitee will enter were changed."),
	"organization.join_request_closed.v1":          about("join-requests", "account_id", "A request to join was rejected or withdrawn."),
	"organization.join_requested.v1":               about("join-requests", "account_id", "An account has asked to join."),
	"organization.member_erased.v1":                about("members", "account_id", "A person is erased: forget who it was. A membership has ended before."),
	"organization.member_joined.v1":                about("members", "account_id", "An account became a member."),
	"organization.member_reactivated.v1":           about("members", "account_id", "A suspended member was let in again."),
	"organization.member_removed.v1":               about("members", "account_id", "A membership has ended; roles and spaces are those it had."),
	"organization.member_renamed.v1":               about("members", "account_id", "A member's display name was changed."),
	"organization.member_suspended.v1":             about("members", "account_id", "A member is kept out until reactivated."),
	"organization.ownership_transfer_ended.v1":     about("ownership-transfers", "transfer_id", "A transfer of the ownership was cancelled, has expired or came to nothing."),
	"organization.ownership_transfer_requested.v1": about("ownership-transfers", "transfer_id", "A transfer of the ownership waits for the owner's confirmation."),
	"organization.ownership_transferred.v1":        about("ownership-transfers", "transfer_id", "The organization has another owner."),
	"organization.password_reset.v1":               about("members", "account_id", "A temporary password was made for a member."),
	"organization.personal_space_renamed.v1":       about("", "", "Somebody's own space was renamed."),
	"organization.policy_changed.v1":               about("", "", "The organization was put under another policy, or another version; everybody's roles became what roles says."),
	"organization.renamed.v1":                      about("", "", "The organization's name was changed."),
	"organization.requests_summarized.v1":          about("", "", "The open requests to join were summed up in a mail to the recipients."),
	"organization.roles_changed.v1":                about("members", "account_id", "A member's roles were replaced."),
	"organization.seat_claimed.v1":                 about("invitations", "invitation_id", "A seat is kept for an invitee who is accepting."),
	"organization.seats_changed.v1":                about("", "", "The number of seats was changed; 0 is what the policy says."),
	"organization.settings_changed.v1":             about("settings", "section", "Settings of a section were changed."),
	"organization.space_created.v1":                about("spaces", "space_id", "A space was made."),
	"organization.space_deleted.v1":                about("spaces", "space_id", "A space has ended."),
	"organization.space_renamed.v1":                about("spaces", "space_id", "A space's name was changed."),
	"organization.spaces_assigned.v1":              about("members", "account_id", "The spaces that a member may enter were replaced."),
	"organization.values_erased.v1":                about("", "", "Values of settings are erased, since they were about a person who is: forget those that had these ids."),
	"organization.work_assigned.v1":                about("members", "account_id", "A piece of the host product's work was assigned to a member."),
	"organization.work_released.v1":                about("members", "account_id", "A piece of work is nobody's again."),

	// A command that is to happen once and found everything as wanted. It takes
	// a place in the stream that it was about; in others than an organization's
	// it stays inside with them.
	"command.changed_nothing.v1": about("", "", "A command with an Idempotency-Key found everything as wanted. It changes nothing; pass it over."),

	"invitation.accepted.v1": internal("the life of a link; organization.member_joined tells of it"),
	"invitation.declined.v1": internal("the life of a link; organization.invitation_closed tells of it"),
	"invitation.expired.v1":  internal("the life of a link; organization.invitation_closed tells of it"),
	"invitation.issued.v1":   internal("the life of a link; organization.invitation_opened tells of it"),
	"invitation.resent.v1":   internal("the life of a link; organization.invitation_opened tells of it"),
	"invitation.revoked.v1":  internal("the life of a link; organization.invitation_closed tells of it"),

	"account.avatar_changed.v1":           internal("an account is nobody's but its owner's"),
	"account.email_verified.v1":           internal("an account is nobody's but its owner's"),
	"account.erased.v1":                   internal("organization.member_erased tells of it, where the person was"),
	"account.identity_linked.v1":          internal("how somebody signs in"),
	"account.identity_unlinked.v1":        internal("how somebody signs in"),
	"account.organization_selected.v1":    internal("an account is nobody's but its owner's"),
	"account.password_assigned.v1":        internal("a password's hash"),
	"account.password_reset_requested.v1": internal("the life of a link"),
	"account.password_set.v1":             internal("a password's hash"),
	"account.profile_changed.v1":          internal("organization.member_renamed tells of it where it matters"),
	"account.registered.v1":               internal("an account is nobody's but its owner's"),
	"account.registration_repeated.v1":    internal("that there is an account is nobody's business"),
	"account.seen.v1":                     internal("where somebody was when"),
	"account.session_ended.v1":            internal("sessions"),
	"account.session_started.v1":          internal("sessions"),
	"account.verification_requested.v1":   internal("the life of a link"),

	"api_key.created.v1": internal("operators' keys"),
	"api_key.revoked.v1": internal("operators' keys"),

	"erasure.concluded.v1": internal("what the nodes tell each other"),
	"erasure.requested.v1": internal("organization.invitation_erased tells of it"),

	"keyring.bound.v1": internal("where keys are"),

	"mail.abandoned.v1": internal("how a mail leaves"),
	"mail.claimed.v1":   internal("how a mail leaves"),
	"mail.sent.v1":      internal("how a mail leaves"),

	"broker.failed.v1":   internal("how the feed is published"),
	"broker.paused.v1":   internal("how the feed is published"),
	"broker.reached.v1":  internal("how the feed is published"),
	"broker.replayed.v1": internal("how the feed is published"),
	"broker.resumed.v1":  internal("how the feed is published"),

	"ledger.checkpoint_cosigned.v1": internal("checkpoints have routes of their own"),
	"ledger.checkpoint_signed.v1":   internal("checkpoints have routes of their own"),

	"policy.published.v1": internal("operators' documents; organization.policy_changed tells where one is in force"),

	"reservation.confirmed.v1": internal("keyed hashes of names and addresses"),
	"reservation.made.v1":      internal("keyed hashes of names and addresses"),
	"reservation.released.v1":  internal("keyed hashes of names and addresses"),

	"webhook.changed.v1":         internal("how the feed is delivered"),
	"webhook.deleted.v1":         internal("how the feed is delivered"),
	"webhook.delivered.v1":       internal("how the feed is delivered"),
	"webhook.delivery_failed.v1": internal("how the feed is delivered"),
	"webhook.disabled.v1":        internal("how the feed is delivered"),
	"webhook.enabled.v1":         internal("how the feed is delivered"),
	"webhook.given_up.v1":        internal("how the feed is delivered"),
	"webhook.registered.v1":      internal("how the feed is delivered"),
	"webhook.replayed.v1":        internal("how the feed is delivered"),
	"webhook.retried.v1":         internal("how the feed is delivered"),
	"webhook.retry_requested.v1": internal("how the feed is delivered"),
	"webhook.secret_rotated.v1":  internal("how the feed is delivered"),
}
