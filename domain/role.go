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

	SuspendMembers     Permission = "members.suspend"        // suspend, reactivate (M7)
	AddMembers         Permission = "members.add"            // without an invitation (M4)
	ResetPasswords     Permission = "members.reset_password" // M6
	ReadRequests       Permission = "requests.read"          // of those who ask to join
	DecideRequests     Permission = "requests.decide"        // C7, M1; and whether they need deciding (M2)
	DeleteOrganization Permission = "organization.delete"    // D9

	ReadSpaces   Permission = "spaces.read"
	ManageSpaces Permission = "spaces.manage" // create, rename, delete
	AssignSpaces Permission = "spaces.assign" // which of them a member may enter
	ManageWork   Permission = "work.manage"   // what is assigned to members

	ReadSettings        Permission = "settings.read"
	UpdateSettings      Permission = "settings.update"
	ReadBilling         Permission = "billing.read"
	ManageBilling       Permission = "billing.manage"
	ReadSubscriptions   Permission = "subscriptions.read"
	ManageSubscriptions Permission = "subscriptions.manage"
	ReadPlatforms       Permission = "platforms.read"
	ManagePlatforms     Permission = "platforms.manage"
	StartTrials         Permission = "trials.start"

	ReadWebhooks   Permission = "webhooks.read"
	ManageWebhooks Permission = "webhooks.manage" // with history.read: what is delivered is the history
)

// SameRoles reports whether a and b hold the same roles, in whatever order.
func SameRoles(a, b []Role) bool {
	return holdsAll(a, b) && holdsAll(b, a)
}

// MapRoles answers with what roles become when each is replaced by those that
// the mapping has for it, and no role at all by noRole. One that the mapping does
// not name stays, and none stands twice.
func MapRoles(roles []Role, mapping map[Role][]Role, noRole []Role) []Role {
	if len(roles) == 0 {
		roles, mapping = noRole, nil
	}
	mapped := make([]Role, 0, len(roles))
	for _, role := range roles {
		become, ok := mapping[role]
		if !ok {
			become = []Role{role}
		}
		for _, r := range become {
			if !slices.Contains(mapped, r) {
				mapped = append(mapped, r)
			}
		}
	}
	return mapped
}

func holdsAll(roles, of []Role) bool {
	return !slices.ContainsFunc(of, func(r Role) bool { return !slices.Contains(roles, r) })
}
