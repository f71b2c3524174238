package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// ChangeRoles gives a member other roles (O4). It fails as
// organization.ChangeRoles does.
func (c *Commands) ChangeRoles(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID, roles []domain.Role) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.ChangeRoles(s, p, r.Actor, member, roles)
	})
}

// RemoveMember ends a membership (O7). A process revokes the invitations that
// the member had sent (X14). It fails as organization.Remove does.
func (c *Commands) RemoveMember(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID) (Receipt, error) {
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.Remove(s, p, r.Actor, member)
	})
	if err == nil {
		c.Step(StepMemberRemoved)
	}
	return receipt, err
}
