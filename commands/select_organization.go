package commands

import (
	"context"
	"errors"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
)

// SelectOrganization says in which of their organizations the signed-in person
// works from now on; empty is their personal space, where they have one (C9). It
// fails with CodeNotFound, CodeMemberSuspended, CodeOrganizationClosed and
// CodeEmailUnverified.
func (c *Commands) SelectOrganization(ctx context.Context, r Request, org domain.OrganizationID) (Receipt, error) {
	id, _ := r.Actor.Account()
	if known, replayed, err := c.accounts.replayed(ctx, string(id), r); replayed || err != nil {
		return known, err
	}
	if org != "" {
		s, _, err := c.organizations.load(ctx, string(org))
		if err == nil {
			_, err = organization.AuthorizeMember(s, r.Actor)
		}
		if errors.Is(err, &domain.Error{Code: domain.CodeNotFound}) {
			err = domain.Refuse(domain.CodeNotFound, "None of your organizations", "Pick one that the list of your organizations has.")
		}
		if err != nil {
			return Receipt{}, c.inWordsOf(ctx, org, err)
		}
	}
	return c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
		if err := account.CheckEnters(s, org); org != "" && err != nil {
			return nil, err
		}
		return account.SelectOrganization(s, org)
	})
}

// WorksIn is the organization that a person works in: the one that they have
// selected as long as they have access to it, else their personal space; empty
// where they have none.
func (c *Commands) WorksIn(ctx context.Context, s account.State) (domain.OrganizationID, error) {
	for _, id := range []domain.OrganizationID{s.Organization, c.PersonalSpace(s.ID)} {
		if id == "" {
			continue
		}
		o, _, err := c.organizations.load(ctx, string(id))
		if err != nil {
			return "", err
		}
		if _, err := organization.AuthorizeMember(o, domain.ByAccount(s.ID)); err == nil && account.CheckEnters(s, id) == nil {
			return id, nil
		}
	}
	return "", nil
}
