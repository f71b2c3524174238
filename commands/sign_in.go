package commands

import (
	"context"
	"time"

	"tenure/domain"
	"tenure/domain/account"
)

// SignedIn is a session that was just started.
type SignedIn struct {
	Receipt
	AccountID          domain.AccountID
	SessionID          domain.SessionID
	Token              string // shown once; stored nowhere; empty after a dry run
	ExpiresAt          time.Time
	MustChangePassword bool // an administrator knows the password
}

// SignIn starts a session. It fails with CodeCredentialsWrong, whether the
// account or the password is wrong and in the same time, and with
// CodeEmailUnverified.
func (c *Commands) SignIn(ctx context.Context, r Request, email domain.Email, password string) (SignedIn, error) {
	s, err := c.accountByEmail(ctx, email)
	if err != nil {
		return SignedIn{}, err
	}
	if err := c.checkPassword(ctx, s, password); err != nil {
		return SignedIn{}, err
	}
	r.Actor = domain.ByAccount(s.ID)
	return c.startSession(ctx, r, s.ID)
}

func (c *Commands) startSession(ctx context.Context, r Request, id domain.AccountID) (SignedIn, error) {
	session := domain.SessionID(c.newID(r, "session", string(id)))
	at := c.Now().UTC()
	expires := at.Add(c.SessionLifetime)
	receipt, err := c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
		return account.StartSession(s, session, expires, at)
	})
	if err != nil {
		return SignedIn{}, err
	}
	for _, e := range receipt.Events { // those of the first time, if this is a retry
		if started, ok := e.(account.SessionStarted); ok {
			session, expires = started.SessionID, started.ExpiresAt
		}
	}
	onboarded, err := c.Onboard(ctx, r, id, session)
	if err != nil { // who signs in does not wait for that: a process finishes it
		c.Logger.Warn("the onboarding of somebody who signed in is left to a process", "error", err)
	}
	receipt = receipt.later(onboarded.Position)
	text, err := c.sessionToken(id, session)
	if err != nil {
		return SignedIn{}, err
	}
	s, _, err := c.accounts.load(ctx, string(id))
	return SignedIn{
		Receipt: receipt, AccountID: id, SessionID: session, Token: text, ExpiresAt: expires, MustChangePassword: s.MustChange,
	}, err
}

func (c *Commands) checkPassword(ctx context.Context, s account.State, password string) error {
	if len(password) > MaxPasswordBytes {
		password = ""
	}
	ok, err := c.Passwords.Matches(ctx, password, s.PasswordHash)
	if err == nil && !ok {
		err = domain.Refuse(domain.CodeCredentialsWrong, "Wrong e-mail address or password", "Check both, or ask for a link to set a new password.")
	}
	return err
}
