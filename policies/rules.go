package policies

import (
	"fmt"
	"slices"
	"strings"

	"tenure/domain"
	"tenure/domain/policy"
)

// check finds the rules of a document that contradict each other, which no
// schema can say. It works on what could be decoded.
type check struct {
	document document
	rules    *policy.Policy // as far as it could be decoded: what the document means, where that is the question
	source   source
	taken    func(name string) bool // by another policy
	problems []Problem
}

func (c *check) all() {
	if c.taken(c.document.Name) {
		c.report(path{"name"}, "Choose another name; %s is one of Tenure's own policies, and none is published under its name.", c.document.Name)
	}
	for i := range c.document.Roles {
		c.role(i)
	}
	if c.document.Members.Personal {
		c.personal()
	} else {
		c.someoneManages()
		c.invitations()
	}
	c.members()
	if c.document.Ownership != nil {
		c.ownership(*c.document.Ownership)
	}
	c.duration(path{"invitations", "lifetime"}, c.document.Invitations.Lifetime)
	if c.document.Requests != nil {
		c.requests(*c.document.Requests)
	}
	if c.document.Onboarding != nil {
		c.onboarding(*c.document.Onboarding)
	}
}

func (c *check) requests(r requests) {
	at := path{"requests", "roles"}
	for i, name := range r.Roles {
		c.exists(at.index(i), name)
		if o := c.document.Ownership; o != nil && o.Role == name {
			c.report(at.index(i), "Leave out %s; the owner's role changes hands by the ownership transfer alone.", name)
		}
	}
	switch m := c.document.Members; {
	case len(r.Roles) == 0 && !m.MayHaveNoRole:
		c.report(at, "Give a role, or set members.may_have_no_role to true.")
	case len(r.Roles) > 1 && !m.SeveralRoles:
		c.report(at, "Give exactly one role, or set members.several_roles to true.")
	}
	if r.ByDomain && r.AutoActivate {
		c.report(path{"requests", "auto_activate"}, "Leave this out, or by_domain; whoever asks by an e-mail domain must be approved.")
	}
	if r.Digest != nil {
		c.digest(path{"requests", "digest"}, *r.Digest)
	}
}

func (c *check) digest(at path, d digest) {
	if _, err := loadZone(d.Zone); err != nil && d.Zone != "" {
		c.report(at.down("zone"), "%q is no time zone: give a name of the IANA database, for example \"Europe/Paris\" or \"UTC\".", d.Zone)
	}
	if !slices.ContainsFunc(c.document.Roles, func(r role) bool { return slices.Contains(r.Permissions, domain.DecideRequests) }) {
		c.report(at, "Leave this out, or give a role the permission %s; nobody would get the digest.", domain.DecideRequests)
	}
}

func (c *check) role(i int) {
	r, at := c.document.Roles[i], path{"roles"}.index(i)
	for _, before := range c.document.Roles[:i] {
		if r.Name != "" && strings.EqualFold(string(before.Name), string(r.Name)) {
			c.report(at.down("name"), "Choose another name; the role %s stands above.", before.Name)
		}
	}
	for j, name := range r.Grants {
		here := at.down("grants").index(j)
		c.exists(here, name)
		if o := c.document.Ownership; o != nil && o.Role == name {
			c.report(here, "Leave out %s; the owner's role changes hands by the ownership transfer alone.", name)
		}
	}
	for j, name := range r.Manages {
		c.exists(at.down("manages").index(j), name)
	}
	c.implies(i)
	c.powers(at, r)
}

// powers holds what a role allows against the roles that it is about.
func (c *check) powers(at path, r role) {
	whole := c.whole(r)
	may := func(p domain.Permission) bool { return slices.Contains(whole.Permissions, p) }
	needsGrants := may(domain.InviteMembers) || may(domain.ChangeRoles) || may(domain.AddMembers)
	needsManages := may(domain.ChangeRoles) || may(domain.RemoveMembers) || may(domain.SuspendMembers)
	switch {
	case needsGrants && len(whole.Grants) == 0 && !c.document.Members.MayHaveNoRole:
		c.report(at, "Add \"grants\": the roles that %s may give when it invites or changes members, or take %s and %s away.", r.Name, domain.InviteMembers, domain.ChangeRoles)
	case !needsGrants && len(r.Grants) > 0:
		c.report(at.down("grants"), "Leave this out, or give %s the permission %s or %s.", r.Name, domain.InviteMembers, domain.ChangeRoles)
	}
	switch {
	case needsManages && len(whole.Manages) == 0:
		c.report(at, "Add \"manages\": the roles whose holders %s may change or remove, or take %s and %s away.", r.Name, domain.ChangeRoles, domain.RemoveMembers)
	case !needsManages && len(r.Manages) > 0:
		c.report(at.down("manages"), "Leave this out, or give %s the permission %s or %s.", r.Name, domain.ChangeRoles, domain.RemoveMembers)
	}
	c.withImplied(at.down("grants"), r.Grants, whole.Grants, "giving")
	c.withImplied(at.down("manages"), r.Manages, whole.Manages, "managing")
	if transfers := slices.Index(r.Permissions, domain.TransferOwnership); transfers >= 0 && c.document.Ownership == nil {
		c.report(at.down("permissions").index(transfers),
			"Leave this out, or add \"ownership\"; nobody owns an organization of this policy.")
	}
}

