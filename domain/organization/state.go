// Package organization is the aggregate that decides everything about one
// organization's members: who is one, with which roles, who may change that,
// which e-mails and usernames are taken by members and open invitations, and
// who is about to become the owner. Since all of that is one stream, every
// guardrail holds under concurrency by the log's expected revision alone.
//
// The decisions are functions of the State, the Policy in force, the actor and
// the command; they answer with events or a *domain.Error. Evolve folds events
// into the State. Commands that no person may give (admission, expiry, closing)
// take no actor; the processes give them.
package organization

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/benbjohnson/immutable"

	"tenure/domain"
)

// State is what the decisions need to know of an organization. States share
// what they have in common and are never changed: Evolve answers with a new
// one. The zero State is an organization that was never activated.
type State struct {
	ID            domain.OrganizationID
	Name          domain.OrganizationName
	Policy        string // the name of the policy in force
	PolicyVersion int
	PolicyChanges int       // how often it was changed (X10)
	Transfer      *Transfer // the pending request, or nil
	Deleted       bool
	Personal      bool   // its founder's own space
	EmailDomain   string // with which people ask to join by signing in; empty for none

	members     *immutable.Map[domain.AccountID, Member]
	invitations *immutable.Map[domain.InvitationID, OpenInvitation]
	lapsed      *immutable.Map[domain.InvitationID, lapsed] // invitations that expired: a resend brings them back
	emails      *immutable.Map[string, string]              // Email.Key → holder, a member's or invitation's id
	usernames   *immutable.Map[string, string]              // Username.Key → holder
	active      map[string]roleSet                          // active members per set of roles: few, whatever the number of members
	suspended   int                                         // members who are
	claims      int                                         // open invitations that a seat is kept for
	seats       int                                         // as the operator says; 0 is what the policy says

	requests      *immutable.Map[domain.AccountID, Request]
	rejected      *immutable.Map[domain.AccountID, bool] // whose request was
	autoActivates bool
	digestAt      time.Time                              // when the open requests are summed up next; zero when that is not scheduled
	digested      time.Time                              // the scheduled instant of the last time
	erased        *immutable.Map[domain.AccountID, bool] // whose person was

	erasedInvitations *immutable.Map[domain.InvitationID, bool] // whose invitee was

	spaces     *immutable.Map[domain.SpaceID, string] // names
	spaceNames *immutable.Map[string, domain.SpaceID] // by folded name
	settings   map[Section]map[string]Setting

	erasedValues *immutable.Map[domain.ValueID, bool] // of settings, of now or before
}

// Member is one who is, or was, a member.
type Member struct {
	Status      Status
	Roles       []domain.Role // empty once removed
	DisplayName string
	email       string // keys, to be given back on removal
	username    string
	invitation  domain.InvitationID // by which it joined last
	added       bool                // by an administrator, without having been asked (M4)
	left        bool                // removed by their own decision
	spaces      []domain.SpaceID    // assigned, sorted; some may be deleted
	work        []WorkItem
}

// Present reports whether it is a member, suspended or not.
func (m Member) Present() bool { return m.Status == Active || m.Status == Suspended }

// Status is where a membership stands.
type Status string

// The statuses of a membership.
const (
	Active    Status = "active"
	Suspended Status = "suspended" // M7: no access until it is active again
	Removed   Status = "removed"
)

// OpenInvitation is an invitation whose e-mail and username are held.
type OpenInvitation struct {
	Generation int
	Roles      []domain.Role
	InvitedBy  domain.AccountID
	Claimed    bool // a seat is kept for it (S9)
	email      string
	username   string
	spaces     []domain.SpaceID // for the member that it makes, sorted; some may be deleted
}

// Transfer is a pending request to transfer the ownership.
type Transfer struct {
	ID        domain.TransferID
	From, To  domain.AccountID
	ExpiresAt time.Time
}

type roleSet struct {
	roles []domain.Role
	count int
}

// Exists reports whether the organization was activated.
func (s State) Exists() bool { return s.ID != "" }

// Member finds a present or former member.
func (s State) Member(id domain.AccountID) (Member, bool) { return get(s.members, id) }

// ActiveMember finds a member who has access.
func (s State) ActiveMember(id domain.AccountID) (Member, bool) {
	m, ok := get(s.members, id)
	return m, ok && m.Status == Active
}

