// Package storetest is the contract of eventstore.Store as a test suite: what
// the port's documentation says, sentence by sentence. Every adapter passes it,
// so that nothing above the port can tell them apart.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"
	"tenure/eventstore"
)

// Open opens the log under test. It is called again, after the store of the
// call before was closed, to open the same log after a restart. The suite
// closes what it opens.
type Open func(t *testing.T) eventstore.Store

// Run runs the suite. newLog makes a new empty log for each test.
func Run(t *testing.T, newLog func(t *testing.T) Open) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Append", appendTests()},
		{"Repeat", repeatTests()},
		{"ReadStream", readStreamTests()},
		{"ReadAll", readAllTests()},
		{"Subscribe", subscribeTests()},
		{"Close", closeTests()},
		{"Concurrent", concurrentTests()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(newFixture(t, newLog(t)))
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(f *fixture)
}

// patience is how long the suite waits for what has to happen, before it says
// that it did not.
const patience = 3 * time.Minute

// fixture is one test's log, with the calls that most tests make.
type fixture struct {
	*testing.T
	*is.I
	ctx   context.Context
	open  Open
	store eventstore.Store
}

func newFixture(t *testing.T, open Open) *fixture {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	f := &fixture{T: t, I: is.New(t), ctx: ctx, open: open, store: open(t)}
	t.Cleanup(func() {
		cancel()
		_ = f.store.Close()
	})
	return f
}

// restart closes the log and opens it again.
func (f *fixture) restart() {
	f.Helper()
	f.NoErr(f.store.Close())
	f.store = f.open(f.T)
}

// append appends and has to succeed.
func (f *fixture) append(stream string, expected eventstore.Expected, events ...eventstore.Event) eventstore.Result {
	f.Helper()
	result, err := f.store.Append(f.ctx, stream, expected, events)
	f.NoErr(err)
	return result
}

// conflict appends and has to find the stream elsewhere.
func (f *fixture) conflict(stream string, expected, actual eventstore.Expected, events ...eventstore.Event) {
	f.Helper()
	result, err := f.store.Append(f.ctx, stream, expected, events)
	var conflict *eventstore.ConflictError
	if !errors.As(err, &conflict) {
		f.Fatalf("expected %s: got %v, %v; want a conflict", expected, result, err)
	}
	f.Equal(*conflict, eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual})
}

// stream reads a whole stream, page by page.
func (f *fixture) stream(name string) []eventstore.Recorded {
	f.Helper()
	const limit = 100
	var all []eventstore.Recorded
	for {
		page, err := f.store.ReadStream(f.ctx, name, eventstore.Revision(len(all)), limit)
		f.NoErr(err)
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
	}
}

// log reads the log after a position, page by page.
func (f *fixture) log(after eventstore.Position, limit int, filter eventstore.Filter) []eventstore.Recorded {
	f.Helper()
	var all []eventstore.Recorded
	for {
		page, err := f.store.ReadAll(f.ctx, after, limit, filter)
		f.NoErr(err)
		checkPage(f, after, limit, page)
		all = append(all, page.Events...)
		if page.Head {
			return all
		}
		if page.Position <= after {
			f.Fatalf("page after %d does not move on, and is not the head", after)
		}
		after = page.Position
	}
}

// head is the position of the newest event.
func (f *fixture) head() eventstore.Position {
	f.Helper()
	head, err := f.store.Head(f.ctx)
	f.NoErr(err)
	return head
}

// subscribe follows the log until the test ends.
func (f *fixture) subscribe(after eventstore.Position, filter eventstore.Filter) eventstore.Subscription {
	f.Helper()
	sub, err := f.store.Subscribe(f.ctx, after, filter)
	f.NoErr(err)
	f.Cleanup(func() { _ = sub.Close() })
	return sub
}

// follow reads pages of a subscription until its position is at least upTo.
func (f *fixture) follow(sub eventstore.Subscription, after, upTo eventstore.Position, limit int) (all []eventstore.Recorded, last eventstore.Position) {
	f.Helper()
	for after < upTo {
		page, err := sub.Next(f.ctx, limit)
		f.NoErr(err)
		checkPage(f, after, limit, page)
		if page.Position <= after {
			f.Fatalf("subscription at %d answers a page at %d", after, page.Position)
		}
		after = page.Position
		all = append(all, page.Events...)
	}
	return all, after
}

// checkPage checks what holds for every page.
func checkPage(f *fixture, after eventstore.Position, limit int, page eventstore.Page) {
	f.Helper()
	if len(page.Events) > limit {
		f.Fatalf("%d events, limit %d", len(page.Events), limit)
	}
	if page.Position < after {
		f.Fatalf("page after %d goes back to %d", after, page.Position)
	}
	last := after
	for _, e := range page.Events {
		if e.Position <= last {
			f.Fatalf("position %d comes after %d", e.Position, last)
		}
		last = e.Position
	}
	if page.Position < last {
		f.Fatalf("page at %d has an event at %d", page.Position, last)
	}
}

// events makes events of these types, each with an id of its own.
func events(types ...string) []eventstore.Event {
	made := make([]eventstore.Event, len(types))
	for i, kind := range types {
		id := uuid.New()
		made[i] = eventstore.Event{
			ID: eventstore.ID(id), Type: kind,
			Data: fmt.Appendf(nil, `{"id":%q}`, id), Metadata: fmt.Appendf(nil, `{"n":%d}`, i),
		}
	}
	return made
}

// several makes n events of one type.
func several(n int) []eventstore.Event {
	types := make([]string, n)
	for i := range types {
		types[i] = "test.happened.v1"
	}
	return events(types...)
}

// ids are the ids of recorded events.
func ids(recorded []eventstore.Recorded) []eventstore.ID {
	list := []eventstore.ID{}
	for i := range recorded {
		list = append(list, recorded[i].ID)
	}
	return list
}

// idsOf are the ids of events to append.
func idsOf(events []eventstore.Event) []eventstore.ID {
	list := []eventstore.ID{}
	for i := range events {
		list = append(list, events[i].ID)
	}
	return list
}

// everything is the filter that leaves nothing out.
func everything() eventstore.Filter { return eventstore.Filter{} }
