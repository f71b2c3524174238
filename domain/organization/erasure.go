package organization

import (
	"tenure/domain"
	"tenure/domain/policy"
)

// MemberErased says that one who was, or is, or asked to become a member is
// erased as a person. What views show of them is made of the pseudonym from then
// on; the values that the log holds open no more.
type MemberErased struct {
	OrganizationID domain.OrganizationID `json:"organization_id"`
	AccountID      domain.AccountID      `json:"account_id"`
	Pseudonym      domain.Pseudonym      `json:"pseudonym"`
}

// InvitationErased says that the person for whom an invitation was is erased, in
// the same way.
type InvitationErased struct {
	OrganizationID domain.OrganizationID `json:"organization_id"`
	InvitationID   domain.InvitationID   `json:"invitation_id"`
	Pseudonym      domain.Pseudonym      `json:"pseudonym"`
}

// EventType implements domain.Event.
func (InvitationErased) EventType() string { return "organization.invitation_erased.v1" }

// EventType implements domain.Event.
func (MemberErased) EventType() string { return "organization.member_erased.v1" }

// CheckErasure refuses to erase a member whom the others cannot do without. The
// only member of an organization may always go. It fails with CodeOwnerProtected
// and CodeLastAdmin.
func CheckErasure(s State, p *policy.Policy, account domain.AccountID) error {
	member, ok := s.Member(account)
	switch {
	case !ok || !member.Present() || s.Deleted || s.ActiveMembers()+s.suspended <= 1:
		return nil
	case p.Owns(member.Roles):
		return p.Refuse(domain.CodeOwnerProtected, "The owner is protected", "Transfer the ownership first.")
	case member.Status == Active && p.AdminLike(member.Roles) && s.admins(p) <= p.Members.MinimumAdmins:
		return lastAdmin(p)
	}
	return nil
}

// Erase ends what an account that was erased has to do with the organization:
// its membership, the work assigned to it, a transfer that it is a side of, its
// request. An organization whose last member this was, suspended ones too, ends:
// nobody is left who could do anything in it, and its name, its e-mail domain and
// its open invitations are given back as after any deletion. It never fails, and
// does nothing twice, unless a command that was under way has brought the account
// back.
func Erase(s State, account domain.AccountID, pseudonym domain.Pseudonym) []domain.Event {
	member, _ := s.Member(account)
	_, asks := s.Request(account)
	_, done := get(s.erased, account)
	present := member.Present() && !s.Deleted
	if !s.Exists() || done && !present && !asks {
		return nil
	}
	var events []domain.Event
	if present {
		events = append(s.releaseAll(account, member, "removed"), s.removed(account, member))
		events = append(events, s.voidTransferOf(account)...)
		if s.ActiveMembers()+s.suspended == 1 {
			ended := Deleted{OrganizationID: s.ID, Name: s.Name}
			if s.Personal { // whose name is the person's own
				ended.Name = domain.OrganizationName(pseudonym.DisplayName())
			}
			events = append(events, ended)
		}
	}
	if asks {
		events = append(events, JoinRequestClosed{OrganizationID: s.ID, AccountID: account, Outcome: "withdrawn"})
	}
	return append(events, MemberErased{OrganizationID: s.ID, AccountID: account, Pseudonym: pseudonym})
}

// EraseInvitation has everybody forget whom an invitation was for, once it has
// ended. It never fails, and does nothing twice.
func EraseInvitation(s State, id domain.InvitationID, pseudonym domain.Pseudonym) []domain.Event {
	if _, done := get(s.erasedInvitations, id); done || !s.Exists() {
		return nil
	}
	return []domain.Event{InvitationErased{OrganizationID: s.ID, InvitationID: id, Pseudonym: pseudonym}}
}

func (s State) eraseMember(e MemberErased) State {
	s.erased = set(s.erased, e.AccountID, true)
	if s.Personal {
		s.Name = domain.OrganizationName(e.Pseudonym.DisplayName())
	}
	if m, known := s.Member(e.AccountID); known {
		m.DisplayName = e.Pseudonym.DisplayName()
		s.members = set(s.members, e.AccountID, m)
	}
	return s
}
