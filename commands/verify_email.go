package commands

import (
	"context"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/reservation"
)

// VerifyEmail proves an account's address by the link in the mail together with
// the password that was chosen at sign-up, and signs in. It fails with
// CodeLinkInvalid, CodeLinkExpired, CodeAlreadyVerified and CodeCredentialsWrong.
func (c *Commands) VerifyEmail(ctx context.Context, r Request, link, password string) (SignedIn, error) {
	t, err := c.readToken(token.Verification, link)
	if err != nil {
		return SignedIn{}, err
	}
	s, _, err := c.accounts.load(ctx, t.Subject)
	if err != nil {
		return SignedIn{}, err
	}
	if err := c.checkPassword(ctx, s, password); err != nil {
		return SignedIn{}, err
	}
	// An account that lost its address to another while it was being made
	// cannot prove it.
	if holder, err := c.holder(ctx, reservation.KindEmail, s.Email.Key()); err != nil || holder != holderAccount+t.Subject {
		if err == nil {
			err = domain.Refuse(domain.CodeLinkInvalid, "Link replaced", "Sign up again.")
		}
		return SignedIn{}, err
	}
	r.Actor = domain.ByAccount(s.ID)
	receipt, err := c.accounts.execute(ctx, t.Subject, c.part(r, "verify"), func(s account.State) ([]domain.Event, error) {
		return account.Verify(s, t.Generation, c.Now())
	})
	if err != nil {
		return SignedIn{}, err
	}
	c.Step(StepVerified)
	signedIn, err := c.startSession(ctx, r, s.ID)
	signedIn.Receipt = receipt.and(signedIn.Receipt)
	return signedIn, err
}
