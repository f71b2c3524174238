package policies

import (
	"slices"

	"tenure/domain"
)

// implies checks which roles a role implies. Of roles that imply each other the
// one is reported that closes the circle.
func (c *check) implies(i int) {
	r, at := c.document.Roles[i], path{"roles"}.index(i).down("implies")
	for j, name := range r.Implies {
		other := c.exists(at.index(j), name)
		above := slices.ContainsFunc(c.document.Roles[:i], func(before role) bool { return before.Name == name })
		switch o := c.document.Ownership; {
		case name == r.Name || o != nil && o.Role == name:
			c.report(at.index(j), "Leave out %s: a role implies neither itself nor the owner's.", name)
		case above && slices.Contains(c.rules.Effective([]domain.Role{other.Name}), r.Name):
			c.report(at.index(j), "Leave out %s: it implies %s already, and two roles cannot imply each other.", name, r.Name)
		}
	}
}

// withImplied reports the roles of a list of grants or manages that are of no use
// there, since all is the whole list and lacks what they imply.
func (c *check) withImplied(at path, list, all []domain.Role, doing string) {
	for j, name := range list {
		for _, implied := range c.rules.Effective([]domain.Role{name}) {
			_, known := c.rules.Role(implied)
			if o := c.document.Ownership; !known || slices.Contains(all, implied) || o != nil && o.Role == implied {
				continue // right, or a problem of its own
			}
			c.report(at.index(j), "Add %s, or leave out %s, which implies it: %s the one takes the right to do so with the other.", implied, name, doing)
		}
	}
}

// whole is a role with all that it implies: what its holder may do.
func (c *check) whole(r role) role {
	if r.Name == "" {
		return r
	}
	for _, name := range c.rules.Effective([]domain.Role{r.Name}) {
		implied, _ := c.rules.Role(name)
		r.Permissions = slices.Concat(r.Permissions, implied.Permissions)
		r.Grants, r.Manages = slices.Concat(r.Grants, implied.Grants), slices.Concat(r.Manages, implied.Manages)
		r.AdminLike = r.AdminLike || implied.AdminLike
	}
	return r
}
