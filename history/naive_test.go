package history_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// naive is an organization folded in the plainest way, by nothing of the program.
type naive struct {
	name     string
	members  map[domain.AccountID]*naiveMember
	invited  map[domain.InvitationID]*naiveInvitation
	asking   map[domain.AccountID]naiveRequest
	answered map[domain.AccountID]string
	spaces   map[domain.SpaceID]string
	created  map[domain.SpaceID]string // their first names
	position eventstore.Position
}

type naiveMember struct {
	name, status, joined string
	roles                []domain.Role
	spaces               []domain.SpaceID
	first                *naiveMember // once it had joined
}

type naiveRequest struct{ name, asked string }

type naiveInvitation struct {
	status     string // empty before it is issued
	generation int
	roles      []domain.Role
	spaces     []domain.SpaceID
	began      organization.InvitationOpened // the first time, or after it had expired
	respaced   bool                          // since then
}

// base is what an invitation is compared with that was not open before, or not
// sent yet.
func (i *naiveInvitation) base(before *naiveInvitation) *naiveInvitation {
	b := &naiveInvitation{generation: i.began.Generation, roles: i.began.Roles}
	if before != nil && before.began.Generation == b.generation {
		b.roles = before.roles
		if before.respaced {
			b.spaces = before.spaces
		}
	}
	if !i.respaced {
		b.spaces = i.spaces
	}
	return b
}

// logged is the whole log by organizations, in its order.
func (w *world) logged() map[domain.OrganizationID][]codec.Envelope {
	all, into := make(map[domain.OrganizationID][]codec.Envelope), make(map[string]domain.OrganizationID)
	for after := eventstore.Position(0); ; {
		page, err := w.log.ReadAll(context.Background(), after, 5000, eventstore.Filter{})
		w.is.NoErr(err)
		for _, r := range page.Events {
			e, err := w.commands.Codec.Decode(r)
			w.is.NoErr(err)
			if x, ok := e.Event.(invitation.Issued); ok {
				into[r.Stream] = x.OrganizationID
			}
			org, ok := into[r.Stream]
			if !ok {
				org = domain.OrganizationID(strings.TrimPrefix(r.Stream, "organization-"))
			}
			all[org] = append(all[org], e)
		}
		if page.Head {
			return all
		}
		after = page.Position
	}
}

// until are the events of an instant: those before the first one that occurred
// after it.
func until(events []codec.Envelope, at time.Time) []codec.Envelope {
	for i, e := range events {
		if e.Metadata.OccurredAt.After(at) {
			return events[:i]
		}
	}
	return events
}

func naively(events []codec.Envelope) *naive {
	n := &naive{members: map[domain.AccountID]*naiveMember{}, invited: map[domain.InvitationID]*naiveInvitation{}, asking: map[domain.AccountID]naiveRequest{}, answered: map[domain.AccountID]string{}, spaces: map[domain.SpaceID]string{}, created: map[domain.SpaceID]string{}}
	for _, e := range events {
		n.position = e.Position
		joined := fmt.Sprint(e.Position)
		switch x := e.Event.(type) {
		case organization.Activated:
			n.name = string(x.Name)
			n.join(x.AccountID, naiveMember{name: x.DisplayName, roles: x.Roles, joined: joined})
		case organization.Renamed:
			n.name = string(x.After)
		case organization.MemberJoined:
			if _, asked := n.asking[x.AccountID]; asked {
				n.answered[x.AccountID] = cmp.Or(map[string]string{"request": "approved"}[x.Via], "joined")
			}
			n.join(x.AccountID, naiveMember{name: x.DisplayName, roles: x.Roles, joined: joined, spaces: x.Spaces})
		case organization.JoinRequested:
			n.asking[x.AccountID] = naiveRequest{x.DisplayName, joined}
		case organization.JoinRequestClosed:
			delete(n.asking, x.AccountID)
			n.answered[x.AccountID] = x.Outcome
		case organization.MemberRenamed:
			n.members[x.AccountID].name = x.After
		case organization.RolesChanged:
			n.members[x.AccountID].roles = x.After
		case organization.MemberSuspended:
			n.members[x.AccountID].status = "suspended"
		case organization.MemberReactivated:
			n.members[x.AccountID].status = "active"
		case organization.MemberRemoved:
			n.members[x.AccountID].status = "removed"
		case organization.PolicyChanged:
			for _, m := range n.members {
				if m.present() {
					m.roles = moved(m.roles, x.Roles)
				}
			}
			for _, i := range n.invited {
				if i.status == "" || i.status == "pending" || i.status == "expired" {
					i.roles = moved(i.roles, x.Roles)
				}
			}
		case organization.SpacesAssigned:
			n.members[x.AccountID].spaces = x.After
		case organization.SpaceCreated:
			n.spaces[x.SpaceID], n.created[x.SpaceID] = x.Name, x.Name
		case organization.SpaceRenamed:
			n.spaces[x.SpaceID] = x.After
		case organization.SpaceDeleted:
			delete(n.spaces, x.SpaceID)
		case organization.InvitationOpened:
			if n.invited[x.InvitationID] == nil {
				n.invited[x.InvitationID] = &naiveInvitation{generation: 1, began: x}
			}
			if i := n.invited[x.InvitationID]; i.status == "expired" {
				i.began, i.respaced = x, false
			}
			n.invited[x.InvitationID].roles = x.Roles
		case organization.InvitationSpacesChanged:
			n.invited[x.InvitationID].spaces, n.invited[x.InvitationID].respaced = x.After, true
		case invitation.Issued:
			n.invited[x.InvitationID].status = "pending"
		case invitation.Resent:
			n.invited[x.InvitationID].generation = x.Generation
			n.invited[x.InvitationID].status = "pending"
		case invitation.Accepted:
			n.invited[x.InvitationID].status = "accepted"
		case invitation.Declined:
			n.invited[x.InvitationID].status = "declined"
		case invitation.Revoked:
			n.invited[x.InvitationID].status = "revoked"
		case invitation.Expired:
			n.invited[x.InvitationID].status = "expired"
		}
	}
	return n
}

