package projections

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/mailing"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/domain/webhook"
	"tenure/eventstore"
)

// DeadlineKind says what is waited for.
type DeadlineKind string

// The kinds of deadlines.
const (
	InvitationExpiry DeadlineKind = "invitation_expiry" // an open invitation's lifetime is over
	TransferExpiry   DeadlineKind = "transfer_expiry"   // a pending ownership transfer's time is over
	StaleReservation DeadlineKind = "reservation"       // an unconfirmed reservation's time is over
	DigestDue        DeadlineKind = "requests_digest"   // an organization's open requests are to be summed up
	MailDue          DeadlineKind = "mail"              // a mail is to be sent; due when it was asked for
)

// The templates of mails.
const (
	TemplateVerification      = "verification"       // account.verification_requested
	TemplatePasswordReset     = "password_reset"     // account.password_reset_requested
	TemplateAlreadyRegistered = "already_registered" // account.registration_repeated
	TemplateInvitation        = "invitation"         // invitation.issued, invitation.resent
	TemplateOwnershipTransfer = "ownership_transfer" // organization.ownership_transfer_requested
	TemplateRequestsDigest    = "requests_digest"    // organization.requests_summarized, to each recipient
	TemplateWebhookStopped    = "webhook_stopped"    // webhook.disabled, to each recipient
)

// Deadline is something that has to be done at a time. It holds no personal
// data; what is empty does not concern its kind.
type Deadline struct {
	Kind           DeadlineKind          `json:"kind"`
	Due            time.Time             `json:"due"`
	AccountID      domain.AccountID      `json:"account_id,omitempty"` // of a mail: the recipient, unless InvitationID is set
	OrganizationID domain.OrganizationID `json:"organization_id,omitempty"`
	InvitationID   domain.InvitationID   `json:"invitation_id,omitempty"`
	TransferID     domain.TransferID     `json:"transfer_id,omitempty"`
	WebhookID      domain.WebhookID      `json:"webhook_id,omitempty"`
	Reservation    *Reservation          `json:"reservation,omitempty"`
	MailID         domain.MailID         `json:"mail_id,omitempty"`
	Template       string                `json:"template,omitempty"`
	Generation     int                   `json:"generation,omitempty"` // of the link
	EventID        string                `json:"event_id"`             // of the event that made the deadline
	Position       eventstore.Position   `json:"position"`
	At             time.Time             `json:"at"` // when that event occurred
}

// ID names the deadline among those of its kind. One event can ask for several
// mails.
func (d Deadline) ID() string { return cmp.Or(string(d.MailID), d.EventID) }

// Reservation names a reserved text by its keyed hash.
type Reservation struct {
	Kind   string `json:"kind"`
	Key    string `json:"key"`
	Holder string `json:"holder"`
}

const (
	deadlinesView      = "deadlines.v2"
	deadlinesPartition = "all"
)

// MaxDue is how many deadlines Due lists at most.
const MaxDue = 20_000

// Due returns up to limit (1 to MaxDue) deadlines of a kind whose time has come,
// the most urgent first.
func (r *Reader) Due(ctx context.Context, kind DeadlineKind, now time.Time, limit int) ([]Deadline, error) {
	if limit < 1 || limit > MaxDue {
		return nil, domain.Invalid("limit", "Give a number from 1 to 20000.")
	}
	rows, _, err := r.storage.Range(ctx, deadlinesView, RangeQuery{Partition: deadlinesPartition, Index: string(kind), Limit: limit})
	if err != nil {
		return nil, err
	}
	var due []Deadline
	for _, row := range rows {
		if row.Sort > sortTime(now) {
			break
		}
		var d Deadline
		if err := json.Unmarshal(row.Body, &d); err != nil {
			return nil, err
		}
		due = append(due, d)
	}
	return due, nil
}

