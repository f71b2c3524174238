// Package domaintest lets the tests of the aggregates read as examples: given
// these events, when this is decided, then these events follow, or the decision
// is refused. It is for tests alone.
package domaintest

import (
	"errors"
	"reflect"
	"testing"

	"tenure/domain"
)

// Example is an aggregate after the events that were given.
type Example[S any] struct {
	t      testing.TB
	evolve func(S, domain.Event) S
	State  S
}

// Given folds events from the zero state.
func Given[S any](t testing.TB, evolve func(S, domain.Event) S, events ...domain.Event) Example[S] {
	e := Example[S]{t: t, evolve: evolve}
	for _, event := range events {
		e.State = evolve(e.State, event)
	}
	return e
}

// When decides on the state. It fails the test when the decision gives both
// events and a refusal.
func (e Example[S]) When(decide func(S) ([]domain.Event, error)) Outcome[S] {
	e.t.Helper()
	events, err := decide(e.State)
	if err != nil && len(events) > 0 {
		e.t.Fatalf("refused with %v, and yet decided %s", err, list(events))
	}
	return Outcome[S]{Example: e, events: events, err: err}
}

// Always makes a decision that cannot be refused one for When.
func Always[S any](decide func(S) []domain.Event) func(S) ([]domain.Event, error) {
	return func(s S) ([]domain.Event, error) { return decide(s), nil }
}

// Outcome is what a decision has led to.
type Outcome[S any] struct {
	Example[S]
	events []domain.Event
	err    error
}

// Then expects exactly these events in this order, none for a decision that
// changes nothing. The example goes on after them.
func (o Outcome[S]) Then(expected ...domain.Event) Example[S] {
	o.t.Helper()
	if o.err != nil {
		o.t.Fatalf("refused: %v\nexpected %s", o.err, list(expected))
	}
	if len(expected) != len(o.events) || (len(expected) > 0 && !reflect.DeepEqual(expected, o.events)) {
		o.t.Fatalf("decided %s\nexpected %s", list(o.events), list(expected))
	}
	next := o.Example
	for _, event := range o.events {
		next.State = next.evolve(next.State, event)
	}
	return next
}

// Refused expects a refusal with the code, a title and a message, and answers
// with it.
func (o Outcome[S]) Refused(code domain.Code) *domain.Error {
	o.t.Helper()
	var refusal *domain.Error
	if !errors.As(o.err, &refusal) {
		o.t.Fatalf("expected a refusal with %s, but found %v and decided %s", code, o.err, list(o.events))
	}
	if refusal.Code != code || refusal.Title == "" || refusal.Message == "" {
		o.t.Fatalf("expected a refusal with %s, a title and a message, but found %+v", code, refusal)
	}
	return refusal
}
