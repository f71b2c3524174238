package commands_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/eventstore"
)

// before is a log with something that happens before each append, which it can
// keep from happening.
type before struct {
	eventstore.Store
	append func(stream string, events []eventstore.Event) error
}

// Append implements eventstore.Store.
func (b before) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	if err := b.append(stream, events); err != nil {
		return eventstore.Result{}, err
	}
	return b.Store.Append(ctx, stream, expected, events)
}

// nodeBefore is a node that does something before each append.
func (w *world) nodeBefore(append func(stream string, events []eventstore.Event) error) *commands.Commands {
	d := w.node().Dependencies
	d.Store = before{w.store, append}
	return commands.New(d)
}

// provenWith counts the accounts that have proven an address.
func (w *world) provenWith(email domain.Email) int {
	w.t.Helper()
	page, err := w.store.ReadAll(w.ctx, 0, 100_000, eventstore.Filter{TypePrefixes: []string{"account."}})
	if err != nil {
		w.t.Fatal(err)
	}
	all := make(map[string]account.State)
	for _, r := range page.Events {
		e, err := w.codec.Decode(r)
		if err != nil {
			w.t.Fatal(err)
		}
		all[r.Stream] = account.Evolve(all[r.Stream], e.Event)
	}
	n := 0
	for _, s := range all {
		if s.Verified && s.Email.Key() == email.Key() {
			n++
		}
	}
	return n
}

// elsewhere is Grace at another provider, with the same address.
func elsewhere() commands.Identified {
	who := grace("elsewhere")
	who.Provider, who.Issuer, who.Subject = "microsoft", "https://other.example", "9"
	return who
}

// A sign-in whose client goes away gives nothing back that its retry relies on.
func TestACancelledSignInLeavesItsRetryTheAddress(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	reached, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
	retry := w.hangsAt(commands.StepIdentityReserved, func() {
		close(reached)
		<-goOn
	})
	ctx, cancel := context.WithCancel(w.ctx)
	_, err := w.hangsAt(commands.StepEmailReserved, func() {
		go func() {
			_, err := retry.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("two"), "")
			done <- err
		}()
		<-reached
		cancel()
	}).SignInWithProvider(ctx, commands.Request{Actor: domain.Public()}, grace("one"), "")
	is.True(errors.Is(err, context.Canceled))
	close(goOn)
	is.NoErr(<-done)
	_, err = w.node().SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, elsewhere(), "")
	is.NoErr(err)
	is.Equal(w.provenWith("grace@example.com"), 1)
}

// Nor does a process that settles the reservation of a killed sign-in meanwhile.
func TestAProcessLeavesASignInTheAddress(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	is.True(w.diesAt(commands.StepEmailReserved, func(c *commands.Commands) {
		_, _ = c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("one"), "")
	}))
	w.pass(commands.ReservationLifetime)
	looked, goOn, settled := make(chan struct{}), make(chan struct{}), make(chan error)
	process := w.nodeBefore(func(_ string, events []eventstore.Event) error {
		if events[0].Type == (reservation.Released{}).EventType() {
			close(looked)
			<-goOn
		}
		return nil
	})
	go func() {
		settled <- process.ResolveReservation(w.ctx, byProcess, reservation.KindEmail, w.keys.Name(reservation.KindEmail, domain.Email("grace@example.com").Key()))
	}()
	<-looked
	_, err := w.node().SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("two"), "")
	is.NoErr(err)
	close(goOn)
	is.NoErr(<-settled)
	_, err = w.node().SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, elsewhere(), "")
	is.NoErr(err)
	is.Equal(w.provenWith("grace@example.com"), 1)
}

// However many attempts were left, they are settled.
func TestManyAttemptsThatWereLeftAreSettled(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	org, by := w.organization(w.node(), "First")
	silent := w.nodeBefore(func(stream string, _ []eventstore.Event) error {
		if strings.HasPrefix(stream, "organization-") {
			return errors.New("no answer")
		}
		return nil
	})
	for range eventstore.MaxBatchEvents + 1 {
		_, err := silent.RenameOrganization(w.ctx, by, org, "Wanted")
		is.True(err != nil)
	}
	w.pass(commands.ReservationLifetime)
	bob := commands.Request{Actor: domain.ByAccount(w.account(w.node(), "bob@example.com").AccountID)}
	_, _, err := w.node().ActivateOrganization(w.ctx, bob, "ownership", "Wanted", "bob")
	is.NoErr(err)
}

