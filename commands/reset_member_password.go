package commands

import (
	"context"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/eventstore"
)

// TemporaryPassword is a password that an administrator hands on.
type TemporaryPassword struct {
	Receipt
	Password string // shown once; stored nowhere; empty after a dry run
}

// ResetMemberPassword gives a member's account a temporary password, and ends its
// sessions (M6). The password is made of the command's id by the server's secret,
// so that a retry is told the same one.
//
// Whoever resets a password can sign in with it. So it is refused for accounts
// that are members of another organization too, or ask to be, or were there before
// they were added unasked (CodeMemberElsewhere), and from then on the account
// enters and joins no other before its owner has proven the address again
// (account.CheckProven, account.CheckEnters). Elsewhere tells which, of a view no older than a
// position. It is asked again when the password is set: who has joined another
// organization meanwhile has a password that nobody is told.
//
// Killed before the account has the password: the history says that a reset was
// decided, nobody knows of a password, and the old one works. The same request
// goes on from there, and so does another one.
//
// It fails as organization.ResetPassword does, and with CodeMemberElsewhere.
func (c *Commands) ResetMemberPassword(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID, elsewhere func(ctx context.Context, atLeast eventstore.Position) (bool, error)) (TemporaryPassword, error) {
	who, _, err := c.accounts.load(ctx, string(member))
	if err != nil {
		return TemporaryPassword{}, err
	}
	decide := func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.ResetPassword(s, p, r.Actor, member, who.MadeBy == org)
	}
	check := plain(r)
	check.IfRevision = r.IfRevision
	known, replayed, err := c.organizations.replayed(ctx, string(org), r)
	if err == nil && !replayed {
		known, err = c.onOrganization(ctx, check, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
			_, err := decide(s, p)
			return nil, err
		})
		if err == nil {
			err = c.refuseElsewhere(ctx, org, known.Position, elsewhere)
		}
		if err == nil {
			known, err = c.onOrganization(ctx, r, org, decide)
		}
	}
	if err != nil {
		return TemporaryPassword{}, err
	}
	c.Step(StepPasswordResetDecided)
	password := c.temporaryPassword(r, org, member)
	assigned, err := c.assign(ctx, c.part(r, "assign"), org, member, password)
	if err == nil {
		err = c.refuseElsewhere(ctx, org, assigned.Position, elsewhere)
	}
	if err != nil {
		return TemporaryPassword{}, err
	}
	if c.dry {
		password = ""
	}
	return TemporaryPassword{Receipt: known.and(assigned), Password: password}, nil
}

func (c *Commands) assign(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID, password string) (Receipt, error) {
	if known, replayed, err := c.accounts.replayed(ctx, string(member), r); replayed || err != nil {
		return known, err
	}
	hash, err := c.Passwords.Hash(ctx, password)
	if err != nil {
		return Receipt{}, err
	}
	return c.accounts.execute(ctx, string(member), r, func(s account.State) ([]domain.Event, error) {
		return account.AssignPassword(s, org, hash)
	})
}

func (c *Commands) refuseElsewhere(ctx context.Context, org domain.OrganizationID, atLeast eventstore.Position, elsewhere func(context.Context, eventstore.Position) (bool, error)) error {
	other, err := elsewhere(ctx, atLeast)
	if err != nil || !other {
		return err
	}
	return c.inWordsOf(ctx, org, domain.Refuse(domain.CodeMemberElsewhere, "A member elsewhere too",
		"The account belongs to another organization as well, or asks to. Have the person ask for a link to set a new password, at sign-in."))
}

// temporaryPassword is 80 bits in four groups, easy to read out.
func (c *Commands) temporaryPassword(r Request, org domain.OrganizationID, member domain.AccountID) string {
	command := c.commandID(r)
	if command == "" {
		command = uuid.NewString()
	}
	text := c.Keys.Request("temporary password", string(org), string(member), command)
	return text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:20]
}
