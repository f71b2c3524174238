package commands_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
)

func grace(signIn string) commands.Identified {
	return commands.Identified{
		Identity: account.Identity{Provider: "google", Issuer: "https://issuer.example", Subject: "1"},
		SignIn:   signIn, Email: "grace@example.com", EmailVerified: true, DisplayName: "Grace", Language: "en",
	}
}

// Whoever signs in for the first time in many places at once gets one account.
func TestAnIdentityIsLinkedOnce(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	nodes := []*commands.Commands{w.node(), w.node()}
	done := make([]commands.WithProvider, 16)
	errs := make([]error, len(done))
	var wg sync.WaitGroup
	for i := range done {
		wg.Go(func() {
			done[i], errs[i] = nodes[i%2].SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace(fmt.Sprint(i)), "")
		})
	}
	wg.Wait()
	linked := 0
	for i := range done {
		is.NoErr(errs[i])
		is.Equal(done[i].AccountID, done[0].AccountID)
		for _, e := range done[i].Events {
			if _, ok := e.(account.IdentityLinked); ok {
				linked++
			}
		}
	}
	is.Equal(linked, 1)
}

// A server that dies between the reservations and the account leaves both to who
// comes next, also when the identity has another address by then.
func TestAReservedIdentityIsNotLost(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.step = func(step string) {
		if step == commands.StepIdentityReserved {
			panic("killed")
		}
	}
	dying := w.node()
	func() {
		defer func() { is.Equal(recover(), "killed") }()
		_, _ = dying.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("one"), "")
	}()
	w.step = nil
	c := w.node()
	moved := grace("two")
	moved.Email = "moved@example.com"
	_, err := c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, moved, "")
	is.True(errors.Is(err, commands.ErrBusy)) // the first may be about to go on
	w.pass(commands.ReservationLifetime)
	second, err := c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, moved, "")
	is.NoErr(err)
	again, err := c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("three"), "")
	is.NoErr(err)
	is.Equal(again.AccountID, second.AccountID)
}
