package main

import (
	"context"
	"time"

	"tenure/domain/erasure"
	"tenure/eventstore"
	"tenure/mail"
	"tenure/processes"
)

// copies implements commands.Copies for what this server keeps.
type copies struct{ *server }

// settleTimeout is how long the views may take to get to an erasure before the
// process tries again.
const settleTimeout = 30 * time.Second

// Settle implements commands.Copies.
func (c copies) Settle(ctx context.Context, atLeast eventstore.Position) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return c.projector.Wait(ctx, atLeast)
}

// Scrub implements commands.Copies.
func (c copies) Scrub(ctx context.Context) error { return c.views.Scrub(ctx) }

// forgetting has this node forget who is erased, in memory and in its outbox, nil
// for none.
func (x *server) forgetting(after eventstore.Position, outbox *mail.Outbox) *processes.Forgetting {
	return &processes.Forgetting{
		Log: x.log, Codec: x.codec, After: after, Logger: x.logger,
		Forget: func(e erasure.Concluded) {
			x.ring.Forget(e.Subjects...)
			x.commands.Forget(e)
			x.history.Forget()
			x.feed.Forget()
		},
		Sweep: func(ctx context.Context) error {
			if outbox == nil {
				return nil
			}
			return outbox.Forget(ctx, x.ring.Gone)
		},
	}
}
