package commands

import "tenure/domain"

// Waiting counts the commands that wait for an organization's stream.
func (c *Commands) Waiting(org domain.OrganizationID) int {
	g := c.organizations.get(string(org))
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// LoadPage is how many events are read at a time when an aggregate is folded.
const LoadPage = loadPage
