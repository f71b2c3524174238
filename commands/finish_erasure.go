package commands

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/domain/account"
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

// FinishErasure erases what is left of the person whose account has ended, and of
// everybody else whose erasure waits. At is the position of the event that has
// ended it.
//
// Everything that is to be found goes by the address, which the account's key
// opens. So what was found is recorded, and the keys are destroyed after that.
// Killed between
//
//   - the event and the rest: the process begins;
//   - two people, two organizations, two invitations, the values of settings of two
//     organizations, the address and the identities: each of them is done or not, and what is done is not done again;
//   - the records of the keys of two people: the one is finished, the other begins
//     with the event of their own;
//   - the record of the keys and their end: nodes open nothing with them any more,
//     and whichever starts or goes on next destroys them;
//   - the end of the keys and of the copies: nothing is looked for again, and the
//     copies are scrubbed.
func (c *Commands) FinishErasure(ctx context.Context, r Request, id domain.AccountID, at eventstore.Position, copies Copies) error {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return err
	}
	return c.finishErasure(ctx, c.eraseeOf(r, s, at), copies)
}

// FinishInviteeErasure is FinishErasure for somebody who has no account.
func (c *Commands) FinishInviteeErasure(ctx context.Context, r Request, requested erasure.Requested, at eventstore.Position, copies Copies) error {
	return c.finishErasure(ctx, inviteeOf(r, requested, at), copies)
}

func (c *Commands) eraseeOf(r Request, s account.State, at eventstore.Position) *erasee {
	return &erasee{
		request: r, erasure: erasure.OfAccount(s.ID), account: s.ID, address: c.addressName(s.Held().Email), done: at,
	}
}

func inviteeOf(r Request, requested erasure.Requested, at eventstore.Position) *erasee {
	return &erasee{request: r, erasure: requested.ErasureID, address: requested.Address, done: at}
}

// mostErasees bounds a pass.
const mostErasees = 1000

// finishErasure erases those who wait, the first of them in any case.
func (c *Commands) finishErasure(ctx context.Context, first *erasee, copies Copies) error {
	if copies == nil {
		return errors.New("commands: nothing is known of what holds personal data")
	}
	s, _, err := c.erasures.load(ctx, allErasures)
	if err != nil {
		return err
	}
	// The log comes again when views are made anew; what was found is not looked for.
	if subjects, concluded := s.Concluded(first.erasure); concluded {
		c.unfinished.Store(nil)
		if _, err := c.destroy(ctx, subjects); err != nil || c.scrubbed.Load() {
			return err
		}
		return c.scrub(ctx, copies)
	}
	// What has failed is tried again from where it has got to: the views may take
	// hours.
	p := c.unfinished.Load()
	begins := p == nil || p.erasees[0].erasure != first.erasure
	if begins {
		p = newPass([]*erasee{first}, c.addressName)
		p.known = first.done
	}
	// Who has come since does not wait for the first, who may have to wait long.
	if begins || p.erasees[0].err != nil {
		later, known, err := c.waiting(ctx, s, first.request, p.known, mostErasees-len(p.erasees))
		if err != nil {
			return err
		}
		if len(later) > 0 {
			p = newPass(append(p.erasees, later...), c.addressName)
		}
		p.known = known
	}
	c.unfinished.Store(p)
	if err := c.erase(ctx, p, copies); err != nil {
		return err
	}
	if first = p.erasees[0]; first.err != nil {
		p.erasees = slices.DeleteFunc(p.erasees, func(who *erasee) bool { return who.err == nil })
		return first.err
	}
	c.unfinished.Store(nil)
	return nil
}

// waiting are those whose erasure began after a position and waits, so many of them
// at most, and up to where the log has them.
func (c *Commands) waiting(ctx context.Context, s erasure.State, r Request, after eventstore.Position, most int) (all []*erasee, _ eventstore.Position, err error) {
	filter := eventstore.Filter{TypePrefixes: []string{"account.erased.", "erasure.requested."}}
	for head := false; !head && len(all) < most; {
		page, err := c.Store.ReadAll(ctx, after, most-len(all), filter)
		if err != nil {
			return nil, 0, err
		}
		for _, recorded := range page.Events {
			who, err := c.whoIsErased(ctx, r, recorded)
			if err != nil {
				return nil, 0, err
			}
			if _, concluded := s.Concluded(who.erasure); !concluded {
				all = append(all, who)
			}
		}
		after, head = page.Position, page.Head
	}
	return all, after, nil
}

