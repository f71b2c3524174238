package commands_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/eventstore"
	"tenure/policies"
)

func TestAnAdministratorHoldsTheDomainOfTheirAddress(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	w.onboarding = ""
	c := w.node()
	ada, eve := w.account(c, "ada@acme.example"), w.account(c, "eve@gmail.com")
	asAda, asEve := commands.Request{Actor: domain.ByAccount(ada.AccountID)}, commands.Request{Actor: domain.ByAccount(eve.AccountID)}
	first, receipt, err := c.ActivateOrganization(w.ctx, asAda, "capabilities", "First", "")
	is.NoErr(err)
	is.Equal(len(receipt.Events), 2) // founding holds the domain, since it is free
	is.Equal(receipt.Revision, eventstore.Revision(1))
	second, receipt, err := c.ActivateOrganization(w.ctx, asAda, "capabilities", "Second", "")
	is.NoErr(err)
	is.Equal(len(receipt.Events), 1)
	third, _, err := c.ActivateOrganization(w.ctx, asEve, "capabilities", "Third", "")
	is.NoErr(err)

	_, err = c.HoldEmailDomain(w.ctx, asEve, third)
	is.True(refusedWith(err, domain.CodeDomainPublic))
	_, err = c.HoldEmailDomain(w.ctx, asAda, third)
	is.True(refusedWith(err, domain.CodeNotFound))
	_, err = c.HoldEmailDomain(w.ctx, asAda, second)
	is.True(refusedWith(err, domain.CodeDomainTaken))
	_, err = c.GiveUpEmailDomain(w.ctx, asAda, first)
	is.NoErr(err)
	for range 2 {
		_, err = c.HoldEmailDomain(w.ctx, asAda, second)
		is.NoErr(err)
	}
	_, err = c.HoldEmailDomain(w.ctx, asAda, first)
	is.True(refusedWith(err, domain.CodeDomainTaken))
	states := w.shared()
	is.Equal(states[first].EmailDomain+" "+states[second].EmailDomain, " acme.example")

	// Killed after the reservation, before the event: a process gives it back.
	_, err = c.GiveUpEmailDomain(w.ctx, asAda, second)
	is.NoErr(err)
	is.True(w.diesAt(commands.StepDomainReserved, func(c *commands.Commands) { _, _ = c.HoldEmailDomain(w.ctx, asAda, first) }))
	_, err = w.node().HoldEmailDomain(w.ctx, asAda, second)
	is.True(refusedWith(err, domain.CodeDomainTaken))
	w.pass(commands.ReservationLifetime)
	_, err = w.node().HoldEmailDomain(w.ctx, asAda, second)
	is.NoErr(err)

	// A node that hangs there does not write the event when it wakes up.
	_, err = c.GiveUpEmailDomain(w.ctx, asAda, second)
	is.NoErr(err)
	_, err = w.hangsAt(commands.StepDomainReserved, func() {
		w.pass(commands.ReservationLifetime)
		_, err := c.HoldEmailDomain(w.ctx, asAda, second)
		is.NoErr(err)
	}).HoldEmailDomain(w.ctx, asAda, first)
	is.True(errors.Is(err, commands.ErrBusy))
	states = w.shared()
	is.Equal(states[first].EmailDomain+" "+states[second].EmailDomain, " acme.example")
}

func TestFoundingUnderAPublishedPolicyHoldsTheDomain(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	builtin := policies.Builtin()
	p, _ := builtin.Latest("capabilities")
	_, _, err := c.PublishPolicy(w.ctx, operator, []byte(strings.Replace(string(builtin.Document(p)), "name: capabilities", "name: studio", 1)))
	is.NoErr(err)
	ada := w.account(c, "ada@acme.example")
	org, _, err := c.ActivateOrganization(w.ctx, commands.Request{Actor: domain.ByAccount(ada.AccountID)}, "studio", "Studio", "")
	is.NoErr(err)
	is.Equal(w.shared()[org].EmailDomain, "acme.example")
}

func TestADomainIsFreeWhenItsOrganizationIsDeleted(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	document, err := os.ReadFile("../policies/capabilities.yaml")
	is.NoErr(err)
	space, err := os.ReadFile("../policies/personal.yaml")
	is.NoErr(err)
	deletable := strings.Replace(string(document), "      - organization.update\n", "      - organization.update\n      - organization.delete\n", 1)
	catalogue, err := policies.Load(fstest.MapFS{"capabilities.yaml": {Data: []byte(deletable)}, "personal.yaml": {Data: space}})
	is.NoErr(err)
	c := w.nodeWith(catalogue)
	ada := w.account(c, "ada@acme.example")
	first := w.only().ID
	_, err = c.DeleteOrganization(w.ctx, commands.Request{Actor: domain.ByAccount(ada.AccountID)}, first)
	is.NoErr(err)
	_, err = c.Onboard(w.ctx, commands.Request{Actor: domain.ByProcess("onboarding")}, ada.AccountID, ada.SessionID)
	is.NoErr(err)
	is.Equal(len(w.shared()), 1) // this session has founded its own
	bob := w.account(c, "bob@acme.example")
	second := w.shared()
	delete(second, first)
	is.Equal(len(second), 1)
	for _, s := range second {
		_, founder := s.ActiveMember(bob.AccountID)
		is.True(founder && s.HoldsEmailDomain("acme.example"))
		is.Equal(s.Name, domain.OrganizationName("acme.example"))
	}
	_, err = c.SignIn(w.ctx, commands.Request{Actor: domain.Public()}, "ada@acme.example", secret)
	is.NoErr(err)
	for id, s := range w.shared() {
		is.Equal(s.Requests() == 1, id != first) // Ada asks the new one
	}
}
