package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
)

// RenameOrganization gives the organization another name that no other has; a
// personal space may have any. It fails with CodeNotFound, CodePermissionDenied and CodeNameTaken.
func (c *Commands) RenameOrganization(ctx context.Context, r Request, id domain.OrganizationID, name domain.OrganizationName) (Receipt, error) {
	rename := func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.Rename(s, p, r.Actor, name)
	}
	if known, replayed, err := c.organizations.replayed(ctx, string(id), r); replayed || err != nil {
		return known, err
	}
	// Refused before the name is reserved what would be refused after.
	check := plain(r)
	check.IfRevision = r.IfRevision
	if _, err := c.onOrganization(ctx, check, id, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		_, err := rename(s, p)
		return nil, err
	}); err != nil {
		return Receipt{}, err
	}
	s, _, err := c.organizations.load(ctx, string(id))
	if err != nil {
		return Receipt{}, err
	}
	if s.Personal { // goes by any name
		return c.onOrganization(ctx, r, id, rename)
	}
	holder := holderOrganization + string(id)
	began := c.Now()
	whose, err := c.reserve(ctx, r, reservation.KindOrganizationName, name.Key(), holder)
	if err != nil {
		return Receipt{}, err
	}
	if whose != holder {
		return Receipt{}, nameTaken()
	}
	c.Step(StepNewNameReserved)
	receipt, err := c.onOrganization(ctx, r, id, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		if c.mayBeGivenBack(began) {
			return nil, ErrBusy
		}
		return rename(s, p)
	})
	if err != nil {
		return Receipt{}, err // a process gives the new name back
	}
	c.Step(StepRenamed)
	for _, e := range receipt.Events {
		if renamed, ok := e.(organization.Renamed); ok {
			err = c.FinishRenaming(ctx, r, renamed)
		}
	}
	return receipt, err
}

// FinishRenaming makes the reservation of an organization's name last, and
// gives the name before it back, unless the organization has taken it again.
func (c *Commands) FinishRenaming(ctx context.Context, r Request, renamed organization.Renamed) error {
	s, _, err := c.organizations.load(ctx, string(renamed.OrganizationID))
	if err != nil {
		return err
	}
	if s.Personal {
		return nil
	}
	holder := holderOrganization + string(renamed.OrganizationID)
	if s.Name.Key() == renamed.After.Key() {
		if _, err := c.confirm(ctx, r, reservation.KindOrganizationName, renamed.After.Key(), holder); err != nil {
			return err
		}
		c.Step(StepNewNameConfirmed)
	}
	key := c.Keys.Name(reservation.KindOrganizationName, renamed.Before.Key())
	return c.release(ctx, r, reservation.KindOrganizationName, key, holder, func(ctx context.Context) (bool, error) {
		return c.goesBy(ctx, reservation.KindOrganizationName, key, holder)
	})
}

// FinishActivation makes the reservation of a new organization's name last, and has
// it hold its founder's e-mail domain.
func (c *Commands) FinishActivation(ctx context.Context, r Request, a organization.Activated) error {
	if a.Personal {
		return nil
	}
	if _, err := c.holdFoundersDomain(ctx, r, a); err != nil {
		return err
	}
	_, err := c.confirm(ctx, r, reservation.KindOrganizationName, a.Name.Key(), holderOrganization+string(a.OrganizationID))
	return err
}

// FinishRegistration makes the reservation of a new account's address last.
func (c *Commands) FinishRegistration(ctx context.Context, r Request, id domain.AccountID, email domain.Email) error {
	_, err := c.confirm(ctx, r, reservation.KindEmail, email.Key(), holderAccount+string(id))
	return err
}
