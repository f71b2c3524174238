package organization

import (
	"tenure/domain"
	"tenure/domain/policy"
)

// HoldsExclusive reports whether the account is a member, suspended or not, with
// roles that it may hold in one organization only (M9).
func (s State) HoldsExclusive(p *policy.Policy, account domain.AccountID) bool {
	m, _ := s.Member(account)
	return m.Present() && !s.Deleted && p.Exclusive(m.Roles)
}

// GainsExclusive lists the accounts that hold exclusive roles after the events,
// and none before.
func GainsExclusive(s State, p *policy.Policy, events []domain.Event) []domain.AccountID {
	var gains []domain.AccountID
	for _, id := range concerned(events) {
		if s.HoldsExclusive(p, id) {
			continue
		}
		after := s
		for _, e := range events {
			after = Evolve(after, e)
		}
		if after.HoldsExclusive(p, id) {
			gains = append(gains, id)
		}
	}
	return gains
}

// MayHaveLost lists the accounts that an event may have taken exclusive roles
// from, whatever the policy; after is the organization with it.
func MayHaveLost(after State, e domain.Event) (ids []domain.AccountID) {
	switch e := e.(type) {
	case RolesChanged:
		return []domain.AccountID{e.AccountID}
	case MemberRemoved:
		return []domain.AccountID{e.AccountID}
	case OwnershipTransferred:
		return []domain.AccountID{e.From, e.To}
	case PolicyChanged, Deleted:
		after.eachMember(func(id domain.AccountID, _ Member) { ids = append(ids, id) })
	}
	return ids
}

// concerned lists the accounts whose roles the events may change.
func concerned(events []domain.Event) []domain.AccountID {
	var ids []domain.AccountID
	for _, e := range events {
		switch e := e.(type) {
		case Activated:
			ids = append(ids, e.AccountID)
		case MemberJoined:
			ids = append(ids, e.AccountID)
		case RolesChanged:
			ids = append(ids, e.AccountID)
		case MemberRemoved:
			ids = append(ids, e.AccountID)
		case OwnershipTransferred:
			ids = append(ids, e.From, e.To)
		}
	}
	return ids
}

// LosesExclusive lists the accounts that the events may have taken exclusive
// roles from.
func LosesExclusive(p *policy.Policy, events []domain.Event) []domain.AccountID {
	var lost []domain.AccountID
	for _, e := range events {
		switch e := e.(type) {
		case RolesChanged:
			lost = takenFrom(p, lost, e.AccountID, e.Before, e.After)
		case MemberRemoved:
			lost = takenFrom(p, lost, e.AccountID, e.Roles, nil)
		case OwnershipTransferred:
			lost = takenFrom(p, lost, e.From, e.FromBefore, e.FromAfter)
			lost = takenFrom(p, lost, e.To, e.ToBefore, e.ToAfter)
		}
	}
	return lost
}

func takenFrom(p *policy.Policy, lost []domain.AccountID, id domain.AccountID, before, after []domain.Role) []domain.AccountID {
	if p.Exclusive(before) && !p.Exclusive(after) {
		return append(lost, id)
	}
	return lost
}

const titleElsewhere = "Role held elsewhere"

// RoleHeldElsewhere refuses to give an exclusive role to somebody who holds one in
// another organization.
func RoleHeldElsewhere(p *policy.Policy) *domain.Error {
	e := p.Refuse(domain.CodeRoleExclusive, titleElsewhere, "The person holds such a role in another organization. Give another role.")
	e.Field = "roles"
	return e
}

// OwnRoleElsewhere refuses an exclusive role to somebody who is about to come by
// it by themselves.
func OwnRoleElsewhere(p *policy.Policy) *domain.Error {
	return p.RefuseOneself(domain.CodeRoleExclusive, titleElsewhere,
		"You hold such a role in another organization, and may in one only. Ask an administrator there to give you another role, then try again.")
}

// OwnerHeldElsewhere refuses a transfer of the ownership by which the new owner
// would come to hold a second exclusive role.
func OwnerHeldElsewhere(p *policy.Policy) *domain.Error {
	e := p.Refuse(domain.CodeRoleExclusive, titleElsewhere, "")
	e.Message = "The member who is to become the owner holds such a role in another organization, and may in one only. Have them give it up there, or transfer the ownership to somebody else."
	return e
}
