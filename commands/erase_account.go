package commands

import (
	"context"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/eventstore"
)

// RecentSignIn is how long ago somebody without a password may have signed in who
// wants to be erased.
const RecentSignIn = 15 * time.Minute

// Erasure says how an account is to be erased.
type Erasure struct {
	// Organizations are those that the account is a member of, or asks to be, as
	// views know them at a position; what came after it the log says. None at 0 has
	// the log say all: views that are halted keep nobody from being erased. Another
	// one, joined at this moment, is left all the same.
	Organizations []domain.OrganizationID
	KnownAt       eventstore.Position
	// Force erases also one whom organizations cannot do without.
	Force bool
}

// EraseAccount ends an account for good (X8). A process erases what is left of
// the person; see FinishErasure. It fails with CodeNotFound, and with
// CodeErasureBlocked where an organization would lose its owner or its last
// administrator and others are left in it.
func (c *Commands) EraseAccount(ctx context.Context, r Request, id domain.AccountID, in Erasure) (Receipt, error) {
	if known, replayed, err := c.accounts.replayed(ctx, string(id), r); replayed || err != nil {
		return known, err
	}
	if !in.Force {
		if err := c.checkErasure(ctx, id, in); err != nil {
			return Receipt{}, err
		}
	}
	receipt, err := c.accounts.execute(ctx, string(id), r, account.Erase)
	if err == nil {
		c.Step(StepAccountErased)
	}
	return receipt, err
}

// EraseOwnAccount is EraseAccount for the person, who gives the password again or,
// where there is none, has signed in just now. It fails as EraseAccount and
// account.CheckProven do, and with CodeCredentialsWrong.
func (c *Commands) EraseOwnAccount(ctx context.Context, r Request, id domain.AccountID, session domain.SessionID, password string, in Erasure) (Receipt, error) {
	if known, replayed, err := c.accounts.replayed(ctx, string(id), r); replayed || err != nil {
		return known, err
	}
	s, _, err := c.accounts.load(ctx, string(id))
	if err == nil {
		err = account.CheckProven(s) // what has the address is searched for, everywhere
	}
	if err != nil {
		return Receipt{}, err
	}
	signedIn, ok := s.Session(session, c.Now())
	switch {
	case !ok:
		err = domain.Refuse(domain.CodeCredentialsWrong, "Sign in again", "Your session has ended; sign in again.")
	case s.PasswordHash != "":
		err = c.checkPassword(ctx, s, password)
	case c.Now().Sub(signedIn.ExpiresAt.Add(-c.SessionLifetime)).Abs() > RecentSignIn: // later than now: sessions were longer then
		err = domain.Refuse(domain.CodeCredentialsWrong, "Sign in again", "Sign in again, and ask for it within 15 minutes.")
	}
	if err != nil {
		return Receipt{}, err
	}
	in.Force = false
	return c.EraseAccount(ctx, r, id, in)
}

// checkErasure names every organization that cannot do without the account, and
// what has to happen there first.
func (c *Commands) checkErasure(ctx context.Context, id domain.AccountID, in Erasure) error {
	all, err := c.ErasureConsequences(ctx, id, in)
	if err != nil {
		return err
	}
	var blocked []string
	for _, x := range all {
		if x.Lacks != "" {
			blocked = append(blocked, string(x.Name)+" ("+string(x.Organization)+"): "+x.Lacks)
		}
	}
	if len(blocked) == 0 {
		return nil
	}
	return domain.Refuse(domain.CodeErasureBlocked, "Organizations need this person", strings.Join(blocked, " "))
}
