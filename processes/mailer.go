package processes

import (
	"context"
	"errors"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/mailing"
	"tenure/mail"
	"tenure/projections"
)

// giveUpAfter is how long a mail is tried. Its link is dead by then, or was sent
// again.
const giveUpAfter = 3 * 24 * time.Hour

// The steps of a mail, for tests that kill the process between them.
const (
	StepMailHandedOver = "mail: handed over"
	StepMailRecorded   = "mail: recorded"
)

// Mailer composes and sends the mails that events ask for. A mail is sent, then
// recorded as sent in the log. Killed in between, it is sent once more with the
// same Message-ID, which SMTP leaves no way around.
type Mailer struct {
	Commands  *commands.Commands
	Templates *mail.Templates
	Sender    mail.Sender
	PublicURL string // without a slash at the end; links begin with it
	Now       func() time.Time
	Backoff   func(id string, attempt int) time.Duration
	Step      func(name string)
}

// deliver sends the mail of a deadline, unless that was done, or its link is
// dead.
func (m *Mailer) deliver(ctx context.Context, d projections.Deadline) error {
	id := d.MailID
	r := commands.Request{Actor: domain.ByProcess("mail"), Causation: d.EventID}
	if done, err := m.Commands.MailDone(ctx, id); done || err != nil {
		return err // done, and the view does not know yet
	}
	message, err := m.compose(ctx, d)
	switch {
	case err != nil:
		return err
	case message == nil:
		return m.Commands.RecordMailAbandoned(ctx, r, id, d.Template, mailing.CauseOutdated)
	}
	message.ID, message.At = d.EventID, d.At
	rendered, err := m.Templates.Render(*message)
	if err == nil {
		err = m.Sender.Send(ctx, rendered)
	}
	switch {
	case errors.Is(err, mail.ErrRejected), errors.Is(err, mail.ErrInvalid):
		return m.Commands.RecordMailAbandoned(ctx, r, id, d.Template, mailing.CauseRejected)
	case err != nil && m.Now().Sub(d.At) > giveUpAfter:
		return m.Commands.RecordMailAbandoned(ctx, r, id, d.Template, mailing.CauseTimedOut)
	case err != nil:
		return err
	}
	m.Step(StepMailHandedOver)
	err = m.Commands.RecordMailSent(ctx, r, id, d.Template, rendered.MessageID)
	m.Step(StepMailRecorded)
	return err
}

// compose makes the mail of a deadline, nil for one that is no longer wanted.
func (m *Mailer) compose(ctx context.Context, d projections.Deadline) (*mail.Message, error) {
	switch d.Template {
	case projections.TemplateVerification:
		link, err := m.Commands.VerificationLink(ctx, d.AccountID, d.Generation)
		if err != nil || !link.Works {
			return nil, err
		}
		return to(link.Account, mail.VerifyEmail{Link: m.link("/verify", link.Token), Expires: link.Account.VerificationExpires()}), nil
	case projections.TemplatePasswordReset:
		link, err := m.Commands.PasswordResetLink(ctx, d.AccountID, d.Generation)
		if err != nil || !link.Works {
			return nil, err
		}
		return to(link.Account, mail.ResetPassword{Link: m.link("/reset-password", link.Token), Expires: link.Account.PasswordResetExpires()}), nil
	case projections.TemplateAlreadyRegistered:
		s, err := m.Commands.Account(ctx, d.AccountID)
		if err != nil || !s.Exists() {
			return nil, err
		}
		return to(s, mail.AlreadyRegistered{Link: m.PublicURL + "/sign-in", ResetLink: m.PublicURL + "/reset-password"}), nil
	case projections.TemplateInvitation:
		return m.composeInvitation(ctx, d)
	case projections.TemplateOwnershipTransfer:
		return m.composeTransfer(ctx, d)
	}
	return nil, errors.New("processes: no mail is known as " + d.Template)
}

func (m *Mailer) composeInvitation(ctx context.Context, d projections.Deadline) (*mail.Message, error) {
	link, err := m.Commands.InvitationLink(ctx, d.InvitationID, d.Generation)
	if err != nil || !link.Works {
		return nil, err
	}
	inv := link.Invitation
	return &mail.Message{To: string(inv.Email), Language: inv.Language, Content: mail.Invitation{
		Organization: string(link.Organization.Name),
		Inviter:      person(link.Inviter),
		Roles:        names(inv.Roles),
		Username:     string(inv.Username),
		Link:         m.link("/accept-invitation", link.Token),
		Expires:      inv.ExpiresAt,
	}}, nil
}

func (m *Mailer) composeTransfer(ctx context.Context, d projections.Deadline) (*mail.Message, error) {
	link, err := m.Commands.TransferLink(ctx, d.OrganizationID, d.TransferID)
	if err != nil || !link.Works {
		return nil, err
	}
	rules := link.Policy.Ownership
	return to(link.Owner, mail.OwnershipTransfer{
		Organization: string(link.Organization.Name),
		Target:       person(link.Target),
		OwnerRole:    string(rules.Role),
		NextRole:     string(rules.PreviousOwnerBecomes),
		Link:         m.link("/confirm-transfer", link.Token),
		Expires:      link.Organization.Transfer.ExpiresAt,
	}), nil
}

// link puts the token where neither a server's log nor a Referer header shows it.
func (m *Mailer) link(path, token string) string { return m.PublicURL + path + "#token=" + token }

func to(a account.State, content mail.Content) *mail.Message {
	return &mail.Message{To: string(a.Email), ToName: a.DisplayName, Language: a.Language, Content: content}
}

func person(a account.State) mail.Person {
	return mail.Person{Name: a.DisplayName, Email: string(a.Email)}
}

func names(roles []domain.Role) []string {
	all := make([]string, len(roles))
	for i, r := range roles {
		all[i] = string(r)
	}
	return all
}
