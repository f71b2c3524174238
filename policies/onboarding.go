package policies

import (
	"slices"

	"tenure/domain"
)

// onboarding checks the rules for whoever signs in. Whether the policy of the
// personal spaces fits is for the catalogue to say.
func (c *check) onboarding(o onboarding) {
	at := path{"onboarding"}
	switch {
	case !o.ByDomain && o.Personal == "":
		c.report(at, "Set by_domain to true, name the policy of the personal spaces, or leave this out; it says nothing.")
	case o.ByDomain && (c.document.Requests == nil || !c.document.Requests.ByDomain):
		c.report(at.down("by_domain"), "Add \"requests\" with by_domain: true; who comes second from an e-mail domain could not ask to join.")
	}
}

// invitations are for whom there is an organization to join.
func (c *check) invitations() {
	if c.source.find(path{"invitations"}) == nil {
		c.report(path{}, "Add \"invitations\": the rules for invitations.")
	}
}

// notPersonal are the permissions that nobody needs who is alone for ever.
var notPersonal = []domain.Permission{
	domain.InviteMembers, domain.AddMembers, domain.ChangeRoles, domain.RemoveMembers, domain.SuspendMembers, domain.ResetPasswords,
	domain.ReadInvitations, domain.ReadRequests, domain.DecideRequests, domain.TransferOwnership, domain.DeleteOrganization,
}

// personal checks that nobody can come to a personal space besides its founder,
// and that it cannot go.
func (c *check) personal() {
	for i, r := range c.document.Roles {
		at := path{"roles"}.index(i)
		for j, permission := range r.Permissions {
			if slices.Contains(notPersonal, permission) {
				c.report(at.down("permissions").index(j), "Leave this out; a personal space has one member for ever.")
			}
		}
		if r.Exclusive {
			c.report(at.down("exclusive"), "Leave this out; a personal space keeps nobody from a role elsewhere.")
		}
	}
	if c.document.Members.MayRemoveOneself {
		c.report(path{"members", "may_remove_oneself"}, "Leave this out; nobody leaves their own space.")
	}
	for i, permission := range c.document.Members.Permissions {
		if slices.Contains(notPersonal, permission) {
			c.report(path{"members", "permissions"}.index(i), "Leave this out; a personal space has one member for ever.")
		}
	}
	for _, name := range []string{"invitations", "requests", "additions", "ownership", "onboarding"} {
		if c.source.find(path{name}) != nil {
			c.report(path{name}, "Leave this out; a personal space has one member for ever.")
		}
	}
}
