package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// SetSeats says how many members an organization may have; 0 is what its policy
// says (S9). It is for operators. It fails as organization.SetSeats does.
func (c *Commands) SetSeats(ctx context.Context, r Request, org domain.OrganizationID, seats int) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.SetSeats(s, p, seats)
	})
}

// Limits is how much of what is limited an organization uses.
type Limits struct {
	Seats           int // members that there may be; 0 is any number
	Taken           int // members, suspended ones among them, and seats kept for who is accepting
	OpenInvitations int
}

// Limits answers from the log itself, as the decisions do: a view may not know
// yet that the last seat is taken.
func (c *Commands) Limits(ctx context.Context, org domain.OrganizationID) (Limits, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return Limits{}, err
	}
	p, err := c.rules(s)
	if err != nil {
		return Limits{}, err
	}
	return LimitsOf(s, p), nil
}

// LimitsOf are those of an organization in a state, under a policy.
func LimitsOf(s organization.State, p *policy.Policy) Limits {
	return Limits{Seats: s.Seats(p), Taken: s.SeatsTaken(), OpenInvitations: s.OpenInvitations()}
}
