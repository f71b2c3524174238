package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
)

// DeleteOrganization ends an organization: from this event on nobody has access
// (D9). Its name and e-mail domain are free again, here or by a process; a process kills the links
// of open invitations, which until then are refused because it was deleted. It
// fails as organization.Delete does.
func (c *Commands) DeleteOrganization(ctx context.Context, r Request, org domain.OrganizationID) (Receipt, error) {
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.Delete(s, p, r.Actor)
	})
	if err != nil {
		return receipt, err
	}
	c.Step(StepOrganizationDeleted)
	for _, e := range receipt.Events {
		if deleted, ok := e.(organization.Deleted); ok {
			c.left(c.FinishDeletion(ctx, r, deleted))
		}
	}
	return receipt, nil
}

// FinishDeletion gives the name and the e-mail domain of an organization that was
// deleted back.
func (c *Commands) FinishDeletion(ctx context.Context, r Request, deleted organization.Deleted) error {
	if err := c.settleText(ctx, r, reservation.KindOrganizationName, deleted.Name.Key()); err != nil {
		return err
	}
	s, _, err := c.organizations.load(ctx, string(deleted.OrganizationID))
	if err != nil || s.EmailDomain == "" {
		return err
	}
	return c.settleText(ctx, r, reservation.KindEmailDomain, s.EmailDomain)
}
