package mail

import (
	"context"
	"errors"
	"time"
)

// Message is a mail to be rendered.
type Message struct {
	// ID names this mail: 1 to 128 letters, digits, dots, dashes and
	// underscores. It becomes the left side of the Message-ID.
	ID string
	// To is the bare address of the recipient, "local@domain".
	To string
	// ToName is the recipient's display name; empty where none is known.
	ToName string
	// Language is a BCP 47 tag such as "fr-CA". What is not spoken here, or is
	// no tag at all, becomes English.
	Language string
	// About are the ids of the people whom the mail is to or about, accounts and
	// invitations: the outbox forgets it with any of them.
	About []string
	// Content is what the mail says: VerifyEmail, AlreadyRegistered,
	// ResetPassword, Invitation, OwnershipTransfer, RequestsDigest or
	// WebhookStopped.
	Content Content
	// At is the mail's date.
	At time.Time
}

// Rendered is a mail ready to be delivered.
type Rendered struct {
	ID        string
	MessageID string // without angle brackets; the same for every rendering of the message
	From      string // "Name <local@domain>" or "local@domain"
	To        string
	ToName    string
	Language  string // "en" or "fr"
	About     []string
	Subject   string
	Text      string
	HTML      string
	Date      time.Time
}

// Sender delivers mails. *SMTP and *Outbox are the senders.
type Sender interface {
	// Send returns nil when the mail has been handed over for good. Otherwise
	// the error is ErrRejected (errors.Is), and sending the mail again is
	// pointless, or it is anything else, and the mail has to be sent again
	// later, see Backoff. Sending a mail twice is safe.
	Send(ctx context.Context, mail Rendered) error
}

// The errors of this package, to be matched with errors.Is. None of their
// texts holds an address or a part of a mail.
var (
	// ErrInvalid says that a message can never be rendered as it is: no valid
	// address, id, link or date.
	ErrInvalid = errors.New("invalid mail")
	// ErrRejected says that the server refused this mail for good.
	ErrRejected = errors.New("mail rejected for good")
	// ErrTemporary says that the mail was not delivered for a reason that can
	// pass: the network, a busy server, settings that the operator can correct.
	ErrTemporary = errors.New("mail not delivered yet")
	// ErrNotFound says that the outbox holds no such mail.
	ErrNotFound = errors.New("no such mail in the outbox")
)
