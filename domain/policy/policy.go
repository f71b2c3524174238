// Package policy holds the rules of an organization as data: its roles and
// what they allow, and the guardrails, deadlines and limits that every command
// asks for. No code asks for a policy's name; a rule that one policy needs is a
// setting that any policy can have.

// Policies are written as YAML documents, which package policies reads and
// checks: what stands here has passed, and is taken at its word.
//
// A role is with all that it implies (C2), wherever a rule asks what somebody
// holds: whoever gives, manages or keeps a role for one organization does so with
// those that it implies. Only the owner's role and the candidates for it are asked
// for by name, since no role implies the owner's.
package policy

import (
	"cmp"
	"slices"
	"time"

	"tenure/domain"
)

// Policy is one version of one policy. It is shared and never changed.
type Policy struct {
	Name        string // for example "ownership"
	Version     int    // grows with every change of the document
	Summary     string // one line for people
	Roles       []Role // at least one, names unique
	Members     Members
	Ownership   *Ownership // nil: nobody owns the organization
	Invitations Invitations
	Requests    *Requests   // nil: nobody asks to join
	Onboarding  *Onboarding // nil: no server onboards people by this policy
	Additions   *Additions  // nil: nobody is added without an invitation
	Spaces      *Spaces     // nil: the organization has no spaces
	Work        Work
	Refusals    map[domain.Code]Refusal // the policy's own words for refusals
}

// Role is one role of a policy.
type Role struct {
	Name        domain.Role
	Summary     string
	Permissions []domain.Permission // what its holder may do
	Grants      []domain.Role       // the roles its holder may invite to and change members to
	Manages     []domain.Role       // the roles whose holders it may change and remove
	AdminLike   bool                // counts towards Members.MinimumAdmins
	Implies     []domain.Role       // its holder holds these roles as well (C2)
	AllSpaces   bool                // its holder may enter every space, assigned or not
	Exclusive   bool                // an account holds it, or another exclusive role, in one organization at most (M9)
}

// Members are the rules for members.
type Members struct {
	FounderRoles     []domain.Role       // what the first member gets
	SeveralRoles     bool                // a member may hold more than one role
	MayHaveNoRole    bool                // a member may hold none (C4)
	MinimumAdmins    int                 // active admin-like members that always remain (O4)
	MayRemoveOneself bool                // members leave by their own decision, whatever their roles allow (O7)
	OwnRolesFixed    bool                // nobody changes their own roles (C4)
	Permissions      []domain.Permission // what every member may do, whatever their roles
	Seats            int                 // members that an organization may have unless its operator says otherwise; 0 for any number (S9)
	Personal         bool                // the founder is the only member there ever is: everybody has a space of their own (C9)
}

// Ownership are the rules of the one member who owns the organization.
type Ownership struct {
	Role                 domain.Role   // held by exactly one member; neither granted nor taken directly
	Candidates           []domain.Role // who may become the owner (O5)
	PreviousOwnerBecomes domain.Role
	TransferLifetime     time.Duration // how long a request waits for its confirmation
}

// Invitations are the rules for invitations.
type Invitations struct {
	Lifetime                time.Duration // O3
	UsernameRequired        bool          // O3
	RevokeWhenInviterLeaves bool          // X14
	Providers               []string      // S2: that invitations may ask for, AnyProvider among them; empty: they ask for none
	LinkInAnswer            bool          // the answer to the invite holds the link, to be passed on by hand (S3)
}

// Requests are the rules for people who ask to join.
type Requests struct {
	Roles        []domain.Role // what they get when they are approved, unless somebody says otherwise
	ByDomain     bool          // whoever signs in with the organization's e-mail domain asks by that (C6); otherwise everybody may ask (M1)
	AutoActivate bool          // how an organization begins: true lets everybody who asks in at once (M2)
	Digest       *Digest       // nil: nobody is told of the open ones (C8)
}

// Onboarding are the rules for whoever signs in to a server that is set to
// onboard people by this policy.
type Onboarding struct {
	ByDomain bool   // the first one from an e-mail domain that no organization holds founds one of this policy (C1)
	Personal string // the policy of everybody's personal space; empty for none (C9)
}

// Additions are the rules for members who are added without an invitation (M4).
type Additions struct {
	PasswordLength int // characters of the password that a new account gets, at least
}

// Spaces are the rules for the parts of an organization that a member may enter.
type Spaces struct {
	PerAssignment int // spaces that one command may assign; 0 for any number (D6)
}

// Work says when the work that is assigned to a member is released, besides on
// their removal (D8, M8).
type Work struct {
	ReleasedOnSuspension bool
}

// Refusal is how a policy words a refusal; an empty field keeps the default.
type Refusal struct {
	Title   string
	Message string // to whoever manages others
	Oneself string // instead of Message, to the person whom it is about
}

// AskedByDomain reports whether people ask to join by signing in with the
// organization's e-mail domain (C6).
func (p *Policy) AskedByDomain() bool { return p.Requests != nil && p.Requests.ByDomain }

// Role finds a role by its name.
func (p *Policy) Role(name domain.Role) (Role, bool) {
	for i := range p.Roles {
		if p.Roles[i].Name == name {
			return p.Roles[i], true
		}
	}
	return Role{}, false
}

