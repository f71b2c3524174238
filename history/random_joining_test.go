package history_test

import (
	"fmt"
	"slices"
	"time"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

func (s *story) invite() {
	id := domain.InvitationID(s.uuid())
	o := organization.InvitationOpened{
		OrganizationID: s.id, InvitationID: id, Generation: 1, Email: domain.Email(id[:8] + "@example.com"), Username: domain.Username(id[:8]),
		Roles: s.anyRoles(), InvitedBy: s.members[0], ExpiresAt: s.at.Add(200 * time.Hour),
	}
	s.organization(o)
	s.invitation(id, invitation.Issued{InvitationID: id, OrganizationID: s.id, Email: o.Email, Username: o.Username, Roles: o.Roles, InvitedBy: o.InvitedBy, ExpiresAt: o.ExpiresAt})
	s.invitations, s.issued = append(s.invitations, o), append(s.issued, id)
}

func (s *story) answer() {
	i, o, ok := pick(s, s.invitations)
	if !ok {
		return
	}
	s.invitations = slices.Delete(s.invitations, i, i+1)
	switch s.rng.IntN(6) {
	case 0:
		s.invitation(o.InvitationID, invitation.Declined{InvitationID: o.InvitationID, OrganizationID: s.id})
		s.organization(organization.InvitationClosed{OrganizationID: s.id, InvitationID: o.InvitationID, Outcome: "declined"})
	case 1:
		s.invitation(o.InvitationID, invitation.Revoked{InvitationID: o.InvitationID, OrganizationID: s.id, Cause: invitation.CauseRevoked})
		s.organization(organization.InvitationClosed{OrganizationID: s.id, InvitationID: o.InvitationID, Outcome: "revoked"})
	case 2:
		s.invitation(o.InvitationID, invitation.Expired{InvitationID: o.InvitationID, OrganizationID: s.id, Generation: o.Generation})
		s.organization(organization.InvitationClosed{OrganizationID: s.id, InvitationID: o.InvitationID, Outcome: "expired"})
		s.lapsed = append(s.lapsed, o)
	default:
		account := domain.AccountID(s.uuid())
		if i, asks, ok := pick(s, s.asking); ok && s.rng.IntN(3) == 0 {
			account, s.asking = asks, slices.Delete(s.asking, i, i+1)
		}
		s.invitation(o.InvitationID, invitation.Accepted{InvitationID: o.InvitationID, OrganizationID: s.id, AccountID: account})
		s.organization(organization.MemberJoined{
			OrganizationID: s.id, AccountID: account, Email: o.Email, Username: o.Username, DisplayName: "Name " + string(o.Username),
			Roles: o.Roles, InvitationID: o.InvitationID, InvitedBy: o.InvitedBy, Spaces: s.offered[o.InvitationID],
		})
		s.enter(account, "Name "+string(o.Username), o.Roles, s.offered[o.InvitationID])
	}
}

// reopen sends an invitation that has expired again.
func (s *story) reopen() {
	i, o, ok := pick(s, s.lapsed)
	if !ok {
		return
	}
	s.lapsed = slices.Delete(s.lapsed, i, i+1)
	o.Generation++
	s.organization(o)
	if spaces := s.offered[o.InvitationID]; len(spaces) > 0 {
		s.organization(organization.InvitationSpacesChanged{OrganizationID: s.id, InvitationID: o.InvitationID, Before: []domain.SpaceID{}, After: spaces})
	}
	s.invitation(o.InvitationID, invitation.Resent{InvitationID: o.InvitationID, OrganizationID: s.id, Generation: o.Generation, InvitedBy: o.InvitedBy, ExpiresAt: o.ExpiresAt})
	s.invitations = append(s.invitations, o)
}

func (s *story) resend() {
	i, o, ok := pick(s, s.invitations)
	if !ok {
		return
	}
	o.Generation++
	if s.rng.IntN(2) == 0 {
		o.Roles = s.anyRoles()
	}
	s.invitations[i] = o
	s.organization(o)
	s.invitation(o.InvitationID, invitation.Resent{InvitationID: o.InvitationID, OrganizationID: s.id, Generation: o.Generation, InvitedBy: o.InvitedBy, ExpiresAt: o.ExpiresAt})
}

// offer changes the spaces of an open invitation.
func (s *story) offer() {
	_, o, ok := pick(s, s.invitations)
	before := s.offered[o.InvitationID]
	after := slices.DeleteFunc(slices.Clone(s.spaces), func(domain.SpaceID) bool { return s.rng.IntN(2) == 0 })
	if !ok || slices.Equal(before, after) {
		return
	}
	s.organization(organization.InvitationSpacesChanged{OrganizationID: s.id, InvitationID: o.InvitationID, Before: before, After: after})
	s.offered[o.InvitationID] = after
}

// repeat asks an invitation for what it is already.
func (s *story) repeat() {
	if _, id, ok := pick(s, s.issued); ok {
		s.invitation(id, domain.ChangedNothing{})
	}
}

// ask has somebody ask to join, who may have asked before.
func (s *story) ask() {
	id := domain.AccountID(s.uuid())
	if i, again, ok := pick(s, s.answered); ok && s.rng.IntN(2) == 0 {
		id, s.answered = again, slices.Delete(s.answered, i, i+1)
	}
	s.organization(organization.JoinRequested{OrganizationID: s.id, AccountID: id, Email: domain.Email(id[:8] + "@example.com"), DisplayName: fmt.Sprint("Asks ", s.rng.IntN(50)), RequestedAt: s.at})
	s.asking = append(s.asking, id)
}

// decide ends a request.
func (s *story) decide() {
	i, id, ok := pick(s, s.asking)
	if !ok {
		return
	}
	s.asking = slices.Delete(s.asking, i, i+1)
	if outcome := []string{"rejected", "withdrawn", ""}[s.rng.IntN(3)]; outcome != "" {
		s.organization(organization.JoinRequestClosed{OrganizationID: s.id, AccountID: id, Outcome: outcome})
		s.answered = append(s.answered, id)
		return
	}
	roles := s.anyRoles()
	s.organization(organization.MemberJoined{OrganizationID: s.id, AccountID: id, Email: domain.Email(id[:8] + "@example.com"), DisplayName: "Asked", Roles: roles, Via: "request"})
	s.enter(id, "Asked", roles, nil)
}
