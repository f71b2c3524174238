package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
)

// SignUp opens an account and has a mail sent whose link proves the address.
// For an address that a verified account has, its owner gets a mail that says
// so; the answer is the same, so that nobody learns who has an account. It
// fails with CodeInvalid for a password that is too short or too long.
func (c *Commands) SignUp(ctx context.Context, r Request, in Registrant) (Receipt, error) {
	if err := checkPassword(in.Password); err != nil {
		return Receipt{}, err
	}
	_, receipt, err := c.register(ctx, r, in, func(s account.State, a account.Registration) ([]domain.Event, error) {
		return account.Register(s, a, c.Now().Add(VerificationLifetime)), nil
	})
	return receipt, err
}

// Passwords have at least 10 characters (NIST SP 800-63B asks for 8) and at
// most 256 bytes, which bounds the work of hashing.
const (
	MinPasswordRunes = 10
	MaxPasswordBytes = 256
)

func checkPassword(password string) error {
	switch n := len([]rune(password)); {
	case n < MinPasswordRunes:
		return domain.Invalid("password", "Choose a password of at least 10 characters.")
	case len(password) > MaxPasswordBytes:
		return domain.Invalid("password", "Choose a password of at most 256 bytes.")
	}
	return nil
}
