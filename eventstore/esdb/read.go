package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"tenure/eventstore"
)

// Bounds of one page of the log. Its last event may go beyond the last one.
const (
	minPageEvents = 512 // are asked for, since the filter may leave most of them out
	maxPageEvents = 4096
	maxPageBytes  = 4 << 20
)

// ReadStream implements eventstore.Store.
func (s *Store) ReadStream(ctx context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	if limit < 1 {
		return nil, errLimit
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.RUnlock()
	if stream == "" || len(stream) > eventstore.MaxStreamBytes || stream[0] == '$' || !utf8.ValidString(stream) {
		return nil, eventstore.ErrStreamNotFound // no writer could append to it
	}
	events, err := s.readStream(ctx, stream, from, limit)
	switch {
	case noStream(err):
		return nil, eventstore.ErrStreamNotFound
	case err != nil:
		return nil, failed(ctx, "read stream", err)
	}
	return events, nil
}

func (s *Store) readStream(ctx context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	// The server has special meanings for the highest revisions.
	options := esdb.ReadStreamOptions{From: esdb.Revision(min(uint64(from), math.MaxInt64-1))}
	got, err := s.read(ctx, func(ctx context.Context, client *esdb.Client) (*esdb.ReadStream, error) {
		return client.ReadStream(ctx, stream, options, uint64(limit))
	}, takeAll)
	return got.events, err
}

// ReadAll implements eventstore.Store. A page ends early at some megabytes, or
// after some hundred events that the filter left out.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	return s.readAll(ctx, after, limit, matching(filter))
}

func (s *Store) readAll(ctx context.Context, after eventstore.Position, limit int, matches func(string) bool) (eventstore.Page, error) {
	if limit < 1 {
		return eventstore.Page{}, errLimit
	}
	if err := s.enter(ctx); err != nil {
		return eventstore.Page{}, err
	}
	defer s.calls.RUnlock()
	budget := min(limit, maxPageEvents)
	if matches != nil {
		budget = max(budget, minPageEvents)
	}
	page := eventstore.Page{Position: after}
	for next := after; ; {
		got, err := s.readLog(ctx, next, limit-len(page.Events), budget, matches)
		if err != nil {
			return eventstore.Page{}, failed(ctx, "read log", err)
		}
		page.Events, page.Position = append(page.Events, got.events...), max(page.Position, got.position)
		page.Head = got.ended
		if got.ended || got.enough {
			return page, nil
		}
		next, budget = got.last, budget-got.considered // the server's own events took the place of others
	}
}

// readLog reads a stretch of the log after a position: up to limit events that
// match of budget events, until it sees one more, or that there is none.
func (s *Store) readLog(ctx context.Context, after eventstore.Position, limit, budget int, matches func(string) bool) (stretch, error) {
	count := uint64(budget) + 1
	options := esdb.ReadAllOptions{From: esdb.Start{}}
	if after > 0 {
		options.From = esdb.Position{Commit: uint64(after), Prepare: uint64(after)}
		count++ // the server begins with the event at the position
	}
	got, err := s.read(ctx, func(ctx context.Context, client *esdb.Client) (*esdb.ReadStream, error) {
		return client.ReadAll(ctx, options, count)
	}, func(page *stretch, e *esdb.RecordedEvent) (more bool, err error) {
		position := eventstore.Position(e.Position.Commit)
		if position <= after || isSystem(e) {
			page.last = position
			return true, nil
		}
		if len(page.events) >= limit || page.considered >= budget || page.bytes >= maxPageBytes {
			page.enough = true
			return false, nil
		}
		page.considered++
		page.last, page.position = position, position
		if matches != nil && !matches(e.EventType) {
			return true, nil
		}
		return true, page.add(e)
	})
	got.ended = got.ended && got.seen < count
	return got, err
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.calls.RUnlock()
	head, err := s.head(ctx)
	if err != nil {
		return 0, failed(ctx, "read head", err)
	}
	return head, nil
}

