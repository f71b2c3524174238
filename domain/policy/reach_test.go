package policy_test

import (
	"fmt"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/policy"
)

// A reach says of all roles what the policy says of each.
func TestReach(t *testing.T) {
	owned := *guarded
	owned.Ownership = &Ownership{Role: "CHIEF"}
	for name, p := range map[string]*Policy{"rules": rules, "chain": chain, "guarded": guarded, "owned": &owned} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			reach := p.Reach()
			held := []roles{nil, {"NOBODY"}}
			for i, r := range p.Roles {
				held = append(held, roles{r.Name}, roles{r.Name, p.Roles[(i+1)%len(p.Roles)].Name})
			}
			for _, own := range held {
				grants, manages := roles{}, roles{}
				for _, r := range p.Roles {
					if p.MayGrant(own, r.Name) {
						grants = append(grants, r.Name)
					}
					if p.MayManage(own, roles{r.Name}) && !p.Owns(roles{r.Name}) {
						manages = append(manages, r.Name)
					}
				}
				is.Equal(roles(reach.Grants(own)), grants)
				is.Equal(roles(reach.Manages(own)), manages)
			}
		})
	}
	is := is.New(t)
	is.Equal(roles(guarded.Reach().Implied("CHIEF")), roles{"LEAD", "BOSS"})
	is.Equal(roles(guarded.Reach().Implied("USER")), roles{})
}

// Fifty roles, each of which implies all below it and gives and manages all: as much
// as a document may hold.
func TestReachOfManyRoles(t *testing.T) {
	is := is.New(t)
	var all roles
	for i := range 50 {
		all = append(all, domain.Role(fmt.Sprintf("ROLE_%d", i)))
	}
	p := &Policy{}
	for i, name := range all {
		p.Roles = append(p.Roles, Role{Name: name, Implies: all[i+1:], Grants: all, Manages: all})
	}
	reach := p.Reach()
	for i, name := range all {
		is.Equal(roles(reach.Grants(roles{name})), all)
		is.Equal(roles(reach.Implied(name)), append(roles{}, all[i+1:]...))
	}
}
