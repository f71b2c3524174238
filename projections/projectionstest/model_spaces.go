package projectionstest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore/codec"
	"tenure/projections"
)

type modelSpace struct {
	org domain.OrganizationID
	projections.Space
}

type modelWork struct {
	org domain.OrganizationID
	projections.Work
}

// foldInvited keeps those whose invitation is open among the members.
func (m *model) foldInvited(e codec.Envelope) {
	switch x := e.Event.(type) {
	case organization.InvitationOpened:
		if m.invited(x.InvitationID) == nil {
			m.members = append(m.members, &modelMember{x.OrganizationID, projections.Member{
				Email: x.Email, Username: x.Username, DisplayName: cmp.Or(string(x.Username), string(x.Email)), Roles: x.Roles,
				Status: projections.Invited, JoinedAt: e.Metadata.OccurredAt, InvitedBy: x.InvitedBy, InvitationID: x.InvitationID,
			}})
		}
	case organization.InvitationSpacesChanged:
		if i := m.invited(x.InvitationID); i != nil {
			i.Spaces = x.After
		}
		for _, i := range m.invitations {
			if i.InvitationID == x.InvitationID {
				i.Spaces = x.After
			}
		}
	case organization.InvitationClosed:
		m.uninvite(x.InvitationID)
	case organization.MemberJoined:
		m.uninvite(x.InvitationID)
	}
}

func (m *model) invited(id domain.InvitationID) *modelMember {
	for _, x := range m.members {
		if x.Status == projections.Invited && x.InvitationID == id {
			return x
		}
	}
	return nil
}

func (m *model) uninvite(id domain.InvitationID) {
	m.members = slices.DeleteFunc(m.members, func(x *modelMember) bool { return x.Status == projections.Invited && x.InvitationID == id })
}

func (m *model) foldSpaces(e codec.Envelope) {
	switch x := e.Event.(type) {
	case organization.SpaceCreated:
		m.spaces = append(m.spaces, &modelSpace{x.OrganizationID, projections.Space{SpaceID: x.SpaceID, Name: x.Name, CreatedAt: e.Metadata.OccurredAt}})
	case organization.SpaceRenamed:
		for _, s := range m.spaces {
			if s.SpaceID == x.SpaceID {
				s.Name = x.After
			}
		}
	case organization.SpaceDeleted:
		m.spaces = slices.DeleteFunc(m.spaces, func(s *modelSpace) bool { return s.SpaceID == x.SpaceID })
	case organization.SpacesAssigned:
		m.member(x.OrganizationID, x.AccountID).Spaces = x.After
	case organization.WorkAssigned:
		m.release(x.AccountID, x.OrganizationID, x.WorkID)
		m.work = append(m.work, &modelWork{x.OrganizationID, projections.Work{AccountID: x.AccountID, Kind: x.Kind, WorkID: x.WorkID, AssignedAt: e.Metadata.OccurredAt}})
	case organization.WorkReleased:
		m.release(x.AccountID, x.OrganizationID, x.WorkID)
	}
}

func (m *model) release(account domain.AccountID, org domain.OrganizationID, id string) {
	m.work = slices.DeleteFunc(m.work, func(w *modelWork) bool { return w.AccountID == account && w.org == org && w.WorkID == id })
}

// shown is a member without the spaces that are gone.
func (m *model) shown(x projections.Member) projections.Member {
	x.Spaces = slices.DeleteFunc(slices.Clone(x.Spaces), func(id domain.SpaceID) bool {
		return !slices.ContainsFunc(m.spaces, func(s *modelSpace) bool { return s.SpaceID == id })
	})
	return x
}

func (m *model) spacesOf(org domain.OrganizationID, holds func(domain.SpaceID) bool) (found []projections.Space) {
	for _, s := range m.spaces {
		if s.org == org && holds(s.SpaceID) {
			found = append(found, s.Space)
		}
	}
	slices.SortFunc(found, func(a, b projections.Space) int {
		return cmp.Or(strings.Compare(domain.Fold(a.Name), domain.Fold(b.Name)), cmp.Compare(a.SpaceID, b.SpaceID))
	})
	return found
}

func (c checker) spaces(org domain.OrganizationID) {
	q := projections.SpacesQuery{Organization: org}
	same(c, q, pages[projections.Space](c, func(cursor string, limit int) (projections.Page, error) {
		q.Cursor, q.Limit = cursor, limit
		return c.r.Spaces(context.Background(), q)
	}), c.m.spacesOf(org, func(domain.SpaceID) bool { return true }))
	for _, m := range c.m.members {
		if m.org != org || m.AccountID == "" {
			continue
		}
		same(c, m, pages[projections.Space](c, func(cursor string, limit int) (projections.Page, error) {
			q.Cursor, q.Limit = cursor, limit
			return c.r.SpacesOf(context.Background(), m.AccountID, q)
		}), c.m.spacesOf(org, func(id domain.SpaceID) bool { return slices.Contains(m.Spaces, id) }))
		var want []projections.Work
		for _, w := range c.m.work {
			if w.org == org && w.AccountID == m.AccountID {
				want = append(want, w.Work)
			}
		}
		slices.SortFunc(want, func(a, b projections.Work) int { return strings.Compare(a.WorkID, b.WorkID) })
		same(c, m, pages[projections.Work](c, func(cursor string, limit int) (projections.Page, error) {
			return c.r.Work(context.Background(), projections.WorkQuery{Organization: org, Account: m.AccountID, Cursor: cursor, Limit: limit})
		}), want)
	}
}

// hasStatus reports whether a list with the status, as a query has it, shows the
// member.
func hasStatus(m projections.Member, status string) bool {
	if status == "present" {
		return m.Status != organization.Removed && m.Status != projections.Pending
	}
	return string(m.Status) == cmp.Or(status, "active")
}

// documentID is what members that are equal otherwise are ordered by.
func documentID(m projections.Member) string {
	if m.Status == projections.Invited {
		return "invited/" + string(m.InvitationID)
	}
	return string(m.AccountID)
}