// ActiveMembers counts the members who have access.
func (s State) ActiveMembers() int {
	return s.count(func([]domain.Role) bool { return true })
}

// Invitation finds an open invitation.
func (s State) Invitation(id domain.InvitationID) (OpenInvitation, bool) {
	return get(s.invitations, id)
}

// InvitationsBy lists the open invitations that a member sent, in no order.
func (s State) InvitationsBy(inviter domain.AccountID) []domain.InvitationID {
	var ids []domain.InvitationID
	if s.invitations == nil {
		return nil
	}
	for itr := s.invitations.Iterator(); !itr.Done(); {
		if id, open, _ := itr.Next(); open.InvitedBy == inviter {
			ids = append(ids, id)
		}
	}
	return ids
}

// Invitations lists the open invitations, in no order.
func (s State) Invitations() []domain.InvitationID {
	var ids []domain.InvitationID
	if s.invitations == nil {
		return nil
	}
	for itr := s.invitations.Iterator(); !itr.Done(); {
		id, _, _ := itr.Next()
		ids = append(ids, id)
	}
	return ids
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Activated:
		s.ID, s.Name, s.Policy, s.PolicyVersion, s.Personal = e.OrganizationID, e.Name, e.Policy, e.PolicyVersion, e.Personal
		return s.join(e.AccountID, Member{Roles: e.Roles, DisplayName: e.DisplayName, email: e.Email.Key(), username: e.Username.Key()})
	case Renamed:
		s.Name = e.After
	case PersonalSpaceRenamed:
		s.Name = e.After
	case EmailDomainChanged:
		s.EmailDomain = e.After
	case InvitationOpened:
		return s.open(e)
	case InvitationSpacesChanged:
		return s.changeInvitationSpaces(e)
	case InvitationClosed:
		if open, ok := s.Invitation(e.InvitationID); ok && e.Outcome == "expired" {
			s.lapsed = set(s.lapsed, e.InvitationID, lapsed{open.Roles, open.spaces})
		}
		return s.close(e.InvitationID)
	case MemberJoined:
		return s.close(e.InvitationID).join(e.AccountID, Member{
			Roles: e.Roles, DisplayName: e.DisplayName, email: e.Email.Key(), username: e.Username.Key(), invitation: e.InvitationID, added: e.Via == viaAddition,
			spaces: slices.Sorted(slices.Values(e.Spaces)),
		})
	case MemberRenamed:
		if m, known := s.Member(e.AccountID); known {
			m.DisplayName = e.After
			s.members = set(s.members, e.AccountID, m)
		}
	case RolesChanged:
		return s.changeRoles(e.AccountID, e.After)
	case MemberRemoved:
		return s.remove(e.AccountID, e.Left)
	case MemberSuspended:
		return s.setStatus(e.AccountID, Suspended)
	case MemberReactivated:
		return s.setStatus(e.AccountID, Active)
	case SpacesAssigned:
		return s.change(e.AccountID, func(m *Member) { m.spaces = slices.Sorted(slices.Values(e.After)) })
	case WorkAssigned:
		w := WorkItem{Kind: e.Kind, ID: e.WorkID, Space: e.SpaceID}
		return s.change(e.AccountID, func(m *Member) { m.work = append(without(m.work, w), w) })
	case WorkReleased:
		return s.change(e.AccountID, func(m *Member) { m.work = without(m.work, WorkItem{Kind: e.Kind, ID: e.WorkID}) })
	case JoinRequested:
		s.requests = set(s.requests, e.AccountID, Request{Email: e.Email, DisplayName: e.DisplayName, Since: e.RequestedAt})
		if !e.DigestAt.IsZero() {
			s.digestAt = e.DigestAt
		}
	case RequestsSummarized:
		s.digested, s.digestAt = e.Due, e.NextAt
	case JoinRequestClosed:
		s = s.closeRequest(e.AccountID)
		if e.Outcome == "rejected" {
			s.rejected = set(s.rejected, e.AccountID, true)
		}
	case AutoActivationChanged:
		s.autoActivates = e.After
	case SeatClaimed:
		return s.claim(e.InvitationID)
	case SeatsChanged:
		s.seats = e.After
	case SpaceCreated:
		return s.nameSpace(e.SpaceID, e.Name)
	case SpaceRenamed:
		return s.nameSpace(e.SpaceID, e.After)
	case SpaceDeleted:
		return s.deleteSpace(e.SpaceID)
	case SettingsChanged:
		return s.changeSettings(e)
	case PolicyChanged:
		return s.changePolicy(e)
	case MemberErased:
		return s.eraseMember(e)
	case InvitationErased:
		s.erasedInvitations = set(s.erasedInvitations, e.InvitationID, true)
	case ValuesErased:
		return s.eraseValues(e)
	case Deleted:
		s.Deleted = true
	case OwnershipTransferRequested:
		s.Transfer = &Transfer{ID: e.TransferID, From: e.From, To: e.To, ExpiresAt: e.ExpiresAt}
	case OwnershipTransferEnded:
		s.Transfer = nil
	case OwnershipTransferred:
		s.Transfer = nil
		return s.changeRoles(e.From, e.FromAfter).changeRoles(e.To, e.ToAfter)
	}
	return s
}

