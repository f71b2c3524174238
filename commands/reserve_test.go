package commands_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/eventstore"
)

var byProcess = commands.Request{Actor: domain.ByProcess("test")}

// rivals are an organization, called First, with its owner, and Bob, who wants a
// name as well.
func (w *world) rivals() (c *commands.Commands, org domain.OrganizationID, owner, bob commands.Request) {
	w.t.Helper()
	c = w.node()
	bob = commands.Request{Actor: domain.ByAccount(w.account(c, "bob@example.com").AccountID)}
	org, owner = w.organization(c, "First")
	return c, org, owner, bob
}

// Of two commands by which an organization takes a name, one being done says
// nothing about the other, which may be about to write.
func TestANameIsNotGivenBackWhileACommandIsAboutToTakeIt(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c, org, by, bob := w.rivals()
	first, err := c.RenameOrganization(w.ctx, by, org, "Contested")
	is.NoErr(err)
	_, err = w.hangsAt(commands.StepNewNameReserved, func() {
		_, err := c.RenameOrganization(w.ctx, by, org, "CONTESTED")
		is.NoErr(err)
		is.NoErr(c.FinishRenaming(w.ctx, byProcess, first.Events[0].(organization.Renamed)))
		_, err = c.RenameOrganization(w.ctx, by, org, "Third")
		is.NoErr(err)
		_, _, err = c.ActivateOrganization(w.ctx, bob, "ownership", "contested", "bob")
		is.True(refusedWith(err, domain.CodeNameTaken))
	}).RenameOrganization(w.ctx, by, org, "Contested")
	is.NoErr(err)
	_, err = c.RenameOrganization(w.ctx, by, org, "Fourth")
	is.NoErr(err)
	_, _, err = c.ActivateOrganization(w.ctx, bob, "ownership", "contested", "bob")
	is.NoErr(err) // at once: no attempt was left
}

func TestADomainIsNotGivenBackWhileACommandIsAboutToHoldIt(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	w.onboarding = ""
	c := w.node()
	ada := commands.Request{Actor: domain.ByAccount(w.account(c, "ada@acme.example").AccountID)}
	first, _, err := c.ActivateOrganization(w.ctx, ada, "capabilities", "First", "")
	is.NoErr(err)
	second, _, err := c.ActivateOrganization(w.ctx, ada, "capabilities", "Second", "")
	is.NoErr(err)
	_, err = w.hangsAt(commands.StepDomainReserved, func() {
		_, err := c.HoldEmailDomain(w.ctx, ada, first)
		is.NoErr(err)
		_, err = c.GiveUpEmailDomain(w.ctx, ada, first)
		is.NoErr(err)
		_, err = c.HoldEmailDomain(w.ctx, ada, second)
		is.True(refusedWith(err, domain.CodeDomainTaken))
	}).HoldEmailDomain(w.ctx, ada, first)
	is.NoErr(err)
	_, err = c.GiveUpEmailDomain(w.ctx, ada, first)
	is.NoErr(err)
	_, err = c.HoldEmailDomain(w.ctx, ada, second)
	is.NoErr(err)
}

// A command that is refused after it has reserved a text keeps nobody waiting.
func TestARefusedCommandLeavesNothingReserved(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c, org, by, bob := w.rivals()
	ada := w.member(c, by, org, "ada", "ADMIN")
	_, err := w.hangsAt(commands.StepNewNameReserved, func() {
		_, err := c.RemoveMember(w.ctx, by, org, ada)
		is.NoErr(err)
	}).RenameOrganization(w.ctx, commands.Request{Actor: domain.ByAccount(ada)}, org, "Wanted")
	is.True(errors.As(err, new(*domain.Error)))
	_, _, err = c.ActivateOrganization(w.ctx, bob, "ownership", "Wanted", "bob")
	is.NoErr(err)
}

// What a command has left that was killed between the halves of settling, is
// given back to who wants it.
func TestATextThatNobodyUsesIsGivenToWhoWantsIt(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c, org, by, bob := w.rivals()
	is.True(w.diesAt(commands.StepReservationConfirmed, func(dying *commands.Commands) {
		_, _ = w.hangs(dying, commands.StepRenamed, func() {
			_, err := c.RenameOrganization(w.ctx, by, org, "Other")
			is.NoErr(err)
		}).RenameOrganization(w.ctx, by, org, "Left")
	}))
	_, _, err := w.node().ActivateOrganization(w.ctx, bob, "ownership", "left", "bob")
	is.NoErr(err)
}

// hangs has a node hang once at a step, besides what it does at others.
func (w *world) hangs(c *commands.Commands, step string, meanwhile func()) *commands.Commands {
	others := c.Step
	c.Step = func(name string) {
		if name == step && meanwhile != nil {
			happen := meanwhile
			meanwhile = nil
			happen()
		}
		others(name)
	}
	return c
}

// However commands of several nodes interleave, no two organizations go by one
// name, and in the end each holds its name alone.
func TestOrganizationsThatFightForNames(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	nodes := []*commands.Commands{w.node(), w.node(), w.node()}
	for _, c := range nodes {
		c.Step = func(string) {
			for range rand.IntN(50) {
				runtime.Gosched()
			}
		}
	}
	type owned struct {
		id domain.OrganizationID
		by commands.Request
	}
	var orgs []owned
	for n := range 3 {
		id, by := w.organization(nodes[0], fmt.Sprint("Own", n))
		orgs = append(orgs, owned{id, by})
	}
	var all sync.WaitGroup
	for worker := range 12 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 25 {
				o := orgs[rng.IntN(len(orgs))]
				name := domain.OrganizationName(fmt.Sprint("Contested", rng.IntN(3)))
				if rng.IntN(3) == 0 {
					name = domain.OrganizationName(fmt.Sprint("Own", rng.IntN(6)))
				}
				_, err := nodes[worker%3].RenameOrganization(w.ctx, o.by, o.id, name)
				if err != nil && !refusedWith(err, domain.CodeNameTaken) && !errors.Is(err, commands.ErrBusy) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()

	goes := make(map[domain.OrganizationID]string)
	held := make(map[string]reservation.State)
	page, err := w.store.ReadAll(w.ctx, 0, 100_000, eventstore.Filter{TypePrefixes: []string{"organization.", "reservation."}})
	is.NoErr(err)
	renamed := 0
	for _, recorded := range page.Events {
		e, err := w.codec.Decode(recorded)
		is.NoErr(err)
		switch e := e.Event.(type) {
		case organization.Activated:
			goes[e.OrganizationID] = e.Name.Key()
		case organization.Renamed:
			renamed++
			for other, name := range goes {
				if name == e.After.Key() && other != e.OrganizationID {
					t.Errorf("at %d two organizations go by %s", recorded.Position, name)
				}
			}
			goes[e.OrganizationID] = e.After.Key()
		case reservation.Made, reservation.Confirmed, reservation.Released:
			held[recorded.Stream] = reservation.Evolve(held[recorded.Stream], e)
		}
	}
	is.True(renamed > 10)
	names := make(map[string]int)
	for stream, s := range held {
		is.True(s.Settled())
		if id, ok := strings.CutPrefix(s.Holder, "organization:"); ok && s.Kind == reservation.KindOrganizationName {
			names[id]++
			is.Equal(stream, "reservation-"+s.Kind+"-"+cmp.Or(s.Key, "none"))
		}
	}
	for _, o := range orgs {
		is.Equal(names[string(o.id)], 1)
	}
}
