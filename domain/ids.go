package domain

// Identifiers are UUIDs in their canonical lower-case text form. They are made
// by the caller of a decision, never inside one.
type (
	// AccountID names a person's account. A member of an organization is
	// identified by the account.
	AccountID string
	// OrganizationID names an organization.
	OrganizationID string
	// InvitationID names an invitation.
	InvitationID string
	// SessionID names one signed-in session of an account.
	SessionID string
	// TransferID names one request to transfer an organization's ownership.
	TransferID string
	// APIKeyID names an operator's API key.
	APIKeyID string
	// SpaceID names a part of an organization that members are let into.
	SpaceID string
	// WebhookID names a webhook.
	WebhookID string
	// BrokerName names a message broker, as the settings of the server do.
	BrokerName string
	// ErasureID names the erasure of a person; that of an account has the account's
	// id.
	ErasureID string
	// MailID names one mail that has to be sent once.
	MailID string
	// ValueID names what somebody has set, from when it is set until it is replaced.
	// It is not a UUID, but made of one.
	ValueID string
)

// Event is a fact that has been, or is about to be, recorded. Implementations
// are plain structs whose JSON form is fixed by a golden file.
//
// Fields that hold personal data carry the tag `personal:"<json field>"`, which
// names the field of the same event that says whose data it is. Fields that
// hold a secret's hash carry the tag `secret:"true"` besides: they are for the
// aggregate alone and leave the log in no feed, history or export.
//
// Personal fields are texts, or pointers to texts, of the event or of the structs in
// a list of it; the field that is named stands beside them. Where that one may be
// left out (omitempty), and is, nobody is named whose data it could be: it stays in
// plain. Once the person is erased they read as a pseudonym: an address, a username
// or a name, by their type; with the tag `erased:"id"` an opaque text, with
// `erased:"text"` ErasedText, with `erased:"empty"`, as for every secret, nothing.
//
// A field with the tag `log:"never"` says of what is shown to somebody that something
// is left out of it (Guarded).
type Event interface {
	// EventType is the literal wire name, "<aggregate>.<past tense>.v<n>".
	EventType() string
}

// ChangedNothing records, in the stream that it was about, a command that found
// everything as wanted. It exists for commands that are to happen once (X12):
// sent again when things have changed, such a command still does nothing.
type ChangedNothing struct{}

// EventType implements Event.
func (ChangedNothing) EventType() string { return "command.changed_nothing.v1" }
