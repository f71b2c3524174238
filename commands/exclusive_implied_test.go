package commands_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
)

// An exclusive role is held also by whoever holds one that implies it (M9).
func TestNobodyFoundsTwoOrganizationsWithARoleThatImpliesAnExclusiveOne(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	_, _, err := c.PublishPolicy(w.ctx, operator, []byte(`name: firm
version: 1
summary: A chief is a boss, and one is a boss in one firm only.
roles:
  - {name: CHIEF, summary: Leads., implies: [BOSS], permissions: []}
  - name: BOSS
    summary: Manages everybody.
    admin_like: true
    exclusive: true
    grants: [CHIEF, BOSS]
    manages: [CHIEF, BOSS]
    permissions: [organization.read, members.invite, members.change_roles, members.remove]
members:
  founder_roles: [CHIEF]
  minimum_admins: 1
invitations:
  lifetime: 7 days
`))
	is.NoErr(err)
	ada := commands.Request{Actor: domain.ByAccount(w.account(c, "ada@example.com").AccountID)}
	_, _, err = c.ActivateOrganization(w.ctx, ada, "firm", "First", "")
	is.NoErr(err)
	_, _, err = c.ActivateOrganization(w.ctx, ada, "firm", "Second", "")
	is.True(refusedWith(err, domain.CodeRoleExclusive))
}
