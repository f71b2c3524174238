package organization

import (
	"time"

	"tenure/domain"
	"tenure/domain/policy"
)

// RequestTransfer asks for a transfer of the ownership, which waits for the
// owner's confirmation by mail (O5). It fails with CodeNotFound,
// CodePermissionDenied, CodeTransferNotOffered, CodeTransferNotEligible and
// CodeTransferPending.
func RequestTransfer(s State, p *policy.Policy, by domain.Actor, id domain.TransferID, to domain.AccountID, at time.Time) ([]domain.Event, error) {
	actor, err := Authorize(s, p, by, domain.TransferOwnership)
	if err != nil {
		return nil, err
	}
	if !p.Owns(actor.Roles) {
		return nil, p.Refuse(domain.CodeTransferNotOffered, "Only the owner transfers the ownership", "Ask the owner of the organization.")
	}
	if err := s.checkCandidate(p, by, to); err != nil {
		return nil, err
	}
	from, _ := by.Account()
	var events []domain.Event
	if s.Transfer != nil {
		if at.Before(s.Transfer.ExpiresAt) {
			return nil, p.Refuse(domain.CodeTransferPending, "A transfer is pending", "Confirm it from the mail, or cancel it first.")
		}
		events = append(events, s.endTransfer("expired"))
	}
	return append(events, OwnershipTransferRequested{
		OrganizationID: s.ID, TransferID: id, From: from, To: to, ExpiresAt: at.Add(p.Ownership.TransferLifetime),
	}), nil
}

// CancelTransfer withdraws the pending request. It fails with CodeNotFound,
// CodePermissionDenied and CodeTransferNotPending.
func CancelTransfer(s State, p *policy.Policy, by domain.Actor) ([]domain.Event, error) {
	if _, err := Authorize(s, p, by, domain.TransferOwnership); err != nil {
		return nil, err
	}
	if s.Transfer == nil {
		return nil, p.Refuse(domain.CodeTransferNotPending, "No transfer is pending", "Request a transfer first.")
	}
	return []domain.Event{s.endTransfer("cancelled")}, nil
}

// ConfirmTransfer makes the target the owner, on the strength of the link in
// the mail to the owner. It fails with CodeTransferNotPending when the request
// is over, CodeTransferExpired, and CodeTransferNotEligible.
func ConfirmTransfer(s State, p *policy.Policy, id domain.TransferID, at time.Time) ([]domain.Event, error) {
	t := s.Transfer
	switch {
	case t == nil || t.ID != id:
		return nil, p.Refuse(domain.CodeTransferNotPending, "This transfer is not pending", "It was confirmed, cancelled or replaced; request a new one.")
	case !at.Before(t.ExpiresAt):
		return nil, p.Refuse(domain.CodeTransferExpired, "Transfer expired", "Request the transfer again.")
	}
	from, fromActive := s.ActiveMember(t.From)
	to, toActive := s.ActiveMember(t.To)
	if !fromActive || !p.Owns(from.Roles) || !toActive || !p.MayBecomeOwner(to.Roles) {
		return nil, notEligible(p, "One of the two is no longer eligible; request the transfer again.")
	}
	return []domain.Event{OwnershipTransferred{
		OrganizationID: s.ID, TransferID: id,
		From: t.From, FromBefore: from.Roles, FromAfter: []domain.Role{p.Ownership.PreviousOwnerBecomes},
		To: t.To, ToBefore: to.Roles, ToAfter: []domain.Role{p.Ownership.Role},
	}}, nil
}

// ExpireTransfer ends a request whose time is over; it never fails.
func ExpireTransfer(s State, id domain.TransferID, at time.Time) []domain.Event {
	if s.Transfer == nil || s.Transfer.ID != id || at.Before(s.Transfer.ExpiresAt) {
		return nil
	}
	return []domain.Event{s.endTransfer("expired")}
}

func (s State) checkCandidate(p *policy.Policy, by domain.Actor, to domain.AccountID) error {
	member, ok := s.Member(to)
	switch {
	case !ok:
		return domain.Refuse(domain.CodeNotFound, "No such member", "Look the member up in the list of members.")
	case by == domain.ByAccount(to):
		return notEligible(p, "Choose another member; you own the organization already.")
	case member.Status == Removed:
		return notEligible(p, "Choose an active member; this one was removed.")
	case member.Status == Suspended:
		return notEligible(p, "Choose an active member; this one is suspended.")
	case !p.MayBecomeOwner(member.Roles):
		return notEligible(p, "Give the member a role that may become the owner first.")
	}
	return nil
}

func (s State) endTransfer(outcome string) domain.Event {
	return OwnershipTransferEnded{OrganizationID: s.ID, TransferID: s.Transfer.ID, From: s.Transfer.From, To: s.Transfer.To, Outcome: outcome}
}

func notEligible(p *policy.Policy, message string) error {
	return p.Refuse(domain.CodeTransferNotEligible, "This member cannot become the owner", message)
}
