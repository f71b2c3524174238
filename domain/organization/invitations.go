package organization

import (
	"slices"
	"time"

	"tenure/domain"
	"tenure/domain/policy"
)

// Invitee is whom an invitation is for.
type Invitee struct {
	InvitationID domain.InvitationID
	Email        domain.Email    // empty: the username, if that is an address
	Username     domain.Username // with a provider, of the account there
	Roles        []domain.Role
	Language     string

	Provider string       // that the invitee has to sign in with (S2); empty: in any way
	Tenant   string       // of the provider; empty: any
	Notify   domain.Email // where the mail goes instead of to Email

	Spaces []domain.SpaceID // that they may enter once they are a member (D6)
}

// Invite opens an invitation (O3). It fails with CodeNotFound,
// CodePermissionDenied, CodeProviderNotOffered, CodeInvalid, CodeUsernameNeeded, CodeRoleCount, CodeRoleUnknown,
// CodeRoleNotGranted, CodeEmailTaken and CodeUsernameTaken; with spaces as
// AssignInvitationSpaces does.
func Invite(s State, p *policy.Policy, by domain.Actor, in Invitee, at time.Time) ([]domain.Event, error) {
	invitee := addressed(p, in)
	events, err := s.openInvitation(p, by, invitee, 1, at)
	if invitee.Email != in.Email {
		err = ofUsername(err)
	}
	if err != nil || len(in.Spaces) == 0 {
		return events, err
	}
	assigned, err := AssignInvitationSpaces(Evolve(s, events[0]), p, by, in.InvitationID, in.Spaces)
	if err != nil {
		return nil, err
	}
	return append(events, assigned...), nil
}

// Resend opens the invitation's next generation, also when it has expired and
// its names were given back (O6); generation is the one that the link has now.
// The invitee's spaces stay, and so does the lack of a username that invitations
// were not asked for when this one was made (X10). It fails with CodeNotFound,
// CodePermissionDenied, CodeProviderNotOffered, CodeInvalid, CodeRoleCount, CodeRoleUnknown, CodeRoleNotGranted,
// CodeEmailTaken and CodeUsernameTaken.
func Resend(s State, p *policy.Policy, by domain.Actor, in Invitee, generation int, at time.Time) ([]domain.Event, error) {
	if open, ok := s.Invitation(in.InvitationID); ok {
		generation = max(generation, open.Generation)
	}
	events, err := s.openInvitation(p, by, in, generation+1, at)
	if err != nil {
		return nil, err
	}
	if before, _ := get(s.lapsed, in.InvitationID); len(s.existing(before.spaces)) > 0 {
		events = append(events, InvitationSpacesChanged{
			OrganizationID: s.ID, InvitationID: in.InvitationID, Before: []domain.SpaceID{}, After: s.existing(before.spaces),
		})
	}
	return events, nil
}

// OpenInvitations counts the invitations that are open.
func (s State) OpenInvitations() int {
	if s.invitations == nil {
		return 0
	}
	return s.invitations.Len()
}

// InvitationTo finds the open invitation to an address.
func (s State) InvitationTo(email domain.Email) (domain.InvitationID, bool) {
	holder, _ := get(s.emails, email.Key())
	id := domain.InvitationID(holder)
	_, open := s.Invitation(id)
	return id, open
}

// AuthorizeRevocation checks that the actor may withdraw an invitation to these
// roles. It fails with CodeNotFound, CodePermissionDenied and CodeRoleNotGranted.
func AuthorizeRevocation(s State, p *policy.Policy, by domain.Actor, roles []domain.Role) error {
	actor, err := Authorize(s, p, by, domain.InviteMembers)
	if err != nil {
		return err
	}
	return checkRoles(p, actor, roles)
}

// CloseInvitation gives the names of an invitation back; one that is closed
// already stays so. Outcome is declined, revoked or accepted, after which no
// resend can open it again; for expired there is ExpireInvitation.
func CloseInvitation(s State, id domain.InvitationID, outcome string) []domain.Event {
	if _, open := s.Invitation(id); !open {
		return nil
	}
	return []domain.Event{InvitationClosed{OrganizationID: s.ID, InvitationID: id, Outcome: outcome}}
}

// ExpireInvitation gives the names of an invitation back whose link of a
// generation has expired; one that was opened again since stays open.
func ExpireInvitation(s State, id domain.InvitationID, generation int) []domain.Event {
	if open, _ := s.Invitation(id); open.Generation > generation {
		return nil
	}
	return CloseInvitation(s, id, "expired")
}

