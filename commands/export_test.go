package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
)

// Organization is what commands decide on.
func (c *Commands) Organization(ctx context.Context, id domain.OrganizationID) (organization.State, error) {
	s, _, err := c.organizations.load(ctx, string(id))
	return s, err
}

// Waiting counts the commands that wait for an organization's stream.
func (c *Commands) Waiting(org domain.OrganizationID) int {
	g := c.organizations.get(string(org))
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// LoadPage is how many events are read at a time when an aggregate is folded.
const LoadPage = loadPage
