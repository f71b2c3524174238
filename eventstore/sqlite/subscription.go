package sqlite

import (
	"context"
	"fmt"

	"tenure/eventstore"
)

// subscription reads pages after its position, and waits when there are none.
// It holds nothing of the store between two calls of Next.
type subscription struct {
	store   *Store
	ctx     context.Context
	end     context.CancelCauseFunc
	after   eventstore.Position
	matches func(string) bool
}

// Subscribe implements eventstore.Store. The subscription ends with ctx.
func (s *Store) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	ctx, end := context.WithCancelCause(ctx)
	return &subscription{store: s, ctx: ctx, end: end, after: after, matches: matching(filter)}, nil
}

// Next implements eventstore.Subscription.
func (sub *subscription) Next(ctx context.Context, limit int) (eventstore.Page, error) {
	for {
		if sub.ctx.Err() != nil {
			return eventstore.Page{}, fmt.Errorf("eventstore/sqlite: subscription ended: %w", context.Cause(sub.ctx))
		}
		page, err := sub.store.readAll(ctx, sub.after, limit, sub.matches)
		if err != nil {
			return eventstore.Page{}, err
		}
		if page.Position > sub.after {
			sub.after = page.Position
			return page, nil
		}
		if news := sub.store.tail.wait(sub.after); news != nil {
			select {
			case <-news:
			case <-ctx.Done():
			case <-sub.ctx.Done():
			case <-sub.store.closing:
			}
		}
	}
}

// Close implements eventstore.Subscription; Next fails with ErrClosed afterwards.
func (sub *subscription) Close() error {
	sub.end(eventstore.ErrClosed)
	return nil
}