// CheckAdmission refuses what would keep an invitee from being admitted, before
// the link is used up. It fails with CodeNotFound and, when the inviter is no
// longer a member and the policy minds, CodeInvitationRevoked (X14).
func CheckAdmission(s State, p *policy.Policy, id domain.InvitationID) error {
	open, ok := s.Invitation(id)
	if !ok {
		return domain.Refuse(domain.CodeNotFound, "No such invitation", "Ask for a new invitation.")
	}
	if s.Deleted {
		return domain.Refuse(domain.CodeNotFound, "No such invitation", "Ask for a new invitation.")
	}
	if _, active := s.ActiveMember(open.InvitedBy); !active && p.Invitations.RevokeWhenInviterLeaves {
		return domain.Refuse(domain.CodeInvitationRevoked, "Invitation revoked", "Ask the organization for a new invitation.")
	}
	return nil
}

// Joiner is an account that has accepted an invitation.
type Joiner struct {
	AccountID    domain.AccountID
	Email        domain.Email
	Username     domain.Username
	DisplayName  string
	InvitationID domain.InvitationID
	InvitedBy    domain.AccountID
}

// Admit makes the joiner a member with the roles and spaces that the invitation has by now. An account
// that is a member already keeps its roles, and the invitation is closed. An
// invitation admits once: it does not bring back a member who was removed since.
func Admit(s State, j Joiner) []domain.Event {
	m, known := s.Member(j.AccountID)
	if known && (m.Present() || m.invitation == j.InvitationID) {
		return CloseInvitation(s, j.InvitationID, "accepted")
	}
	open, ok := s.Invitation(j.InvitationID)
	if _, erased := get(s.erased, j.AccountID); !ok || s.Deleted || erased {
		return CloseInvitation(s, j.InvitationID, "accepted")
	}
	joined := MemberJoined{
		OrganizationID: s.ID, AccountID: j.AccountID, Email: j.Email, Username: j.Username, DisplayName: j.DisplayName,
		Roles: slices.Clone(open.Roles), InvitationID: j.InvitationID, InvitedBy: j.InvitedBy,
	}
	if spaces := s.existing(open.spaces); len(spaces) > 0 {
		joined.Spaces = spaces
	}
	return []domain.Event{joined}
}

// checkEmailFree refuses an address that a member has, or an open invitation
// besides this one.
func (s State) checkEmailFree(p *policy.Policy, email domain.Email, besides domain.InvitationID) error {
	if holder, taken := get(s.emails, email.Key()); taken && email != "" && (besides == "" || holder != string(besides)) {
		e := p.Refuse(domain.CodeEmailTaken, "Invite conflict", "This e-mail address belongs to a member or an open invitation; use another.")
		e.Field = "email"
		return e
	}
	return nil
}

func (s State) openInvitation(p *policy.Policy, by domain.Actor, in Invitee, generation int, at time.Time) ([]domain.Event, error) {
	actor, err := Authorize(s, p, by, domain.InviteMembers)
	if err != nil {
		return nil, err
	}
	if err := checkProvider(p, in); err != nil {
		return nil, err
	}
	if generation == 1 { // one that is resent has what it was made with
		if err := checkUsername(p, in.Username); err != nil {
			return nil, err
		}
	}
	if err := checkRoles(p, actor, in.Roles); err != nil {
		return nil, err
	}
	if err := s.checkEmailFree(p, in.Email, in.InvitationID); err != nil {
		return nil, err
	}
	if holder, taken := get(s.usernames, in.Username.Key()); taken && holder != string(in.InvitationID) {
		e := p.Refuse(domain.CodeUsernameTaken, "Invite conflict", "This username belongs to a member or an open invitation; choose another.")
		e.Field = "username"
		return nil, e
	}
	inviter, _ := by.Account()
	return []domain.Event{InvitationOpened{
		OrganizationID: s.ID, InvitationID: in.InvitationID, Generation: generation,
		Email: in.Email, Username: in.Username, Roles: slices.Clone(in.Roles), Language: in.Language,
		InvitedBy: inviter, ExpiresAt: at.Add(p.Invitations.Lifetime),
		Provider: in.Provider, Tenant: in.Tenant, Notify: in.Notify,
	}}, nil
}

func (s State) open(e InvitationOpened) State {
	before, _ := s.Invitation(e.InvitationID)
	s = s.close(e.InvitationID)
	open := OpenInvitation{Generation: e.Generation, Roles: e.Roles, InvitedBy: e.InvitedBy, email: e.Email.Key(), username: e.Username.Key(), spaces: before.spaces}
	if _, lapsed := get(s.lapsed, e.InvitationID); lapsed {
		s.lapsed = s.lapsed.Delete(e.InvitationID)
	}
	s.invitations = set(s.invitations, e.InvitationID, open)
	s = s.take(string(e.InvitationID), open.email, open.username)
	if before.Claimed {
		s = s.claim(e.InvitationID)
	}
	return s
}

func (s State) close(id domain.InvitationID) State {
	open, ok := s.Invitation(id)
	if !ok {
		return s
	}
	s.invitations = s.invitations.Delete(id)
	if open.Claimed {
		s.claims--
	}
	return s.give(string(id), open.email, open.username)
}
