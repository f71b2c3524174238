package commands_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/erasure"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// counting counts how often the log is read from its beginning.
type counting struct {
	eventstore.Store
	scans int
}

func (s *counting) ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	if after == 0 && len(filter.TypePrefixes) > 1 {
		s.scans++
	}
	return s.Store.ReadAll(ctx, after, limit, filter)
}

// crowd is several people who are in many places, and whose erasure waits.
type crowd struct {
	*sealed
	orgs   []domain.OrganizationID
	people []domain.AccountID
	begun  []codec.Envelope
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	x := &crowd{sealed: newSealed(t)}
	c := x.node().Commands
	org, by := x.organization(c, "acme")
	other, byOther := x.organization(c, "other")
	x.orgs = []domain.OrganizationID{org, other}
	for i := range 2 {
		name := fmt.Sprintf("tilly%d", i)
		x.people = append(x.people, x.member(c, by, org, name, "ADMIN"))
		if _, _, err := x.invite(c, byOther, other, name, "USER"); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := x.invite(c, by, org, "tilly-invited", "USER"); err != nil {
		t.Fatal(err)
	}
	x.set(c, by, org, "to", "tilly0@example.com", "cc", "tilly-invited@example.com", "bcc", "owner@acme.example")
	x.set(c, byOther, other, "to", "Both tilly0@example.com and tilly1@example.com")
	for _, id := range x.people {
		if _, err := c.EraseAccount(x.ctx, commands.Request{Actor: domain.ByAccount(id), Correlation: string(id)}, id, commands.Erasure{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.EraseInvitee(x.ctx, commands.Request{Actor: domain.ByAPIKey("key"), Correlation: "invited"}, "tilly-invited@example.com"); err != nil {
		t.Fatal(err)
	}
	for _, e := range x.shown(x.node()) {
		switch e.Event.(type) {
		case account.Erased, erasure.Requested:
			x.begun = append(x.begun, e)
		}
	}
	return x
}

// finish gives each of the events that erasures began with to the process, as the
// log does, and stops at the first that fails.
func (x *crowd) finish(n *commands.Commands, copies commands.Copies) error {
	for _, e := range x.begun {
		r := commands.Request{Actor: domain.ByProcess("erasure"), Correlation: e.Metadata.Correlation, Causation: uuid.UUID(e.ID).String()}
		var err error
		switch begun := e.Event.(type) {
		case account.Erased:
			err = n.FinishErasure(x.ctx, r, begun.AccountID, e.Position, copies)
		case erasure.Requested:
			err = n.FinishInviteeErasure(x.ctx, r, begun, e.Position, copies)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestErasuresThatWaitAreFinishedTogether(t *testing.T) {
	is := is.New(t)
	x := newCrowd(t)
	is.Equal(len(x.begun), 3)
	log := &counting{Store: x.world.store}
	x.world.store = log
	copies := &shelf{}
	is.NoErr(x.finish(x.node().Commands, copies))
	is.Equal(log.scans, 1)
	is.Equal(copies.scrubbed, 1)
	fresh := x.node()
	is.True(!x.named(fresh, "tilly"))
	is.True(x.named(fresh, "owner@acme.example"))

	// Each is finished because of their own request.
	because := make(map[domain.ErasureID]string)
	for _, e := range x.shown(fresh) {
		if concluded, ok := e.Event.(erasure.Concluded); ok {
			because[concluded.ErasureID] = e.Metadata.Correlation + " " + e.Metadata.Causation
		}
	}
	is.Equal(len(because), 3)
	for i, e := range x.begun {
		var id domain.ErasureID
		if requested, ok := e.Event.(erasure.Requested); ok {
			id = requested.ErasureID
		} else {
			id = erasure.OfAccount(x.people[i])
		}
		is.Equal(because[id], e.Metadata.Correlation+" "+uuid.UUID(e.ID).String())
	}
	before := len(x.shown(fresh))
	is.NoErr(x.finish(fresh.Commands, copies)) // after a restart: the files are written anew once more, and nothing else
	is.Equal(len(x.shown(fresh)), before)
	is.Equal(copies.scrubbed, 2)
}

// The process is killed at each step, and once between the records of two people.
func TestErasuresTogetherThatAreCutShort(t *testing.T) {
	for _, at := range []string{commands.StepErasedLeft, commands.StepErasedReleased, commands.StepErasureConcluded, commands.StepErasedKeys, "between two", "between settings"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			x := newCrowd(t)
			killed, store := false, x.world.store
			if at == "between two" {
				x.world.store = &dying{Store: store, after: 1, stream: "erasures-all"}
			}
			if at == "between settings" { // of the one organization and the other, in which an invitation has ended and was erased before
				x.world.store = &dying{Store: store, after: 2, stream: "organization-" + string(x.orgs[1])}
			}
			n := x.node()
			n.Step = func(step string) {
				if step == at {
					panic("killed")
				}
			}
			func() {
				defer func() { killed = recover() != nil }()
				if err := x.finish(n.Commands, &shelf{}); err != nil {
					panic(err)
				}
			}()
			is.True(killed)
			x.world.store = store
			copies := &shelf{}
			is.NoErr(x.finish(x.node().Commands, copies))
			is.True(copies.scrubbed >= 1 && copies.scrubbed <= 2)
			is.True(!x.named(x.node(), "tilly"))
			for _, org := range x.orgs {
				seen := make(map[string]int)
				for _, e := range x.events(x.node(), org) {
					seen[e]++
				}
				is.Equal(seen["values_erased"], map[domain.OrganizationID]int{x.orgs[0]: 2, x.orgs[1]: 1}[org])
				is.Equal(seen["invitation_erased"]+seen["member_erased"], map[domain.OrganizationID]int{x.orgs[0]: 5, x.orgs[1]: 2}[org])
			}
		})
	}
}

// dying is a log that is away after so many appends to a stream.
type dying struct {
	eventstore.Store
	after  int
	stream string
}

func (s *dying) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	if stream == s.stream {
		if s.after--; s.after < 0 {
			return eventstore.Result{}, eventstore.ErrUnavailable
		}
	}
	return s.Store.Append(ctx, stream, expected, events)
}

// stuck are copies whose views do not get on.
type stuck struct{ shelf }

func (*stuck) Settle(context.Context, eventstore.Position) error { return context.DeadlineExceeded }

func TestWhatHoldsUpOneErasureHoldsUpNoOther(t *testing.T) {
	is := is.New(t)
	x := newCrowd(t)
	log := &counting{Store: x.world.store}
	store := x.world.store
	x.world.store = log
	n := x.node()
	x.world.store = store
	c := x.node()
	org, by := x.organization(c.Commands, "third")
	c.Step = func(step string) {
		if step == commands.StepInvitationOpened {
			panic("killed")
		}
	}
	func() {
		defer func() { is.True(recover() != nil) }()
		_, _, _ = x.invite(c.Commands, by, org, "tilly0", "USER") // whose link is not made yet
	}()

	// While the views do not get on, the log is read once all the same.
	for range 3 {
		is.True(x.finish(n.Commands, &stuck{}) != nil)
	}
	is.Equal(log.scans, 1)
	copies := &shelf{}
	for range 2 {
		is.Equal(x.finish(n.Commands, copies), commands.ErrNotYet)
	}
	is.Equal(copies.scrubbed, 1)
	is.True(!x.named(x.node(), "tilly1") && !x.named(x.node(), "tilly-invited"))
	is.True(x.named(x.node(), "tilly0"))

	// Nor one that is asked for while the first has to wait.
	late := x.member(x.node().Commands, by, org, "latecomer", "ADMIN")
	is.True(x.named(x.node(), "latecomer"))
	_, err := x.node().EraseAccount(x.ctx, commands.Request{Actor: domain.ByAccount(late)}, late, commands.Erasure{})
	is.NoErr(err)
	for range 2 {
		is.Equal(x.finish(n.Commands, copies), commands.ErrNotYet)
	}
	is.True(!x.named(x.node(), "latecomer"))
	is.True(x.named(x.node(), "tilly0"))
	is.Equal(copies.scrubbed, 2)
	is.Equal(log.scans, 2)

	for _, e := range x.shown(x.node()) {
		if opened, ok := e.Event.(organization.InvitationOpened); ok && opened.OrganizationID == org {
			_, err := x.node().IssueInvitation(x.ctx, commands.Request{Actor: domain.ByProcess("issuing")}, opened)
			is.NoErr(err)
		}
	}
	is.NoErr(x.finish(n.Commands, copies))
	is.Equal(copies.scrubbed, 3)
	is.Equal(log.scans, 2)
	is.True(!x.named(x.node(), "tilly"))
	is.True(slices.Contains(x.events(x.node(), org), "invitation_erased"))
}