// What is in the log has happened, whether its reservations could be settled or
// not.
func TestACommandDoesNotFailWithWhatItLeaves(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "First")
	for i := range 5 {
		w.member(c, by, org, fmt.Sprint("m", i), "ADMIN")
	}
	silent := w.nodeBefore(func(_ string, events []eventstore.Event) error {
		switch events[0].Type {
		case (reservation.Confirmed{}).EventType(), (reservation.Released{}).EventType():
			return errors.New("no answer")
		}
		return nil
	})
	renamed, err := silent.RenameOrganization(w.ctx, by, org, "Second")
	is.NoErr(err)
	_, err = silent.MoveOrganization(w.ctx, operator, org, "moderated", 0, organization.Move{Roles: toModerated})
	is.NoErr(err)
	bob := commands.Request{Actor: domain.ByAccount(w.account(c, "bob@example.com").AccountID)}
	is.NoErr(c.FinishRenaming(w.ctx, byProcess, renamed.Events[0].(organization.Renamed)))
	_, _, err = c.ActivateOrganization(w.ctx, bob, "ownership", "First", "bob")
	is.NoErr(err)
}

// A node that hangs between its reservation and its event, wherever it is, does
// not write when it wakes up.
func TestANodeThatHungAnywhereTakesNoNameOfAnother(t *testing.T) {
	for reading := 1; ; reading++ {
		is := is.New(t)
		w := newWorld(t)
		org, by := w.organization(w.node(), "First")
		bob := commands.Request{Actor: domain.ByAccount(w.account(w.node(), "bob@example.com").AccountID)}
		var reserved, hung atomic.Bool
		var readings atomic.Int64
		sleepy := w.node().Dependencies
		sleepy.Step = func(name string) {
			switch name {
			case commands.StepNewNameReserved:
				reserved.Store(true)
			case commands.StepRenamed:
				reserved.Store(false)
			}
		}
		sleepy.Now = func() time.Time { // each time the node looks at the clock is a place to hang
			if reserved.Load() && readings.Add(1) == int64(reading) {
				hung.Store(true)
				w.pass(commands.ReservationLifetime)
				_, _, err := w.node().ActivateOrganization(w.ctx, bob, "ownership", "Wanted", "bob")
				is.NoErr(err)
			}
			return w.now()
		}
		_, err := commands.New(sleepy).RenameOrganization(w.ctx, by, org, "Wanted")
		if !hung.Load() {
			is.NoErr(err)
			is.True(reading > 3)
			return
		}
		is.True(errors.Is(err, commands.ErrBusy) || refusedWith(err, domain.CodeNameTaken))
	}
}

// An invitation at a provider may be accepted with another address than that it
// was sent to.
func TestAnExclusiveRoleThatAProviderVouchesForIsHeldOnce(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	w.published("moderated", "name: moderated", "name: bound", "\ninvitations:\n", "\ninvitations:\n  providers: [any, google]\n")
	authors := 0
	for n := range 2 {
		by := commands.Request{Actor: domain.ByAccount(w.account(c, domain.Email(fmt.Sprint("admin", n, "@example.com"))).AccountID)}
		org, _, err := c.ActivateOrganization(w.ctx, by, "bound", domain.OrganizationName(fmt.Sprint("Org", n)), "admin")
		is.NoErr(err)
		id, _, err := c.InviteMember(w.ctx, by, org, organization.Invitee{
			Email: domain.Email(fmt.Sprint("alias", n, "@example.com")), Username: "grace@example.com", Provider: "google", Roles: []domain.Role{"author"}, Language: "en",
		})
		is.NoErr(err)
		signedIn, err := c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace(fmt.Sprint(n)), w.invitationLink(id, 1))
		is.Equal(err == nil, n == 0)
		if err != nil {
			is.True(refusedWith(err, domain.CodeRoleExclusive))
			continue
		}
		m, _ := w.shared()[org].ActiveMember(signedIn.AccountID)
		is.Equal(m.Roles, []domain.Role{"author"})
		is.Equal(w.reservedFor(signedIn.AccountID), "organization:"+string(org))
		authors++
	}
	is.Equal(authors, 1)
}
