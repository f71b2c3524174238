package main

import (
	"context"
	"time"

	"tenure/eventstore"
	"tenure/mail"
)

// copies implements commands.Copies for what this server keeps.
type copies struct {
	*server
	outbox *mail.Outbox // nil with a mail server
}

// settleTimeout is how long the views may take to get to an erasure before the
// process tries again.
const settleTimeout = 30 * time.Second

// Forget implements commands.Copies.
func (c copies) Forget(ctx context.Context, words []string) error {
	if c.outbox == nil {
		return nil
	}
	return c.outbox.Forget(ctx, words)
}

// Settle implements commands.Copies.
func (c copies) Settle(ctx context.Context, atLeast eventstore.Position) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return c.projector.Wait(ctx, atLeast)
}

// Scrub implements commands.Copies. Redis keeps nothing of what was overwritten
// but in its append-only file, if it has one, until that is rewritten.
func (c copies) Scrub(ctx context.Context) error {
	if s, ok := c.views.(interface{ Scrub(context.Context) error }); ok {
		return s.Scrub(ctx)
	}
	return nil
}
