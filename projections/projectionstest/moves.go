package projectionstest

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/eventstore/codec"
	"tenure/projections"
)

// movePolicy changes an organization's policy: some roles become others, one
// becomes several or none, and names come back with another meaning.
func (h *history) movePolicy() {
	if o, ok := h.organization(); ok {
		h.move(o)
	}
}

// moveOften changes it again and again. In between somebody leaves and an
// invitation is revoked: they keep what roles had become by then.
func (h *history) moveOften() {
	for range 3 {
		h.movePolicy()
		h.remove()
		h.revoke()
	}
}

func (h *history) move(o *org) {
	some := []domain.Role{"USER", "ADMIN", "OWNER", "HAND", "BOSS", "ROLE.with/dots"}
	mapping := make(map[domain.Role][]domain.Role)
	for _, role := range some {
		mapping[role] = rapid.SliceOfNDistinct(rapid.SampledFrom(some), 0, 2, rapid.ID).Draw(h.t, "becomes")
		if rapid.Bool().Draw(h.t, "stays") {
			mapping[role] = []domain.Role{role}
		}
	}
	e := organization.PolicyChanged{
		OrganizationID: o.id, Before: organization.PolicyVersion{Policy: "p", Version: len(h.events)},
		After: organization.PolicyVersion{Policy: "p", Version: len(h.events) + 1}, Roles: mapping,
		NoRole: rapid.SliceOfNDistinct(rapid.SampledFrom(some), 0, 2, rapid.ID).Draw(h.t, "no role becomes"),
	}
	if rapid.Bool().Draw(h.t, "digest") {
		e.DigestAt = h.now.Add(48 * time.Hour)
	}
	h.inOrg(o, e)
	for id, roles := range o.members {
		o.members[id] = domain.MapRoles(roles, mapping, e.NoRole)
	}
	for _, i := range o.invitations {
		if i.status == invitation.StatusPending || i.status == invitation.StatusExpired {
			i.roles = domain.MapRoles(i.roles, mapping, e.NoRole)
		}
	}
}

// gone checks that those who were removed, and invitations that were revoked, are
// found by the roles that they had then, whatever those have become since.
func (c checker) gone(org domain.OrganizationID) {
	for _, role := range someRoles {
		members, err := c.r.Members(context.Background(), projections.MembersQuery{Organization: org, Status: "removed", Role: role})
		c.is.NoErr(err)
		invitations, err := c.r.Invitations(context.Background(), projections.InvitationsQuery{Organization: org, Status: "revoked", Role: role})
		c.is.NoErr(err)
		removed, revoked := 0, 0
		for _, m := range c.m.members {
			if m.org == org && m.Status == organization.Removed && hasRole(m.Roles, role) {
				removed++
			}
		}
		for _, i := range c.m.invitations {
			if i.org == org && i.Status == invitation.StatusRevoked && hasRole(i.Roles, role) {
				revoked++
			}
		}
		if members.Len() != removed || invitations.Len() != revoked {
			c.t.Fatalf("with the role %q, %d of %d who were removed are found, and %d of %d invitations", role, members.Len(), removed, invitations.Len(), revoked)
		}
	}
}

// move gives everybody what their roles become, and answers with those of
// members before and after.
func (m *model) move(e codec.Envelope) map[domain.AccountID]projections.RolesMoved {
	x, ok := e.Event.(organization.PolicyChanged)
	if !ok {
		return nil
	}
	become := func(roles []domain.Role) []domain.Role {
		after := []domain.Role{}
		if len(roles) == 0 {
			return append(after, x.NoRole...)
		}
		seen := make(map[domain.Role]bool)
		for _, role := range roles {
			for _, r := range x.Roles[role] {
				if !seen[r] {
					after = append(after, r)
				}
				seen[r] = true
			}
		}
		return after
	}
	moved := make(map[domain.AccountID]projections.RolesMoved)
	for _, member := range m.members {
		if member.org != x.OrganizationID || member.Status == organization.Removed || member.Status == projections.Pending {
			continue
		}
		before := member.Roles
		member.Roles = become(before)
		if member.Status != projections.Invited {
			moved[member.AccountID] = projections.RolesMoved{Before: before, After: member.Roles}
		}
	}
	for _, i := range m.invitations {
		if i.org == x.OrganizationID && (i.Status == invitation.StatusPending || i.Status == invitation.StatusExpired) {
			i.Roles = become(i.Roles)
		}
	}
	o := m.org(x.OrganizationID)
	o.Policy, o.PolicyVersion = x.After.Policy, x.After.Version
	return moved
}
