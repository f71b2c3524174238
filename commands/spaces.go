package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// CreateSpace makes a space and answers with its id. It fails as
// organization.CreateSpace does.
func (c *Commands) CreateSpace(ctx context.Context, r Request, org domain.OrganizationID, name string) (domain.SpaceID, Receipt, error) {
	id := domain.SpaceID(c.newID(r, "space", string(org)))
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.CreateSpace(s, p, r.Actor, id, name)
	})
	return id, receipt, err
}

// RenameSpace gives a space another name. It fails as organization.RenameSpace
// does.
func (c *Commands) RenameSpace(ctx context.Context, r Request, org domain.OrganizationID, id domain.SpaceID, name string) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.RenameSpace(s, p, r.Actor, id, name)
	})
}

// DeleteSpace ends a space. It fails as organization.DeleteSpace does.
func (c *Commands) DeleteSpace(ctx context.Context, r Request, org domain.OrganizationID, id domain.SpaceID) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.DeleteSpace(s, p, r.Actor, id)
	})
}
