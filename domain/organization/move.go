package organization

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/benbjohnson/immutable"

	"tenure/domain"
	"tenure/domain/policy"
)

// MaxExclusiveGains is how many members one change of policy may give exclusive
// roles to: each of them has to be reserved before.
const MaxExclusiveGains = 1000

// Move is the policy that an organization is to be put under.
type Move struct {
	To *policy.Policy

	At time.Time // of the move

	// Roles says what roles become. One that has the same name in both policies
	// stays what it is unless it stands here.
	Roles map[domain.Role][]domain.Role

	// NoRole is what those get who have no role; none unless it is said.
	NoRole []domain.Role
}

// ChangePolicy puts another policy, or another version of it, in force (X10). It
// is for operators. An organization that is under it already is left as it is. A
// pending transfer ends, and so does work in spaces that a member may not enter
// any more; an e-mail domain that nobody can ask by is given up. Where people ask
// by one, those who ask are let in at once no more.
//
// What holds of every organization has to hold under the new policy at once:
// the move fails with CodeNotFound, CodeOrganizationClosed, CodeRoleUnknown,
// CodeRoleUnmapped, CodeRoleCount, CodeLastAdmin, CodeSeatsTooFew,
// CodeTooMuchWork and, for all else that keeps the organization from being under
// the policy, CodePolicyImpossible. The caller has reserved exclusive roles; see
// ExclusiveMoves.
func ChangePolicy(s State, from *policy.Policy, m Move) ([]domain.Event, error) {
	if err := s.checkOpen(); err != nil {
		return nil, err
	}
	to := m.To
	if from.Name == to.Name && from.Version == to.Version {
		return nil, nil
	}
	changed := PolicyChanged{
		OrganizationID: s.ID, Roles: make(map[domain.Role][]domain.Role),
		Before: PolicyVersion{from.Name, from.Version}, After: PolicyVersion{to.Name, to.Version},
		KeepsSeats: s.Seats(from) == 0 && s.Seats(to) > 0,
	}
	if s.Personal != to.Members.Personal {
		return nil, impossible("Found an organization under the policy that you want; a personal space stays one, and nothing else becomes one.")
	}
	due := !s.digestAt.IsZero() && !m.At.Before(s.digestAt) // and about to be noticed
	if to.Requests != nil && to.Requests.Digest != nil && s.Requests() > 0 && !due {
		changed.DigestAt = s.nextInstant(to, m.At)
	}
	if err := m.complete(from, changed.Roles); err != nil {
		return nil, err
	}
	if len(m.NoRole) > 0 {
		changed.NoRole = domain.MapRoles(m.NoRole, nil, nil) // each once
	}
	if err := s.checkMapped(changed.Roles); err != nil {
		return nil, err
	}
	after := Evolve(s, changed)
	for _, check := range []func(State, State, *policy.Policy, *policy.Policy) error{
		checkMovedMembers, checkMovedInvitations, checkMovedOwner, checkMovedSuspended, checkMovedLimits,
	} {
		if err := check(s, after, from, to); err != nil {
			return nil, err
		}
	}
	released, err := after.releasedUnder(to)
	if err != nil {
		return nil, err
	}
	events := append([]domain.Event{changed}, released...)
	if s.EmailDomain != "" && !to.AskedByDomain() {
		events = append(events, EmailDomainChanged{OrganizationID: s.ID, Before: s.EmailDomain})
	}
	if s.autoActivates && to.AskedByDomain() {
		events = append(events, AutoActivationChanged{OrganizationID: s.ID, Before: true})
	}
	if s.Transfer != nil {
		events = append([]domain.Event{s.endTransfer("voided")}, events...)
	}
	return events, nil
}

// complete fills in what every role of the policy before becomes, as far as that
// is known.
func (m Move) complete(from *policy.Policy, mapping map[domain.Role][]domain.Role) error {
	for _, name := range slices.Sorted(maps.Keys(m.Roles)) {
		if _, ok := from.Role(name); !ok {
			return unknownRole("roles", "The policy in force has no role "+string(name)+".")
		}
		if err := m.checkNew("roles", m.Roles[name]); err != nil {
			return err
		}
	}
	if err := m.checkNew("no_role", m.NoRole); err != nil {
		return err
	}
	for _, role := range from.Roles {
		become, said := m.Roles[role.Name]
		if _, same := m.To.Role(role.Name); !said && same {
			become, said = []domain.Role{role.Name}, true
		}
		if said {
			mapping[role.Name] = domain.MapRoles(become, nil, nil) // each once
		}
	}
	return nil
}

// checkNew refuses what is no role of the new policy.
func (m Move) checkNew(field string, become []domain.Role) error {
	for _, role := range become {
		if _, ok := m.To.Role(role); !ok {
			return unknownRole(field, "The policy "+m.To.Name+" has no role "+string(role)+".")
		}
	}
	return nil
}