func (n *naive) join(id domain.AccountID, m naiveMember) {
	m.status = "active"
	first := m
	first.spaces = n.entered(&m)
	m.first = &first
	n.members[id] = &m
	delete(n.asking, id)
}

// moved is what a change of policy makes of roles.
func moved(roles []domain.Role, into map[domain.Role][]domain.Role) (all []domain.Role) {
	for _, role := range roles {
		become, known := into[role]
		if !known {
			become = []domain.Role{role}
		}
		for _, r := range become {
			if !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	return all
}

func (m *naiveMember) present() bool { return m != nil && m.status != "removed" }

// entered are the spaces of a member that were not deleted.
func (n *naive) entered(m *naiveMember) (all []domain.SpaceID) {
	for _, id := range m.spaces {
		if _, there := n.spaces[id]; there {
			all = append(all, id)
		}
	}
	return all
}

func sorted(spaces []domain.SpaceID) []domain.SpaceID { return slices.Sorted(slices.Values(spaces)) }

// offered is what an invitation is to, as far as another one differs.
func offered(i, from *naiveInvitation) (text string) {
	if len(i.roles) > 0 && !slices.Equal(i.roles, from.roles) {
		text += fmt.Sprint(i.roles)
	}
	if len(i.spaces) > 0 && !slices.Equal(sorted(i.spaces), sorted(from.spaces)) {
		text += fmt.Sprint(sorted(i.spaces))
	}
	return text
}

// lines says all that is so, sorted.
func (n *naive) lines() (all []string) {
	for id, m := range n.members {
		all = append(all, fmt.Sprintln("member", id, m.name, m.status, m.roles))
		if m.present() {
			all = append(all, fmt.Sprintln("spaces of", id, n.entered(m)))
		}
	}
	for id, r := range n.asking {
		all = append(all, fmt.Sprintln("member", id, r.name, "pending", []domain.Role{}))
	}
	for id, i := range n.invited {
		if i.status != "" {
			all = append(all, fmt.Sprintln("invitation", id, i.status, i.generation, i.roles, i.spaces))
		}
	}
	for id, name := range n.spaces {
		all = append(all, fmt.Sprintln("space", id, name))
	}
	slices.Sort(all)
	return append(all, "named "+n.name)
}

// difference says in what two differ, sorted.
func difference(was, is *naive) (all []string) {
	say := func(kind, id string, before, after any) {
		all = append(all, fmt.Sprintln(kind, id, before, "to", after))
	}
	if was.name != is.name {
		say("organization_renamed", "", was.name, is.name)
	}
	if was.name == "" {
		say("policy_changed", "", "", "ownership")
	}
	for id, m := range is.members {
		before := was.members[id]
		switch {
		case !m.present() && before.present():
			say("left", string(id), before.roles, "nothing")
			continue
		case !m.present():
			continue
		case !before.present():
			asked := "nothing"
			if _, open := was.asking[id]; open {
				asked = "pending"
			}
			before = m.first
			say("joined", string(id), asked, before.roles)
		case before.joined != m.joined:
			say("rejoined", string(id), before.roles, m.first.roles)
			before = m.first
		}
		if before.name != m.name {
			say("renamed", string(id), before.name, m.name)
		}
		if !slices.Equal(before.roles, m.roles) {
			say("roles_changed", string(id), before.roles, m.roles)
		}
		if before.status != m.status {
			kind := map[string]string{"active": "reactivated", "suspended": "suspended"}[m.status]
			say(kind, string(id), before.status, m.status)
		}
		entered := was.entered(before)
		if before == m.first {
			entered = before.spaces
		}
		if enter := is.entered(m); !slices.Equal(sorted(entered), sorted(enter)) {
			say("spaces_assigned", string(id), sorted(entered), sorted(enter))
		}
	}
	for id, r := range is.asking {
		switch before, open := was.asking[id]; {
		case !open:
			say("requested", string(id), "nothing", r.name)
		case before.asked != r.asked:
			say("requested_again", string(id), before.name, r.name)
		}
	}
	for id, r := range was.asking {
		if _, open := is.asking[id]; !open && !is.members[id].present() {
			say("request_closed", string(id), r.name, is.answered[id])
		}
	}
	for id, i := range is.invited {
		before := was.invited[id]
		open := before != nil && before.status == "pending"
		if i.status != "pending" {
			if open {
				say("invitation_closed", string(id), before.status, i.status)
			}
			continue
		}
		if !open {
			before = i.base(before)
			say("invitation_opened", string(id), "nothing", i.status)
		}
		if before.generation != i.generation {
			say("invitation_resent", string(id), before.generation, i.generation)
		}
		if !slices.Equal(before.roles, i.roles) || !slices.Equal(sorted(before.spaces), sorted(i.spaces)) {
			say("invitation_changed", string(id), offered(before, i), offered(i, before))
		}
	}
	for id, name := range is.spaces {
		before, known := was.spaces[id]
		if !known {
			before = is.created[id]
			say("space_created", string(id), "nothing", before)
		}
		if before != name {
			say("space_renamed", string(id), before, name)
		}
	}
	for id, name := range was.spaces {
		if _, still := is.spaces[id]; !still {
			say("space_deleted", string(id), name, "nothing")
		}
	}
	slices.Sort(all)
	return all
}
