package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
)

// An account holds exclusive roles in one organization at most (M9). Which one
// that may be is a reservation of the account's id (see reserve.go): an
// organization makes it before the event that gives the role, and settles it
// after: it lasts while the account has such a role there, or has accepted an
// invitation to one.
//
// Whether a command gives an exclusive role is known once it is decided: so it is
// decided, refused with unreserved, and decided again with the reservations that
// it lacks. A command that was slow makes its reservations again.

// unreserved is why a decision was not written yet: it gives exclusive roles to
// accounts for which no reservation was made that is good still.
type unreserved []domain.AccountID

func (unreserved) Error() string { return "commands: exclusive roles have to be reserved" }

// heldElsewhere refuses exclusive roles to an account.
type heldElsewhere struct {
	account domain.AccountID
	refusal *domain.Error
}

func (h *heldElsewhere) Error() string { return h.refusal.Error() }
func (h *heldElsewhere) Unwrap() error { return h.refusal }

// holds are the claims to exclusive roles that a command has made, by account; of
// those to one account the last is good the longest.
type holds map[domain.AccountID][]claim

// lacking names the accounts that the events give exclusive roles to without a
// reservation that is good at the time.
func (h holds) lacking(s organization.State, p *policy.Policy, events []domain.Event, at time.Time) error {
	return h.lackingFor(organization.GainsExclusive(s, p, events), at)
}

// lackingFor is lacking for accounts that are known to gain exclusive roles.
func (h holds) lackingFor(gains []domain.AccountID, at time.Time) error {
	var lacking unreserved
	for _, id := range gains {
		if claims := h[id]; len(claims) == 0 || claims[len(claims)-1].outlived(at) {
			lacking = append(lacking, id)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return lacking
}

// outlived names the accounts whose reservations are good no more.
func (h holds) outlived(at time.Time) error {
	return h.lackingFor(slices.Sorted(maps.Keys(h)), at)
}

// exclusively gives command, which is refused with unreserved, until it has the
// reservations that it needs, and settles them. It fails with CodeRoleExclusive.
func (c *Commands) exclusively(ctx context.Context, r Request, org domain.OrganizationID, give func(holds) (Receipt, error)) (Receipt, error) {
	held := make(holds)
	receipt, err := give(held)
	for range attemptLimit {
		var lacking unreserved
		if !errors.As(err, &lacking) {
			break
		}
		if err = c.hold(ctx, r, org, lacking, held); err == nil {
			receipt, err = give(held)
		}
	}
	if errors.As(err, new(unreserved)) {
		err = fmt.Errorf("%w: the roles changed %d times meanwhile", ErrBusy, attemptLimit)
	}
	if len(held) > 0 && err == nil {
		c.Step(StepExclusiveRoleGiven)
	}
	c.finish(ctx, r, err, slices.Concat(slices.Collect(maps.Values(held))...)...)
	return receipt, err
}

// hold makes the reservations of accounts' exclusive roles for an organization.
// It fails with CodeRoleExclusive when another one has a use for one.
func (c *Commands) hold(ctx context.Context, r Request, org domain.OrganizationID, accounts []domain.AccountID, held holds) error {
	claims := make([]claim, len(accounts))
	err := times(len(accounts), func(i int) (err error) {
		claims[i], err = c.reserveKey(ctx, r, reservation.KindExclusiveRole, string(accounts[i]), holderOrganization+string(org))
		return err
	})
	var elsewhere error
	for i, account := range accounts {
		switch {
		case claims[i].attempt != 0:
			held[account] = append(held[account], claims[i])
			c.Step(StepExclusiveRoleReserved)
		case err == nil && elsewhere == nil:
			elsewhere = c.heldElsewhere(ctx, r, org, account)
		}
	}
	return cmp.Or(err, elsewhere)
}

// heldElsewhere refuses an account a role in the words of the organization: to
// somebody who asks for themself what they can do, and otherwise what whoever
// gives roles can.
func (c *Commands) heldElsewhere(ctx context.Context, r Request, org domain.OrganizationID, account domain.AccountID) error {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return err
	}
	p, err := c.rules(s)
	if err != nil {
		return err
	}
	if r.decider() == domain.ByAccount(account) {
		return &heldElsewhere{account, organization.OwnRoleElsewhere(p)}
	}
	return &heldElsewhere{account, organization.RoleHeldElsewhere(p)}
}

// hasExclusive reports whether the account has exclusive roles in the
// organization, or has accepted an invitation to such roles and is about to be
// admitted.
func (c *Commands) hasExclusive(ctx context.Context, account domain.AccountID, org domain.OrganizationID) (bool, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return false, err
	}
	p, err := c.rules(s)
	if err != nil || s.HoldsExclusive(p, account) {
		return err == nil, err
	}
	if s.Deleted {
		return false, nil
	}
	for _, id := range s.Invitations() { // not by address: a provider's account may have accepted with another one
		if open, _ := s.Invitation(id); !p.Exclusive(open.Roles) {
			continue
		}
		inv, _, err := c.invitations.load(ctx, string(id))
		if err != nil || inv.Status == invitation.StatusAccepted && inv.AcceptedBy == account {
			return err == nil, err
		}
	}
	return false, nil
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
		if err := c.ResolveReservation(ctx, r, reservation.KindExclusiveRole, string(account)); err != nil {
			return err
		}
	}
	return nil
}

// releaseExclusive gives back the reservations of accounts that a command has
// taken exclusive roles from. One that is killed before leaves them to the next
// one that wants them, or to FinishLosingRoles.
func (c *Commands) releaseExclusive(ctx context.Context, r Request, accounts []domain.AccountID) {
	lost := make([]claim, len(accounts))
	for i, account := range accounts {
		lost[i] = claim{kind: reservation.KindExclusiveRole, key: string(account)}
	}
	c.finish(ctx, r, nil, lost...)
}