// Effective lists the roles themselves and those that they imply, in the order of
// the policy.
func (p *Policy) Effective(roles []domain.Role) []domain.Role {
	effective := slices.Clone(roles)
	for i := 0; i < len(effective); i++ {
		role, _ := p.Role(effective[i])
		for _, implied := range role.Implies {
			if !slices.Contains(effective, implied) {
				effective = append(effective, implied)
			}
		}
	}
	order := func(name domain.Role) int {
		return slices.IndexFunc(p.Roles, func(r Role) bool { return r.Name == name })
	}
	slices.SortStableFunc(effective, func(a, b domain.Role) int { return order(a) - order(b) })
	return effective
}

// Implies reports whether a role implies another, so that what members may do
// is more than what their roles say.
func (p *Policy) Implies() bool {
	return slices.ContainsFunc(p.Roles, func(r Role) bool { return len(r.Implies) > 0 })
}

// Allows reports whether a member with these roles has the permission.
func (p *Policy) Allows(roles []domain.Role, permission domain.Permission) bool {
	return slices.Contains(p.Members.Permissions, permission) || p.any(roles, func(r Role) bool { return slices.Contains(r.Permissions, permission) })
}

// SomeRole reports whether there is a role whose holder has all of the permissions.
func (p *Policy) SomeRole(permissions ...domain.Permission) bool {
	return slices.ContainsFunc(p.Roles, func(r Role) bool {
		return !slices.ContainsFunc(permissions, func(needed domain.Permission) bool { return !p.Allows([]domain.Role{r.Name}, needed) })
	})
}

// Entails reports whether whoever has the one permission has the other as well,
// whatever their roles are.
func (p *Policy) Entails(one, other domain.Permission) bool {
	return !slices.ContainsFunc(p.Roles, func(r Role) bool {
		roles := []domain.Role{r.Name}
		return p.Allows(roles, one) && !p.Allows(roles, other)
	})
}

// Permissions lists what a member with these roles may do, sorted.
func (p *Policy) Permissions(roles []domain.Role) []domain.Permission {
	all := slices.Clone(p.Members.Permissions)
	for _, name := range p.Effective(roles) {
		role, _ := p.Role(name)
		all = append(all, role.Permissions...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// AllSpaces reports whether a member with these roles may enter every space.
func (p *Policy) AllSpaces(roles []domain.Role) bool {
	return p.any(roles, func(r Role) bool { return r.AllSpaces })
}

// Exclusive reports whether an account may hold these roles in one organization
// only.
func (p *Policy) Exclusive(roles []domain.Role) bool {
	return p.any(roles, func(r Role) bool { return r.Exclusive })
}

// MayGrant reports whether a member with these roles may give role to others,
// which takes the right to give all that it implies.
func (p *Policy) MayGrant(roles []domain.Role, role domain.Role) bool {
	return p.each([]domain.Role{role}, func(given domain.Role) bool {
		return p.any(roles, func(r Role) bool { return slices.Contains(r.Grants, given) })
	})
}

// MayManage reports whether a member with these roles may change or remove a
// member who holds the roles of, and with them all that they imply.
func (p *Policy) MayManage(roles, of []domain.Role) bool {
	return p.each(of, func(held domain.Role) bool {
		return p.any(roles, func(r Role) bool { return slices.Contains(r.Manages, held) })
	})
}

// AdminLike reports whether a member with these roles counts as an administrator.
func (p *Policy) AdminLike(roles []domain.Role) bool {
	return p.any(roles, func(r Role) bool { return r.AdminLike })
}

// Owns reports whether a member with these roles is the owner.
func (p *Policy) Owns(roles []domain.Role) bool {
	return p.Ownership != nil && slices.Contains(roles, p.Ownership.Role)
}

// MayBecomeOwner reports whether a member with these roles is a candidate for
// the ownership.
func (p *Policy) MayBecomeOwner(roles []domain.Role) bool {
	return p.Ownership != nil && len(roles) > 0 && !slices.ContainsFunc(roles, func(r domain.Role) bool {
		return !slices.Contains(p.Ownership.Candidates, r)
	})
}

// Refuse makes a refusal in the policy's own words where it has them.
func (p *Policy) Refuse(code domain.Code, title, message string) *domain.Error {
	own := p.Refusals[code]
	return domain.Refuse(code, cmp.Or(own.Title, title), cmp.Or(own.Message, message))
}

// RefuseOneself is Refuse for somebody who is about to become something without
// anybody who manages them: they found an organization, ask to join one, accept an
// invitation. What the policy says to those who manage others is not for them.
func (p *Policy) RefuseOneself(code domain.Code, title, message string) *domain.Error {
	own := p.Refusals[code]
	return domain.Refuse(code, cmp.Or(own.Title, title), cmp.Or(own.Oneself, message))
}

// any reports whether something holds of one of the roles, or of one that they
// imply.
func (p *Policy) any(roles []domain.Role, holds func(Role) bool) bool {
	for i := range p.Roles {
		if slices.Contains(roles, p.Roles[i].Name) && (holds(p.Roles[i]) || len(p.Roles[i].Implies) > 0 && p.implied(p.Roles[i], holds)) {
			return true
		}
	}
	return false
}

// each reports whether something holds of all of the roles, and of all that they
// imply.
func (p *Policy) each(roles []domain.Role, holds func(domain.Role) bool) bool {
	return !slices.ContainsFunc(p.Effective(roles), func(name domain.Role) bool { return !holds(name) })
}

func (p *Policy) implied(by Role, holds func(Role) bool) bool {
	return slices.ContainsFunc(p.Effective([]domain.Role{by.Name}), func(name domain.Role) bool {
		role, _ := p.Role(name)
		return holds(role)
	})
}
