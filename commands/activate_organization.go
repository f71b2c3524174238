package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/reservation"
)

// ActivateOrganization founds an organization under the newest version of a
// policy, with the signed-in account as its first member (O1). It answers with
// the new organization's id. It fails with CodeInvalid for an unknown policy,
// CodeUsernameNeeded and CodeNameTaken.
func (c *Commands) ActivateOrganization(ctx context.Context, r Request, policyName string, name domain.OrganizationName, username domain.Username) (domain.OrganizationID, Receipt, error) {
	p, ok := c.Policies.Latest(policyName)
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
	// Refused before the name is reserved what would be refused after.
	if _, err := organization.Activate(organization.State{}, p, a); err != nil {
		return "", Receipt{}, err
	}
	id, holder := string(a.OrganizationID), holderOrganization+string(a.OrganizationID)
	whose, err := c.reserve(ctx, r, reservation.KindOrganizationName, name.Key(), holder)
	if err != nil {
		return "", Receipt{}, err
	}
	if whose != holder {
		return "", Receipt{}, nameTaken()
	}
	c.Step(StepNameReserved)
	receipt, err := c.organizations.execute(ctx, id, r, func(s organization.State) ([]domain.Event, error) {
		return organization.Activate(s, p, a)
	})
	if err != nil {
		return a.OrganizationID, receipt, err
	}
	c.Step(StepActivated)
	_, err = c.confirm(ctx, r, reservation.KindOrganizationName, name.Key(), holder)
	return a.OrganizationID, receipt, err
}

func nameTaken() error {
	e := domain.Refuse(domain.CodeNameTaken, "Name taken", "Choose another name; case and spaces do not tell names apart.")
	e.Field = "name"
	return e
}
