package history_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tenure/commands"
	"tenure/domain"
	"tenure/eventstore/codec"
	"tenure/history"
)

// shown is a difference as difference says it.
func shown(d history.Diff) (all []string) {
	for _, c := range d.Changes {
		var before, after any = "nothing", "nothing"
		value := func(v *history.Value) any {
			switch c.Kind {
			case history.Renamed, history.Requested, history.RequestedAgain, history.SpaceCreated, history.SpaceRenamed, history.SpaceDeleted, history.OrganizationNamed:
				return v.Name
			case history.Suspended, history.Reactivated, history.RequestClosed, history.InvitationOpened, history.InvitationClosed:
				return v.Status
			case history.InvitationResent:
				return v.Generation
			case history.SpacesAssigned:
				return sorted(v.Spaces)
			case history.InvitationChanged:
				return offered(&naiveInvitation{roles: v.Roles, spaces: v.Spaces}, &naiveInvitation{})
			case history.OrganizationPolicy:
				return v.Policy
			}
			return v.Roles
		}
		if c.Before != nil {
			before = value(c.Before)
			if c.Kind == history.RequestClosed {
				before = c.Before.Name
			} else if c.Kind == history.Joined {
				before = c.Before.Status
			}
		} else if c.Kind == history.OrganizationNamed || c.Kind == history.OrganizationPolicy {
			before = ""
		}
		if c.After != nil {
			after = value(c.After)
		}
		id := string(c.Account)
		if c.Invitation != "" {
			id = string(c.Invitation)
		} else if c.Space != "" {
			id = string(c.Space)
		}
		all = append(all, fmt.Sprintln(c.Kind, id, before, "to", after))
	}
	slices.Sort(all)
	return all
}

// decided checks that each change names an event in between that has made exactly
// this change, or the last step of it, and answers with how many there were.
func (w *world) decided(d history.Diff, events []codec.Envelope) int {
	w.Helper()
	for _, c := range d.Changes {
		if c.Event.Position <= d.From.Position || c.Event.Position > d.To.Position {
			w.Errorf("%s of %s%s%s was decided at %d by %s, which is not after %d, up to %d", c.Kind, c.Account, c.Invitation, c.Space, c.Event.Position, c.Event.Type, d.From.Position, d.To.Position)
		}
		i := slices.IndexFunc(events, func(e codec.Envelope) bool { return e.Position == c.Event.Position })
		w.is.True(i >= 0)
		w.is.Equal(c.Event, commands.Named(events[i]))
		about := cmp.Or(string(c.Invitation), string(c.Space), string(c.Account), string(c.Kind))
		before, after := naively(events[:i]), naively(events[:i+1])
		said := difference(before, after)
		if !slices.ContainsFunc(said, func(line string) bool { return strings.Contains(line, about) && did(c, line) }) && !offers(c, before, after) {
			w.Errorf("%s of %s was not decided by %s at %d: %q", c.Kind, about, c.Event.Type, c.Event.Position, said)
		}
	}
	return len(d.Changes)
}

// did reports whether what an event did, as difference says it, is what a change
// says, or its last step.
func did(c history.Change, line string) bool {
	kind, _, _ := strings.Cut(line, " ")
	_, last, _ := strings.Cut(shown(history.Diff{Changes: []history.Change{c}})[0], " to ")
	switch c.Kind {
	case history.Rejoined:
		kind = strings.Replace(kind, "joined", "rejoined", 1)
	case history.RequestedAgain:
		kind = strings.Replace(kind, "requested", "requested_again", 1)
	case history.RequestClosed:
		if kind == "joined" {
			return c.Event.Type == "organization.member_joined.v1" && (last == "approved\n" || last == "joined\n")
		}
	case history.InvitationResent:
		if kind == "invitation_opened" {
			return c.Event.Type == "invitation.resent.v1" // had expired in between
		}
	}
	return kind == string(c.Kind) && strings.HasSuffix(line, " to "+last)
}

// offers reports whether a change is of what an invitation is to, and decided in
// several steps, or by an event before it was sent.
func offers(c history.Change, before, after *naive) bool {
	is, was := after.invited[c.Invitation], before.invited[c.Invitation]
	return c.Kind == history.InvitationChanged && was != nil &&
		(!slices.Equal(was.roles, is.roles) || !slices.Equal(was.spaces, is.spaces) || was.began.Generation != is.began.Generation || was.respaced != is.respaced)
}

// after are the people that there were, with the changes of a difference, one by
// one.
func (n *naive) after(d history.Diff) []string {
	is := naive{members: map[domain.AccountID]*naiveMember{}, asking: map[domain.AccountID]naiveRequest{}}
	for id, m := range n.members {
		if m.present() {
			is.members[id] = &naiveMember{name: m.name, status: m.status, roles: m.roles, spaces: n.entered(m)}
		}
	}
	maps.Copy(is.asking, n.asking)
	for _, c := range d.Changes {
		switch c.Kind {
		case history.Left:
			delete(is.members, c.Account)
		case history.Joined, history.Rejoined:
			delete(is.asking, c.Account)
			is.members[c.Account] = &naiveMember{name: c.After.Name, status: c.After.Status, roles: c.After.Roles, spaces: c.After.Spaces}
		case history.Requested, history.RequestedAgain:
			is.asking[c.Account] = naiveRequest{name: c.After.Name}
		case history.RequestClosed:
			delete(is.asking, c.Account)
		case history.Renamed:
			is.members[c.Account].name = c.After.Name
		case history.RolesChanged:
			is.members[c.Account].roles = c.After.Roles
		case history.Suspended, history.Reactivated:
			is.members[c.Account].status = c.After.Status
		case history.SpacesAssigned:
			is.members[c.Account].spaces = c.After.Spaces
		}
	}
	return is.people()
}

// people says who is a member, and as what, and who asks to be one.
func (n *naive) people() (all []string) {
	for id, m := range n.members {
		if m.present() {
			spaces := m.spaces
			if n.spaces != nil {
				spaces = n.entered(m)
			}
			all = append(all, fmt.Sprintln("member", id, m.name, m.status, m.roles, sorted(spaces)))
		}
	}
	for id, r := range n.asking {
		all = append(all, fmt.Sprintln("asks", id, r.name))
	}
	slices.Sort(all)
	return all
}
