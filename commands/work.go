package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// AssignWork gives a piece of the host product's work to a member. Who calls it
// with an API key has checked the key's scope. It fails as
// organization.AssignWork does.
func (c *Commands) AssignWork(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID, w organization.WorkItem) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.AssignWork(s, p, r.Actor, member, w)
	})
}

// ReleaseWorkOfDeleted takes back what is still assigned in an organization that was
// deleted. Killed in between, the next call goes on.
func (c *Commands) ReleaseWorkOfDeleted(ctx context.Context, r Request, org domain.OrganizationID) error {
	for {
		receipt, err := c.organizations.execute(ctx, string(org), plain(r), func(s organization.State) ([]domain.Event, error) {
			return organization.ReleaseOfDeleted(s), nil
		})
		if err != nil || len(receipt.Events) == 0 {
			return err
		}
	}
}

// ReleaseWork takes a piece of work back. Who calls it with an API key has
// checked the key's scope. It fails as organization.ReleaseWork does.
func (c *Commands) ReleaseWork(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID, kind, id string) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.ReleaseWork(s, p, r.Actor, member, kind, id)
	})
}
