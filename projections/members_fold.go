package projections

import (
	"cmp"

	"tenure/domain/organization"
)

// memberDoc is what is stored: a member, or the changes of policy.
type memberDoc struct {
	Member
	heldRoles
	Moves policyMoves `json:"moves,omitempty"`
}

func members() View[memberDoc] {
	return View[memberDoc]{
		Name: membersView,
		Types: []string{
			"organization.activated.", "organization.member_", "organization.roles_changed.", "organization.ownership_transferred.",
			"organization.invitation_", "organization.join_request", "organization.spaces_assigned.", "organization.space_deleted.",
			"organization.policy_changed.",
		},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case organization.Activated:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberJoined:
				if x.InvitationID == "" {
					return []Key{memberKey(x.OrganizationID, x.AccountID)}
				}
				return []Key{memberKey(x.OrganizationID, x.AccountID), invitedKey(x.OrganizationID, x.InvitationID)}
			case organization.InvitationOpened:
				return []Key{invitedKey(x.OrganizationID, x.InvitationID)}
			case organization.InvitationSpacesChanged:
				return []Key{invitedKey(x.OrganizationID, x.InvitationID)}
			case organization.InvitationClosed:
				return []Key{invitedKey(x.OrganizationID, x.InvitationID)}
			case organization.SpacesAssigned:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.SpaceDeleted:
				return []Key{deletedSpaceKey(x.OrganizationID, x.SpaceID)}
			case organization.PolicyChanged:
				return []Key{movesKey(x.OrganizationID)}
			case organization.MemberRenamed:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.RolesChanged:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberRemoved:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberSuspended:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberReactivated:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.JoinRequested:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.JoinRequestClosed:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberErased:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.OwnershipTransferred:
				return []Key{memberKey(x.OrganizationID, x.From), memberKey(x.OrganizationID, x.To)}
			}
			return nil
		},
		Fold: func(d *memberDoc, in In[memberDoc]) *memberDoc {
			if d == nil {
				d = &memberDoc{}
			}
			if _, moved := in.Event.Event.(organization.PolicyChanged); moved {
				return &memberDoc{Moves: d.Moves.and(in.Event)}
			}
			m := &d.Member
			if m.Status == "" {
				m = nil
			}
			if m = foldMember(m, in.Key, in.Event); m == nil {
				return nil
			}
			return &memberDoc{Member: *m, heldRoles: d.heldRoles.after(in.Event)}
		},
		Entries: func(_ Key, m *memberDoc) []Entry { return m.entries() },
	}
}

func foldMember(m *Member, key Key, e Event) *Member {
	at := e.Metadata.OccurredAt.UTC()
	switch x := e.Event.(type) {
	case organization.Activated:
		return &Member{
			AccountID: x.AccountID, Email: x.Email, Username: x.Username, DisplayName: x.DisplayName,
			Roles: roles(x.Roles), Status: organization.Active, JoinedAt: at,
		}
	case organization.InvitationOpened:
		invited := &Member{
			Email: x.Email, Username: x.Username, DisplayName: cmp.Or(string(x.Username), string(x.Email)), Roles: roles(x.Roles),
			Status: Invited, JoinedAt: at, InvitedBy: x.InvitedBy, InvitationID: x.InvitationID,
		}
		if m != nil { // a resend
			invited.JoinedAt, invited.Spaces = m.JoinedAt, m.Spaces
		}
		return invited
	case organization.InvitationClosed:
		return nil
	case organization.SpaceDeleted:
		return &Member{} // a mark
	case organization.MemberJoined:
		if key != memberKey(x.OrganizationID, x.AccountID) {
			return nil // the invitation's
		}
		return &Member{
			Spaces: x.Spaces, AccountID: x.AccountID, Email: x.Email, Username: x.Username, DisplayName: x.DisplayName,
			Roles: roles(x.Roles), Status: organization.Active, JoinedAt: at, InvitedBy: x.InvitedBy, InvitationID: x.InvitationID,
		}
	case organization.JoinRequested:
		return &Member{
			AccountID: x.AccountID, Email: x.Email, DisplayName: x.DisplayName, Roles: roles(nil), Status: Pending, RequestedAt: &at,
		}
	case organization.JoinRequestClosed:
		return nil
	}
	if m == nil {
		return nil
	}
	switch x := e.Event.(type) {
	case organization.MemberRenamed:
		m.DisplayName = x.After
	case organization.RolesChanged:
		m.Roles = roles(x.After)
	case organization.SpacesAssigned:
		m.Spaces = x.After
	case organization.InvitationSpacesChanged:
		m.Spaces = x.After
	case organization.MemberRemoved:
		m.Status, m.RemovedAt, m.SuspendedAt, m.Spaces = organization.Removed, &at, nil, nil
	case organization.MemberSuspended:
		m.Status, m.SuspendedAt = organization.Suspended, &at
	case organization.MemberReactivated:
		m.Status, m.SuspendedAt = organization.Active, nil
	case organization.MemberErased:
		m.erase(x.Pseudonym)
	case organization.OwnershipTransferred:
		if m.AccountID == x.From {
			m.Roles = roles(x.FromAfter)
		} else {
			m.Roles = roles(x.ToAfter)
		}
	}
	return m
}