// NextDue is when the most urgent deadline of a kind is due, also if that time
// has come; ok is false if there is none.
func (r *Reader) NextDue(ctx context.Context, kind DeadlineKind) (due time.Time, ok bool, err error) {
	rows, _, err := r.storage.Range(ctx, deadlinesView, RangeQuery{Partition: deadlinesPartition, Index: string(kind), Limit: 1})
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	var d Deadline
	err = json.Unmarshal(rows[0].Body, &d)
	return d.Due, err == nil, err
}

func deadlines() View[Deadline] {
	return View[Deadline]{
		Name: deadlinesView,
		Types: []string{
			"invitation.", "organization.ownership_transfer", "organization.join_requested.", "organization.requests_summarized.", "organization.policy_changed.", "organization.deleted.",
			"reservation.", "mail.sent.", "mail.abandoned.", "webhook.disabled.",
			"account.verification_requested.", "account.password_reset_requested.", "account.registration_repeated.",
		},
		Touches: touchDeadlines,
		Fold:    foldDeadline,
		Entries: func(_ Key, d *Deadline) []Entry { return []Entry{{string(d.Kind), sortTime(d.Due)}} },
	}
}

func touchDeadlines(e Event) []Key {
	mail := deadlineKey(MailDue, uuid.UUID(e.ID).String())
	switch x := e.Event.(type) {
	case account.VerificationRequested, account.PasswordResetRequested, account.RegistrationRepeated:
		return []Key{mail}
	case invitation.Issued:
		return []Key{mail, deadlineKey(InvitationExpiry, string(x.InvitationID))}
	case invitation.Resent:
		return []Key{mail, deadlineKey(InvitationExpiry, string(x.InvitationID))}
	case organization.OwnershipTransferRequested:
		return []Key{mail, deadlineKey(TransferExpiry, string(x.TransferID))}
	case organization.OwnershipTransferEnded:
		return []Key{deadlineKey(TransferExpiry, string(x.TransferID))}
	case organization.OwnershipTransferred:
		return []Key{deadlineKey(TransferExpiry, string(x.TransferID))}
	case organization.JoinRequested:
		if x.DigestAt.IsZero() {
			return nil
		}
		return []Key{digestKey(x.OrganizationID)}
	case organization.RequestsSummarized:
		return append(mailsTo(uuid.UUID(e.ID).String(), x.Recipients), digestKey(x.OrganizationID))
	case webhook.Disabled:
		return mailsTo(uuid.UUID(e.ID).String(), x.Recipients)
	case organization.PolicyChanged:
		if x.DigestAt.IsZero() {
			return nil
		}
		return []Key{digestKey(x.OrganizationID)}
	case organization.Deleted:
		return []Key{digestKey(x.OrganizationID)}
	case reservation.Made:
		return []Key{attemptKey(x.Kind, x.Key, x.Attempt)}
	case reservation.Confirmed:
		return []Key{attemptKey(x.Kind, x.Key, x.Attempt)}
	case reservation.Released: // only where attempts were not counted yet is one not confirmed
		return []Key{attemptKey(x.Kind, x.Key, 0)}
	case mailing.Sent:
		return []Key{deadlineKey(MailDue, string(x.MailID))}
	case mailing.Abandoned:
		return []Key{deadlineKey(MailDue, string(x.MailID))}
	}
	if _, id, ok := invitationOf(e.Event); ok {
		return []Key{deadlineKey(InvitationExpiry, string(id))}
	}
	return nil
}

