package policies

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tenure/domain"
	"tenure/domain/policy"
)

// Onboarding finds the newest version of a policy by which a server can onboard
// people. The error says, for the person who named the policy, why there is none.
func (c *Catalogue) Onboarding(name string) (*policy.Policy, error) {
	p, ok := c.Latest(name)
	switch {
	case !ok:
		return nil, fmt.Errorf("there is no such built-in policy, and people are onboarded by a built-in one only; name one of %s", strings.Join(c.Names(), ", "))
	case p.Onboarding == nil:
		return nil, errors.New("the policy has no rules for onboarding; add them, or name another one")
	case p.Onboarding.Personal == "":
		return p, nil
	}
	switch space, ok := c.Latest(p.Onboarding.Personal); {
	case !ok:
		return nil, fmt.Errorf("its onboarding.personal names %s, which is no policy of this server", p.Onboarding.Personal)
	case !space.Members.Personal:
		return nil, fmt.Errorf("its onboarding.personal names %s, where members.personal is not true", p.Onboarding.Personal)
	}
	return p, nil
}

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
