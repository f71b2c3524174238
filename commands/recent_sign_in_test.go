package commands_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
)

// TestWithoutAPasswordTheSignInIsRecent has somebody who signs in with a provider
// erase themselves: whoever finds their session later does not, also when sessions
// have become shorter since.
func TestWithoutAPasswordTheSignInIsRecent(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	signed, err := c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("1"), "")
	is.NoErr(err)
	by := commands.Request{Actor: domain.ByAccount(signed.AccountID)}
	erase := func(c *commands.Commands) error {
		_, err := c.EraseOwnAccount(w.ctx, by, signed.AccountID, signed.SessionID, "", commands.Erasure{})
		return err
	}
	w.pass(commands.RecentSignIn + time.Second)
	is.True(refusedWith(erase(c), domain.CodeCredentialsWrong))
	shorter := w.node()
	shorter.SessionLifetime = commands.RecentSignIn
	is.True(refusedWith(erase(shorter), domain.CodeCredentialsWrong))

	again, err := c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("2"), "")
	is.NoErr(err)
	signed.SessionID = again.SessionID
	w.pass(commands.RecentSignIn)
	is.NoErr(erase(c))
}
