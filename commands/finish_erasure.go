package commands

import (
	"context"
	"errors"
	"slices"

	"tenure/domain"
	"tenure/domain/erasure"
	"tenure/domain/reservation"
	"tenure/eventstore"
)

// Copies are what holds personal data besides the log, and is shared by all nodes.
// What each node has of its own follows erasure.Concluded.
type Copies interface {
	// Settle returns once the views have got to a position.
	Settle(ctx context.Context, atLeast eventstore.Position) error
	// Scrub leaves no trace of what the views held before.
	Scrub(ctx context.Context) error
}

var errErased = errors.New("commands: the account was erased")

// FinishErasure erases what is left of the person whose account has ended. At is
// the position of the event that has ended it.
//
// Everything that is to be found goes by the address, which the account's key
// opens. So what was found is recorded, and the keys are destroyed after that.
// Killed between
//
//   - the event and the rest: the process begins;
//   - two organizations, two invitations, the address and the identities: each of
//     them is done or not, and what is done is not done again;
//   - the record of the keys and their end: nodes open nothing with them any more,
//     and whichever starts or goes on next destroys them;
//   - the end of the keys and of the copies: nothing is looked for again, and the
//     copies are scrubbed.
func (c *Commands) FinishErasure(ctx context.Context, r Request, id domain.AccountID, at eventstore.Position, copies Copies) error {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return err
	}
	who := erasee{erasure: erasure.OfAccount(id), account: id, address: c.addressName(s.Held().Email)}
	return c.finishErasure(ctx, r, who, at, copies)
}

// FinishInviteeErasure is FinishErasure for somebody who has no account.
func (c *Commands) FinishInviteeErasure(ctx context.Context, r Request, requested erasure.Requested, at eventstore.Position, copies Copies) error {
	return c.finishErasure(ctx, r, erasee{erasure: requested.ErasureID, address: requested.Address}, at, copies)
}

// erasee is whom an erasure is about.
type erasee struct {
	erasure domain.ErasureID
	account domain.AccountID // empty for who has none
	address string           // a keyed hash
}

func (c *Commands) finishErasure(ctx context.Context, r Request, who erasee, at eventstore.Position, copies Copies) error {
	s, _, err := c.erasures.load(ctx, allErasures)
	if err != nil {
		return err
	}
	// The log comes again when views are made anew; what was found is not looked for.
	if subjects, concluded := s.Concluded(who.erasure); concluded {
		if _, err := c.destroy(ctx, subjects); err != nil || c.scrubbed.Load() {
			return err
		}
		return c.scrub(ctx, copies)
	}
	found, done, err := c.eraseTraces(ctx, r, who, Receipt{Position: at})
	if err != nil {
		return err
	}
	c.Step(StepErasedLeft)
	if err := c.releaseHeld(ctx, r, who.account); err != nil {
		return err
	}
	c.Step(StepErasedReleased)
	return c.conclude(ctx, r, who.erasure, found.subjects(who), found.organizations, done, copies)
}

// conclude records under which keys everything about a person was sealed, and
// destroys them and what the views held, which are up to what was done.
func (c *Commands) conclude(ctx context.Context, r Request, id domain.ErasureID, subjects []string, orgs []domain.OrganizationID, done Receipt, copies Copies) error {
	if copies == nil {
		return errors.New("commands: nothing is known of what holds personal data")
	}
	if err := copies.Settle(ctx, done.Position); err != nil {
		return err
	}
	concluded, err := c.erasures.execute(ctx, allErasures, plain(r), func(s erasure.State) ([]domain.Event, error) {
		return erasure.Conclude(s, id, subjects, orgs), nil
	})
	if err != nil {
		return err
	}
	c.Step(StepErasureConcluded)
	c.scrubbed.Store(false)
	if _, err := c.destroy(ctx, subjects); err != nil {
		return err
	}
	for _, e := range concluded.Events {
		c.Forget(e.(erasure.Concluded))
	}
	c.Step(StepErasedKeys)
	return c.scrub(ctx, copies)
}

// EraseAgain erases somebody from an organization where a command that was under
// way when the account ended, or at another node, has brought them back. It does
// nothing for an account that was not erased, nor before the erasure is concluded:
// that finds by itself what stands in the log by then, and an event of the time
// before can come again after a restart. Killed at any point, it begins again.
func (c *Commands) EraseAgain(ctx context.Context, r Request, id domain.AccountID, org domain.OrganizationID, by domain.InvitationID, copies Copies) error {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil || !s.Erased() {
		return err
	}
	all, _, err := c.erasures.load(ctx, allErasures)
	if err != nil {
		return err
	}
	if _, concluded := all.Concluded(erasure.OfAccount(id)); !concluded {
		return nil
	}
	done, err := c.onOrganization(ctx, plain(r), org, eraseMember(id, c.pseudonym(string(id))))
	if err != nil {
		return err
	}
	subjects := []string{string(id)}
	if by != "" {
		erased, err := c.eraseInvitation(ctx, r, by)
		if err != nil {
			return err
		}
		done, subjects = done.and(erased), append(subjects, string(by))
	}
	if len(done.Events) == 0 && c.scrubbed.Load() {
		return nil
	}
	return c.conclude(ctx, r, erasure.OfAccount(id), subjects, []domain.OrganizationID{org}, done, copies)
}

// KeepErased destroys the keys of all who were erased once more: of a keyring that
// was restored from an older copy. It answers with how many there were.
func (c *Commands) KeepErased(ctx context.Context) (int, error) {
	s, _, err := c.erasures.load(ctx, allErasures)
	if err != nil {
		return 0, err
	}
	return c.destroy(ctx, s.Subjects())
}

// destroy destroys those keys of the subjects that are there.
func (c *Commands) destroy(ctx context.Context, subjects []string) (destroyed int, err error) {
	const together = 1000
	for part := range slices.Chunk(subjects, together) {
		gone, err := c.Keyring.Destroyed(ctx, part)
		if err != nil {
			return destroyed, err
		}
		var left []string
		for i, subject := range part {
			if !gone[i] {
				left = append(left, subject)
			}
		}
		if err := c.Keyring.Destroy(ctx, left...); err != nil {
			return destroyed, err
		}
		destroyed += len(left)
	}
	return destroyed, nil
}

// Forget drops from memory what was folded of a person while their keys were
// there.
func (c *Commands) Forget(e erasure.Concluded) {
	for _, subject := range e.Subjects {
		c.accounts.drop(subject)
		c.invitations.drop(subject)
	}
	for _, org := range e.OrganizationIDs {
		c.organizations.drop(string(org))
		c.trails.drop(string(org))
	}
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
	if id == "" {
		return nil
	}
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil || !s.Erased() {
		return err
	}
	held := s.Held()
	for _, i := range held.Identities {
		if err := c.settleText(ctx, r, reservation.KindIdentity, i.Key()); err != nil {
			return err
		}
	}
	return c.settle(ctx, r, claim{kind: reservation.KindEmail, key: c.addressName(held.Email)})
}

func (c *Commands) pseudonym(subject string) domain.Pseudonym {
	return domain.Pseudonym(c.Keyring.Pseudonym(subject))
}
