package commands_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
	"tenure/keyring"
	keysqlite "tenure/keyring/sqlite"
)

// sealed is a world whose log is sealed, and the file with its keys.
type sealed struct {
	*world
	path  string
	store *keysqlite.Store
}

func newSealed(t *testing.T) *sealed {
	s := &sealed{world: newWorld(t), path: filepath.Join(t.TempDir(), "keys.db")}
	s.open()
	t.Cleanup(func() { s.store.Close() })
	return s
}

func (s *sealed) open() {
	s.t.Helper()
	var err error
	if s.store, err = keysqlite.Open(s.path, keysqlite.Options{MayMake: true}); err != nil {
		s.t.Fatal(err)
	}
}

// sealedNode is a node with its own memory of keys.
type sealedNode struct {
	*commands.Commands
	ring *keyring.Ring
}

func (s *sealed) node() sealedNode {
	s.t.Helper()
	masters, err := keyring.NewMasters(bytes.Repeat([]byte{1}, keyring.MasterBytes))
	if err != nil {
		s.t.Fatal(err)
	}
	ring, err := keyring.New(s.store, masters, keyring.Options{Pseudonyms: bytes.Repeat([]byte{2}, 32), Now: s.now})
	if err != nil {
		s.t.Fatal(err)
	}
	s.codec = codec.NewSealing(ring)
	c := s.world.node()
	c.Keyring = ring
	return sealedNode{c, ring}
}

// shelf is what a deployment without views has of copies.
type shelf struct{ scrubbed int }

func (s *shelf) Settle(context.Context, eventstore.Position) error { return nil }
func (s *shelf) Scrub(context.Context) error                       { s.scrubbed++; return nil }

