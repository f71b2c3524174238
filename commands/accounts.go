package commands

import (
	"context"
	"errors"
	"fmt"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/reservation"
)

// Registrant is somebody who opens an account.
type Registrant struct {
	Email       domain.Email
	DisplayName string
	Password    string
	Language    string
}

// accountByEmail finds the account that has the address; the zero State where
// there is none.
func (c *Commands) accountByEmail(ctx context.Context, email domain.Email) (account.State, error) {
	holder, err := c.holder(ctx, reservation.KindEmail, email.Key())
	if err != nil || holder == "" {
		return account.State{}, err
	}
	s, _, err := c.accounts.load(ctx, string(accountOf(holder)))
	return s, err
}

// register reserves the address and runs decide on the account that has it: a
// new one, or one whose address was not proven yet. The reservation outlives a
// process that is killed after it: whoever signs up next with the address gets
// the account that it names.
func (c *Commands) register(ctx context.Context, r Request, in Registrant, decide func(account.State, account.Registration) ([]domain.Event, error)) (domain.AccountID, Receipt, error) {
	fresh := c.newID(r, "account", in.Email.Key())
	if known, replayed, err := c.accounts.replayed(ctx, fresh, r); replayed || err != nil {
		return domain.AccountID(fresh), known, err // a process confirms the reservation if nobody has
	}
	hash, err := c.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return "", Receipt{}, err
	}
	for range 3 {
		claimed, err := c.reserveAddress(ctx, r, in.Email, fresh)
		if err != nil {
			return "", Receipt{}, err
		}
		c.Step(StepEmailReserved)
		id := string(accountOf(claimed.holder))
		receipt, err := c.accounts.execute(ctx, id, r, func(s account.State) ([]domain.Event, error) {
			if s.Erased() {
				return nil, errErased
			}
			if claimed.outlived(c.Now()) {
				return nil, ErrBusy
			}
			return decide(s, account.Registration{
				AccountID: domain.AccountID(id), Email: in.Email, DisplayName: in.DisplayName, Language: in.Language, PasswordHash: hash,
			})
		})
		if err == nil {
			c.Step(StepAccountRegistered)
		}
		c.finish(ctx, r, err, claimed)
		switch {
		case errors.Is(err, errErased):
			continue // its address is free by now, unless another command wants it
		case err != nil:
			return "", Receipt{}, err
		}
		return domain.AccountID(id), receipt, nil
	}
	return "", Receipt{}, fmt.Errorf("%w: the address was an erased account's a moment ago", ErrBusy)
}

// sessionToken makes the text of a session's token; none in a dry run.
func (c *Commands) sessionToken(id domain.AccountID, session domain.SessionID) (string, error) {
	if c.dry {
		return "", nil
	}
	return c.Keys.Make(token.Token{Kind: token.Session, Subject: string(id), Detail: string(session)})
}

// readToken reads a token of a kind; it fails with CodeLinkInvalid.
func (c *Commands) readToken(kind token.Kind, text string) (token.Token, error) {
	t, err := c.Keys.Read(kind, text)
	if err != nil {
		return token.Token{}, domain.Refuse(domain.CodeLinkInvalid, "Link invalid", "Copy the whole link from the mail, or ask for a new one.")
	}
	return t, nil
}
