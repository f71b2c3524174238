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
	claimed, err := c.reserve(ctx, r, reservation.KindOrganizationName, name.Key(), holderOrganization+string(id))
	if err != nil {
		return Receipt{}, err
	}
	if claimed.attempt == 0 {
		return Receipt{}, nameTaken()
	}
	c.Step(StepNewNameReserved)
	receipt, err := c.onOrganization(ctx, r, id, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		if claimed.outlived(c.Now()) {
			return nil, ErrBusy
		}
		return rename(s, p)
	})
	if err == nil {
		c.Step(StepRenamed)
	}
	c.finish(ctx, r, err, claimed)
	if err != nil {
		return Receipt{}, err
	}
	for _, e := range receipt.Events {
		if renamed, ok := e.(organization.Renamed); ok {
			c.left(c.FinishRenaming(ctx, r, renamed))
		}
	}
	return receipt, nil
}

// FinishRenaming gives the name back that an organization had before, unless it
// uses it again.
func (c *Commands) FinishRenaming(ctx context.Context, r Request, renamed organization.Renamed) error {
	return c.settleText(ctx, r, reservation.KindOrganizationName, renamed.Before.Key())
}
