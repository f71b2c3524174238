package commands

import (
	"context"
	"errors"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/eventstore"
)

// RecentSignIn is how long ago somebody without a password may have signed in who
// wants to be erased.
const RecentSignIn = 15 * time.Minute

// Erasure says how an account is to be erased.
type Erasure struct {
	// Organizations are those that the account is a member of, as far as views
	// know. Another one, joined at this moment, is left all the same.
	Organizations []domain.OrganizationID
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
		if err := c.checkErasure(ctx, id, in.Organizations); err != nil {
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
// where there is none, has signed in just now. It fails as EraseAccount does, and
// with CodeCredentialsWrong.
func (c *Commands) EraseOwnAccount(ctx context.Context, r Request, id domain.AccountID, session domain.SessionID, password string, in Erasure) (Receipt, error) {
	if known, replayed, err := c.accounts.replayed(ctx, string(id), r); replayed || err != nil {
		return known, err
	}
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return Receipt{}, err
	}
	signedIn, ok := s.Session(session, c.Now())
	switch {
	case !ok:
		err = domain.Refuse(domain.CodeCredentialsWrong, "Sign in again", "Your session has ended; sign in again.")
	case s.PasswordHash != "":
		err = c.checkPassword(ctx, s, password)
	case c.Now().After(signedIn.ExpiresAt.Add(RecentSignIn - c.SessionLifetime)):
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
func (c *Commands) checkErasure(ctx context.Context, id domain.AccountID, orgs []domain.OrganizationID) error {
	var blocked []string
	for _, org := range orgs {
		s, _, err := c.organizations.load(ctx, string(org))
		if err != nil {
			return err
		}
		p, err := c.rules(s)
		if err != nil {
			return err
		}
		var refusal *domain.Error
		if errors.As(organization.CheckErasure(s, p, id), &refusal) {
			blocked = append(blocked, string(s.Name)+" ("+string(org)+"): "+refusal.Message)
		}
	}
	if len(blocked) == 0 {
		return nil
	}
	return domain.Refuse(domain.CodeErasureBlocked, "Organizations need this person", strings.Join(blocked, " "))
}

// Copies are what holds personal data besides the log.
type Copies interface {
	// Forget deletes what holds one of the words and is changed by no event, such
	// as mails.
	Forget(ctx context.Context, words []string) error
	// Settle returns once the views have got to a position.
	Settle(ctx context.Context, atLeast eventstore.Position) error
	// Scrub leaves no trace of what the views held before.
	Scrub(ctx context.Context) error
}

var errErased = errors.New("commands: the account was erased")

// FinishErasure erases what the deployment holds of the person besides the log,
// and then the keys. At is the position of the event that ended the account.
//
// Everything that is to be found goes by the address and the names of the account,
// which its key opens, so that key goes last. Killed between
//
//   - the event and the rest: the process begins;
//   - two organizations, two invitations, the address and the identities: each of
//     them is done or not, and what is done is not done again;
//   - the invitations' keys and the account's: the invitations read as pseudonyms,
//     and are found by nobody any more, which is what is wanted;
//   - the account's key and the end: nothing is found any more, and the copies are
//     scrubbed.
func (c *Commands) FinishErasure(ctx context.Context, r Request, id domain.AccountID, at eventstore.Position, copies Copies) error {
	// The log comes again when views are made anew; what was done is not looked for.
	if gone, err := c.Keyring.Destroyed(ctx, string(id)); err != nil || gone {
		if err == nil && !c.scrubbed.Load() {
			err = c.scrub(ctx, copies)
		}
		return err
	}
	found, done, err := c.eraseTraces(ctx, r, id, Receipt{Position: at})
	if err != nil {
		return err
	}
	c.Step(StepErasedLeft)
	if err := c.releaseHeld(ctx, r, id); err != nil {
		return err
	}
	c.Step(StepErasedReleased)
	if err := copies.Forget(ctx, found.words()); err != nil {
		return err
	}
	if err := copies.Settle(ctx, done.Position); err != nil {
		return err
	}
	subjects := make([]string, len(found.invitations))
	for i, inv := range found.invitations {
		subjects[i] = string(inv)
	}
	if err := c.Keyring.Destroy(ctx, subjects...); err != nil {
		return err
	}
	c.Step(StepErasedInvitees)
	c.scrubbed.Store(false)
	if err := c.Keyring.Destroy(ctx, string(id)); err != nil {
		return err
	}
	c.forgetPeople(found)
	return c.scrub(ctx, copies)
}

func (c *Commands) scrub(ctx context.Context, copies Copies) error {
	err := copies.Scrub(ctx)
	if err == nil {
		c.scrubbed.Store(true)
	}
	return err
}

// releaseHeld gives back the address and the identities of an erased account.
func (c *Commands) releaseHeld(ctx context.Context, r Request, id domain.AccountID) error {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil || !s.Erased() {
		return err
	}
	held, holder := s.Held(), holderAccount+string(id)
	none := func(context.Context) (bool, error) { return false, nil }
	for _, i := range held.Identities {
		if err := c.release(ctx, r, reservation.KindIdentity, c.Keys.Name(reservation.KindIdentity, i.Key()), holder, none); err != nil {
			return err
		}
	}
	return c.release(ctx, r, reservation.KindEmail, c.Keys.Name(reservation.KindEmail, held.Email.Key()), holder, none)
}

func (c *Commands) pseudonym(subject string) domain.Pseudonym {
	return domain.Pseudonym(c.Keyring.Pseudonym(subject))
}
