// Package apikey is the aggregate of an operator's API key: who may call the
// operator's routes, and which of them, until when.
package apikey

import (
	"slices"
	"time"

	"tenure/domain"
)

// Scope is what a key may be used for.
type Scope string

// The scopes of an API key.
const (
	ScopeAll               Scope = "all"                  // every other one, also those that later versions add
	ScopeOperator          Scope = "operator"             // every route below /v1/operator, and the outbox
	ScopeReadOrganizations Scope = "organizations.read"   // reads of every organization, no commands
	ScopeCheckAccess       Scope = "access.check"         // permission checks about everybody
	ScopeManageWork        Scope = "work.manage"          // assigns the host product's work to members, and releases it
	ScopeReadEvents        Scope = "events.read"          // the event feed of all organizations, without personal data
	ScopeReadPersonal      Scope = "events.read_personal" // besides events.read: the personal data in it
)

// Scopes lists every scope. A key lists its own by name, and gains none when
// there are others later: what it may do stays what it was made for. The one
// exception is ScopeAll.
func Scopes() []Scope {
	return []Scope{ScopeAll, ScopeOperator, ScopeReadOrganizations, ScopeCheckAccess, ScopeManageWork, ScopeReadEvents, ScopeReadPersonal}
}

// State is what is known of a key. The zero State is a key that was never made.
type State struct {
	ID        domain.APIKeyID
	Name      string
	Scopes    []Scope
	ExpiresAt *time.Time
	Revoked   bool
}

// Allows reports whether the key may be used for scope at that time.
func (s State) Allows(scope Scope, at time.Time) bool {
	return s.Valid(at) && (slices.Contains(s.Scopes, scope) || slices.Contains(s.Scopes, ScopeAll))
}

// Valid reports whether the key exists, is not revoked and has time left.
func (s State) Valid(at time.Time) bool {
	return s.ID != "" && !s.Revoked && (s.ExpiresAt == nil || at.Before(*s.ExpiresAt))
}

// Create makes a key. It fails with CodeInvalid for an empty or unknown scope
// list, or a time that has passed.
func Create(s State, id domain.APIKeyID, name string, scopes []Scope, expiresAt *time.Time, at time.Time) ([]domain.Event, error) {
	if s.ID != "" {
		return nil, domain.Invalid("id", "Choose another id; this one is in use.")
	}
	if len(scopes) == 0 {
		return nil, domain.Invalid("scopes", "Name at least one scope.")
	}
	for _, scope := range scopes {
		if !slices.Contains(Scopes(), scope) {
			return nil, domain.Invalid("scopes", "Use the scopes operator, organizations.read, access.check, work.manage, events.read and events.read_personal, or all.")
		}
	}
	if expiresAt != nil && !at.Before(*expiresAt) {
		return nil, domain.Invalid("expires_at", "Give a time in the future.")
	}
	return []domain.Event{Created{APIKeyID: id, Name: name, Scopes: scopes, ExpiresAt: expiresAt}}, nil
}

// Revoke ends the key; a key that is revoked already stays so. It fails with
// CodeNotFound.
func Revoke(s State) ([]domain.Event, error) {
	switch {
	case s.ID == "":
		return nil, domain.Refuse(domain.CodeNotFound, "No such API key", "Look the key up in the list of API keys.")
	case s.Revoked:
		return nil, nil
	}
	return []domain.Event{Revoked{APIKeyID: s.ID}}, nil
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Created:
		return State{ID: e.APIKeyID, Name: e.Name, Scopes: e.Scopes, ExpiresAt: e.ExpiresAt}
	case Revoked:
		s.Revoked = true
	}
	return s
}
