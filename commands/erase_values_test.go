package commands_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/erasure"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// set makes the general settings of an organization these: names and values in turn.
func (s *sealed) set(c *commands.Commands, by commands.Request, org domain.OrganizationID, pairs ...string) {
	s.t.Helper()
	settings := make(map[string]string)
	for pair := range slices.Chunk(pairs, 2) {
		settings[pair[0]] = pair[1]
	}
	if _, err := c.ChangeSettings(s.ctx, by, org, organization.SectionGeneral, settings); err != nil {
		s.t.Fatal(err)
	}
}

// said is what the log says that settings of an organization were and became.
func (s *sealed) said(n sealedNode, org domain.OrganizationID) string {
	s.t.Helper()
	var all []string
	for _, e := range s.shown(n) {
		changed, ok := e.Event.(organization.SettingsChanged)
		if !ok || changed.OrganizationID != org {
			continue
		}
		for _, change := range changed.Changes {
			was, is := "-", "-"
			if change.Before != nil {
				was = *change.Before
			}
			if change.After != nil {
				is = *change.After
			}
			all = append(all, change.Name+": "+was+" → "+is)
		}
	}
	return strings.Join(all, "; ")
}

// setting is the value of one that commands decide on.
func (s *sealed) setting(n sealedNode, org domain.OrganizationID, name string) string {
	s.t.Helper()
	state, err := n.Organization(s.ctx, org)
	if err != nil {
		s.t.Fatal(err)
	}
	return state.Settings(organization.SectionGeneral)[name].Value
}

func TestValuesOfSettingsAreErasedWithAPerson(t *testing.T) {
	is := is.New(t)
	s := newSealed(t)
	one := s.node()
	acme, by := s.organization(one.Commands, "acme")
	s.set(one.Commands, by, acme, "contact", "Tilly ", "plan", "large", "mail", "grace@example.com") // before she is a member
	other, byOther := s.organization(one.Commands, "other")
	tilly := s.member(one.Commands, by, acme, "tilly", "ADMIN")
	s.set(one.Commands, byOther, other, "to", "TILLY@example.com", "cc", "grace@example.com", "note", "Or to <tilly@example.com>.")
	s.set(one.Commands, byOther, other, "to", "atilly@example.com", "note", "Or to <tilly@example.com>.")
	third, byThird := s.organization(one.Commands, "third")
	s.set(one.Commands, byThird, third, "brand", "tilly") // which is nobody's there
	s.asks(one, third, tilly)                             // by herself
	own := s.alone(one.Commands, tilly)
	s.set(one.Commands, commands.Request{Actor: domain.ByAccount(tilly)}, own, "street", "Somewhere 5")
	s.set(one.Commands, commands.Request{Actor: domain.ByAccount(tilly)}, own, "street", "Elsewhere 6", "town", "Bern")
	two := s.node()
	is.Equal(s.setting(two, other, "note"), "Or to <tilly@example.com>.")

	at := s.erase(one, tilly, &shelf{})
	for _, n := range []sealedNode{one, s.node()} {
		is.Equal(s.said(n, acme), "contact: - → Tilly ; mail: - → grace@example.com; plan: - → large")
		is.Equal(s.said(n, other), "cc: - → grace@example.com; note: - → [erased]; to: - → [erased]; cc: grace@example.com → -; to: [erased] → atilly@example.com")
		is.Equal(s.said(n, third), "brand: - → tilly")
		is.Equal(s.said(n, own), "street: - → [erased]; street: [erased] → [erased]; town: - → [erased]")
		is.Equal(s.setting(n, other, "note"), "[erased]")
		is.Equal(s.setting(n, other, "to"), "atilly@example.com")
		is.Equal(s.setting(n, own, "town"), "[erased]")
	}
	is.Equal(s.setting(two, other, "note"), "[erased]") // by the event alone
	is.Equal(s.events(one, own), []string{"activated", "settings_changed", "settings_changed", "member_removed", "deleted", "member_erased", "values_erased"})

	// What is erased is recorded with the keys, for keys that are restored and for nodes.
	var keys []string
	for _, e := range s.shown(one) {
		if concluded, ok := e.Event.(erasure.Concluded); ok {
			keys = append(keys, concluded.Subjects...)
			is.Equal(concluded.OrganizationIDs, []domain.OrganizationID{acme, third, own, other})
		}
	}
	is.Equal(len(keys), 2+2+3) // the account and its invitation; and the values

	before := len(s.shown(one))
	is.NoErr(one.FinishErasure(s.ctx, process, tilly, at, &shelf{}))
	is.Equal(len(s.shown(one)), before)

	// Whoever may change the settings does, with what is erased left as it reads or set anew.
	s.set(one.Commands, byOther, other, "to", "atilly@example.com", "note", "[erased]")
	is.Equal(len(s.shown(one)), before)
	s.set(one.Commands, byOther, other, "note", "To nobody")
	is.True(strings.HasSuffix(s.said(s.node(), other), "note: [erased] → To nobody; to: atilly@example.com → -"))
}

