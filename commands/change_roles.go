package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
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
// the member had sent (X14). It fails as organization.Remove does, and for a member
// who leaves as account.CheckOwner does.
func (c *Commands) RemoveMember(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID) (Receipt, error) {
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		events, err := organization.Remove(s, p, r.Actor, member)
		if err != nil || r.Actor != domain.ByAccount(member) {
			return events, err
		}
		who, _, err := c.accounts.load(ctx, string(member))
		if err == nil {
			err = account.CheckOwner(who)
		}
		return events, err
	})
	if err == nil {
		c.Step(StepMemberRemoved)
	}
	return receipt, err
}