// foldDeadline makes a deadline of an event that asks for something; every
// other event that touches one has settled it.
func foldDeadline(_ *Deadline, in In[Deadline]) *Deadline {
	at := in.Metadata.OccurredAt.UTC()
	d := Deadline{EventID: uuid.UUID(in.ID).String(), Position: in.Position, At: at}
	mail := in.Key == deadlineKey(MailDue, d.EventID)
	if mail {
		d.Kind, d.Due, d.MailID = MailDue, at, domain.MailID(d.EventID)
	}
	switch x := in.Event.Event.(type) {
	case account.VerificationRequested:
		d.Template, d.AccountID, d.Generation = TemplateVerification, x.AccountID, x.Generation
	case account.PasswordResetRequested:
		d.Template, d.AccountID, d.Generation = TemplatePasswordReset, x.AccountID, x.Generation
	case account.RegistrationRepeated:
		d.Template, d.AccountID = TemplateAlreadyRegistered, x.AccountID
	case invitation.Issued:
		d.OrganizationID, d.InvitationID, d.Generation = x.OrganizationID, x.InvitationID, 1
		d.mailOr(mail, TemplateInvitation, InvitationExpiry, x.ExpiresAt)
	case invitation.Resent:
		d.OrganizationID, d.InvitationID, d.Generation = x.OrganizationID, x.InvitationID, x.Generation
		d.mailOr(mail, TemplateInvitation, InvitationExpiry, x.ExpiresAt)
	case organization.OwnershipTransferRequested:
		d.OrganizationID, d.TransferID, d.AccountID = x.OrganizationID, x.TransferID, x.From
		d.mailOr(mail, TemplateOwnershipTransfer, TransferExpiry, x.ExpiresAt)
	case organization.JoinRequested:
		d.OrganizationID = x.OrganizationID
		d.Kind, d.Due = DigestDue, x.DigestAt.UTC()
	case organization.PolicyChanged:
		d.OrganizationID = x.OrganizationID
		d.Kind, d.Due = DigestDue, x.DigestAt.UTC()
	case organization.RequestsSummarized:
		d.OrganizationID = x.OrganizationID
		return d.digest(in.Key, x.NextAt)
	case webhook.Disabled:
		d.OrganizationID, d.WebhookID = x.Owner, x.WebhookID
		d.mailToOne(in.Key, TemplateWebhookStopped)
	case reservation.Made:
		d.Kind, d.Due = StaleReservation, x.ExpiresAt.UTC()
		d.Reservation = &Reservation{Kind: x.Kind, Key: x.Key, Holder: x.Holder}
	default:
		return nil
	}
	return &d
}

// mailOr makes it the mail with a template, or the deadline of a kind.
func (d *Deadline) mailOr(mail bool, template string, kind DeadlineKind, due time.Time) {
	if mail {
		d.Template = template
		return
	}
	d.Kind, d.Due = kind, due.UTC()
}

// digest makes it the mail to one of the recipients, or the next digest, if there
// is one.
func (d *Deadline) digest(key Key, next time.Time) *Deadline {
	switch {
	case d.mailToOne(key, TemplateRequestsDigest):
	case next.IsZero():
		return nil
	default:
		d.Kind, d.Due = DigestDue, next.UTC()
	}
	return d
}

// mailToOne makes it the mail to one of the recipients of an event, if the key is
// that of one.
func (d *Deadline) mailToOne(key Key, template string) bool {
	mail, isMail := strings.CutPrefix(key.ID, deadlineKey(MailDue, "").ID)
	if isMail {
		d.Kind, d.Due, d.MailID, d.Template = MailDue, d.At, domain.MailID(mail), template
		d.AccountID = domain.AccountID(strings.TrimPrefix(mail, d.EventID+"."))
	}
	return isMail
}

// mailsTo are the mails of an event to several: each is named by the event and its
// recipient.
func mailsTo(event string, recipients []domain.AccountID) []Key {
	keys := make([]Key, 0, len(recipients)+1)
	for _, recipient := range recipients {
		keys = append(keys, deadlineKey(MailDue, event+"."+string(recipient)))
	}
	return keys
}

func digestKey(org domain.OrganizationID) Key { return deadlineKey(DigestDue, string(org)) }

func deadlineKey(kind DeadlineKind, id string) Key {
	return Key{Partition: deadlinesPartition, ID: string(kind) + "/" + id}
}

func attemptKey(kind, key string, attempt int) Key {
	return deadlineKey(StaleReservation, kind+"/"+key+"/"+strconv.Itoa(attempt))
}
