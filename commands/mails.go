package commands

import (
	"context"
	"time"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/mailing"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// ClaimMail gives a mail to a node, which alone may try to send it then, for at
// least three quarters of lifetime. It fails with mailing.ErrDone, and with
// mailing.ErrClaimed while another node has the mail. The log decides: of two
// nodes at the same time, one finds that the other was faster.
func (c *Commands) ClaimMail(ctx context.Context, r Request, id domain.MailID, template, node string, lifetime time.Duration) error {
	_, err := c.mails.execute(ctx, string(id), r, func(s mailing.State) ([]domain.Event, error) {
		return mailing.Claim(s, id, template, node, c.Now().UTC(), lifetime)
	})
	return err
}

// RecordMailSent records that the mail server has taken the mail.
func (c *Commands) RecordMailSent(ctx context.Context, r Request, id domain.MailID, template, messageID string) error {
	_, err := c.mails.execute(ctx, string(id), r, func(s mailing.State) ([]domain.Event, error) {
		return mailing.Send(s, id, template, messageID), nil
	})
	return err
}

// RecordMailAbandoned records that the mail will not be tried again.
func (c *Commands) RecordMailAbandoned(ctx context.Context, r Request, id domain.MailID, template, cause string) error {
	_, err := c.mails.execute(ctx, string(id), r, func(s mailing.State) ([]domain.Event, error) {
		return mailing.Abandon(s, id, template, cause), nil
	})
	return err
}

// Link is what a mail needs to know of the thing that its link is for.
type Link struct {
	Token   string
	Works   bool // false when the link was used or replaced, or its time is over
	Account account.State
}

// VerificationLink makes the link that proves an account's address.
func (c *Commands) VerificationLink(ctx context.Context, id domain.AccountID, generation int) (Link, error) {
	return c.accountLink(ctx, token.Verification, id, generation, func(s account.State) error {
		_, err := account.Verify(s, generation, c.Now())
		return err
	})
}

// PasswordResetLink makes the link that sets a new password.
func (c *Commands) PasswordResetLink(ctx context.Context, id domain.AccountID, generation int) (Link, error) {
	return c.accountLink(ctx, token.PasswordReset, id, generation, func(s account.State) error {
		return account.CheckResetLink(s, generation, c.Now())
	})
}

func (c *Commands) accountLink(ctx context.Context, kind token.Kind, id domain.AccountID, generation int, check func(account.State) error) (Link, error) {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return Link{}, err
	}
	text, err := c.Keys.Make(token.Token{Kind: kind, Subject: string(id), Generation: generation})
	return Link{Token: text, Works: check(s) == nil, Account: s}, err
}

// Account finds an account; the zero State where there is none.
func (c *Commands) Account(ctx context.Context, id domain.AccountID) (account.State, error) {
	s, _, err := c.accounts.load(ctx, string(id))
	return s, err
}

// InvitationLink is what the mail of an invitation says.
type InvitationLink struct {
	Token        string
	Works        bool
	Invitation   invitation.State
	Organization organization.State
	Inviter      account.State
}

// InvitationLink makes the link of an invitation's generation.
func (c *Commands) InvitationLink(ctx context.Context, id domain.InvitationID, generation int) (InvitationLink, error) {
	s, _, err := c.invitations.load(ctx, string(id))
	if err != nil {
		return InvitationLink{}, err
	}
	org, _, err := c.organizations.load(ctx, string(s.Organization))
	if err != nil {
		return InvitationLink{}, err
	}
	if roles, ok := org.RolesInvitedTo(id); ok {
		s.Roles = roles
	}
	inviter, err := c.Account(ctx, s.InvitedBy)
	if err != nil {
		return InvitationLink{}, err
	}
	text, err := c.Keys.Make(token.Token{Kind: token.Invitation, Subject: string(id), Generation: generation})
	return InvitationLink{
		Token: text, Works: invitation.CheckLink(s, generation, c.Now()) == nil && !org.Deleted,
		Invitation: s, Organization: org, Inviter: inviter,
	}, err
}

// TransferLink is what the mail of a transfer request says.
type TransferLink struct {
	Token        string
	Works        bool
	Organization organization.State
	Policy       *policy.Policy
	Owner        account.State
	Target       account.State
}

// TransferLink makes the link that confirms a transfer of ownership.
func (c *Commands) TransferLink(ctx context.Context, org domain.OrganizationID, id domain.TransferID) (TransferLink, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return TransferLink{}, err
	}
	p, err := c.rules(s)
	if err != nil {
		return TransferLink{}, err
	}
	link := TransferLink{Organization: s, Policy: p}
	if _, err := organization.ConfirmTransfer(s, p, id, c.Now()); err != nil {
		return link, nil
	}
	link.Works = true
	if link.Owner, err = c.Account(ctx, s.Transfer.From); err != nil {
		return link, err
	}
	if link.Target, err = c.Account(ctx, s.Transfer.To); err != nil {
		return link, err
	}
	link.Token, err = c.Keys.Make(token.Token{Kind: token.Transfer, Subject: string(org), Detail: string(id)})
	return link, err
}
