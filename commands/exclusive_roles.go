package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
	"tenure/eventstore"
)

// An account holds exclusive roles in one organization at most (M9). Which one
// that may be is a reservation of the account's id: an organization makes it
// before the event that gives the role, and settles it after: it lasts while the
// account has such a role there, and is given back when it has none.
//
// Only a settled reservation is given back, by whoever finds that it serves
// nothing: the command that took the role away, the next one that wants the
// reservation for another organization, or, when a command was killed in
// between, the process that looks at reservations whose time is over. One that
// is not settled belongs to a command that may be about to write its event.
//
// Two commands may be about to give a role in the same organization, and a third
// take it away in between. So a command gives a role only if nothing has
// happened to the account's roles since before it made the reservation
// (organization.State.RoleChanges): whoever has settled the reservation since
// has seen the account with a role, which the command then sees too.
//
// What a killed command has left keeps other organizations waiting until its
// time is over, and nothing but time can end that: a node that is silent may
// hang and go on, whatever others think of it, and a lease says only who should
// not be working. So a command does not rely on its reservation for longer than
// it has (relyFor), and makes it again when that is over: a node that hung and
// wakes up cannot give a role on the strength of what was given back meanwhile.
// That is also what lets the time be short. Half of it is for clocks that differ.

// ExclusiveRoleLifetime is after which time whoever wants an account's exclusive
// roles may settle a reservation that was not settled.
const ExclusiveRoleLifetime = 2 * time.Minute

// relyFor is how long after its reservation was made a command may decide to
// give a role. What it decides is in the log within appendTimeout, or never.
const relyFor = ExclusiveRoleLifetime/2 - appendTimeout

// unreserved is why a decision was not written yet: it gives exclusive roles to
// accounts for which no reservation was made since their roles changed.
type unreserved struct{ changes map[domain.AccountID]int }

func (*unreserved) Error() string { return "commands: exclusive roles have to be reserved" }

// heldElsewhere refuses exclusive roles to an account.
type heldElsewhere struct {
	account domain.AccountID
	refusal *domain.Error
}

func (h *heldElsewhere) Error() string { return h.refusal.Error() }
func (h *heldElsewhere) Unwrap() error { return h.refusal }

// holds are the reservations that a command has made: by account, the state of
// its roles before, until when it is good, and the revision of the reservation,
// or none where it was not free.
type holds map[domain.AccountID]hold

type hold struct {
	changes int
	until   time.Time
	made    *eventstore.Revision
}

// lacking names the accounts that the events give exclusive roles to without a
// reservation that is good at the time.
func (h holds) lacking(s organization.State, p *policy.Policy, events []domain.Event, at time.Time) error {
	return h.lackingFor(s, organization.GainsExclusive(s, p, events), at)
}

// lackingFor is lacking for accounts that are known to gain exclusive roles.
func (h holds) lackingFor(s organization.State, gains []domain.AccountID, at time.Time) error {
	lacking := make(map[domain.AccountID]int)
	for _, id := range gains {
		if held, ok := h[id]; !ok || held.changes != s.RoleChanges(id) || at.After(held.until) {
			lacking[id] = s.RoleChanges(id)
		}
	}
	return unreservedUnlessNone(lacking)
}

// outlived names the accounts whose reservations are good no more.
func (h holds) outlived(at time.Time) error {
	outlived := make(map[domain.AccountID]int)
	for id, held := range h {
		if at.After(held.until) {
			outlived[id] = held.changes
		}
	}
	return unreservedUnlessNone(outlived)
}

func unreservedUnlessNone(changes map[domain.AccountID]int) error {
	if len(changes) == 0 {
		return nil
	}
	return &unreserved{changes}
}

// exclusively gives command, which is refused with unreserved, until it has the
// reservations that it needs, and settles them. It fails with CodeRoleExclusive.
func (c *Commands) exclusively(ctx context.Context, r Request, org domain.OrganizationID, give func(holds) (Receipt, error)) (Receipt, error) {
	held := make(holds)
	receipt, err := give(held)
	for range attemptLimit {
		var lacking *unreserved
		if !errors.As(err, &lacking) {
			break
		}
		err = nil
		for account, changes := range lacking.changes {
			if err = c.hold(ctx, r, org, account, changes, held); err != nil {
				break
			}
		}
		if err == nil {
			receipt, err = give(held)
		}
	}
	if errors.As(err, new(*unreserved)) {
		err = fmt.Errorf("%w: the roles changed %d times meanwhile", ErrBusy, attemptLimit)
	}
	if len(held) > 0 && err == nil {
		c.Step(StepExclusiveRoleGiven)
	}
	for account, h := range held {
		// A request that is gone has no time left for what it leaves behind.
		settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
		settleErr := c.settleExclusive(settling, r, account, h.made)
		cancel()
		if err == nil && settleErr != nil {
			err = settleErr
		}
	}
	return receipt, err
}

