package domain

import "slices"

// Role is the name of a role in a policy, for example "OWNER".
type Role string

// Permission is the name of something that a role may allow: one of Tenure's
// own, listed below, or the host product's, which start with "app:".
type Permission string

// The permissions that Tenure itself asks for. Each stands in the
// documentation of the routes that it opens.
const (
	ReadOrganization   Permission = "organization.read"   // name, policy, limits
	UpdateOrganization Permission = "organization.update" // rename
	ReadMembers        Permission = "members.read"        // the list, and any member
	InviteMembers      Permission = "members.invite"      // invite, resend, revoke
	ChangeRoles        Permission = "members.change_roles"
	RemoveMembers      Permission = "members.remove"
	ReadInvitations    Permission = "invitations.read"
	TransferOwnership  Permission = "ownership.transfer"
	ReadHistory        Permission = "history.read"
)

// SameRoles reports whether a and b hold the same roles, in whatever order.
func SameRoles(a, b []Role) bool {
	return holdsAll(a, b) && holdsAll(b, a)
}

func holdsAll(roles, of []Role) bool {
	return !slices.ContainsFunc(of, func(r Role) bool { return !slices.Contains(roles, r) })
}
