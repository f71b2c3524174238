package commands

import (
	"context"

	"tenure/commands/maildomain"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
	"tenure/eventstore"
)

// An e-mail domain is held as a name is: reserved before the organization's event,
// confirmed after, and given back when the organization has another one, or none,
// or is deleted. But for founding by signing in (see onboard.go), an organization
// exists before a domain is reserved for it.

// HoldEmailDomain has an organization hold the e-mail domain of the signed-in
// account: who signs in with it asks to join (C6). One that the organization held
// before is free again. It fails as organization.ChangeEmailDomain does, and with
// CodeEmailUnverified, CodeDomainPublic and CodeDomainTaken.
func (c *Commands) HoldEmailDomain(ctx context.Context, r Request, org domain.OrganizationID) (Receipt, error) {
	if known, replayed, err := c.organizations.replayed(ctx, string(org), r); replayed || err != nil {
		return known, err
	}
	id, _ := r.Actor.Account()
	who, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return Receipt{}, err
	}
	name, unfit := ownDomain(who)
	// Refused before the domain is reserved what would be refused after.
	check := plain(r)
	check.IfRevision = r.IfRevision
	if _, err := c.onOrganization(ctx, check, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		if _, err := organization.ChangeEmailDomain(s, p, r.Actor, name); err != nil {
			return nil, err
		}
		return nil, unfit
	}); err != nil {
		return Receipt{}, err
	}
	receipt, err := c.changeEmailDomain(ctx, r, org, r.Actor, name)
	return receipt, c.inWordsOf(ctx, org, err)
}

// GiveUpEmailDomain has an organization hold no e-mail domain any more. It fails
// as organization.ChangeEmailDomain does.
func (c *Commands) GiveUpEmailDomain(ctx context.Context, r Request, org domain.OrganizationID) (Receipt, error) {
	return c.changeEmailDomain(ctx, r, org, r.Actor, "")
}

// changeEmailDomain changes the domain on somebody's decision. Killed after the
// domain is reserved: it is free again when a process has looked, or held when the
// request is sent again. Killed after the event: a process finishes.
func (c *Commands) changeEmailDomain(ctx context.Context, r Request, org domain.OrganizationID, by domain.Actor, name string) (Receipt, error) {
	var claims []claim
	if name != "" {
		claimed, err := c.reserve(ctx, r, reservation.KindEmailDomain, name, holderOrganization+string(org))
		if err != nil {
			return Receipt{}, err
		}
		if claimed.attempt == 0 {
			return Receipt{}, domain.Refuse(domain.CodeDomainTaken, "E-mail domain taken", "Another organization holds it; ask its administrators to give it up.")
		}
		claims = append(claims, claimed)
		c.Step(StepDomainReserved)
	}
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		for _, claimed := range claims {
			if claimed.outlived(c.Now()) {
				return nil, ErrBusy
			}
		}
		return organization.ChangeEmailDomain(s, p, by, name)
	})
	if err == nil {
		c.Step(StepDomainChanged)
	}
	c.finish(ctx, r, err, claims...)
	if err != nil {
		return Receipt{}, err
	}
	for _, e := range receipt.Events {
		if changed, ok := e.(organization.EmailDomainChanged); ok {
			c.left(c.FinishEmailDomain(ctx, r, changed))
		}
	}
	return receipt, nil
}

// FinishEmailDomain gives the e-mail domain back that an organization held before,
// unless it holds it again.
func (c *Commands) FinishEmailDomain(ctx context.Context, r Request, changed organization.EmailDomainChanged) error {
	if changed.Before == "" {
		return nil
	}
	return c.settleText(ctx, r, reservation.KindEmailDomain, changed.Before)
}

// FinishActivation has a new organization hold its founder's e-mail domain.
func (c *Commands) FinishActivation(ctx context.Context, r Request, a organization.Activated) error {
	if a.Personal {
		return nil
	}
	_, err := c.holdFoundersDomain(ctx, r, a)
	return err
}

// holdFoundersDomain has a new organization hold the domain of its founder's
// proven address, where the policy has people ask by it, and the domain is free
// and not a public one. Killed before, a process does it; once anything else has
// happened in the organization, that is left to its administrators.
func (c *Commands) holdFoundersDomain(ctx context.Context, r Request, a organization.Activated) (Receipt, error) {
	p, ok, err := c.policyVersion(a.Policy, a.PolicyVersion)
	if err != nil || !ok || !p.AskedByDomain() {
		return Receipt{}, err
	}
	r, id := plain(r), string(a.OrganizationID)
	r.part, r.decidedBy = c.Keys.Request("founder's domain", id), domain.ByAccount(a.AccountID)
	if known, replayed, err := c.organizations.replayed(ctx, id, r); replayed || err != nil {
		return known, err
	}
	who, _, err := c.accounts.load(ctx, string(a.AccountID))
	if err != nil {
		return Receipt{}, err
	}
	_, expected, err := c.organizations.load(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	first := eventstore.Revision(0)
	name, unfit := ownDomain(who)
	if last, _ := expected.Last(); unfit != nil || last != first {
		return Receipt{}, nil
	}
	r.IfRevision = &first
	receipt, err := c.changeEmailDomain(ctx, r, a.OrganizationID, domain.ByAccount(a.AccountID), name)
	if isRefusal(err) {
		return Receipt{}, nil
	}
	return receipt, err
}

// ownDomain is the e-mail domain that the holder of an account can speak for. It
// fails with CodeEmailUnverified and CodeDomainPublic.
func ownDomain(s account.State) (string, error) {
	if err := account.CheckProven(s); err != nil {
		return "", err
	}
	name := maildomain.Of(s.Email)
	if name == "" || !maildomain.Private(name) {
		return "", domain.Refuse(domain.CodeDomainPublic, "Public mail domain", "Anybody gets an address there. Sign in with an address of the organization's own domain.")
	}
	return name, nil
}
