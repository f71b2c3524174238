// Package reservation is the aggregate of one text that may be held once in the
// whole deployment: an account's e-mail address, the identity at a provider that
// signs in to it, an organization's name and e-mail domain, the one organization
// in which an account has exclusive roles. It is made before its holder's stream is written
// and confirmed after. A holder that
// never came to be gives it back through a process: until that has looked at
// the holder, even an outdated reservation is not free.
package reservation

import (
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
	Kind      string
	Key       string
	Holder    string // empty when the text is free
	ExpiresAt time.Time
	Confirmed bool
}

// Outdated reports whether the reservation was not confirmed in time.
func (s State) Outdated(at time.Time) bool {
	return s.Holder != "" && !s.Confirmed && !at.Before(s.ExpiresAt)
}

// Make reserves a free text for holder. One that holder has already is made
// again, and waits to be confirmed again: so the stream says that holder is
// about to rely on it, and who wanted to give it back meanwhile finds the
// stream changed. taken holds when another holder has the text.
func Make(s State, kind, key, holder string, expiresAt time.Time) (events []domain.Event, taken bool) {
	if s.Holder != "" && s.Holder != holder {
		return nil, true
	}
	return []domain.Event{Made{Kind: kind, Key: key, Holder: holder, ExpiresAt: expiresAt}}, false
}

// Confirm makes the reservation last; it does nothing when it lasts already or
// belongs to another holder.
func Confirm(s State, holder string) []domain.Event {
	if s.Holder != holder || holder == "" || s.Confirmed {
		return nil
	}
	return []domain.Event{Confirmed{Kind: s.Kind, Key: s.Key, Holder: holder}}
}

// Release gives the text back; it does nothing when another holder has it.
func Release(s State, holder string) []domain.Event {
	if s.Holder != holder || holder == "" {
		return nil
	}
	return []domain.Event{Released{Kind: s.Kind, Key: s.Key, Holder: holder}}
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Made:
		return State{Kind: e.Kind, Key: e.Key, Holder: e.Holder, ExpiresAt: e.ExpiresAt}
	case Confirmed:
		s.Confirmed = true
	case Released:
		s.Holder, s.Confirmed = "", false
	}
	return s
}
