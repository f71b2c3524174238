package httpapi

import (
	"context"
	"encoding/json"

	"tenure/domain"
	"tenure/domain/policy"
	"tenure/projections"
)

// memberBody is the view's document and what its roles amount to under the
// policy in force, which the views do not know.
type memberBody struct {
	projections.Member
	EffectiveRoles []domain.Role `json:"effective_roles,omitempty" doc:"The roles, and those that they imply; left out where no role of the policy implies another."`
}

// policyOf is the policy of the organization in the path, or what it was.
func (a *API) policyOf(ctx context.Context, c *call) (*policy.Policy, error) {
	if c.past != nil {
		return c.past.Rules, nil
	}
	if c.membership.Policy != nil {
		return c.membership.Policy, nil
	}
	return a.config.Commands.PolicyOf(ctx, c.organization()) // for an operator, who is no member
}

// withEffectiveRoles answers with a page of members. Where no role implies
// another it is the page as the view has it, so that nobody else pays for C3.
func (a *API) withEffectiveRoles(ctx context.Context, c *call, p projections.Page) (answer, error) {
	rules, err := a.policyOf(ctx, c)
	if err != nil || !rules.Implies() {
		return page(p, err)
	}
	items, err := p.Items()
	if err != nil {
		return answer{}, err
	}
	for i := range items {
		if items[i], err = addEffectiveRoles(rules, items[i]); err != nil {
			return answer{}, err
		}
	}
	return answer{body: list[json.RawMessage]{Items: items, NextCursor: p.NextCursor()}}, nil
}

// addEffectiveRoles adds to the document of a member what its roles amount to.
func addEffectiveRoles(p *policy.Policy, member []byte) ([]byte, error) {
	var held struct {
		Roles []domain.Role `json:"roles"`
	}
	if err := json.Unmarshal(member, &held); err != nil {
		return nil, err
	}
	return joinObjects(member, struct {
		EffectiveRoles []domain.Role `json:"effective_roles"`
	}{append([]domain.Role{}, p.Effective(held.Roles)...)})
}
