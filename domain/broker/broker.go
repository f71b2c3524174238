// Package broker is the aggregate of the message brokers that the feed is
// published to: how far that is, and what operators have decided about it. Which
// brokers there are is a setting of the server and not in here: one of which
// nothing is known yet is one that nothing was published to. All of them are one
// aggregate, since they are few.
package broker

import (
	"maps"
	"time"

	"tenure/domain"
)

// State is all brokers. States are immutable.
type State struct {
	all map[domain.BrokerName]Broker
}

// Broker is what is known of one.
type Broker struct {
	Paused  bool
	Reached uint64   // everything up to here was published, perhaps more
	Replays int      // how often an operator has chosen another place
	Version int      // how often it was changed by an operator
	Failing *Failing // nil while it is well
}

// Failing says why nothing can be published.
type Failing struct {
	Cause string
	Since time.Time
}

// Broker answers with what is known of a broker.
func (s State) Broker(name domain.BrokerName) Broker { return s.all[name] }

// Pause stops the publishing where it is, or goes on with it.
func Pause(s State, name domain.BrokerName, paused bool) []domain.Event {
	switch {
	case s.all[name].Paused == paused:
		return nil
	case paused:
		return []domain.Event{Paused{Broker: name}}
	}
	return []domain.Event{Resumed{Broker: name}}
}

// Replay publishes everything after a position.
func Replay(name domain.BrokerName, after uint64) []domain.Event {
	return []domain.Event{Replayed{Broker: name, After: after}}
}

// Fail records why nothing can be published. What is said of another version of
// the broker does not count any more.
func Fail(s State, name domain.BrokerName, version int, cause string, since time.Time) []domain.Event {
	b := s.all[name]
	if b.Version != version || b.Failing != nil && b.Failing.Cause == cause {
		return nil
	}
	return []domain.Event{Failed{Broker: name, Cause: cause, Since: since}}
}

// Reach records how far the publishing of a version of the broker has got.
func Reach(s State, name domain.BrokerName, version int, position uint64) []domain.Event {
	b := s.all[name]
	if b.Version != version || b.Failing == nil && position <= b.Reached {
		return nil
	}
	return []domain.Event{Reached{Broker: name, Position: position}}
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Paused:
		return s.with(e.Broker, func(b *Broker) { b.Paused, b.Failing, b.Version = true, nil, b.Version+1 })
	case Resumed:
		return s.with(e.Broker, func(b *Broker) { b.Paused, b.Version = false, b.Version+1 })
	case Replayed:
		return s.with(e.Broker, func(b *Broker) {
			b.Reached, b.Replays, b.Failing, b.Version = e.After, b.Replays+1, nil, b.Version+1
		})
	case Failed:
		return s.with(e.Broker, func(b *Broker) { b.Failing = &Failing{e.Cause, e.Since} })
	case Reached:
		return s.with(e.Broker, func(b *Broker) { b.Reached, b.Failing = max(b.Reached, e.Position), nil })
	}
	return s
}

// with changes a copy of one broker.
func (s State) with(name domain.BrokerName, change func(*Broker)) State {
	all := maps.Clone(s.all)
	if all == nil {
		all = make(map[domain.BrokerName]Broker)
	}
	b := all[name]
	change(&b)
	all[name] = b
	return State{all}
}