// checkMapped refuses a mapping that lacks a role which somebody has.
func (s State) checkMapped(mapping map[domain.Role][]domain.Role) error {
	lacking := make(map[domain.Role]bool)
	s.eachHolder(func(_ domain.AccountID, roles []domain.Role) {
		for _, role := range roles {
			if _, ok := mapping[role]; !ok {
				lacking[role] = true
			}
		}
	})
	if len(lacking) == 0 {
		return nil
	}
	var names []string
	for role := range lacking {
		names = append(names, string(role))
	}
	slices.Sort(names)
	return &domain.Error{
		Code: domain.CodeRoleUnmapped, Title: "Roles without a successor", Field: "roles",
		Message: "Say what these roles become, which members or open invitations have: " + strings.Join(names, ", ") + ".",
	}
}

// eachHolder visits the members, suspended or not, and then, without an account,
// the open invitations.
func (s State) eachHolder(visit func(domain.AccountID, []domain.Role)) {
	s.eachMember(func(id domain.AccountID, m Member) { visit(id, m.Roles) })
	for _, id := range s.Invitations() {
		open, _ := s.Invitation(id)
		visit("", open.Roles)
	}
}

func (s State) eachMember(visit func(domain.AccountID, Member)) {
	if s.members == nil {
		return
	}
	for itr := s.members.Iterator(); !itr.Done(); {
		if id, m, _ := itr.Next(); m.Present() {
			visit(id, m)
		}
	}
}

func checkMovedMembers(_, after State, from, to *policy.Policy) error {
	none, several := 0, 0
	after.eachHolder(func(_ domain.AccountID, roles []domain.Role) {
		switch {
		case len(roles) == 0 && !to.Members.MayHaveNoRole:
			none++
		case len(roles) > 1 && !to.Members.SeveralRoles:
			several++
		}
	})
	wrong := func(message string) error {
		return &domain.Error{Code: domain.CodeRoleCount, Title: "Wrong number of roles", Field: "roles", Message: message}
	}
	switch {
	case none > 0 && from.Members.MayHaveNoRole:
		return wrong(fmt.Sprintf("Give everybody a role, by no_role those who have none: %d members or open invitations would have none.", none))
	case none > 0:
		return wrong(fmt.Sprintf("Give everybody a role: %d members or open invitations would have none.", none))
	case several > 0:
		return wrong(fmt.Sprintf("Give everybody a single role: %d members or open invitations would have several.", several))
	case after.admins(to) < to.Members.MinimumAdmins:
		return domain.Refuse(domain.CodeLastAdmin, "Last administrator", fmt.Sprintf(
			"Let more roles become an administrator's: active members who are one would be %d, and have to be %d.", after.admins(to), to.Members.MinimumAdmins))
	}
	return nil
}

// checkMovedInvitations refuses what a link that is out must not come to lead to.
// Somebody may be accepting it: who holds an exclusive role elsewhere could not
// be refused any more.
func checkMovedInvitations(s, after State, from, to *policy.Policy) error {
	for _, id := range slices.Sorted(slices.Values(after.Invitations())) {
		before, _ := s.Invitation(id)
		open, _ := after.Invitation(id)
		switch {
		case to.Owns(open.Roles):
			return impossible("Revoke the invitation " + string(id) + ", or let its role become another: nobody is invited to be the owner.")
		case to.Exclusive(open.Roles) && !from.Exclusive(before.Roles):
			return impossible("Revoke the invitation " + string(id) + ", or let its role become another: it would lead to a role that an account holds in one organization only.")
		}
	}
	return nil
}

func checkMovedOwner(_, after State, _, to *policy.Policy) error {
	if to.Ownership == nil {
		return nil
	}
	owners, active := 0, 0
	after.eachMember(func(_ domain.AccountID, m Member) {
		if to.Owns(m.Roles) {
			owners++
			if m.Status == Active {
				active++
			}
		}
	})
	switch {
	case owners != 1:
		return impossible(fmt.Sprintf("Let exactly one member become %s, the owner; there would be %d.", to.Ownership.Role, owners))
	case active != 1:
		return impossible("Reactivate the member who is to be the owner first; a suspended one cannot own the organization.")
	}
	return nil
}

func checkMovedLimits(_, after State, _, to *policy.Policy) error {
	limit := after.Seats(to)
	switch {
	case limit > 0 && after.SeatsTaken() > limit:
		return domain.Refuse(domain.CodeSeatsTooFew, "Too few seats", fmt.Sprintf(
			"Remove members or revoke invitations first: %d seats would be taken, and the policy has %d.", after.SeatsTaken(), limit))
	case to.Requests == nil && after.Requests() > 0:
		return impossible(fmt.Sprintf("Decide on the open requests to join first, of which there are %d; the policy has none.", after.Requests()))
	case to.Spaces == nil && after.spaces != nil && after.spaces.Len() > 0:
		return impossible(fmt.Sprintf("Delete the spaces first, of which there are %d; the policy has none.", after.spaces.Len()))
	}
	return nil
}

