package commands

import (
	"cmp"
	"context"
	"errors"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// MoveOrganization puts an organization under another policy, or another version
// of its own; 0 is the newest (X10). It is for operators. Of m, what roles become
// is the caller's to say. It fails with CodeInvalid for a policy that is not there, as organization.ChangePolicy does,
// and with CodeRoleExclusive for a member who would come to hold such a role and
// holds one in another organization.
//
// The exclusive roles of those who gain one are reserved before the event and
// settled after. Killed in between, a process settles them; what somebody has
// lost is given back to whoever asks for it next.
func (c *Commands) MoveOrganization(ctx context.Context, r Request, org domain.OrganizationID, name string, version int, m organization.Move) (Receipt, error) {
	to, err := c.policyToMoveTo(ctx, name, version)
	if err != nil {
		return Receipt{}, err
	}
	m.To = to
	var losses []domain.AccountID
	receipt, err := c.exclusively(ctx, r, org, func(held holds) (Receipt, error) {
		return c.organizations.execute(ctx, string(org), r, func(s organization.State) ([]domain.Event, error) {
			from, err := c.rules(s)
			if err != nil {
				return nil, err
			}
			m.At = c.Now().UTC()
			events, err := organization.ChangePolicy(s, from, m)
			if err != nil || len(events) == 0 {
				return nil, err
			}
			gains, lost, err := organization.ExclusiveMoves(s, from, to, events)
			if err != nil {
				return nil, err
			}
			losses = lost
			return events, held.lackingFor(gains, c.Now())
		})
	})
	var elsewhere *heldElsewhere
	if errors.As(err, &elsewhere) {
		refusal := organization.RoleHeldElsewhere(to)
		refusal.Message = "The member " + string(elsewhere.account) + " would come to hold a role that an account holds in one organization only, and holds one in another. Let the role become another, or change the member's roles."
		return receipt, refusal
	}
	if err != nil {
		return receipt, err
	}
	c.releaseExclusive(ctx, r, losses)
	return receipt, nil
}

// policyToMoveTo finds it.
func (c *Commands) policyToMoveTo(ctx context.Context, name string, version int) (p *policy.Policy, err error) {
	newest, ok, err := c.latestPolicy(ctx, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, domain.Invalid("policy", "Use the name of a policy from the list of policies.")
	}
	p, ok, err = c.policyVersion(name, cmp.Or(version, newest.Version))
	if err == nil && !ok {
		err = domain.Invalid("version", "Use a version from the list of policies, or leave it out for the newest.")
	}
	return p, err
}
