package commands

import (
	"context"
	"strings"

	"tenure/domain"
	"tenure/domain/erasure"
	"tenure/domain/reservation"
)

// allErasures is the one stream of what erasures are about.
const allErasures = "all"

// EraseInvitee erases somebody who was invited and has no account, by the address
// (X8): invitations to it end, and everybody forgets whom they were for. A process
// does it; see FinishErasure. The address may be invited again, and is erased
// again by the next such command. It fails with CodeAccountExists.
func (c *Commands) EraseInvitee(ctx context.Context, r Request, email domain.Email) (Receipt, error) {
	if known, replayed, err := c.erasures.replayed(ctx, allErasures, r); replayed || err != nil {
		return known, err
	}
	whose, err := c.holder(ctx, reservation.KindEmail, email.Key())
	if err != nil {
		return Receipt{}, err
	}
	if strings.HasPrefix(whose, holderAccount) {
		s, _, err := c.accounts.load(ctx, string(accountOf(whose)))
		if err != nil {
			return Receipt{}, err
		}
		if s.Exists() {
			return Receipt{}, domain.Refuse(domain.CodeAccountExists, "There is an account", "An account has this address. Erase the account "+string(s.ID)+": that erases the invitations as well.")
		}
	}
	id := domain.ErasureID(c.newID(r, "erasure", "erasures-"+allErasures))
	receipt, err := c.erasures.execute(ctx, allErasures, r, func(s erasure.State) ([]domain.Event, error) {
		return erasure.Request(s, id, c.addressName(email)), nil
	})
	if err == nil {
		c.Step(StepErasureRequested)
	}
	return receipt, err
}

// addressName is the keyed hash that stands for an address.
func (c *Commands) addressName(email domain.Email) string {
	return c.Keys.Name(reservation.KindEmail, email.Key())
}
