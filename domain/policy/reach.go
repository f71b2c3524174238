package policy

import (
	"slices"

	"tenure/domain"
)

// Reach answers what MayGrant and MayManage answer about one role after the other,
// for all roles of a policy at once: what every role implies is worked out once. It
// is as shared and unchanged as the Policy is.
type Reach struct {
	policy    *Policy
	effective map[domain.Role][]domain.Role
}

// Reach works out what the roles of the policy imply.
func (p *Policy) Reach() Reach {
	r := Reach{policy: p, effective: make(map[domain.Role][]domain.Role, len(p.Roles))}
	for _, role := range p.Roles {
		r.effective[role.Name] = p.Effective([]domain.Role{role.Name})
	}
	return r
}

// Implied lists the other roles that the holder of a role holds as well.
func (r Reach) Implied(by domain.Role) []domain.Role {
	return r.roles(func(role domain.Role) bool { return role != by && slices.Contains(r.effective[by], role) })
}

// Grants lists the roles that a member with these roles may give.
func (r Reach) Grants(roles []domain.Role) []domain.Role {
	return r.within(roles, func(role Role) []domain.Role { return role.Grants })
}

// Manages lists the roles whose holders a member with these roles may manage. The
// owner is nobody's to manage.
func (r Reach) Manages(roles []domain.Role) []domain.Role {
	managed := r.within(roles, func(role Role) []domain.Role { return role.Manages })
	return slices.DeleteFunc(managed, func(role domain.Role) bool { return r.policy.Owns([]domain.Role{role}) })
}

// within lists the roles that are, with all that they imply, among what the holder of
// roles reaches.
func (r Reach) within(roles []domain.Role, reached func(Role) []domain.Role) []domain.Role {
	held, all := make(map[domain.Role]bool), make(map[domain.Role]bool)
	for _, name := range roles {
		for _, effective := range r.effective[name] {
			held[effective] = true
		}
	}
	for _, role := range r.policy.Roles {
		if held[role.Name] {
			for _, name := range reached(role) {
				all[name] = true
			}
		}
	}
	return r.roles(func(role domain.Role) bool {
		for _, implied := range r.effective[role] {
			if !all[implied] {
				return false
			}
		}
		return true
	})
}

// roles lists those of which something holds, in the order of the policy.
func (r Reach) roles(holds func(domain.Role) bool) []domain.Role {
	names := []domain.Role{}
	for _, role := range r.policy.Roles {
		if holds(role.Name) {
			names = append(names, role.Name)
		}
	}
	return names
}
