package esdb

import (
	"context"
	"fmt"
	"time"

	"tenure/eventstore"
)

// subscription reads pages after its position, from the tail or, where that
// does not reach back so far, from the server, and waits when there are none.
// It holds nothing of the store between two calls of Next.
//
// A lost connection makes Next wait: a subscriber that failed would have
// nothing better to do than to subscribe again, and to tell people of it. What
// does not pass by itself, no permission for one, ends the subscription.
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
	s.tail.start.Do(func() { go s.tail.run(s.closing) })
	ctx, end := context.WithCancelCause(ctx)
	return &subscription{store: s, ctx: ctx, end: end, after: after, matches: matching(filter)}, nil
}

// Next implements eventstore.Subscription.
func (sub *subscription) Next(ctx context.Context, limit int) (eventstore.Page, error) {
	if limit < 1 {
		return eventstore.Page{}, errLimit
	}
	for pause := firstPause; ; {
		if sub.ctx.Err() != nil {
			return eventstore.Page{}, fmt.Errorf("eventstore/esdb: subscription ended: %w", context.Cause(sub.ctx))
		}
		if err := sub.store.usable(ctx); err != nil {
			return eventstore.Page{}, err
		}
		page, ok, news, err := sub.store.tail.page(sub.after, limit, sub.matches)
		if err == nil && !ok {
			page, err = sub.readAll(ctx, limit)
		}
		if err == nil && page.Position > sub.after {
			sub.after = page.Position
			return page, nil
		}
		switch {
		case err == nil:
			select {
			case <-news:
			case <-ctx.Done():
			case <-sub.ctx.Done():
			case <-sub.store.closing.Done():
			}
		case ctx.Err() != nil || sub.ctx.Err() != nil || sub.store.closing.Err() != nil: // says so above
		case passing(err):
			sub.pause(ctx, pause)
			pause = min(2*pause, longestPause)
		default:
			return eventstore.Page{}, err
		}
	}
}

// until is a context that ends with ctx, the subscription or the store.
func (sub *subscription) until(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := context.AfterFunc(sub.ctx, cancel)
	closed := context.AfterFunc(sub.store.closing, cancel)
	return ctx, func() { ended(); closed(); cancel() }
}

// pause waits before the next try.
func (sub *subscription) pause(ctx context.Context, d time.Duration) {
	ctx, done := sub.until(ctx)
	defer done()
	sleep(ctx, d)
}

// readAll reads a page from the server.
func (sub *subscription) readAll(ctx context.Context, limit int) (eventstore.Page, error) {
	ctx, done := sub.until(ctx)
	defer done()
	return sub.store.readAll(ctx, sub.after, limit, sub.matches)
}

// Close implements eventstore.Subscription; Next fails with ErrClosed afterwards.
func (sub *subscription) Close() error {
	sub.end(eventstore.ErrClosed)
	return nil
}