// hold makes the reservation of an account's exclusive roles for an organization.
// It fails with CodeRoleExclusive when another one has a use for it.
func (c *Commands) hold(ctx context.Context, r Request, org domain.OrganizationID, account domain.AccountID, changes int, held holds) error {
	holder := holderOrganization + string(org)
	for range 3 {
		var before reservation.State
		var at time.Time
		receipt, err := c.reservations.execute(ctx, reservation.KindExclusiveRole+"-"+string(account), plain(r), func(s reservation.State) ([]domain.Event, error) {
			before, at = s, c.Now()
			events, _ := reservation.Make(s, reservation.KindExclusiveRole, string(account), holder, at.Add(ExclusiveRoleLifetime))
			return events, nil
		})
		if err != nil {
			return err
		}
		if before.Holder == "" || before.Holder == holder {
			h := hold{changes: changes, until: at.Add(relyFor)}
			own := held[account].made
			again := own != nil && *own+1 == receipt.Revision     // nobody was there since this command made it before
			if before.Holder == "" || before.Confirmed || again { // else another command may rely on it
				h.made = &receipt.Revision
			}
			held[account] = h
			c.Step(StepExclusiveRoleReserved)
			return nil
		}
		if err := c.settleExclusive(ctx, r, account, nil); err != nil {
			return err
		}
	}
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return err
	}
	p, err := c.rules(s)
	if err != nil {
		return err
	}
	return &heldElsewhere{account, organization.RoleHeldElsewhere(p)}
}

// settleExclusive makes the reservation of an account's exclusive roles last when
// they are there, and gives it back when not. One that is not settled is left to
// the command that made it, unless that is this one and its revision is made.
func (c *Commands) settleExclusive(ctx context.Context, r Request, account domain.AccountID, made *eventstore.Revision) error {
	stream := reservation.KindExclusiveRole + "-" + string(account)
	for range attemptLimit {
		s, seen, err := c.reservations.load(ctx, stream)
		last, exists := seen.Last()
		if err != nil || !exists || s.Holder == "" {
			return err
		}
		wanted, err := c.hasExclusive(ctx, account, s.Holder)
		if err != nil || wanted && s.Confirmed {
			return err
		}
		settle := reservation.Release
		if wanted {
			settle = reservation.Confirm
		} else if !s.Confirmed && !s.Outdated(c.Now()) && (made == nil || *made != last) {
			return nil
		}
		r := plain(r)
		r.IfRevision = &last
		_, err = c.reservations.execute(ctx, stream, r, func(now reservation.State) ([]domain.Event, error) {
			return settle(now, s.Holder), nil
		})
		if !errors.Is(err, &domain.Error{Code: domain.CodeRevisionMismatch}) {
			return err
		}
	}
	return fmt.Errorf("%w: a reservation changed %d times meanwhile", ErrBusy, attemptLimit)
}

// hasExclusive reports whether the account has exclusive roles in the
// organization that holds its reservation, or has accepted an invitation to such
// roles and is about to be admitted.
func (c *Commands) hasExclusive(ctx context.Context, account domain.AccountID, holder string) (bool, error) {
	s, _, err := c.organizations.load(ctx, strings.TrimPrefix(holder, holderOrganization))
	if err != nil {
		return false, err
	}
	p, err := c.rules(s)
	if err != nil || s.HoldsExclusive(p, account) {
		return err == nil, err
	}
	who, _, err := c.accounts.load(ctx, string(account))
	if err != nil {
		return false, err
	}
	id, found := s.InvitationTo(who.Email)
	if !found || s.Deleted {
		return false, nil
	}
	open, _ := s.Invitation(id)
	inv, _, err := c.invitations.load(ctx, string(id))
	return inv.Status == invitation.StatusAccepted && inv.AcceptedBy == account && p.Exclusive(open.Roles), err
}

// FinishLosingRoles gives back what an event of an organization has made useless,
// for a command that was killed before it did. An account without a reservation
// costs one look.
func (c *Commands) FinishLosingRoles(ctx context.Context, r Request, org domain.OrganizationID, e domain.Event) error {
	var s organization.State
	switch e.(type) {
	case organization.PolicyChanged, organization.Deleted: // about every member
		var err error
		if s, _, err = c.organizations.load(ctx, string(org)); err != nil {
			return err
		}
	}
	for _, account := range organization.MayHaveLost(s, e) {
		if err := c.settleExclusive(ctx, r, account, nil); err != nil {
			return err
		}
	}
	return nil
}

// releaseExclusive gives back what the events of a command have made useless. A
// command that is killed before leaves it to the next one that wants it, or to
// FinishLosingRoles.
func (c *Commands) releaseExclusive(ctx context.Context, r Request, p *policy.Policy, events []domain.Event) error {
	for _, account := range organization.LosesExclusive(p, events) {
		if err := c.settleExclusive(ctx, r, account, nil); err != nil {
			return err
		}
	}
	return nil
}
