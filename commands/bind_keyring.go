package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/sealing"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// bindingID is the only id of a keyring's stream: a log has one.
const bindingID = "binding"

// KeyringOf is the keyring that a log is bound to; empty for none. It is asked
// before the keys are there, which an event that names no person does not need.
func KeyringOf(ctx context.Context, log eventstore.Store) (string, error) {
	bare := newAggregates(Dependencies{Store: log, Codec: codec.New()}, "keyring-", sealing.Evolve)
	s, _, err := bare.load(ctx, bindingID)
	return s.KeyringID, err
}

// BindKeyring binds the log to its keyring, unless it is, before the first value
// is sealed. It fails with sealing.ErrOtherKeyring.
//
// Killed before: the keyring is empty, and bound at the next start.
func (c *Commands) BindKeyring(ctx context.Context, keyringID string, hasKeys bool) error {
	_, err := c.keyrings.execute(ctx, bindingID, Request{Actor: domain.ByProcess("setup")}, func(s sealing.State) ([]domain.Event, error) {
		return sealing.Bind(s, keyringID, hasKeys)
	})
	return err
}
