package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
)

// ChangeProfile changes the display name and the language of mails; nil keeps
// one as it is. A process carries the name to the account's organizations. It fails
// as account.CheckOwner does.
func (c *Commands) ChangeProfile(ctx context.Context, r Request, id domain.AccountID, displayName, language *string) (Receipt, error) {
	receipt, err := c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
		if err := account.CheckOwner(s); err != nil {
			return nil, err
		}
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

// ChangeAvatar changes the picture that others see; empty is none. It fails as
// account.CheckOwner does.
func (c *Commands) ChangeAvatar(ctx context.Context, r Request, id domain.AccountID, url string) (Receipt, error) {
	return c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
		if err := account.CheckOwner(s); err != nil {
			return nil, err
		}
		return account.ChangeAvatar(s, url)
	})
}

// NoteSeen records that a session of the account is in use, at most once a day.
// It is for reads: a command is on record by its events.
func (c *Commands) NoteSeen(ctx context.Context, id domain.AccountID) error {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil || len(account.See(s, c.SessionLifetime, c.Now())) == 0 {
		return err
	}
	_, err = c.accounts.execute(ctx, string(id), Request{Actor: domain.ByAccount(id)}, func(s account.State) ([]domain.Event, error) {
		return account.See(s, c.SessionLifetime, c.Now().UTC()), nil
	})
	return err
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
