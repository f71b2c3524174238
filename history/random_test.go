package history_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"
	"golang.org/x/sync/errgroup"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/history"
	"tenure/policies"
)

// world is a log, and the history of it.
type world struct {
	testing.TB
	is       *is.I
	log      eventstore.Store
	commands *commands.Commands
	history  *history.History
	now      time.Time
}

func newWorld(t testing.TB, o history.Options) *world {
	is := is.New(t)
	log, err := logsqlite.Open(filepath.Join(t.TempDir(), "log.db"), logsqlite.Options{})
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(log.Close()) })
	w := &world{TB: t, is: is, log: log, now: time.Date(2031, 6, 1, 0, 0, 0, 0, time.UTC)}
	w.commands = commands.New(commands.Dependencies{
		Store: log, Codec: codec.New(), Policies: policies.Builtin(), Now: func() time.Time { return w.now }, CachedEvents: 1_000_000,
	})
	w.history = history.New(w.commands, o)
	return w
}

// story makes the random history of one organization.
type story struct {
	*world
	rng         *rand.Rand
	id          domain.OrganizationID
	at          time.Time
	number      int
	next        map[string]uint64
	unwritten   []eventstore.Event // of the organization's own stream
	members     []domain.AccountID
	former      []domain.AccountID
	roles       map[domain.AccountID][]domain.Role
	names       map[domain.AccountID]string
	suspended   map[domain.AccountID]bool
	assigned    map[domain.AccountID][]domain.SpaceID
	asking      []domain.AccountID
	answered    []domain.AccountID // who asked, and did not become a member by that
	invitations []organization.InvitationOpened
	lapsed      []organization.InvitationOpened
	issued      []domain.InvitationID
	offered     map[domain.InvitationID][]domain.SpaceID
	spaces      []domain.SpaceID
	spaceNames  map[domain.SpaceID]string
	name        domain.OrganizationName
}

func newStory(w *world, seed uint64, number int) *story {
	s := &story{
		world: w, rng: rand.New(rand.NewPCG(seed, uint64(number))), number: number, next: make(map[string]uint64),
		roles: make(map[domain.AccountID][]domain.Role), names: make(map[domain.AccountID]string), suspended: make(map[domain.AccountID]bool),
		assigned: make(map[domain.AccountID][]domain.SpaceID), spaceNames: make(map[domain.SpaceID]string), offered: make(map[domain.InvitationID][]domain.SpaceID),
	}
	s.id = domain.OrganizationID(s.uuid())
	s.at = w.now.AddDate(-1, 0, 0).Add(time.Duration(s.rng.Int64N(int64(2000 * time.Hour))))
	return s
}

func (s *story) uuid() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return uuid.UUID(b).String()
}

// organization records an event of the organization's stream. Clocks of nodes
// differ: some stamps are behind those before.
func (s *story) organization(e domain.Event) { s.unwritten = append(s.unwritten, s.encode(e)) }

func (s *story) encode(e domain.Event) eventstore.Event {
	s.at = s.at.Add(time.Duration(s.rng.ExpFloat64() * float64(10*time.Hour)))
	stamp := s.at
	if s.rng.IntN(5) == 0 {
		stamp = stamp.Add(time.Duration(s.rng.Int64N(int64(8*time.Minute))) - 4*time.Minute)
	}
	m := codec.Metadata{Actor: domain.ByProcess("story"), OccurredAt: stamp}
	if s.rng.IntN(3) == 0 {
		m.Reason = fmt.Sprint("reason ", s.rng.IntN(1000))
	}
	encoded, err := codec.New().Encode(eventstore.ID(uuid.MustParse(s.uuid())), e, m)
	s.is.NoErr(err)
	return encoded
}

func (s *story) invitation(id domain.InvitationID, e domain.Event) {
	s.write()
	s.append("invitation-"+string(id), s.encode(e))
}

// write puts what is unwritten into the log.
func (s *story) write() {
	if len(s.unwritten) > 0 {
		s.append("organization-"+string(s.id), s.unwritten...)
		s.unwritten = nil
	}
}

func (s *story) append(stream string, events ...eventstore.Event) {
	expected := eventstore.NoStream()
	if n := s.next[stream]; n > 0 {
		expected = eventstore.Exactly(eventstore.Revision(n - 1))
	}
	_, err := s.log.Append(context.Background(), stream, expected, events)
	s.is.NoErr(err)
	s.next[stream] += uint64(len(events))
}

func (s *story) events() (n int) {
	for _, count := range s.next {
		n += int(count)
	}
	return n + len(s.unwritten)
}

func pick[T any](s *story, from []T) (int, T, bool) {
	if len(from) == 0 {
		var none T
		return 0, none, false
	}
	i := s.rng.IntN(len(from))
	return i, from[i], true
}

func (s *story) anyRoles() []domain.Role {
	return [][]domain.Role{{"USER"}, {"ADMIN"}, {"VIEWER"}, {"ADMIN", "USER"}}[s.rng.IntN(4)]
}

// tell makes about n events.
func (s *story) tell(n int) {
	founder := domain.AccountID(s.uuid())
	s.name = domain.OrganizationName(fmt.Sprint("Organization ", s.number))
	s.organization(organization.Activated{
		OrganizationID: s.id, Name: s.name, Policy: "ownership", PolicyVersion: 1, AccountID: founder, Email: "founder@example.com",
		Username: "founder", DisplayName: "Founder", Roles: []domain.Role{"OWNER"},
	})
	s.enter(founder, "Founder", []domain.Role{"OWNER"}, nil)
	acts := []func(){s.invite, s.invite, s.invite, s.answer, s.answer, s.answer, s.answer, s.resend, s.reopen, s.offer, s.repeat, s.change, s.change, s.rename, s.suspend, s.remove, s.return_, s.ask, s.ask, s.decide, s.space, s.assign, s.renameAll, s.move}
	for s.events() < n {
		acts[s.rng.IntN(len(acts))]()
	}
	s.write()
}

