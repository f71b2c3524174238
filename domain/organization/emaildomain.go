package organization

import (
	"tenure/domain"
	"tenure/domain/policy"
)

// ChangeEmailDomain says with which e-mail domain people ask to join by signing
// in, or for an empty one with none (C6). The caller has reserved the domain. It
// fails with CodeNotFound, CodePermissionDenied and CodeNotOffered.
func ChangeEmailDomain(s State, p *policy.Policy, by domain.Actor, name string) ([]domain.Event, error) {
	if _, err := Authorize(s, p, by, domain.DecideRequests); err != nil {
		return nil, err
	}
	switch {
	case s.EmailDomain == name:
		return nil, nil
	case name != "" && !p.AskedByDomain():
		return nil, notOffered(p, "Nobody asks by an e-mail domain to join an organization of this policy.")
	}
	return []domain.Event{EmailDomainChanged{OrganizationID: s.ID, Before: s.EmailDomain, After: name}}, nil
}

// HoldsEmailDomain reports whether people ask to join by signing in with the domain.
func (s State) HoldsEmailDomain(name string) bool {
	return s.Exists() && !s.Deleted && name != "" && s.EmailDomain == name
}