// releasedUnder takes back the work in spaces that members may not enter.
func (s State) releasedUnder(to *policy.Policy) ([]domain.Event, error) {
	var events []domain.Event
	s.eachMember(func(id domain.AccountID, m Member) {
		if len(m.work) == 0 || to.AllSpaces(m.Roles) {
			return
		}
		assigned := s.SpacesOf(m)
		events = append(events, s.release(id, m, "space_lost", func(w WorkItem) bool {
			return w.Space != "" && !slices.Contains(assigned, w.Space)
		})...)
	})
	if len(events) > MaxWork {
		return nil, domain.Refuse(domain.CodeTooMuchWork, "Too much work", fmt.Sprintf(
			"Release work first, or assign spaces: members would lose %d pieces in spaces that they may not enter any more, and at most %d are released at once.", len(events), MaxWork))
	}
	slices.SortFunc(events, compareReleases)
	return events, nil
}

// ExclusiveMoves lists the members who come to hold exclusive roles by a change
// of policy, and those who cease to. It fails with CodePolicyImpossible when the
// former are too many.
func ExclusiveMoves(s State, from, to *policy.Policy, events []domain.Event) (gains, losses []domain.AccountID, err error) {
	exclusive := func(r policy.Role) bool { return r.Exclusive }
	if !slices.ContainsFunc(from.Roles, exclusive) && !slices.ContainsFunc(to.Roles, exclusive) {
		return nil, nil, nil
	}
	after := s
	for _, e := range events {
		after = Evolve(after, e)
	}
	s.eachMember(func(id domain.AccountID, _ Member) {
		switch before, now := s.HoldsExclusive(from, id), after.HoldsExclusive(to, id); {
		case now && !before:
			gains = append(gains, id)
		case before && !now:
			losses = append(losses, id)
		}
	})
	if len(gains) > MaxExclusiveGains {
		return nil, nil, impossible(fmt.Sprintf(
			"Change roles first: %d members would come to hold a role that an account holds in one organization only; at most %d can at once.", len(gains), MaxExclusiveGains))
	}
	slices.Sort(gains)
	slices.Sort(losses)
	return gains, losses, nil
}

// lapsed is what an invitation that expired was to.
type lapsed struct {
	roles  []domain.Role
	spaces []domain.SpaceID
}

// RolesInvitedTo are the roles that an invitation, open or expired, leads to by
// now; those that its link was made with may have become others (X10).
func (s State) RolesInvitedTo(id domain.InvitationID) ([]domain.Role, bool) {
	if open, ok := s.Invitation(id); ok {
		return open.Roles, true
	}
	before, ok := get(s.lapsed, id)
	return before.roles, ok
}

// changePolicy gives everybody what their roles become. Whoever has looked at the
// roles of a member before has to look again: they mean something else now.
func (s State) changePolicy(e PolicyChanged) State {
	s.Policy, s.PolicyVersion, s.PolicyChanges = e.After.Policy, e.After.Version, s.PolicyChanges+1
	s.members = replaceAll(s.members, func(m Member) Member {
		if m.Present() {
			m.Roles = e.become(m.Roles)
		}
		return m
	})
	s.claims = 0
	s.invitations = replaceAll(s.invitations, func(open OpenInvitation) OpenInvitation {
		open.Roles, open.Claimed = e.become(open.Roles), open.Claimed || e.KeepsSeats
		if open.Claimed {
			s.claims++
		}
		return open
	})
	s.lapsed = replaceAll(s.lapsed, func(before lapsed) lapsed {
		before.roles = e.become(before.roles)
		return before
	})
	if !e.DigestAt.IsZero() {
		s.digestAt = e.DigestAt
	}
	sets := s.active
	s.active = nil
	for _, set := range sets {
		s.active = count(s.active, e.become(set.roles), set.count)
	}
	return s
}

func (e PolicyChanged) become(roles []domain.Role) []domain.Role {
	return domain.MapRoles(roles, e.Roles, e.NoRole)
}

func replaceAll[K ~string, V any](m *immutable.Map[K, V], replace func(V) V) *immutable.Map[K, V] {
	if m == nil || m.Len() == 0 {
		return m
	}
	b := immutable.NewMapBuilder[K, V](hasher[K]{})
	for itr := m.Iterator(); !itr.Done(); {
		key, value, _ := itr.Next()
		b.Set(key, replace(value))
	}
	return b.Map()
}

func unknownRole(field, message string) error {
	return &domain.Error{Code: domain.CodeRoleUnknown, Title: "Unknown role", Field: field, Message: message}
}

// InvitationsOfFormer lists the open invitations of those who have left, or are
// suspended, in no order: a policy before may have let them be.
func (s State) InvitationsOfFormer() []domain.InvitationID {
	return slices.DeleteFunc(s.Invitations(), func(id domain.InvitationID) bool {
		open, _ := s.Invitation(id)
		_, active := s.ActiveMember(open.InvitedBy)
		return active
	})
}

func impossible(message string) error {
	return domain.Refuse(domain.CodePolicyImpossible, "The policy does not fit", message)
}