func (s *story) enter(id domain.AccountID, name string, roles []domain.Role, spaces []domain.SpaceID) {
	s.members = append(s.members, id)
	s.names[id], s.roles[id], s.assigned[id] = name, roles, spaces
}

func (s *story) change() {
	_, id, _ := pick(s, s.members)
	after := s.anyRoles()
	s.organization(organization.RolesChanged{OrganizationID: s.id, AccountID: id, Before: s.roles[id], After: after})
	s.roles[id] = after
}

func (s *story) rename() {
	_, id, _ := pick(s, s.members)
	after := fmt.Sprint("Name ", s.rng.IntN(50))
	s.organization(organization.MemberRenamed{OrganizationID: s.id, AccountID: id, Before: s.names[id], After: after})
	s.names[id] = after
}

func (s *story) suspend() {
	_, id, _ := pick(s, s.members)
	if s.suspended[id] {
		s.organization(organization.MemberReactivated{OrganizationID: s.id, AccountID: id, Roles: s.roles[id]})
	} else {
		s.organization(organization.MemberSuspended{OrganizationID: s.id, AccountID: id, Roles: s.roles[id]})
	}
	s.suspended[id] = !s.suspended[id]
}

func (s *story) remove() {
	i, id, _ := pick(s, s.members)
	if len(s.members) < 3 {
		return
	}
	s.organization(organization.MemberRemoved{OrganizationID: s.id, AccountID: id, Roles: s.roles[id]})
	s.members = slices.Delete(s.members, i, i+1)
	s.former = append(s.former, id)
	delete(s.suspended, id)
}

// return_ lets a former member in again.
func (s *story) return_() {
	i, id, ok := pick(s, s.former)
	if !ok {
		return
	}
	s.former = slices.Delete(s.former, i, i+1)
	roles := s.anyRoles()
	s.organization(organization.MemberJoined{OrganizationID: s.id, AccountID: id, Email: "again@example.com", DisplayName: "Again", Roles: roles, Via: "request"})
	s.enter(id, "Again", roles, nil)
}

func (s *story) space() {
	i, id, ok := pick(s, s.spaces)
	switch n := s.rng.IntN(3); {
	case n == 0 || !ok:
		id = domain.SpaceID(s.uuid())
		s.spaceNames[id] = "Space " + string(id[:4])
		s.organization(organization.SpaceCreated{OrganizationID: s.id, SpaceID: id, Name: s.spaceNames[id]})
		s.spaces = append(s.spaces, id)
	case n == 1:
		after := fmt.Sprint("Space ", s.rng.IntN(1000))
		s.organization(organization.SpaceRenamed{OrganizationID: s.id, SpaceID: id, Before: s.spaceNames[id], After: after})
		s.spaceNames[id] = after
	default:
		s.organization(organization.SpaceDeleted{OrganizationID: s.id, SpaceID: id, Name: s.spaceNames[id]})
		s.spaces = slices.Delete(s.spaces, i, i+1)
	}
}

func (s *story) assign() {
	_, id, _ := pick(s, s.members)
	after := []domain.SpaceID{}
	for _, space := range s.spaces {
		if s.rng.IntN(3) == 0 {
			after = append(after, space)
		}
	}
	s.organization(organization.SpacesAssigned{OrganizationID: s.id, AccountID: id, Before: s.assigned[id], After: after})
	s.assigned[id] = after
}

func (s *story) renameAll() {
	if s.rng.IntN(5) > 0 {
		return
	}
	after := domain.OrganizationName(fmt.Sprint("Organization ", s.number, " ", s.rng.IntN(20)))
	s.organization(organization.Renamed{OrganizationID: s.id, Before: s.name, After: after})
	s.name = after
}

// move puts another mapping of roles in force, now and then.
func (s *story) move() {
	if s.rng.IntN(5) > 0 {
		return
	}
	version := organization.PolicyVersion{Policy: "ownership", Version: 1}
	e := organization.PolicyChanged{OrganizationID: s.id, Before: version, After: version, Roles: map[domain.Role][]domain.Role{"ADMIN": s.anyRoles(), "USER": s.anyRoles()}}
	s.organization(e)
	for _, id := range s.members {
		s.roles[id] = moved(s.roles[id], e.Roles)
	}
	for i := range s.invitations {
		s.invitations[i].Roles = moved(s.invitations[i].Roles, e.Roles)
	}
	for i := range s.lapsed {
		s.lapsed[i].Roles = moved(s.lapsed[i].Roles, e.Roles)
	}
}

// tellAll writes the histories of many organizations at the same time, so that
// their events stand in the log one between the other.
func (w *world) tellAll(seed uint64, organizations, events int) []domain.OrganizationID {
	ids := make([]domain.OrganizationID, organizations)
	var group errgroup.Group
	group.SetLimit(100)
	for i := range ids {
		s := newStory(w, seed, i)
		ids[i] = s.id
		group.Go(func() error { s.tell(events / organizations); return nil })
	}
	w.is.NoErr(group.Wait())
	return ids
}
