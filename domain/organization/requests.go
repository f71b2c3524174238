package organization

import (
	"slices"
	"time"

	"tenure/domain"
	"tenure/domain/policy"
)

// viaAddition is how somebody joined who was not asked (M4).
const viaAddition = "addition"

// Request is one who asks to join.
type Request struct {
	Email       domain.Email
	DisplayName string
	Since       time.Time // of an open request
}

// Request finds an open request to join.
func (s State) Request(account domain.AccountID) (Request, bool) { return get(s.requests, account) }

// OpenRequests lists up to limit accounts that ask to join, in no order.
func (s State) OpenRequests(limit int) []domain.AccountID {
	var ids []domain.AccountID
	if s.requests == nil {
		return nil
	}
	for itr := s.requests.Iterator(); !itr.Done() && len(ids) < limit; {
		id, _, _ := itr.Next()
		ids = append(ids, id)
	}
	return ids
}

// Requests counts the open requests to join.
func (s State) Requests() int {
	if s.requests == nil {
		return 0
	}
	return s.requests.Len()
}

// AutoActivates reports whether those who ask are let in at once (M2).
func (s State) AutoActivates() bool { return s.autoActivates }

// RequestToJoin asks for a membership, or takes it where nobody has to decide
// (C6, M1, M2). Who asks twice asks once. It fails with CodeNotFound,
// CodeNotOffered, CodeOrganizationClosed, CodeMemberActive, CodeMemberSuspended,
// CodeMemberRemoved (who was removed is let back by an invitation, M8),
// CodeRequestNotThere (whose request was rejected, where the e-mail domain asks),
// CodeEmailTaken and CodeSeatsFull.
func RequestToJoin(s State, p *policy.Policy, account domain.AccountID, r Request, at time.Time) ([]domain.Event, error) {
	if err := s.checkOpen(); err != nil {
		return nil, err
	}
	if p.Requests == nil {
		return nil, notOffered(p, "Ask an administrator of the organization for an invitation.")
	}
	member, known := s.Member(account)
	switch {
	case known && member.Status == Active:
		return nil, domain.Refuse(domain.CodeMemberActive, "You are a member", "There is nothing to ask for.")
	case known && member.Status == Suspended:
		return nil, suspended(p)
	case known && member.left:
		return nil, domain.Refuse(domain.CodeMemberRemoved, "You have left", "Ask an administrator of the organization for an invitation.")
	case known:
		return nil, p.RefuseOneself(domain.CodeMemberRemoved, "You were removed", "Ask an administrator of the organization for an invitation.")
	}
	if _, pending := s.Request(account); pending {
		return nil, nil
	}
	if rejected, _ := get(s.rejected, account); rejected && p.Requests.ByDomain {
		return nil, p.Refuse(domain.CodeRequestNotThere, "Your request was rejected", "Ask an administrator of the organization for an invitation.")
	}
	if _, invited := s.InvitationTo(r.Email); invited {
		return nil, domain.Refuse(domain.CodeEmailTaken, "You are invited", "Open the link in the mail that says so.")
	}
	if err := s.checkEmailFree(p, r.Email, ""); err != nil {
		return nil, err
	}
	if !s.autoActivates || p.Requests.ByDomain { // an address is no decision: somebody must approve
		return []domain.Event{JoinRequested{
			OrganizationID: s.ID, AccountID: account, Email: r.Email, DisplayName: r.DisplayName, RequestedAt: at, DigestAt: s.nextDigest(p, at),
		}}, nil
	}
	if err := s.checkOwnSeat(p); err != nil {
		return nil, err
	}
	return []domain.Event{s.joined(account, r, p.Requests.Roles, "request")}, nil
}

// Approve lets in somebody who asks, with these roles or, for none, with those
// that the policy has for it (C7, M1). It fails with CodeNotFound,
// CodePermissionDenied, CodeRequestNotThere, CodeRoleCount, CodeRoleUnknown,
// CodeRoleNotGranted, CodeEmailTaken and CodeSeatsFull.
func Approve(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, roles []domain.Role) ([]domain.Event, error) {
	actor, err := Authorize(s, p, by, domain.DecideRequests)
	if err != nil {
		return nil, err
	}
	r, pending := s.Request(account)
	if !pending {
		return nil, noRequest(p)
	}
	if roles == nil {
		roles = p.Requests.Roles
	} else if err := checkRoles(p, actor, roles); err != nil {
		return nil, err
	}
	if err := s.checkEmailFree(p, r.Email, ""); err != nil {
		return nil, err
	}
	if err := s.checkSeat(p); err != nil {
		return nil, err
	}
	return []domain.Event{s.joined(account, r, roles, "request")}, nil
}

