package commands

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// Addition is somebody whom an administrator makes a member.
type Addition struct {
	Email       domain.Email
	Roles       []domain.Role
	Password    string // of a new account; empty for an account that exists
	DisplayName string // of a new account; empty: what stands before the @ of the address
	Language    string // of a new account's mails
}

// AddMember makes somebody a member at once and without a mail (M4): an account
// that exists, or a new one with the password given (account.RegisterAdded says
// what that is good for). An account that another organization made, or gave a
// password, is not added before its owner has proven the address: that
// organization's administrator could enter this one with it.
//
// Killed after the account was made, before the member was: the same request
// makes the member, and so does one without a password.
//
// It fails as organization.AddMember does, and with CodePasswordNeeded,
// CodeAccountExists, CodeEmailUnverified, CodeRoleExclusive, and CodeInvalid for
// a password that is too short or too long.
func (c *Commands) AddMember(ctx context.Context, r Request, org domain.OrganizationID, in Addition) (domain.AccountID, Receipt, error) {
	if known, replayed, err := c.organizations.replayed(ctx, string(org), r); replayed || err != nil {
		if err != nil {
			return "", Receipt{}, err
		}
		id := added(known)
		registered, _, err := c.accounts.replayed(ctx, string(id), c.part(r, "register"))
		known.Events = append(registered.Events, known.Events...)
		return id, known, err
	}
	// Refused before an account is made what would be refused after.
	check := plain(r)
	check.IfRevision = r.IfRevision
	if _, err := c.onOrganization(ctx, check, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		if err := organization.CheckAddition(s, p, r.Actor, in.Email, in.Roles); err != nil || in.Password == "" {
			return nil, err
		}
		return nil, checkChosen(in.Password, p.Additions.PasswordLength)
	}); err != nil {
		return "", Receipt{}, err
	}
	who, registered, err := c.added(ctx, r, org, in)
	if err != nil {
		return "", Receipt{}, err
	}
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.AddMember(s, p, r.Actor, who.ID, organization.Request{Email: who.Email, DisplayName: who.DisplayName}, in.Roles)
	})
	receipt.Events = append(registered.Events, receipt.Events...)
	return who.ID, receipt, err
}

// added finds the account to add, or makes it.
func (c *Commands) added(ctx context.Context, r Request, org domain.OrganizationID, in Addition) (account.State, Receipt, error) {
	if in.Password != "" {
		local, _, _ := strings.Cut(string(in.Email), "@")
		registrant := Registrant{
			Email: in.Email, DisplayName: cmp.Or(in.DisplayName, local), Password: in.Password, Language: in.Language,
		}
		id, receipt, err := c.register(ctx, c.part(r, "register"), registrant, func(s account.State, a account.Registration) ([]domain.Event, error) {
			return account.RegisterAdded(s, a, org)
		})
		if err != nil {
			return account.State{}, Receipt{}, err
		}
		c.Step(StepAddedRegistered)
		s, _, err := c.accounts.load(ctx, string(id))
		return s, receipt, err
	}
	s, err := c.accountByEmail(ctx, in.Email)
	switch {
	case err != nil:
		return account.State{}, Receipt{}, err
	case !s.Usable():
		return account.State{}, Receipt{}, &domain.Error{
			Code: domain.CodePasswordNeeded, Title: "Password missing", Field: "password",
			Message: "Give a password; nobody has an account with this e-mail address.",
		}
	case s.AssignedBy != org:
		if err := account.CheckProven(s); err != nil {
			return account.State{}, Receipt{}, domain.Refuse(domain.CodeEmailUnverified, "E-mail address not verified",
				"Invite the person instead: another organization has made the account, or set its password, and the link in the invitation proves the address.")
		}
	}
	return s, Receipt{}, nil
}

// added is whom the events of an addition have made a member.
func added(r Receipt) domain.AccountID {
	for _, e := range r.Events {
		if joined, ok := e.(organization.MemberJoined); ok {
			return joined.AccountID
		}
	}
	return ""
}

// checkChosen refuses a password that an administrator has chosen.
func checkChosen(password string, least int) error {
	switch {
	case utf8.RuneCountInString(password) < least:
		return domain.Invalid("password", fmt.Sprintf("Choose a password of at least %d characters.", least))
	case len(password) > MaxPasswordBytes:
		return domain.Invalid("password", "Choose a password of at most 256 bytes.")
	}
	return nil
}