// head reads backwards to the first event that is not the server's own: mostly
// the first that there is.
func (s *Store) head(ctx context.Context) (eventstore.Position, error) {
	options := esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}
	for count := uint64(1); ; count = minPageEvents {
		got, err := s.read(ctx, func(ctx context.Context, client *esdb.Client) (*esdb.ReadStream, error) {
			return client.ReadAll(ctx, options, count)
		}, func(page *stretch, e *esdb.RecordedEvent) (more bool, err error) {
			page.last = eventstore.Position(e.Position.Commit)
			if isSystem(e) {
				return true, nil
			}
			return false, page.add(e)
		})
		switch {
		case err != nil:
			return 0, err
		case len(got.events) > 0:
			return got.last, nil
		case got.seen < count:
			return 0, nil
		}
		options.From = esdb.Position{Commit: uint64(got.last), Prepare: uint64(got.last)}
	}
}

// stretch is what one read has got.
type stretch struct {
	events     []eventstore.Recorded
	bytes      int                 // of their data and metadata
	seen       uint64              // events, those left out included
	considered int                 // of these, what writers wrote
	last       eventstore.Position // of the last one seen
	position   eventstore.Position // of the last one considered
	enough     bool                // there is more than was to be read
	ended      bool                // the server had no more of what it was asked for
}

func (s *stretch) add(e *esdb.RecordedEvent) error {
	r, err := recorded(e)
	s.events = append(s.events, r)
	s.bytes += len(r.Data) + len(r.Metadata)
	return err
}

func takeAll(page *stretch, e *esdb.RecordedEvent) (more bool, err error) { return true, page.add(e) }

// read reads events until take has enough or there are no more. A broken
// connection makes it begin anew: take must not keep anything outside its page.
func (s *Store) read(ctx context.Context, open func(context.Context, *esdb.Client) (*esdb.ReadStream, error), take func(*stretch, *esdb.RecordedEvent) (more bool, err error)) (stretch, error) {
	inTime, tooLate := context.WithCancelCause(ctx)
	defer tooLate(nil)
	patience := time.AfterFunc(s.deadline, func() { tooLate(context.DeadlineExceeded) })
	defer patience.Stop()
	got, err := retried(inTime, s.clients, func(ctx context.Context, client *esdb.Client) (stretch, error) {
		events, err := open(ctx, client)
		if err != nil {
			return stretch{}, err
		}
		defer events.Close()
		var got stretch
		for {
			next, err := events.Recv() // tells also what was wrong with opening
			switch {
			case errors.Is(err, io.EOF) && !isClientError(err):
				got.ended = true
				return got, nil
			case err != nil:
				return stretch{}, err
			}
			patience.Reset(s.deadline)
			got.seen++
			if more, err := take(&got, next.OriginalEvent()); err != nil || !more {
				return got, err
			}
		}
	})
	if err != nil && ctx.Err() == nil && inTime.Err() != nil {
		err = context.Cause(inTime)
	}
	return got, err
}

// isClientError tells an error that the client made of another one from the
// bare io.EOF at the end of a read.
func isClientError(err error) bool {
	var e *esdb.Error
	return errors.As(err, &e)
}

// isSystem says whether an event is one of the server's own.
func isSystem(e *esdb.RecordedEvent) bool { return strings.HasPrefix(e.EventType, "$") }

// recorded is an event as the port has it. The server's own events come before
// the first of any writer, so position 0 is no writer's; an event written
// through a transaction of the old protocol has none.
func recorded(e *esdb.RecordedEvent) (eventstore.Recorded, error) {
	if e.Position.Commit == 0 || e.Position.Commit == math.MaxUint64 {
		return eventstore.Recorded{}, fmt.Errorf("event %s of stream %s has no position; servers before 22.10 are not supported", e.EventID, e.StreamID)
	}
	return eventstore.Recorded{
		Event:  eventstore.Event{ID: eventstore.ID(e.EventID), Type: e.EventType, Data: e.Data, Metadata: e.UserMetadata},
		Stream: e.StreamID, Revision: eventstore.Revision(e.EventNumber),
		Position: eventstore.Position(e.Position.Commit), RecordedAt: e.CreatedDate,
	}, nil
}

// matching answers whether a type passes the filter. It is nil when all do.
func matching(filter eventstore.Filter) func(string) bool {
	if len(filter.TypePrefixes) == 0 {
		return nil
	}
	prefixes := slices.Clone(filter.TypePrefixes)
	return func(name string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	}
}
