package commands

import (
	"context"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
)

// RequestPasswordReset has a mail sent whose link sets a new password. Whether
// an account has the address does not show in the answer.
func (c *Commands) RequestPasswordReset(ctx context.Context, r Request, email domain.Email) (Receipt, error) {
	s, err := c.accountByEmail(ctx, email)
	if err != nil || !s.Exists() {
		return Receipt{}, err
	}
	return c.accounts.execute(ctx, string(s.ID), r, func(s account.State) ([]domain.Event, error) {
		return account.RequestPasswordReset(s, c.Now().Add(PasswordResetLifetime))
	})
}

// ResetPassword sets a new password by the link in the mail; all sessions end.
// It fails with CodeLinkInvalid, CodeLinkExpired, and CodeInvalid for a password
// that is too short or too long.
func (c *Commands) ResetPassword(ctx context.Context, r Request, link, password string) (Receipt, error) {
	if err := checkPassword(password); err != nil {
		return Receipt{}, err
	}
	t, err := c.readToken(token.PasswordReset, link)
	if err != nil {
		return Receipt{}, err
	}
	r.Actor = domain.ByAccount(domain.AccountID(t.Subject))
	if known, replayed, err := c.accounts.replayed(ctx, t.Subject, r); replayed || err != nil {
		return known, err
	}
	s, _, err := c.accounts.load(ctx, t.Subject)
	if err != nil {
		return Receipt{}, err
	}
	if err := account.CheckResetLink(s, t.Generation, c.Now()); err != nil {
		return Receipt{}, err
	}
	hash, err := c.Passwords.Hash(ctx, password)
	if err != nil {
		return Receipt{}, err
	}
	return c.accounts.execute(ctx, t.Subject, r, func(s account.State) ([]domain.Event, error) {
		return account.ResetPassword(s, t.Generation, hash, c.Now())
	})
}
