package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
)

// SignOut ends a session at once.
func (c *Commands) SignOut(ctx context.Context, r Request, id domain.AccountID, session domain.SessionID) (Receipt, error) {
	return c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
		return account.EndSession(s, session), nil
	})
}
