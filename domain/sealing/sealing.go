// Package sealing holds what the log says about the keys that its personal data
// is sealed under.
package sealing

import (
	"errors"

	"tenure/domain"
)

// KeyringBound says which keyring the log's keys are in. It stands before the
// first sealed value, so that a log whose keys were lost is told from one that
// was never sealed.
type KeyringBound struct {
	KeyringID string `json:"keyring_id"`
}

// EventType implements domain.Event.
func (KeyringBound) EventType() string { return "keyring.bound.v1" }

// State is the keyring that a log is bound to; the zero State is none.
type State struct {
	KeyringID string
}

// ErrOtherKeyring says that log and keyring do not belong together.
var ErrOtherKeyring = errors.New("sealing: the keys are not those of this log: restore the keys, or the log, that belong together")

// Bind binds a log to a keyring, once. It fails with ErrOtherKeyring for a log
// that is bound to another one, and for a keyring that has keys, which belongs to
// a log already.
func Bind(s State, keyringID string, hasKeys bool) ([]domain.Event, error) {
	switch {
	case s.KeyringID == keyringID:
		return nil, nil
	case s.KeyringID != "" || hasKeys:
		return nil, ErrOtherKeyring
	}
	return []domain.Event{KeyringBound{KeyringID: keyringID}}, nil
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	if e, ok := e.(KeyringBound); ok {
		s.KeyringID = e.KeyringID
	}
	return s
}
