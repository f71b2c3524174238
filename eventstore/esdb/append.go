package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tenure/eventstore"
)

const (
	attempts   = 4                     // of a call whose connection breaks
	firstPause = 20 * time.Millisecond // between two of them; it doubles
)

// Append implements eventstore.Store.
func (s *Store) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	if err := eventstore.Check(stream, expected, events); err != nil {
		return eventstore.Result{}, err
	}
	if err := s.enter(ctx); err != nil {
		return eventstore.Result{}, err
	}
	defer s.calls.RUnlock()
	limited, cancel := context.WithTimeout(ctx, s.deadline)
	defer cancel()
	proposed := propose(events)
	for range attempts {
		result, err := s.append(limited, stream, expected, proposed)
		if !is(err, esdb.ErrorCodeWrongExpectedVersion) && !errors.Is(err, errNever) {
			if err != nil {
				return eventstore.Result{}, failed(limited, "append", hinted(err))
			}
			return result, nil
		}
		actual, err := s.end(limited, stream)
		if err != nil {
			return eventstore.Result{}, failed(limited, "append", err)
		}
		// The stream may have come to where it is expected in the meantime.
		if actual != expected {
			return eventstore.Result{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
		}
	}
	return eventstore.Result{}, fmt.Errorf("eventstore/esdb: append: the server finds stream %s elsewhere than it shows it; do $maxAge or $maxCount hide events?", stream)
}

// hinted says what a refusal means. A server hangs up on an append that is too
// large for it, and the client may see no more than that.
func hinted(err error) error {
	switch {
	case status.Code(err) == codes.InvalidArgument:
		return fmt.Errorf("%w: %w", eventstore.ErrInvalidAppend, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w (is the server's MaxAppendSize below %d?)", err, eventstore.MaxAppendBytes)
	}
	return err
}

// errNever says that no stream can meet the expectation.
var errNever = errors.New("eventstore/esdb: no stream has as many events")

func (s *Store) append(ctx context.Context, stream string, expected eventstore.Expected, proposed []esdb.EventData) (eventstore.Result, error) {
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}, Deadline: &s.deadline}
	if last, ok := expected.Last(); ok {
		if last >= math.MaxInt64 { // the server has special meanings for these
			return eventstore.Result{}, errNever
		}
		options.ExpectedRevision = esdb.Revision(uint64(last))
	}
	written, err := retried(ctx, s.clients, func(ctx context.Context, client *esdb.Client) (*esdb.WriteResult, error) {
		return client.AppendToStream(ctx, stream, options, proposed...)
	})
	if err != nil {
		return eventstore.Result{}, err
	}
	last := expected.Next() + eventstore.Revision(len(proposed)-1)
	if written.NextExpectedVersion != uint64(last) {
		return eventstore.Result{}, fmt.Errorf("the server answers revision %d where %d is due", written.NextExpectedVersion, last)
	}
	if written.CommitPosition == 0 { // it need not tell it
		return s.find(ctx, stream, last)
	}
	return eventstore.Result{LastRevision: last, Position: eventstore.Position(written.CommitPosition)}, nil
}

// find is the result of an append that ended with this revision.
func (s *Store) find(ctx context.Context, stream string, last eventstore.Revision) (eventstore.Result, error) {
	events, err := s.readStream(ctx, stream, last, 1)
	if err == nil && len(events) == 0 {
		err = errors.New("the server does not find what was appended")
	}
	if err != nil {
		return eventstore.Result{}, err
	}
	return eventstore.Result{LastRevision: last, Position: events[0].Position}, nil
}

// end is where a stream ends.
func (s *Store) end(ctx context.Context, stream string) (eventstore.Expected, error) {
	options := esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}
	last, err := s.read(ctx, func(ctx context.Context, client *esdb.Client) (*esdb.ReadStream, error) {
		return client.ReadStream(ctx, stream, options, 1)
	}, takeAll)
	switch {
	case noStream(err):
		return eventstore.NoStream(), nil
	case err != nil:
		return eventstore.Expected{}, err
	case len(last.events) == 0:
		return eventstore.Expected{}, errors.New("the server has a stream without events")
	}
	return eventstore.Exactly(last.events[0].Revision), nil
}

// retried makes a call again when its connection breaks, but not when there is
// no server: the client has looked for it long enough.
func retried[T any](ctx context.Context, c *clients, f func(context.Context, *esdb.Client) (T, error)) (value T, err error) {
	ctx = c.toLeader(ctx)
	pause := firstPause
	for range attempts {
		value, err = call(ctx, c, f)
		if err == nil || errors.Is(err, errAway) || !passing(err) || ctx.Err() != nil {
			return value, err
		}
		sleep(ctx, pause)
		pause *= 2
	}
	return value, err
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// propose copies the events: the client may still read them when a caller that
// went away uses its buffers again.
func propose(events []eventstore.Event) []esdb.EventData {
	size := 0
	for i := range events {
		size += len(events[i].Data) + len(events[i].Metadata)
	}
	buffer := make([]byte, 0, size)
	keep := func(b []byte) []byte {
		start := len(buffer)
		buffer = append(buffer, b...)
		return buffer[start:len(buffer):len(buffer)]
	}
	proposed := make([]esdb.EventData, len(events))
	for i, e := range events {
		proposed[i] = esdb.EventData{
			EventID: uuid.UUID(e.ID), EventType: e.Type, ContentType: esdb.ContentTypeJson,
			Data: keep(e.Data), Metadata: keep(e.Metadata),
		}
	}
	return proposed
}
