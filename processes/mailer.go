package processes

import (
	"context"
	"errors"
	"net/url"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/mailing"
	"tenure/domain/webhook"
	"tenure/mail"
	"tenure/projections"
)

// giveUpAfter is how long a mail is tried. Its link is dead by then, or was sent
// again.
const giveUpAfter = 3 * 24 * time.Hour

// A mail is claimed for longer than an attempt to send it takes, also by the
// clocks of other nodes; see mailing.Claim.
const (
	claimFor     = 2 * time.Minute
	attemptLimit = claimFor / 2
)

// The steps of a mail, for tests that kill the process between them.
const (
	StepMailClaimed    = "mail: claimed"
	StepMailHandedOver = "mail: handed over"
	StepMailRecorded   = "mail: recorded"
)

// Mailer composes and sends the mails that events ask for: it claims a mail in
// the log, sends it, and records it as sent. While a node has a mail, the others
// leave it alone.
//
// Killed between the claim and the sending, a node goes on when it is back, and
// another one when the claim has ended. A node that hangs there finds its time
// over when it wakes up, hands over nothing and claims the mail again.
//
// SMTP leaves no way around this: a mail is sent twice when the mail server has
// taken it and a node, before it has recorded that, is killed, hangs for longer
// than its claim, or loses the connection or the log. The same goes for a node
// that hangs, or whose machine is suspended so that its clocks stand still,
// while it sends: the rest of the mail may leave when it wakes up. And nodes
// whose clocks differ by more than a quarter of claimFor can send at once. The
// second copy has the same Message-ID as the first, whichever node sends it.
type Mailer struct {
	Node      string // names this process among all that work on the log; a name may be used again when its process is gone
	Commands  *commands.Commands
	Templates *mail.Templates
	Sender    mail.Sender
	PublicURL string // without a slash at the end; links begin with it
	Now       func() time.Time
	Backoff   func(id string, attempt int) time.Duration
	Step      func(name string)
}

// deliver sends the mail of a deadline, unless that was done, or its link is
// dead. It fails with mailing.ErrClaimed while another node has the mail.
func (m *Mailer) deliver(ctx context.Context, d projections.Deadline) error {
	id := d.MailID
	r := commands.Request{Actor: domain.ByProcess("mail"), Causation: d.EventID}
	// The limit begins before the claim does, so that it ends well before it.
	attempt, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	err := m.Commands.ClaimMail(attempt, r, id, d.Template, m.Node, claimFor)
	switch {
	case errors.Is(err, mailing.ErrDone):
		return nil // and the view does not know yet
	case err != nil:
		return err
	}
	m.Step(StepMailClaimed)
	message, err := m.compose(attempt, d)
	switch {
	case err != nil:
		return err
	case message == nil:
		return m.Commands.RecordMailAbandoned(ctx, r, id, d.Template, mailing.CauseOutdated)
	}
	message.ID, message.At = string(id), d.At
	rendered, err := m.Templates.Render(*message)
	if err == nil {
		err = m.Sender.Send(attempt, rendered)
	}
	answered := context.WithoutCancel(ctx) // the answer is recorded also by a node that has to stop
	switch {
	case errors.Is(err, mail.ErrRejected), errors.Is(err, mail.ErrInvalid):
		return m.Commands.RecordMailAbandoned(answered, r, id, d.Template, mailing.CauseRejected)
	case err != nil && m.Now().Sub(d.At) > giveUpAfter:
		return m.Commands.RecordMailAbandoned(ctx, r, id, d.Template, mailing.CauseTimedOut)
	case err != nil:
		return err
	}
	m.Step(StepMailHandedOver)
	err = m.Commands.RecordMailSent(answered, r, id, d.Template, rendered.MessageID)
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
	case projections.TemplateRequestsDigest:
		return m.composeDigest(ctx, d)
	case projections.TemplateWebhookStopped:
		return m.composeWebhook(ctx, d)
	}
	return nil, errors.New("processes: no mail is known as " + d.Template)
}

func (m *Mailer) composeInvitation(ctx context.Context, d projections.Deadline) (*mail.Message, error) {
	link, err := m.Commands.InvitationLink(ctx, d.InvitationID, d.Generation)
	if err != nil || !link.Works {
		return nil, err
	}
	inv := link.Invitation
	address := inv.MailedTo()
	if address == "" { // the link is passed on by hand
		return nil, nil
	}
	about := []string{string(inv.ID), string(inv.InvitedBy)}
	return &mail.Message{To: string(address), Language: inv.Language, About: about, Content: mail.Invitation{
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
	}, string(link.Target.ID)), nil
}

// composeDigest lists the requests that are open now: those that were decided
// since the event, maybe days ago while there was no mail server, are no news.
func (m *Mailer) composeDigest(ctx context.Context, d projections.Deadline) (*mail.Message, error) {
	digest, err := m.Commands.RequestsDigest(ctx, d.OrganizationID, d.AccountID)
	if err != nil || !digest.Wanted {
		return nil, err
	}
	org := digest.Organization
	content := mail.RequestsDigest{Organization: string(org.Name), Open: org.Requests(), Link: m.PublicURL + "/join-requests#organization=" + string(org.ID)}
	var about []string
	for _, id := range org.OldestRequests(mail.MaxRequestsShown) {
		r, _ := org.Request(id)
		about = append(about, string(id))
		content.Oldest = append(content.Oldest, mail.Request{Person: mail.Person{Name: r.DisplayName, Email: string(r.Email)}, Since: r.Since})
	}
	return to(digest.Recipient, content, about...), nil
}

// composeWebhook tells that deliveries have stopped, as long as they have.
func (m *Mailer) composeWebhook(ctx context.Context, d projections.Deadline) (*mail.Message, error) {
	notice, err := m.Commands.WebhookNotice(ctx, d.WebhookID, d.AccountID)
	if err != nil || !notice.Wanted {
		return nil, err
	}
	host := ""
	if address, err := url.Parse(notice.Webhook.URL); err == nil {
		host = address.Host
	}
	return to(notice.Recipient, mail.WebhookStopped{
		Organization: string(notice.Organization.Name), Receiver: host, WebhookID: string(d.WebhookID),
		Link: m.PublicURL + "/v1/organizations/" + string(d.OrganizationID) + "/webhooks/" + string(d.WebhookID) + "/deliveries",
		Gone: notice.Webhook.Disabled == webhook.CauseGone, Failing: notice.Webhook.Disabled == webhook.CauseFailing,
	}), nil
}

// link puts the token where neither a server's log nor a Referer header shows it.
func (m *Mailer) link(path, token string) string { return m.PublicURL + path + "#token=" + token }

// to is a mail to an account that names other people as well.
func to(a account.State, content mail.Content, others ...string) *mail.Message {
	return &mail.Message{To: string(a.Email), ToName: a.DisplayName, Language: a.Language, Content: content, About: append(others, string(a.ID))}
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
