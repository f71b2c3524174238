package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
)

// ChangePassword replaces the password of somebody who knows the old one. Every
// session but kept ends. It fails with CodeCredentialsWrong, and CodeInvalid for
// a new password that is too short or too long.
func (c *Commands) ChangePassword(ctx context.Context, r Request, id domain.AccountID, kept domain.SessionID, old, password string) (Receipt, error) {
	if err := checkPassword(password); err != nil {
		return Receipt{}, err
	}
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return Receipt{}, err
	}
	before := s.PasswordHash
	if err := c.checkPassword(ctx, s, old); err != nil {
		// A retry comes with the old password of the first time.
		if known, replayed, replayErr := c.accounts.replayed(ctx, string(id), r); replayed || replayErr != nil {
			return known, replayErr
		}
		return Receipt{}, err
	}
	hash, err := c.Passwords.Hash(ctx, password)
	if err != nil {
		return Receipt{}, err
	}
	return c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
		if s.PasswordHash != before {
			return nil, domain.Refuse(domain.CodeCredentialsWrong, "Password changed meanwhile", "Sign in with the new password.")
		}
		return account.ChangePassword(s, hash, kept)
	})
}
