package commands_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// write appends events to an organization as a command does that is killed right
// after.
func (w *world) write(org domain.OrganizationID, events ...domain.Event) {
	w.t.Helper()
	before, err := w.store.ReadStream(w.ctx, "organization-"+string(org), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for n, e := range events {
		encoded, err := w.codec.Encode(eventstore.ID{15: byte(n + 1)}, e, codec.Metadata{Actor: domain.ByProcess("test"), OccurredAt: w.now()})
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.store.Append(w.ctx, "organization-"+string(org), eventstore.Exactly(eventstore.Revision(len(before)+n-1)), []eventstore.Event{encoded}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// reservedFor says for whom an account's exclusive roles are reserved.
func (w *world) reservedFor(account domain.AccountID) (holder string) {
	w.t.Helper()
	recorded, err := w.store.ReadStream(w.ctx, "reservation-"+reservation.KindExclusiveRole+"-"+string(account), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var s reservation.State
	for _, r := range recorded {
		e, err := w.codec.Decode(r)
		if err != nil {
			w.t.Fatal(err)
		}
		s = reservation.Evolve(s, e.Event)
	}
	return s.Holder
}

func TestWhatAKilledCommandHasTakenAwayIsGivenBack(t *testing.T) {
	for name, lost := range map[string]func(org domain.OrganizationID, ada domain.AccountID) domain.Event{
		"by other roles": func(org domain.OrganizationID, ada domain.AccountID) domain.Event {
			return organization.RolesChanged{OrganizationID: org, AccountID: ada, Before: []domain.Role{"author"}, After: []domain.Role{"participant"}}
		},
		"by removal": func(org domain.OrganizationID, ada domain.AccountID) domain.Event {
			return organization.MemberRemoved{OrganizationID: org, AccountID: ada, Roles: []domain.Role{"author"}}
		},
		"by a change of policy": func(org domain.OrganizationID, _ domain.AccountID) domain.Event {
			return organization.PolicyChanged{
				OrganizationID: org, Before: organization.PolicyVersion{Policy: "moderated", Version: 1}, After: organization.PolicyVersion{Policy: "seats", Version: 1},
				Roles: map[domain.Role][]domain.Role{"admin": {"Administrator"}, "author": {"Member"}, "participant": {"Member"}},
			}
		},
		"by the end of the organization": func(org domain.OrganizationID, _ domain.AccountID) domain.Event {
			return organization.Deleted{OrganizationID: org, Name: "One"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			c := w.node()
			ada := w.account(c, "ada@example.com").AccountID
			org, admin := w.moderated(c, "One", "ada@example.com")
			_, err := c.ChangeRoles(w.ctx, admin, org, ada, []domain.Role{"author"})
			is.NoErr(err)
			is.Equal(w.reservedFor(ada), "organization:"+string(org))

			is.NoErr(c.FinishLosingRoles(w.ctx, commands.Request{}, org, organization.RolesChanged{OrganizationID: org, AccountID: ada}))
			is.Equal(w.reservedFor(ada), "organization:"+string(org)) // it has the role

			e := lost(org, ada)
			w.write(org, e)
			is.NoErr(w.node().FinishLosingRoles(w.ctx, commands.Request{Actor: domain.ByProcess("test")}, org, e))
			is.Equal(w.reservedFor(ada), "")
		})
	}
}

// A process that finishes an earlier renaming gives no name back that the
// organization is about to take again.
func TestANameThatIsAboutToBeTakenAgainIsNotGivenBack(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	bob := commands.Request{Actor: domain.ByAccount(w.account(c, "bob@example.com").AccountID)}
	org, by := w.organization(c, "First")
	renamed, err := c.RenameOrganization(w.ctx, by, org, "Second")
	is.NoErr(err)
	_, err = w.hangsAt(commands.StepNewNameReserved, func() {
		is.NoErr(c.FinishRenaming(w.ctx, commands.Request{Actor: domain.ByProcess("test")}, renamed.Events[0].(organization.Renamed)))
		_, _, err := c.ActivateOrganization(w.ctx, bob, "ownership", "first", "bob")
		is.True(refusedWith(err, domain.CodeNameTaken))
	}).RenameOrganization(w.ctx, by, org, "First")
	is.NoErr(err)
}
