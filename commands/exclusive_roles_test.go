package commands_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
)

// moderated is an organization whose roles admin and author are exclusive, with
// a participant.
func (w *world) moderated(c *commands.Commands, name string, participant domain.Email) (domain.OrganizationID, commands.Request) {
	w.t.Helper()
	admin := w.account(c, domain.Email("admin@"+name+".example"))
	by := commands.Request{Actor: domain.ByAccount(admin.AccountID)}
	org, _, err := c.ActivateOrganization(w.ctx, by, "moderated", domain.OrganizationName(name), "admin")
	if err == nil && participant != "" {
		_, _, err = c.AddMember(w.ctx, by, org, commands.Addition{Email: participant, Roles: []domain.Role{"participant"}})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return org, by
}

// hangsAt is a node that hangs once, at a step, while something else happens.
func (w *world) hangsAt(step string, meanwhile func()) *commands.Commands {
	c := w.node()
	c.Step = func(name string) {
		if name == step && meanwhile != nil {
			happen := meanwhile
			meanwhile = nil
			happen()
		}
	}
	w.t.Cleanup(func() {
		if meanwhile != nil {
			w.t.Errorf("nothing got to the step %q", step)
		}
	})
	return c
}

// A node that hangs before it gives an exclusive role does not give it when it
// wakes up and another organization has given it in the meantime.
func TestANodeThatHungGivesNoExclusiveRoleThatWasGivenElsewhere(t *testing.T) {
	for name, hang := range map[string]time.Duration{"until the reservation was given back": commands.ReservationLifetime, "for hours": 5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			c := w.node()
			ada := w.account(c, "ada@example.com").AccountID
			one, oneAdmin := w.moderated(c, "One", "ada@example.com")
			other, otherAdmin := w.moderated(c, "Other", "ada@example.com")
			hung := w.hangsAt(commands.StepExclusiveRoleReserved, func() {
				_, err := c.ChangeRoles(w.ctx, otherAdmin, other, ada, []domain.Role{"author"})
				is.True(refusedWith(err, domain.CodeRoleExclusive)) // the other one may be about to
				w.pass(hang)
				_, err = c.ChangeRoles(w.ctx, otherAdmin, other, ada, []domain.Role{"author"})
				is.NoErr(err)
			})
			_, err := hung.ChangeRoles(w.ctx, oneAdmin, one, ada, []domain.Role{"author"})
			is.True(refusedWith(err, domain.CodeRoleExclusive))
		})
	}
}

// The link of an invitation is not used up for a role that another organization
// has given meanwhile, nor is an organization founded.
func TestANodeThatHungUsesNoLinkAndFoundsNothingForARoleGivenElsewhere(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	ada := commands.Request{Actor: domain.ByAccount(w.account(c, "ada@example.com").AccountID)}
	one, oneAdmin := w.moderated(c, "One", "")
	other, otherAdmin := w.moderated(c, "Other", "")
	id, _, err := w.invite(c, oneAdmin, one, "ada", "author")
	is.NoErr(err)
	hung := w.hangsAt(commands.StepExclusiveRoleReserved, func() {
		w.pass(commands.ReservationLifetime)
		_, _, err := c.AddMember(w.ctx, otherAdmin, other, commands.Addition{Email: "ada@example.com", Roles: []domain.Role{"author"}})
		is.NoErr(err)
	})
	_, err = hung.AcceptInvitation(w.ctx, ada, w.invitationLink(id, 1), nil)
	is.True(refusedWith(err, domain.CodeRoleExclusive))
	_, err = c.LookUpInvitation(w.ctx, w.invitationLink(id, 1))
	is.NoErr(err) // it works still

	bob := commands.Request{Actor: domain.ByAccount(w.account(c, "bob@example.com").AccountID)}
	hung = w.hangsAt(commands.StepNameReserved, func() {
		w.pass(commands.ReservationLifetime)
		_, _, err := c.AddMember(w.ctx, otherAdmin, other, commands.Addition{Email: "bob@example.com", Roles: []domain.Role{"author"}})
		is.NoErr(err)
	})
	_, _, err = hung.ActivateOrganization(w.ctx, bob, "moderated", "Third", "bob")
	is.True(errors.Is(err, commands.ErrBusy)) // its name may be another's as well
	_, _, err = hung.ActivateOrganization(w.ctx, bob, "moderated", "Third", "bob")
	is.True(refusedWith(err, domain.CodeRoleExclusive))
}

// A command that was slow, and not overtaken, makes its reservation again, and
// gives it back when it is refused in the end.
func TestASlowCommandMakesItsReservationAgain(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	ada := w.account(c, "ada@example.com").AccountID
	one, oneAdmin := w.moderated(c, "One", "ada@example.com")
	other, otherAdmin := w.moderated(c, "Other", "ada@example.com")
	slow := w.hangsAt(commands.StepExclusiveRoleReserved, func() { w.pass(commands.ReservationLifetime) })
	_, err := slow.ChangeRoles(w.ctx, oneAdmin, one, ada, []domain.Role{"author"})
	is.NoErr(err)
	_, err = c.ChangeRoles(w.ctx, otherAdmin, other, ada, []domain.Role{"author"})
	is.True(refusedWith(err, domain.CodeRoleExclusive))
	_, err = c.ChangeRoles(w.ctx, oneAdmin, one, ada, []domain.Role{"participant"})
	is.NoErr(err)

	// The second time it finds that there is nobody to give the role to.
	steps := 0
	slow = w.node()
	slow.Step = func(name string) {
		if name != commands.StepExclusiveRoleReserved {
			return
		}
		if steps++; steps == 1 {
			w.pass(commands.ReservationLifetime)
			return
		}
		_, err := c.RemoveMember(w.ctx, oneAdmin, one, ada)
		is.NoErr(err)
	}
	_, err = slow.ChangeRoles(w.ctx, oneAdmin, one, ada, []domain.Role{"author"})
	is.True(refusedWith(err, domain.CodeMemberRemoved))
	is.Equal(steps, 2)
	_, err = c.ChangeRoles(w.ctx, otherAdmin, other, ada, []domain.Role{"author"})
	is.NoErr(err) // at once: nothing was left
}

// A node that hangs before it writes the name that it has reserved does not write
// it when it wakes up: the name may be another's.
func TestANodeThatHungTakesNoNameThatAnotherOrganizationHas(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	ada := commands.Request{Actor: domain.ByAccount(w.account(c, "ada@example.com").AccountID)}
	bob := commands.Request{Actor: domain.ByAccount(w.account(c, "bob@example.com").AccountID)}
	taken := func(name domain.OrganizationName) func() {
		return func() {
			w.pass(commands.ReservationLifetime)
			_, _, err := c.ActivateOrganization(w.ctx, bob, "ownership", name, "bob")
			is.NoErr(err)
		}
	}
	_, _, err := w.hangsAt(commands.StepNameReserved, taken("Acme")).ActivateOrganization(w.ctx, ada, "ownership", "acme", "ada")
	is.True(errors.Is(err, commands.ErrBusy))
	_, _, err = c.ActivateOrganization(w.ctx, ada, "ownership", "acme", "ada")
	is.True(refusedWith(err, domain.CodeNameTaken))

	org, by := w.organization(c, "Initech")
	_, err = w.hangsAt(commands.StepNewNameReserved, taken("Umbrella")).RenameOrganization(w.ctx, by, org, "umbrella")
	is.True(errors.Is(err, commands.ErrBusy))
	_, err = c.RenameOrganization(w.ctx, by, org, "umbrella")
	is.True(refusedWith(err, domain.CodeNameTaken))
}