// Reject takes a request away (C7, M1). It fails with CodeNotFound,
// CodePermissionDenied and CodeRequestNotThere.
func Reject(s State, p *policy.Policy, by domain.Actor, account domain.AccountID) ([]domain.Event, error) {
	if _, err := Authorize(s, p, by, domain.DecideRequests); err != nil {
		return nil, err
	}
	if _, pending := s.Request(account); !pending {
		return nil, noRequest(p)
	}
	return []domain.Event{JoinRequestClosed{OrganizationID: s.ID, AccountID: account, Outcome: "rejected"}}, nil
}

// WithdrawRequest takes one's own request back; it never fails.
func WithdrawRequest(s State, account domain.AccountID) []domain.Event {
	if _, pending := s.Request(account); !pending {
		return nil
	}
	return []domain.Event{JoinRequestClosed{OrganizationID: s.ID, AccountID: account, Outcome: "withdrawn"}}
}

// SetAutoActivation says whether those who ask are let in at once (M2). It fails
// with CodeNotFound, CodePermissionDenied and CodeNotOffered, also where people
// ask by their e-mail domain: there somebody must approve (C6).
func SetAutoActivation(s State, p *policy.Policy, by domain.Actor, on bool) ([]domain.Event, error) {
	if _, err := Authorize(s, p, by, domain.DecideRequests); err != nil {
		return nil, err
	}
	switch {
	case p.Requests == nil:
		return nil, notOffered(p, "Nobody asks to join an organization of this policy.")
	case on && p.Requests.ByDomain:
		return nil, notOffered(p, "Approve each request: here people ask to join by their e-mail domain alone.")
	case s.autoActivates == on:
		return nil, nil
	}
	return []domain.Event{AutoActivationChanged{OrganizationID: s.ID, Before: s.autoActivates, After: on}}, nil
}

// AddMember makes somebody a member without asking them (M4). It fails with
// CodeNotFound, CodePermissionDenied, CodeNotOffered, CodeRoleCount,
// CodeRoleUnknown, CodeRoleNotGranted, CodeMemberActive, CodeMemberSuspended,
// CodeMemberRemoved (who has left comes back by an invitation), CodeEmailTaken and
// CodeSeatsFull.
func AddMember(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, r Request, roles []domain.Role) ([]domain.Event, error) {
	if err := CheckAddition(s, p, by, r.Email, roles); err != nil {
		return nil, err
	}
	switch member, known := s.Member(account); {
	case known && member.Status == Active:
		return nil, domain.Refuse(domain.CodeMemberActive, "A member already", "Change the member's roles instead.")
	case known && member.Status == Suspended:
		return nil, p.Refuse(domain.CodeMemberSuspended, "Member suspended", "Reactivate the member instead.")
	case known && member.left:
		return nil, domain.Refuse(domain.CodeMemberRemoved, "The person has left", "Invite the person: whoever has left comes back by their own decision.")
	}
	return []domain.Event{s.joined(account, r, roles, viaAddition)}, nil
}

// CheckAddition refuses, before an account is made, what AddMember would refuse
// after. It fails with CodeNotFound, CodePermissionDenied, CodeNotOffered,
// CodeRoleCount, CodeRoleUnknown, CodeRoleNotGranted, CodeEmailTaken and
// CodeSeatsFull.
func CheckAddition(s State, p *policy.Policy, by domain.Actor, email domain.Email, roles []domain.Role) error {
	actor, err := Authorize(s, p, by, domain.AddMembers)
	switch {
	case err != nil:
		return err
	case p.Additions == nil:
		return notOffered(p, "Invite the person instead.")
	}
	if err := checkRoles(p, actor, roles); err != nil {
		return err
	}
	if err := s.checkEmailFree(p, email, ""); err != nil {
		return err
	}
	return s.checkSeat(p)
}

// joined lets an account in that no invitation was for.
func (s State) joined(account domain.AccountID, r Request, roles []domain.Role, via string) domain.Event {
	return MemberJoined{
		OrganizationID: s.ID, AccountID: account, Email: r.Email, DisplayName: r.DisplayName, Roles: slices.Clone(roles), Via: via,
	}
}

func noRequest(p *policy.Policy) error {
	return p.Refuse(domain.CodeRequestNotThere, "No such request", "Look at the list of requests: it is decided, or was withdrawn.")
}

func notOffered(p *policy.Policy, message string) error {
	return p.Refuse(domain.CodeNotOffered, "Not offered here", message)
}

func suspended(p *policy.Policy) error {
	return p.Refuse(domain.CodeMemberSuspended, "Membership suspended", "Ask an administrator of the organization to reactivate it.")
}
