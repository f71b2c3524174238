package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// SuspendMember keeps a member out of the organization at once, on every node,
// since every command and read rests on the organization's stream (M7). The
// sessions belong to the account, which may be at home elsewhere, and go on. A
// process revokes the invitations that the member had sent (X14). It fails as
// organization.Suspend does.
func (c *Commands) SuspendMember(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID) (Receipt, error) {
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.Suspend(s, p, r.Actor, member)
	})
	if err == nil {
		c.Step(StepMemberSuspended)
	}
	return receipt, err
}

// ReactivateMember lets a suspended member in again. It fails as
// organization.Reactivate does.
func (c *Commands) ReactivateMember(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.Reactivate(s, p, r.Actor, member)
	})
}
