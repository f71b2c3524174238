package commands_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
)

// seated is an organization with seats and its administrator.
func (w *world) seated(c *commands.Commands) (domain.OrganizationID, commands.Request) {
	w.t.Helper()
	boss := w.account(c, "boss@example.com")
	by := commands.Request{Actor: domain.ByAccount(boss.AccountID)}
	id, _, err := c.ActivateOrganization(w.ctx, by, "seats", "Seated", "boss")
	if err != nil {
		w.t.Fatal(err)
	}
	return id, by
}

func TestSeatsAreNeverExceededByAcceptingOnTwoNodes(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	nodes := []*commands.Commands{w.node(), w.node()}
	org, by := w.seated(nodes[0])
	const crowd = 30
	links := make([]string, crowd)
	for i := range links {
		id, _, err := w.invite(nodes[0], by, org, fmt.Sprintf("guest%d", i), "Member")
		is.NoErr(err)
		links[i] = w.invitationLink(id, 1)
	}
	results := make([]error, crowd)
	accept := func(i int) {
		_, results[i] = nodes[i%2].AcceptInvitation(w.ctx, commands.Request{Actor: domain.Public()}, links[i], &commands.Joining{Password: secret, Language: "en"})
	}
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() { accept(i) })
	}
	all.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		is.True(refusedWith(err, domain.CodeSeatsFull)) // the only reason to lose
	}
	is.Equal(won, 9)
	for _, node := range nodes {
		limits, err := node.Limits(w.ctx, org)
		is.NoErr(err)
		is.Equal(limits, commands.Limits{Seats: 10, Taken: 10, OpenInvitations: crowd - 9})
	}
}

func TestRolesAndRemovalsHoldOnEveryNodeAtOnce(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	here, there := w.node(), w.node()
	org, by := w.seated(here)
	member := w.member(here, by, org, "member", "Member")
	actor := domain.ByAccount(member)
	may := func() error { _, err := there.Authorize(w.ctx, actor, org, domain.ReadMembers); return err }
	is.True(refusedWith(may(), domain.CodePermissionDenied))
	for range 3 {
		_, err := here.ChangeRoles(w.ctx, by, org, member, []domain.Role{"Administrator"})
		is.NoErr(err)
		is.NoErr(may())
		_, err = here.ChangeRoles(w.ctx, by, org, member, []domain.Role{"Member"})
		is.NoErr(err)
		is.True(refusedWith(may(), domain.CodePermissionDenied))
	}
	_, err := here.RemoveMember(w.ctx, by, org, member)
	is.NoErr(err)
	is.True(refusedWith(may(), domain.CodeNotFound))
	_, err = there.RenameOrganization(w.ctx, commands.Request{Actor: actor}, org, "Mine")
	is.True(refusedWith(err, domain.CodeNotFound))
}

func TestTheLinkToPassOnLivesAsLongAsThatOfTheMail(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.seated(c)
	id, receipt, err := w.invite(c, by, org, "guest", "Member")
	is.NoErr(err)
	link, err := c.LinkToPassOn(w.ctx, receipt)
	is.NoErr(err)
	is.True(link != w.invitationLink(id, 1))
	shown, err := c.LookUpInvitation(w.ctx, link)
	is.NoErr(err)
	is.Equal([]bool{shown.Proves, shown.HasAccount}, []bool{false, false})
	old := link
	receipt, err = c.ResendInvitation(w.ctx, by, org, id)
	is.NoErr(err)
	link, err = c.LinkToPassOn(w.ctx, receipt)
	is.NoErr(err)
	is.True(link != w.invitationLink(id, 2))
	_, err = c.LookUpInvitation(w.ctx, old)
	is.True(refusedWith(err, domain.CodeLinkInvalid))

	dry := c.DryRun()
	_, receipt, err = dry.InviteMember(w.ctx, by, org, organization.Invitee{Email: "dry@example.com", Roles: []domain.Role{"Member"}, Language: "en"})
	is.NoErr(err)
	link, err = dry.LinkToPassOn(w.ctx, receipt)
	is.NoErr(err)
	is.Equal(link, "") // a dry run hands out no tokens

	owned, owner := w.organization(c, "acme")
	_, receipt, err = w.invite(c, owner, owned, "other", "USER")
	is.NoErr(err)
	link, err = c.LinkToPassOn(w.ctx, receipt)
	is.NoErr(err)
	is.Equal(link, "") // the mail alone has it
}

// Who may not have the role that they are invited to takes no seat, and who gets
// no seat keeps no role.
func TestARefusedAcceptanceKeepsNeitherSeatNorRole(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.published("moderated", "name: moderated", "name: places", "minimum_admins: 1", "minimum_admins: 1\n  seats: 2")
	c := w.node()
	admin := commands.Request{Actor: domain.ByAccount(w.account(c, "admin@places.example").AccountID)}
	org, _, err := c.ActivateOrganization(w.ctx, admin, "places", "Places", "admin")
	is.NoErr(err)
	elsewhere, there := w.moderated(c, "Elsewhere", "")
	adaID := w.account(c, "ada@example.com").AccountID
	ada := commands.Request{Actor: domain.ByAccount(adaID)}
	_, _, err = c.AddMember(w.ctx, there, elsewhere, commands.Addition{Email: "ada@example.com", Roles: []domain.Role{"author"}})
	is.NoErr(err)
	id, _, err := w.invite(c, admin, org, "ada", "author")
	is.NoErr(err)
	_, err = c.AcceptInvitation(w.ctx, ada, w.invitationLink(id, 1), nil)
	is.True(refusedWith(err, domain.CodeRoleExclusive))
	limits, err := c.Limits(w.ctx, org)
	is.NoErr(err)
	is.Equal(limits, commands.Limits{Seats: 2, Taken: 1, OpenInvitations: 1})

	bob, _, err := c.AddMember(w.ctx, admin, org, commands.Addition{Email: "bob@example.com", Password: "secret1", Roles: []domain.Role{"participant"}})
	is.NoErr(err) // the seat is free
	_, err = c.ChangeRoles(w.ctx, there, elsewhere, adaID, []domain.Role{"participant"})
	is.NoErr(err)
	_, err = c.AcceptInvitation(w.ctx, ada, w.invitationLink(id, 1), nil)
	is.True(refusedWith(err, domain.CodeSeatsFull))
	_, err = c.ChangeRoles(w.ctx, there, elsewhere, adaID, []domain.Role{"author"})
	is.NoErr(err) // nothing keeps the role

	_, err = c.ChangeRoles(w.ctx, there, elsewhere, adaID, []domain.Role{"participant"})
	is.NoErr(err)
	_, err = c.RemoveMember(w.ctx, admin, org, bob)
	is.NoErr(err)
	_, err = c.AcceptInvitation(w.ctx, ada, w.invitationLink(id, 1), nil)
	is.NoErr(err)
}
