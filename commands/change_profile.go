package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
)

// ChangeProfile changes the display name and the language of mails; nil keeps
// one as it is. A process carries the name to the account's organizations.
func (c *Commands) ChangeProfile(ctx context.Context, r Request, id domain.AccountID, displayName, language *string) (Receipt, error) {
	receipt, err := c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
		name, lang := s.DisplayName, s.Language
		if displayName != nil {
			name = *displayName
		}
		if language != nil {
			lang = *language
		}
		return account.ChangeProfile(s, name, lang)
	})
	if err == nil {
		c.Step(StepProfileChanged)
	}
	return receipt, err
}

// RenameMember gives a member of an organization the display name that the
// account has now.
func (c *Commands) RenameMember(ctx context.Context, r Request, org domain.OrganizationID, id domain.AccountID) (Receipt, error) {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return Receipt{}, err
	}
	return c.organizations.execute(ctx, string(org), r, func(o organization.State) ([]domain.Event, error) {
		return organization.RenameMember(o, id, s.DisplayName), nil
	})
}
