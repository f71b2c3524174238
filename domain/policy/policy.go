// Package policy holds the rules of an organization as data: its roles and
// what they allow, and the guardrails, deadlines and limits that every command
// asks for. No code asks for a policy's name; a rule that one policy needs is a
// setting that any policy can have.

// Policies are written as YAML documents, which package policies reads and
// checks: what stands here has passed, and is taken at its word.
package policy

import (
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
}

// Members are the rules for members.
type Members struct {
	FounderRoles     []domain.Role // what the first member gets
	SeveralRoles     bool          // a member may hold more than one role
	MinimumAdmins    int           // active admin-like members that always remain (O4)
	MayRemoveOneself bool          // O7
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
}

// Refusal is how a policy words a refusal; an empty field keeps the default.
type Refusal struct {
	Title   string
	Message string
}

// Role finds a role by its name.
func (p *Policy) Role(name domain.Role) (Role, bool) {
	for i := range p.Roles {
		if p.Roles[i].Name == name {
			return p.Roles[i], true
		}
	}
	return Role{}, false
}

// Allows reports whether a member with these roles has the permission.
func (p *Policy) Allows(roles []domain.Role, permission domain.Permission) bool {
	return p.any(roles, func(r Role) bool { return slices.Contains(r.Permissions, permission) })
}

// Permissions lists what a member with these roles may do, sorted.
func (p *Policy) Permissions(roles []domain.Role) []domain.Permission {
	var all []domain.Permission
	for _, name := range roles {
		role, _ := p.Role(name)
		all = append(all, role.Permissions...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// MayGrant reports whether a member with these roles may give role to others.
func (p *Policy) MayGrant(roles []domain.Role, role domain.Role) bool {
	return p.any(roles, func(r Role) bool { return slices.Contains(r.Grants, role) })
}

// MayManage reports whether a member with these roles may change or remove a
// member who holds the roles of.
func (p *Policy) MayManage(roles, of []domain.Role) bool {
	return !slices.ContainsFunc(of, func(held domain.Role) bool {
		return !p.any(roles, func(r Role) bool { return slices.Contains(r.Manages, held) })
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
	if own, ok := p.Refusals[code]; ok {
		if own.Title != "" {
			title = own.Title
		}
		if own.Message != "" {
			message = own.Message
		}
	}
	return domain.Refuse(code, title, message)
}

func (p *Policy) any(roles []domain.Role, holds func(Role) bool) bool {
	for i := range p.Roles {
		if slices.Contains(roles, p.Roles[i].Name) && holds(p.Roles[i]) {
			return true
		}
	}
	return false
}
