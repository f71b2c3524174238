package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tenure/eventstore"
	"zombiezen.com/go/sqlite"
)

// ReadStream implements eventstore.Store.
func (s *Store) ReadStream(ctx context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	if limit < 1 {
		return nil, errLimit
	}
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	h, known := s.tail.heads.Peek(stream)
	if known && uint64(from) >= h.next {
		return nil, nil
	}
	if known {
		if found := s.tail.stream(h.stream, from, limit); found.next > 0 && found.lowest <= from {
			return found.events, nil
		}
	}
	conn, release, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if !known {
		h.name = strings.Clone(stream)
		if h.stream, err = number(conn, "SELECT id FROM streams WHERE name = ?", stream); err != nil {
			return nil, failed(err)
		}
	}
	return s.readFile(ctx, conn, h, from, limit)
}

// ReadAll implements eventstore.Store. A page ends early at some megabytes, or
// after some thousand events that the filter left out.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	return s.readAll(ctx, after, limit, matching(filter))
}

func (s *Store) readAll(ctx context.Context, after eventstore.Position, limit int, matches func(string) bool) (eventstore.Page, error) {
	if limit < 1 {
		return eventstore.Page{}, errLimit
	}
	if err := s.usable(ctx); err != nil {
		return eventstore.Page{}, err
	}
	limit = min(limit, maxPageEvents)
	if page, ok := s.tail.page(after, limit, matches); ok {
		return page, nil
	}
	conn, release, err := s.take(ctx)
	if err != nil {
		return eventstore.Page{}, err
	}
	defer release()
	return s.tail.readAll(ctx, conn, after, limit, matches)
}

// take borrows a connection; release gives it back.
func (s *Store) take(ctx context.Context) (conn *sqlite.Conn, release func(), err error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, err
	}
	select {
	case conn = <-s.readers:
		return conn, func() { s.readers <- conn; s.calls.RUnlock() }, nil
	case <-ctx.Done():
		s.calls.RUnlock()
		return nil, nil, fmt.Errorf("eventstore/sqlite: read: %w", ctx.Err())
	}
}

// readFile reads a stream that memory does not hold as far back as from. A
// stream without a row has h.stream zero, and no events.
func (s *Store) readFile(ctx context.Context, conn *sqlite.Conn, h head, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	events, seen, err := s.tail.readStream(ctx, conn, h, from, limit)
	if err != nil || len(events) == limit {
		return events, err
	}
	switch {
	case len(events) > 0:
		h.next = uint64(events[len(events)-1].Revision) + 1
	case seen.next > 0:
		h.next = seen.next
	default:
		if h.next, err = nextRevision(conn, h.stream, seen.published); err != nil {
			return nil, err
		}
	}
	if h.next == 0 {
		return nil, eventstore.ErrStreamNotFound
	}
	s.tail.remember(h, seen.published)
	return events, nil
}

// matching answers whether a type passes the filter.
func matching(filter eventstore.Filter) func(string) bool {
	if len(filter.TypePrefixes) == 0 {
		return func(string) bool { return true }
	}
	prefixes := slices.Clone(filter.TypePrefixes)
	return func(name string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	}
}
