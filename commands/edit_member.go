package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// AssignSpaces says which spaces a member may enter (D6). It fails as
// organization.AssignSpaces does.
func (c *Commands) AssignSpaces(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID, spaces []domain.SpaceID) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.AssignSpaces(s, p, r.Actor, member, spaces)
	})
}

// AssignInvitationSpaces says which spaces an invitee may enter once they are a
// member (D6). It fails as organization.AssignInvitationSpaces does.
func (c *Commands) AssignInvitationSpaces(ctx context.Context, r Request, org domain.OrganizationID, id domain.InvitationID, spaces []domain.SpaceID) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.AssignInvitationSpaces(s, p, r.Actor, id, spaces)
	})
}

// EditMember changes roles and spaces in one save (D7); nil leaves either as it
// is. It fails as organization.EditMember does.
func (c *Commands) EditMember(ctx context.Context, r Request, org domain.OrganizationID, member domain.AccountID, roles []domain.Role, spaces []domain.SpaceID) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.EditMember(s, p, r.Actor, member, roles, spaces)
	})
}