// erase does what the process does, and answers with the erasure's event.
func (s *sealed) erase(n sealedNode, id domain.AccountID, copies *shelf) eventstore.Position {
	s.t.Helper()
	receipt, err := n.EraseAccount(s.ctx, commands.Request{Actor: domain.ByProcess("test"), Reason: "tilly asked"}, id, commands.Erasure{Force: true})
	if err == nil {
		err = n.FinishErasure(s.ctx, process, id, receipt.Position, copies)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return receipt.Position
}

var process = commands.Request{Actor: domain.ByProcess("erasure")}

// shown is everything that a node reads in the log.
func (s *sealed) shown(n sealedNode) (all []codec.Envelope) {
	s.t.Helper()
	page, err := s.world.store.ReadAll(s.ctx, 0, 10_000, eventstore.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, recorded := range page.Events {
		e, err := n.Codec.Decode(recorded)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// named reports whether a node reads a word anywhere in the log.
func (s *sealed) named(n sealedNode, word string) bool {
	s.t.Helper()
	for _, e := range s.shown(n) {
		text, err := codec.New().Encode(e.ID, e.Event, e.Metadata)
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(string(text.Data)+string(text.Metadata)), word) {
			return true
		}
	}
	return false
}

func (s *sealed) events(n sealedNode, org domain.OrganizationID) (types []string) {
	s.t.Helper()
	for _, e := range s.shown(n) {
		if e.Stream == "organization-"+string(org) {
			types = append(types, strings.TrimSuffix(strings.TrimPrefix(e.Event.EventType(), "organization."), ".v1"))
		}
	}
	return types
}

func TestAnErasureFindsEverythingOnce(t *testing.T) {
	is := is.New(t)
	s := newSealed(t)
	one, two := s.node(), s.node()
	org, by := s.organization(one.Commands, "acme")
	other, byOther := s.organization(one.Commands, "other")
	tilly := s.member(one.Commands, by, org, "tilly", "ADMIN")
	_, _, err := s.invite(one.Commands, byOther, other, "tilly", "USER")
	is.NoErr(err)
	is.True(s.named(two, "tilly@example.com"))

	copies := &shelf{}
	at := s.erase(one, tilly, copies)
	is.Equal(copies.scrubbed, 1)
	is.True(!s.named(one, "tilly"))
	is.Equal(s.events(one, org)[3:], []string{"member_removed", "member_erased", "invitation_erased"})
	is.Equal(s.events(one, other)[1:], []string{"invitation_opened", "invitation_closed", "invitation_erased"})

	// The other node has keys, and an account, in memory until it hears of it.
	is.True(s.named(two, "tilly"))
	for _, e := range s.shown(one) {
		if concluded, ok := e.Event.(erasure.Concluded); ok {
			is.True(slices.Contains(concluded.Subjects, string(tilly)))
			is.Equal(len(concluded.Subjects), 3)
			is.Equal(concluded.OrganizationIDs, []domain.OrganizationID{org, other})
			two.ring.Forget(concluded.Subjects...)
			two.Forget(concluded)
		}
	}
	is.True(!s.named(two, "tilly"))
	account, err := two.Account(s.ctx, tilly)
	is.NoErr(err)
	is.True(strings.HasSuffix(string(account.Held().Email), ".invalid"))

	before := len(s.shown(one))
	is.NoErr(one.FinishErasure(s.ctx, process, tilly, at, copies)) // the log comes again
	is.Equal(len(s.shown(one)), before)
	is.Equal(copies.scrubbed, 1)
}

// After a restart the process reads once more of how somebody became a member,
// before it gets to the end of the account: that finds everything.
func TestAnEarlierEventThatComesAgainDoesNotCutTheErasureShort(t *testing.T) {
	is := is.New(t)
	s := newSealed(t)
	one := s.node()
	org, by := s.organization(one.Commands, "acme")
	other, byOther := s.organization(one.Commands, "other")
	tilly := s.member(one.Commands, by, org, "tilly", "ADMIN")
	_, _, err := s.invite(one.Commands, byOther, other, "tilly", "USER")
	is.NoErr(err)
	receipt, err := one.EraseAccount(s.ctx, process, tilly, commands.Erasure{Force: true})
	is.NoErr(err)
	copies := &shelf{}
	before := len(s.shown(one))
	is.NoErr(one.EraseAgain(s.ctx, process, tilly, org, "", copies))
	is.Equal(len(s.shown(one)), before)
	is.NoErr(one.FinishErasure(s.ctx, process, tilly, receipt.Position, copies))
	is.True(!s.named(s.node(), "tilly"))
	is.Equal(s.events(one, other)[2:], []string{"invitation_closed", "invitation_erased"})
}

// A command that was under way when an account ended brings the person back, and
// the process that reads of it erases them again.
func TestWhoComesBackIsErasedAgain(t *testing.T) {
	t.Run("as the founder of an organization", func(t *testing.T) {
		is := is.New(t)
		s := newSealed(t)
		one, slow := s.node(), s.node()
		tilly := s.account(one.Commands, "tilly@example.com").AccountID
		hung := false
		slow.Step = func(step string) {
			if step == commands.StepNameReserved && !hung {
				hung = true
				s.erase(one, tilly, &shelf{})
			}
		}
		org, receipt, err := slow.ActivateOrganization(s.ctx, commands.Request{Actor: domain.ByAccount(tilly)}, "ownership", "Tilly's", "tilly")
		is.NoErr(err)
		is.True(hung)
		copies := &shelf{}
		for range 2 {
			is.NoErr(one.EraseAgain(s.ctx, process, tilly, org, "", copies))
			is.Equal(s.events(one, org), []string{"activated", "member_removed", "deleted", "member_erased"})
		}
		is.Equal(copies.scrubbed, 1)
		is.True(!s.named(s.node(), "tilly@example.com"))
		is.True(receipt.Position > 0)
	})
	t.Run("as a member, written by a node with the key in memory", func(t *testing.T) {
		is := is.New(t)
		s := newSealed(t)
		one, slow := s.node(), s.node()
		org, by := s.organization(one.Commands, "acme")
		other, byOther := s.organization(one.Commands, "other")
		tilly := s.member(one.Commands, by, org, "tilly", "ADMIN")
		is.True(s.named(slow, "tilly@example.com"))
		s.erase(one, tilly, &shelf{})
		id, _, err := s.invite(one.Commands, byOther, other, "lovelace", "USER")
		is.NoErr(err)
		late, err := slow.Codec.Encode(eventstore.ID(uuid.New()), organization.MemberJoined{
			OrganizationID: other, AccountID: tilly, Email: "tilly@example.com", Username: "lovelace", DisplayName: "tilly", Roles: []domain.Role{"USER"}, InvitationID: id,
		}, codec.Metadata{Actor: domain.ByAccount(tilly), OccurredAt: s.now()})
		is.NoErr(err)
		is.True(bytes.Contains(late.Data, []byte("tnr_sealed1.")))
		head, err := s.world.store.ReadStream(s.ctx, "organization-"+string(other), 0, 100)
		is.NoErr(err)
		_, err = s.world.store.Append(s.ctx, "organization-"+string(other), eventstore.Exactly(eventstore.Revision(len(head)-1)), []eventstore.Event{late})
		is.NoErr(err)
		is.True(!s.named(one, "tilly@example.com"))
		copies := &shelf{}
		for range 2 {
			is.NoErr(one.EraseAgain(s.ctx, process, tilly, other, id, copies))
		}
		is.Equal(copies.scrubbed, 1)
		is.True(!s.named(s.node(), "lovelace"))
		is.Equal(s.events(one, other)[2:], []string{"member_joined", "member_removed", "member_erased", "invitation_erased"})
		is.NoErr(one.EraseAgain(s.ctx, process, domain.AccountID(by.Actor.ID), org, "", copies)) // who is not erased stays
		is.Equal(copies.scrubbed, 1)
	})
}

// Keys that are restored from a copy that is older than the erasure.
func TestErasedAgainAfterARestoreOfOlderKeys(t *testing.T) {
	is := is.New(t)
	s := newSealed(t)
	one := s.node()
	org, by := s.organization(one.Commands, "acme")
	tilly := s.member(one.Commands, by, org, "tilly", "ADMIN")
	older := filepath.Join(t.TempDir(), "older.db")
	_, err := keysqlite.Backup(s.ctx, s.path, older)
	is.NoErr(err)
	at := s.erase(one, tilly, &shelf{})

	is.NoErr(s.store.Close())
	for _, beside := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.path + beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(older)
	is.NoErr(err)
	is.NoErr(os.WriteFile(s.path, text, 0o600))
	s.open()
	restored := s.node()
	is.True(s.named(restored, "tilly@example.com"))
	again, err := s.node().KeepErased(s.ctx)
	is.NoErr(err)
	is.Equal(again, 2) // the account and the invitation
	fresh := s.node()
	is.True(!s.named(fresh, "tilly"))
	again, err = fresh.KeepErased(s.ctx)
	is.NoErr(err)
	is.Equal(again, 0)
	copies := &shelf{}
	is.NoErr(fresh.FinishErasure(s.ctx, process, tilly, at, copies)) // and what views held is scrubbed
	is.Equal(copies.scrubbed, 1)
	is.True(s.named(fresh, "owner@acme.example")) // nobody else is concerned
}

func TestErasingWhoHasNoAccount(t *testing.T) {
	is := is.New(t)
	s := newSealed(t)
	one := s.node()
	org, by := s.organization(one.Commands, "acme")
	_, _, err := s.invite(one.Commands, by, org, "tilly", "ADMIN")
	is.NoErr(err)
	_, _, err = s.invite(one.Commands, by, org, "grace", "USER")
	is.NoErr(err)
	_, err = one.EraseInvitee(s.ctx, process, "owner@acme.example")
	is.True(refusedWith(err, domain.CodeAccountExists))

	receipt, err := one.EraseInvitee(s.ctx, commands.Request{Actor: domain.ByAPIKey("key"), Reason: "tilly asked"}, "Tilly@Example.com")
	is.NoErr(err)
	requested := receipt.Events[0].(erasure.Requested)
	again, err := one.EraseInvitee(s.ctx, process, "tilly@example.com")
	is.NoErr(err)
	is.Equal(len(again.Events), 0) // under way
	for range 2 {
		is.NoErr(one.FinishInviteeErasure(s.ctx, process, requested, receipt.Position, &shelf{}))
	}
	is.True(!s.named(s.node(), "tilly"))
	is.True(s.named(s.node(), "grace@example.com"))
	is.Equal(s.events(one, org)[3:], []string{"invitation_closed", "invitation_erased"})

	// Nobody was invited with an address: that is concluded as well.
	receipt, err = one.EraseInvitee(s.ctx, process, "nobody@example.com")
	is.NoErr(err)
	is.NoErr(one.FinishInviteeErasure(s.ctx, process, receipt.Events[0].(erasure.Requested), receipt.Position, &shelf{}))
	_, _, err = s.invite(one.Commands, by, org, "tilly", "ADMIN")
	is.NoErr(err)
	is.True(s.named(s.node(), "tilly"))

	// Who is invited by the username at a provider is found by it.
	org, by = s.seated(one.Commands)
	_, _, err = one.InviteMember(s.ctx, by, org, organization.Invitee{Username: "Quinn@corp.example", Provider: "microsoft", Roles: []domain.Role{"Member"}, Language: "en"})
	is.NoErr(err)
	is.True(s.named(s.node(), "quinn"))
	receipt, err = one.EraseInvitee(s.ctx, process, "quinn@corp.example")
	is.NoErr(err)
	is.NoErr(one.FinishInviteeErasure(s.ctx, process, receipt.Events[0].(erasure.Requested), receipt.Position, &shelf{}))
	is.True(!s.named(s.node(), "quinn"))
}
