package sqlite

import (
	"context"
	"fmt"

	"tenure/eventstore"
)

// request is one append on its way to the writer and back.
type request struct {
	stream   string
	expected eventstore.Expected
	events   []eventstore.Event

	result eventstore.Result
	err    error
	done   chan struct{} // receives one value when result and err are set
}

// Append implements eventstore.Store. The store keeps copies: the caller may
// reuse its buffers.
func (s *Store) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	if err := eventstore.Check(stream, expected, events); err != nil {
		return eventstore.Result{}, err
	}
	if err := s.enter(ctx); err != nil {
		return eventstore.Result{}, err
	}
	defer s.calls.RUnlock()
	r := &request{stream: stream, expected: expected, done: make(chan struct{}, 1)}
	r.copyEvents(events)
	select {
	case s.queue <- r:
	case <-ctx.Done():
		return eventstore.Result{}, fmt.Errorf("eventstore/sqlite: append not begun: %w", ctx.Err())
	}
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return eventstore.Result{}, fmt.Errorf("eventstore/sqlite: append under way: %w", ctx.Err())
	}
}

// copyEvents copies all bytes into one buffer: the caller may go away, and the
// events stay in memory for readers.
func (r *request) copyEvents(events []eventstore.Event) {
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
	r.events = make([]eventstore.Event, len(events))
	for i, e := range events {
		r.events[i] = eventstore.Event{ID: e.ID, Type: e.Type, Data: keep(e.Data), Metadata: keep(e.Metadata)}
	}
}