// asks has an account ask to join.
func (s *sealed) asks(n sealedNode, org domain.OrganizationID, account domain.AccountID) {
	s.t.Helper()
	asked, err := n.Codec.Encode(eventstore.ID(uuid.New()), organization.JoinRequested{
		OrganizationID: org, AccountID: account, Email: "tilly@example.com", DisplayName: "tilly",
	}, codec.Metadata{Actor: domain.ByAccount(account), OccurredAt: s.now()})
	if err == nil {
		stream := "organization-" + string(org)
		before, _ := s.world.store.ReadStream(s.ctx, stream, 0, 100)
		_, err = s.world.store.Append(s.ctx, stream, eventstore.Exactly(eventstore.Revision(len(before)-1)), []eventstore.Event{asked})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// alone is an organization with one member.
func (s *sealed) alone(c *commands.Commands, founder domain.AccountID) domain.OrganizationID {
	s.t.Helper()
	id, _, err := c.ActivateOrganization(s.ctx, commands.Request{Actor: domain.ByAccount(founder)}, "ownership", "Own", "owner")
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func TestValuesOfSettingsAreErasedByTheAddress(t *testing.T) {
	is := is.New(t)
	s := newSealed(t)
	one := s.node()
	acme, by := s.organization(one.Commands, "acme")
	s.set(one.Commands, by, acme, "to", "tilly@example.com", "cc", "grace@example.com", "name", "tillyname")
	other, byOther := s.organization(one.Commands, "other")
	_, _, err := one.InviteMember(s.ctx, byOther, other, organization.Invitee{Email: "tilly@example.com", Username: "tillyname", Roles: []domain.Role{"USER"}, Language: "en"})
	is.NoErr(err)
	s.set(one.Commands, byOther, other, "name", "TillyName")
	for range 2 { // anew, after it was set anew
		receipt, err := one.EraseInvitee(s.ctx, process, "Tilly@example.com")
		is.NoErr(err)
		is.NoErr(one.FinishInviteeErasure(s.ctx, process, receipt.Events[0].(erasure.Requested), receipt.Position, &shelf{}))
		is.Equal(s.setting(s.node(), acme, "to"), "[erased]")
		is.Equal(s.setting(one, acme, "cc"), "grace@example.com")
		is.Equal(s.setting(one, other, "name"), "TillyName") // a name is nobody's alone
		is.True(!s.named(s.node(), "tilly@example.com"))
		s.set(one.Commands, by, acme, "to", "tilly@example.com", "cc", "grace@example.com")
	}
}

// Where a person is known by another address, settings of that organization with it
// are erased; not those of others, whom a stranger could have invited somebody by.
func TestValuesOfSettingsAreErasedByWhatAnOrganizationKnows(t *testing.T) {
	is := is.New(t)
	s := newSealed(t)
	one := s.node()
	acme, by := s.organization(one.Commands, "acme")
	other, byOther := s.organization(one.Commands, "other")
	tilly := s.account(one.Commands, "tilly@example.com").AccountID
	id, _, err := one.InviteMember(s.ctx, by, acme, organization.Invitee{Email: "tilly@example.com", Username: "t@work.example", Roles: []domain.Role{"USER"}, Language: "en"})
	is.NoErr(err)
	_, err = one.AcceptInvitation(s.ctx, commands.Request{Actor: domain.ByAccount(tilly)}, s.invitationLink(id, 1), nil)
	is.NoErr(err)
	for org, by := range map[domain.OrganizationID]commands.Request{acme: by, other: byOther} {
		s.set(one.Commands, by, org, "bills", "Bills to <T@work.example>, please", "name", "tilly")
	}
	s.erase(one, tilly, &shelf{})
	is.Equal(s.setting(s.node(), acme, "bills"), "[erased]")
	is.Equal(s.setting(s.node(), acme, "name"), "tilly")
	is.Equal(s.setting(s.node(), other, "bills"), "Bills to <T@work.example>, please")
}

// However many values there are, the person is erased, and so are others with them.
func TestManyValuesOfSettingsAreErased(t *testing.T) {
	is := is.New(t)
	s := newSealed(t)
	one := s.node()
	acme, by := s.organization(one.Commands, "acme")
	tilly, grace := s.member(one.Commands, by, acme, "tilly", "ADMIN"), s.member(one.Commands, by, acme, "gracie", "ADMIN")
	own, written := s.alone(one.Commands, tilly), 0
	for n := range 130 { // more than one append holds
		var settings []string
		for i := range 200 {
			settings = append(settings, fmt.Sprint("s", i), fmt.Sprint(n))
		}
		s.set(one.Commands, commands.Request{Actor: domain.ByAccount(tilly)}, own, settings...)
		written += 200
	}
	begun, err := one.EraseAccount(s.ctx, process, tilly, commands.Erasure{Force: true})
	is.NoErr(err)
	_, err = one.EraseAccount(s.ctx, process, grace, commands.Erasure{Force: true})
	is.NoErr(err)
	is.NoErr(one.FinishErasure(s.ctx, process, tilly, begun.Position, &shelf{}))
	keys := make(map[domain.ErasureID]int)
	for _, e := range s.shown(one) {
		if concluded, ok := e.Event.(erasure.Concluded); ok {
			keys[concluded.ErasureID] += len(concluded.Subjects)
		}
	}
	is.Equal(keys[erasure.OfAccount(tilly)], 2+written) // the account and its invitation besides
	is.Equal(keys[erasure.OfAccount(grace)], 2)
	is.Equal(s.setting(s.node(), own, "s7"), "[erased]")
}
