package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
)

// ActivateOrganization founds an organization under the newest version of a
// policy, with the signed-in account as its first member (O1). It answers with
// the new organization's id. It fails with CodeInvalid for an unknown policy,
// CodeUsernameNeeded, CodeEmailUnverified, CodeRoleExclusive and CodeNameTaken.
func (c *Commands) ActivateOrganization(ctx context.Context, r Request, policyName string, name domain.OrganizationName, username domain.Username) (domain.OrganizationID, Receipt, error) {
	p, ok, err := c.latestPolicy(ctx, policyName)
	if err != nil {
		return "", Receipt{}, err
	}
	if !ok {
		return "", Receipt{}, domain.Invalid("policy", "Use the name of a policy that this server offers.")
	}
	founder, _ := r.Actor.Account()
	s, _, err := c.accounts.load(ctx, string(founder))
	if err != nil {
		return "", Receipt{}, err
	}
	a := organization.Activation{
		OrganizationID: domain.OrganizationID(c.newID(r, "organization", "")), Name: name,
		AccountID: s.ID, Email: s.Email, Username: username, DisplayName: s.DisplayName,
	}
	// A retry takes no name: the organization may have another one by now.
	if known, replayed, err := c.organizations.replayed(ctx, string(a.OrganizationID), r); replayed || err != nil {
		return a.OrganizationID, known, err
	}
	if err := account.CheckProven(s); err != nil {
		return "", Receipt{}, err
	}
	receipt, err := c.exclusively(ctx, r, a.OrganizationID, func(held holds) (Receipt, error) {
		// Refused before the name is reserved what would be refused after.
		events, err := organization.Activate(organization.State{}, p, a)
		if err == nil {
			err = held.lacking(organization.State{}, p, events)
		}
		if err != nil {
			return Receipt{}, err
		}
		return c.activate(ctx, r, p, a)
	})
	return a.OrganizationID, receipt, err
}

// activate founds the organization once its name is reserved.
func (c *Commands) activate(ctx context.Context, r Request, p *policy.Policy, a organization.Activation) (Receipt, error) {
	id, holder := string(a.OrganizationID), holderOrganization+string(a.OrganizationID)
	whose, err := c.reserve(ctx, r, reservation.KindOrganizationName, a.Name.Key(), holder)
	if err != nil {
		return Receipt{}, err
	}
	if whose != holder {
		return Receipt{}, nameTaken()
	}
	c.Step(StepNameReserved)
	receipt, err := c.organizations.execute(ctx, id, r, func(s organization.State) ([]domain.Event, error) {
		return organization.Activate(s, p, a)
	})
	if err != nil {
		return receipt, err
	}
	c.Step(StepActivated)
	_, err = c.confirm(ctx, r, reservation.KindOrganizationName, a.Name.Key(), holder)
	return receipt, err
}

func nameTaken() error {
	e := domain.Refuse(domain.CodeNameTaken, "Name taken", "Choose another name; case and spaces do not tell names apart.")
	e.Field = "name"
	return e
}