func (c *check) someoneManages() {
	manages := slices.ContainsFunc(c.document.Roles, func(r role) bool { return len(r.Manages) > 0 })
	if len(c.document.Roles) > 0 && !manages {
		c.report(path{"roles"}, "Let at least one role manage others: give it \"manages\" and the permission %s or %s.", domain.ChangeRoles, domain.RemoveMembers)
	}
}

func (c *check) members() {
	m, at := c.document.Members, path{"members"}
	adminLike := len(m.FounderRoles) == 0
	for i, name := range m.FounderRoles {
		r := c.exists(at.down("founder_roles").index(i), name)
		adminLike = adminLike || r.Name == "" || c.whole(r).AdminLike
	}
	if len(m.FounderRoles) > 1 && !m.SeveralRoles {
		c.report(at.down("founder_roles"), "Give exactly one role, or set several_roles to true.")
	}
	if m.MinimumAdmins > 0 && !adminLike {
		c.report(at.down("founder_roles"), "Give the founder an admin_like role, or set minimum_admins to 0; an organization starts with its founder alone.")
	}
}

func (c *check) ownership(o ownership) {
	at := path{"ownership"}
	owner := c.exists(at.down("role"), o.Role)
	if owner.Name != "" && !slices.Contains(c.whole(owner).Permissions, domain.TransferOwnership) {
		c.report(at.down("role"), "Give %s the permission %s; the ownership could never change hands.", o.Role, domain.TransferOwnership)
	}
	if founder := c.document.Members.FounderRoles; len(founder) > 0 && !slices.Contains(founder, o.Role) {
		c.report(path{"members", "founder_roles"}, "Add %s; the founder is the first owner.", o.Role)
	}
	for i, name := range o.Candidates {
		c.existsNotOwner(at.down("candidates").index(i), name, o.Role)
	}
	previous := c.existsNotOwner(at.down("previous_owner_becomes"), o.PreviousOwnerBecomes, o.Role)
	if c.document.Members.MinimumAdmins > 0 && owner.Name != "" && previous.Name != "" && !c.whole(owner).AdminLike && !c.whole(previous).AdminLike {
		c.report(at.down("previous_owner_becomes"), "Make %s or %s admin_like; a transfer to the last admin would leave none.", o.Role, o.PreviousOwnerBecomes)
	}
	c.duration(at.down("transfer_lifetime"), o.TransferLifetime)
}

// exists finds a role, and reports a name that no role has. An empty name is a
// matter of the schema.
func (c *check) exists(at path, name domain.Role) role {
	i := slices.IndexFunc(c.document.Roles, func(r role) bool { return r.Name == name })
	switch {
	case name == "":
		return role{}
	case i < 0:
		names := make([]domain.Role, len(c.document.Roles))
		for i, r := range c.document.Roles {
			names[i] = r.Name
		}
		c.report(at, "Name a role of this policy; %q is none.%s", name, didYouMean(string(name), names))
		return role{}
	}
	return c.document.Roles[i]
}

func (c *check) existsNotOwner(at path, name, owner domain.Role) role {
	if name == owner && name != "" {
		c.report(at, "Name another role; %s is the owner's own.", owner)
	}
	return c.exists(at, name)
}

// duration checks a length of time. An absent one is a matter of the schema.
func (c *check) duration(at path, text string) {
	if _, given := c.source.find(at).(string); !given {
		return
	}
	if _, err := ParseDuration(text); err != nil {
		c.report(at, "%q is no length of time for a policy: %s.", text, err)
	}
}

func (c *check) report(at path, format string, args ...any) {
	c.problems = append(c.problems, c.source.at(at, fmt.Sprintf(format, args...)))
}