func (s State) join(id domain.AccountID, m Member) State {
	s = s.remove(id, false).closeRequest(id)
	m.Status = Active
	s.members = set(s.members, id, m)
	s.active = count(s.active, m.Roles, 1)
	return s.take(string(id), m.email, m.username)
}

func (s State) remove(id domain.AccountID, left bool) State {
	m, _ := s.Member(id)
	if !m.Present() {
		return s
	}
	s = s.tally(m, -1)
	s.members = set(s.members, id, Member{Status: Removed, DisplayName: m.DisplayName, invitation: m.invitation, left: left})
	return s.give(string(id), m.email, m.username)
}

func (s State) changeRoles(id domain.AccountID, roles []domain.Role) State {
	return s.change(id, func(m *Member) { m.Roles = roles })
}

func (s State) setStatus(id domain.AccountID, status Status) State {
	return s.change(id, func(m *Member) { m.Status = status })
}

// change changes one who is a member. The member before is not touched: what the
// change puts in its lists has to be new.
func (s State) change(id domain.AccountID, change func(*Member)) State {
	m, _ := s.Member(id)
	if !m.Present() {
		return s
	}
	s = s.tally(m, -1)
	change(&m)
	s.members = set(s.members, id, m)
	return s.tally(m, 1)
}

// tally counts a member in or out.
func (s State) tally(m Member, n int) State {
	if m.Status == Suspended {
		s.suspended += n
		return s
	}
	s.active = count(s.active, m.Roles, n)
	return s
}

func (s State) closeRequest(id domain.AccountID) State {
	if _, open := s.Request(id); open {
		s.requests = s.requests.Delete(id)
	}
	return s
}

// without is a new list that lacks the piece of work.
func without(work []WorkItem, w WorkItem) []WorkItem {
	return slices.DeleteFunc(slices.Clone(work), w.same)
}

func (s State) take(holder, email, username string) State {
	if email != "" {
		s.emails = set(s.emails, email, holder)
	}
	if username != "" {
		s.usernames = set(s.usernames, username, holder)
	}
	return s
}

func (s State) give(holder, email, username string) State {
	if held, _ := get(s.emails, email); email != "" && held == holder {
		s.emails = s.emails.Delete(email)
	}
	if held, _ := get(s.usernames, username); username != "" && held == holder {
		s.usernames = s.usernames.Delete(username)
	}
	return s
}

// count answers with the sum over the sets of roles for which holds is true.
func (s State) count(holds func([]domain.Role) bool) int {
	n := 0
	for _, set := range s.active {
		if holds(set.roles) {
			n += set.count
		}
	}
	return n
}

func count(active map[string]roleSet, roles []domain.Role, change int) map[string]roleSet {
	next := maps.Clone(active)
	if next == nil {
		next = make(map[string]roleSet, 1)
	}
	sorted := slices.Sorted(slices.Values(roles))
	var name strings.Builder
	for _, r := range sorted {
		name.WriteString(string(r))
		name.WriteByte(0)
	}
	set := roleSet{roles: sorted, count: next[name.String()].count + change}
	if set.count == 0 {
		delete(next, name.String())
		return next
	}
	next[name.String()] = set
	return next
}

func get[K ~string, V any](m *immutable.Map[K, V], key K) (V, bool) {
	if m == nil {
		var none V
		return none, false
	}
	return m.Get(key)
}

func set[K ~string, V any](m *immutable.Map[K, V], key K, value V) *immutable.Map[K, V] {
	if m == nil {
		m = immutable.NewMap[K, V](hasher[K]{})
	}
	return m.Set(key, value)
}
