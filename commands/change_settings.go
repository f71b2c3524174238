package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// ChangeSettings makes the settings of a section these, and no others. It fails
// as organization.ChangeSettings does.
func (c *Commands) ChangeSettings(ctx context.Context, r Request, org domain.OrganizationID, section organization.Section, settings map[string]string) (Receipt, error) {
	id := c.newID(r, "settings", string(org))
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.ChangeSettings(s, p, r.Actor, section, settings, id)
	})
}
