package commands_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
)

// host asks about everybody.
var host = domain.ByAPIKey("key")

func (w *world) decide(c *commands.Commands, by domain.Actor, explain bool, q commands.AccessQuestion) commands.AccessDecision {
	w.t.Helper()
	d, err := c.CheckAccess(by, explain).Decide(w.ctx, q)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func TestACheckRestsOnWhatAnotherNodeHasJustWritten(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	writing, asked := w.node(), w.node()
	org, by := w.organization(writing, "acme")
	member := w.member(writing, by, org, "ada", "USER")
	q := commands.AccessQuestion{Organization: org, Account: member, Permission: domain.InviteMembers}
	for _, explain := range []bool{false, true} {
		for range 3 {
			receipt, err := writing.ChangeRoles(w.ctx, by, org, member, []domain.Role{"ADMIN"})
			is.NoErr(err)
			d := w.decide(asked, host, explain, q)
			is.True(d.Allowed)
			is.Equal(d.Position, receipt.Position)
			_, err = writing.ChangeRoles(w.ctx, by, org, member, []domain.Role{"USER"})
			is.NoErr(err)
			is.Equal(w.decide(asked, host, explain, q).Reason, commands.AccessPermissionMissing)
		}
	}
	_, err := writing.RemoveMember(w.ctx, by, org, member)
	is.NoErr(err)
	is.Equal(w.decide(asked, host, false, q).Reason, commands.AccessReason("member_removed"))
}

func TestTheQuestionsOfOneCheckRestOnTheSameEvents(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	member := w.member(c, by, org, "ada", "USER")
	q := commands.AccessQuestion{Organization: org, Account: member, Permission: domain.InviteMembers}
	check := c.CheckAccess(host, false)
	before, err := check.Decide(w.ctx, q)
	is.NoErr(err)
	_, err = c.ChangeRoles(w.ctx, by, org, member, []domain.Role{"ADMIN"})
	is.NoErr(err)
	same, err := check.Decide(w.ctx, q)
	is.NoErr(err)
	is.Equal(same, before)
	is.True(w.decide(c, host, false, q).Allowed)
}

func TestAnAccountAsksAboutItselfAndWhatItMaySee(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	user, viewer := w.member(c, by, org, "ada", "USER"), w.member(c, by, org, "vera", "VIEWER")
	stranger := w.account(c, "stranger@example.com").AccountID
	ask := func(caller, about domain.AccountID, org domain.OrganizationID, explain bool) (commands.AccessDecision, error) {
		return c.CheckAccess(domain.ByAccount(caller), explain).Decide(w.ctx, commands.AccessQuestion{Organization: org, Account: about, Permission: domain.ReadOrganization})
	}
	for _, explain := range []bool{false, true} {
		for _, allowed := range [][2]domain.AccountID{{user, user}, {viewer, user}, {viewer, viewer}} {
			d, err := ask(allowed[0], allowed[1], org, explain)
			is.NoErr(err)
			is.True(d.Allowed)
			is.Equal(d.Explanation != nil, explain)
		}
		for _, refused := range [][2]domain.AccountID{{user, viewer}, {stranger, user}, {user, ""}} {
			_, err := ask(refused[0], refused[1], org, explain)
			is.True(refusedWith(err, domain.CodePermissionDenied))
			_, elsewhere := ask(refused[0], refused[1], "no such organization", explain)
			is.Equal(elsewhere, err) // which says nothing about what there is
		}
		d, err := ask(stranger, stranger, org, explain)
		is.NoErr(err)
		nowhere, err := ask(stranger, stranger, "no such organization", explain)
		is.NoErr(err)
		is.Equal(d, nowhere)
	}
}

func TestAnExplanationNamesTheEventsThatCount(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme") // event 0
	q := commands.AccessQuestion{Organization: org, Permission: domain.InviteMembers}
	explain := func(c *commands.Commands) *commands.AccessExplanation {
		t.Helper()
		return w.decide(c, host, true, q).Explanation
	}
	events := func(m *commands.AccessMember) []eventstore.Revision {
		all := []eventstore.Revision{m.Joined.Revision}
		if m.Invited != nil {
			all = append(all, m.Invited.Revision)
		}
		if m.Changed != nil {
			all = append(all, m.Changed.Revision)
		}
		for _, r := range m.Roles {
			all = append(all, r.Given.Revision)
		}
		return all
	}
	q.Account, _ = by.Actor.Account()
	is.Equal(events(explain(c).Member), []eventstore.Revision{0, 0}) // activated: joined, and got the role

	q.Account = w.member(c, by, org, "ada", "USER") // events 1 and 2
	first := explain(c)
	is.Equal(events(first.Member), []eventstore.Revision{2, 1, 2})
	is.Equal(first.Member.Invited.Actor, by.Actor)
	is.Equal(first.Granting, []domain.Role{"OWNER", "ADMIN"})

	nothing := by
	nothing.IdempotencyKey, nothing.Fingerprint = "key", "request"
	_, err := c.ChangeRoles(w.ctx, nothing, org, q.Account, []domain.Role{"USER"}) // event 3: changes nothing
	is.NoErr(err)
	is.Equal(explain(c).Revision, eventstore.Revision(3))
	is.Equal(events(explain(c).Member), []eventstore.Revision{2, 1, 2})

	reasoned := by
	reasoned.Reason = "She is good at it."
	_, err = c.ChangeRoles(w.ctx, reasoned, org, q.Account, []domain.Role{"ADMIN"}) // event 4
	is.NoErr(err)
	is.Equal(events(explain(c).Member), []eventstore.Revision{2, 1, 4})
	is.Equal(explain(c).Member.Roles[0].Given.Reason, "She is good at it.")
	is.True(explain(c).Member.Roles[0].Grants)

	_, err = c.RemoveMember(w.ctx, by, org, q.Account) // event 5
	is.NoErr(err)
	is.Equal(events(explain(c).Member), []eventstore.Revision{2, 1, 5})
	is.Equal(explain(c).Member.Status, organization.Removed)

	id, _, err := w.invite(c, by, org, "ada", "VIEWER") // event 6
	is.NoErr(err)
	_, err = c.ResendInvitation(w.ctx, by, org, id) // event 7
	is.NoErr(err)
	_, err = c.AcceptInvitation(w.ctx, commands.Request{Actor: domain.ByAccount(q.Account)}, w.invitationLink(id, 2), nil) // event 8
	is.NoErr(err)
	is.Equal(events(explain(c).Member), []eventstore.Revision{8, 7, 8})
	is.Equal(explain(w.node()), explain(c)) // a node that has folded nothing yet
	is.Equal(explain(c.DryRun()), explain(c))
}
