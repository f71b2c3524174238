package account

import (
	"slices"

	"tenure/domain"
)

// Erased ends the account for good. Sessions end, no password, identity or link
// works any more; what others hold of the person is erased next, and at last the
// key under which all of it is sealed.
type Erased struct {
	AccountID domain.AccountID `json:"account_id"`
}

// EventType implements domain.Event.
func (Erased) EventType() string { return "account.erased.v1" }

// Held is what an account that was erased has held in the whole deployment, to be
// given back.
type Held struct {
	Email      domain.Email
	Identities []Identity
}

// Erase ends the account; one that was erased stays so. Whether its organizations
// can do without it is for the caller to check. It fails with CodeNotFound.
func Erase(s State) ([]domain.Event, error) {
	switch {
	case s.erased:
		return nil, nil
	case !s.Exists():
		return nil, notFound()
	}
	return []domain.Event{Erased{AccountID: s.ID}}, nil
}

// Erased reports whether the account was erased.
func (s State) Erased() bool { return s.erased }

// Held is what the account has held, until its key is destroyed.
func (s State) Held() Held { return Held{Email: s.Email, Identities: slices.Clone(s.identities)} }

func (s State) erase() State {
	return State{ID: s.ID, Email: s.Email, DisplayName: s.DisplayName, Language: s.Language, identities: s.identities, erased: true}
}