// whoIsErased reads an event that an erasure begins with.
func (c *Commands) whoIsErased(ctx context.Context, r Request, recorded eventstore.Recorded) (*erasee, error) {
	e, err := c.Codec.Decode(recorded)
	if err != nil {
		return nil, err
	}
	r.Correlation, r.Causation, r.Continues = e.Metadata.Correlation, uuid.UUID(e.ID).String(), e.Metadata.CommandID
	if requested, ok := e.Event.(erasure.Requested); ok {
		return inviteeOf(r, requested, e.Position), nil
	}
	s, _, err := c.accounts.load(ctx, string(e.Event.(account.Erased).AccountID))
	if err != nil {
		return nil, err
	}
	return c.eraseeOf(r, s, e.Position), nil
}

// erase erases the people of a pass and scrubs once.
func (c *Commands) erase(ctx context.Context, p *pass, copies Copies) error {
	for _, who := range p.erasees {
		who.err = nil
	}
	if err := c.eraseTraces(ctx, p); err != nil {
		return err
	}
	c.Step(StepErasedLeft)
	for _, who := range p.erasees {
		if who.err == nil {
			who.err = c.releaseHeld(ctx, who.request, who.account)
		}
	}
	c.Step(StepErasedReleased)
	return c.conclude(ctx, p.erasees, copies)
}

// conclude records under which keys everything about people was sealed, and
// destroys them and what the views held, which are up to what was done. Who
// could not be erased is left out.
func (c *Commands) conclude(ctx context.Context, erasees []*erasee, copies Copies) error {
	erasees = slices.DeleteFunc(slices.Clone(erasees), func(who *erasee) bool { return who.err != nil })
	if len(erasees) == 0 {
		return nil
	}
	var done eventstore.Position
	for _, who := range erasees {
		done = max(done, who.done)
	}
	if err := copies.Settle(ctx, done); err != nil {
		return err
	}
	c.scrubbed.Store(false)
	var subjects []string
	var concluded []domain.Event
	for _, who := range erasees {
		events, err := c.record(ctx, who)
		if who.err = err; err != nil {
			continue
		}
		concluded, subjects = append(concluded, events...), append(subjects, who.subjects()...)
	}
	c.Step(StepErasureConcluded)
	if _, err := c.destroy(ctx, subjects); err != nil {
		return err
	}
	for _, e := range concluded {
		c.Forget(e.(erasure.Concluded))
	}
	c.Step(StepErasedKeys)
	return c.scrub(ctx, copies)
}

// record records the subjects of an erasure. Killed in between, those that were are
// not recorded again, and none is destroyed.
func (c *Commands) record(ctx context.Context, who *erasee) ([]domain.Event, error) {
	var events []domain.Event
	for {
		receipt, err := c.erasures.execute(ctx, allErasures, plain(who.request), func(s erasure.State) ([]domain.Event, error) {
			return erasure.Conclude(s, who.erasure, who.subjects(), who.organizations), nil
		})
		if err != nil || len(receipt.Events) == 0 {
			return events, err
		}
		events = append(events, receipt.Events...)
		if !events[len(events)-1].(erasure.Concluded).More {
			return events, nil
		}
	}
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
	who := &erasee{request: r, erasure: erasure.OfAccount(id), account: id, organizations: []domain.OrganizationID{org}}
	if by != "" {
		erased, err := c.eraseInvitation(ctx, r, by)
		if err != nil {
			return err
		}
		done, who.invitations = done.and(erased), []domain.InvitationID{by}
	}
	if err := c.findAbandoned(ctx, who, org); err != nil {
		return err
	}
	erased, err := c.eraseValues(ctx, who)
	if err != nil {
		return err
	}
	done = done.and(erased)
	if len(done.Events) == 0 && c.scrubbed.Load() {
		return nil
	}
	who.done = done.Position
	if err := c.conclude(ctx, []*erasee{who}, copies); err != nil {
		return err
	}
	return who.err
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
	return c.ResolveReservation(ctx, r, reservation.KindEmail, c.addressName(held.Email))
}

func (c *Commands) pseudonym(subject string) domain.Pseudonym {
	return domain.Pseudonym(c.Keyring.Pseudonym(subject))
}
