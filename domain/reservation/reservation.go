// Package reservation is the aggregate of one text that may be held once in the
// whole deployment: an account's e-mail address, the identity at a provider that
// signs in to it, an organization's name and e-mail domain, the one organization
// in which an account has exclusive roles.
//
// Whether the holder uses the text, its own stream says. The reservation says who
// may: a command makes it before it writes to the holder's stream, which is an
// attempt, and confirms the attempt after. Several commands may attempt the same
// for one holder at a time. As long as one of them is under way, it may be about
// to write, and the holder keeps the text; when none is, the text is released
// unless the holder uses it.
package reservation

import (
	"slices"
	"time"

	"tenure/domain"
)

// The kinds of reservations.
const (
	KindEmail            = "email"
	KindOrganizationName = "organization-name"
	KindIdentity         = "identity"
	KindExclusiveRole    = "exclusive-role" // of an account, which holds such roles in one organization only (M9)
	KindEmailDomain      = "email-domain"   // of an organization, which people ask to join by signing in with it (C6)
)

// State is what the decisions need to know of a reservation. The zero State is
// a text that nobody ever held.
type State struct {
	Kind   string
	Key    string
	Holder string // empty when the text is free

	last     int       // attempt that was made, by whomever
	underWay []attempt // in the order in which they were made
}

type attempt struct {
	number    int
	expiresAt time.Time
}

// Settled reports whether every attempt was confirmed: no command is about to write
// that the holder uses the text.
func (s State) Settled() bool { return len(s.underWay) == 0 }

// Make begins an attempt to use the text, unless another holder has it, and
// numbers it. The number is 0 when the text is taken.
func Make(s State, kind, key, holder string, expiresAt time.Time) (number int, events []domain.Event) {
	if s.Holder != "" && s.Holder != holder {
		return 0, nil
	}
	made := Made{Kind: kind, Key: key, Holder: holder, Attempt: s.last + 1, ExpiresAt: expiresAt}
	return made.Attempt, []domain.Event{made}
}

// maxConfirmed bounds how many attempts one decision ends. What is left over is
// for the next one.
const maxConfirmed = 100

// Confirm ends these attempts, and those whose time is over: their commands were
// killed, or find that they are late.
func Confirm(s State, at time.Time, numbers ...int) (events []domain.Event) {
	for _, a := range s.underWay {
		if len(events) == maxConfirmed {
			break
		}
		if slices.Contains(numbers, a.number) || !at.Before(a.expiresAt) {
			events = append(events, Confirmed{Kind: s.Kind, Key: s.Key, Holder: s.Holder, Attempt: a.number})
		}
	}
	return events
}

// Release gives back a text that its holder does not use, unless an attempt was not
// confirmed. Whether the holder uses it may change while that is looked up: s has
// to be the state from before the look.
func Release(s State) []domain.Event {
	if s.Holder == "" || !s.Settled() {
		return nil
	}
	return []domain.Event{Released{Kind: s.Kind, Key: s.Key, Holder: s.Holder}}
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Made:
		s = without(s, e.Attempt)
		s.Kind, s.Key, s.Holder, s.last = e.Kind, e.Key, e.Holder, max(s.last, e.Attempt)
		s.underWay = append(s.underWay, attempt{e.Attempt, e.ExpiresAt})
	case Confirmed:
		s = without(s, e.Attempt)
	case Released:
		s.Holder, s.underWay = "", nil
	}
	return s
}

// without is the state without an attempt, which shares nothing with s.
func without(s State, number int) State {
	s.underWay = slices.DeleteFunc(slices.Clone(s.underWay), func(a attempt) bool { return a.number == number })
	return s
}
