package httpapi

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"tenure/domain"
	"tenure/httpapi/throttle"
	"tenure/oidc"
)

// budget is a count of attempts that a request is charged to.
type budget struct {
	key  string
	rate throttle.Rate
}

// perEmail and perAddress name budgets. An address of version 6 stands for its
// network, which is what a subscriber gets. The limiter sees keyed hashes only.
func (a *API) perEmail(purpose string, email domain.Email, rate throttle.Rate) budget {
	return budget{a.config.Commands.Keys.Request("throttle", purpose, "email", email.Key()), rate}
}

func (a *API) perAddress(c *call, purpose string, rate throttle.Rate) budget {
	address := a.clientAddress(c)
	network := address.String()
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			network = prefix.String()
		}
	}
	return budget{a.config.Commands.Keys.Request("throttle", purpose, "address", network), rate}
}

func (a *API) perAccount(purpose string, id domain.AccountID, rate throttle.Rate) budget {
	return budget{a.config.Commands.Keys.Request("throttle", purpose, "account", string(id)), rate}
}

// charge counts an attempt before it is made, so that many at the same time do
// not slip through. It fails with throttled.
func (a *API) charge(ctx context.Context, budgets ...budget) error {
	for i, b := range budgets {
		if after, ok := a.config.Limiter.Allow(ctx, b.key, b.rate); !ok {
			a.refund(ctx, budgets[:i]...)
			return throttled{max(after, time.Second)}
		}
	}
	return nil
}

// refund takes the attempt back, since it did not fail the way that counts.
func (a *API) refund(ctx context.Context, budgets ...budget) {
	for _, b := range budgets {
		a.config.Limiter.Return(ctx, b.key, b.rate)
	}
}

// charged runs what is charged to the budgets only when it fails as guessing
// does. A success pays back its own attempt and no other.
func charged[T any](ctx context.Context, a *API, budgets []budget, run func() (T, error)) (T, error) {
	if err := a.charge(ctx, budgets...); err != nil {
		var none T
		return none, err
	}
	v, err := run()
	if !guessed(err) {
		a.refund(ctx, budgets...)
	}
	return v, err
}

// guessed reports whether an error is that of somebody who guesses.
func guessed(err error) bool {
	for _, code := range []domain.Code{domain.CodeCredentialsWrong, domain.CodeLinkInvalid, domain.CodeWrongAccount} {
		if is(err, code) {
			return true
		}
	}
	return errors.Is(err, oidc.ErrState) || errors.Is(err, oidc.ErrInvalid)
}

// clientAddress is where the request comes from: what the nearest proxy that is
// not ours says, read from the right, since everything left of it can be made up.
func (a *API) clientAddress(c *call) netip.Addr {
	remote, _ := netip.AddrFromSlice(c.fiber.Context().RemoteIP())
	remote = remote.Unmap()
	if !a.trusted(remote) {
		return remote
	}
	var hops []string // a proxy may add a line of its own
	for _, line := range c.fiber.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		hops = append(hops, strings.Split(string(line), ",")...)
	}
	for _, hop := range slices.Backward(hops) {
		address, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return remote
		}
		remote = address.Unmap().WithZone("")
		if !a.trusted(remote) {
			return remote
		}
	}
	return remote
}

func (a *API) trusted(address netip.Addr) bool {
	return slices.ContainsFunc(a.config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(address) })
}
