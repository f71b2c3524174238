package commands

import (
	"context"
	"errors"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
)

// ActivateOrganization founds an organization under the newest version of a
// policy, with the signed-in account as its first member (O1). It answers with
// the new organization's id. Where people ask to join by their e-mail domain, it
// holds the founder's if that is free. It fails with CodeInvalid for a policy that
// is unknown, not offered (Founding) or that of personal spaces, CodeUsernameNeeded, CodeEmailUnverified,
// CodeRoleExclusive and CodeNameTaken.
func (c *Commands) ActivateOrganization(ctx context.Context, r Request, policyName string, name domain.OrganizationName, username domain.Username) (domain.OrganizationID, Receipt, error) {
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
	receipt, replayed, err := c.organizations.replayed(ctx, string(a.OrganizationID), r)
	if err != nil {
		return a.OrganizationID, receipt, err
	}
	if !replayed {
		if err := account.CheckProven(s); err != nil {
			return "", Receipt{}, err
		}
		p, err := c.founding(ctx, policyName)
		if err != nil {
			return "", Receipt{}, err
		}
		if receipt, err = c.found(ctx, r, p, a); err != nil {
			return a.OrganizationID, receipt, err
		}
	}
	for _, e := range receipt.Events {
		if activated, ok := e.(organization.Activated); ok {
			held, err := c.holdFoundersDomain(ctx, r, activated)
			if err != nil {
				return a.OrganizationID, receipt, err
			}
			if len(held.Events) > 0 {
				receipt = receipt.and(held)
				receipt.Revision = held.Revision
			}
		}
	}
	return a.OrganizationID, receipt, nil
}

// found founds an organization for somebody who may.
func (c *Commands) found(ctx context.Context, r Request, p *policy.Policy, a organization.Activation) (Receipt, error) {
	receipt, err := c.exclusively(ctx, r, a.OrganizationID, func(held holds) (Receipt, error) {
		// Refused before the name is reserved what would be refused after.
		events, err := organization.Activate(organization.State{}, p, a)
		if err == nil {
			err = held.lacking(organization.State{}, p, events, c.Now())
		}
		if err != nil {
			return Receipt{}, err
		}
		return c.activate(ctx, r, p, a, held)
	})
	if errors.As(err, new(*heldElsewhere)) {
		err = organization.OwnRoleElsewhere(p) // there is no organization yet that would have words
	}
	return receipt, err
}

// activate founds the organization once its name is reserved. So is its e-mail
// domain, if it is founded with one: by the caller, and again here, since that may
// have been long ago on a node that hung.
func (c *Commands) activate(ctx context.Context, r Request, p *policy.Policy, a organization.Activation, held holds) (Receipt, error) {
	id, holder := string(a.OrganizationID), holderOrganization+string(a.OrganizationID)
	name, err := c.reserve(ctx, r, reservation.KindOrganizationName, a.Name.Key(), holder)
	if err != nil {
		return Receipt{}, err
	}
	if name.attempt == 0 {
		return Receipt{}, nameTaken()
	}
	claims := []claim{name}
	if a.EmailDomain != "" {
		emailDomain, err := c.reserve(ctx, r, reservation.KindEmailDomain, a.EmailDomain, holder)
		if err == nil && emailDomain.attempt == 0 {
			err = ErrBusy
		}
		if err != nil {
			c.finish(ctx, r, nil, claims...) // nothing was written that needs the name
			return Receipt{}, err
		}
		claims = append(claims, emailDomain)
	}
	c.Step(StepNameReserved)
	receipt, err := c.organizations.execute(ctx, id, r, func(s organization.State) ([]domain.Event, error) {
		if name.outlived(c.Now()) { // the other claim is younger
			return nil, ErrBusy
		}
		events, err := organization.Activate(s, p, a)
		if err != nil {
			return nil, err
		}
		return events, held.lacking(s, p, events, c.Now())
	})
	if err == nil {
		c.Step(StepActivated)
	}
	c.finish(ctx, r, err, claims...)
	return receipt, err
}

func nameTaken() error {
	e := domain.Refuse(domain.CodeNameTaken, "Name taken", "Choose another name; case and spaces do not tell names apart.")
	e.Field = "name"
	return e
}
