package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/eventstore"
)

// ErrTooLarge says that an answer would have more rows than MaxRows.
var ErrTooLarge = errors.New("history: the answer is too large")

// MaxRows is how many rows a Diff or a Review has at most.
const MaxRows = 20_000

// Diff is the difference of two pasts of an organization: what was not so at the
// one and was at the other. What began and ended in between is not in it.
type Diff struct {
	From, To Point
	Changes  []Change // in the order of the events that decided them
}

// Point is one end of a Diff: the organization after this event. The zero Point
// is before it was founded.
type Point struct {
	Position eventstore.Position
	At       time.Time
}

// Kind is what has changed.
type Kind string

// The kinds of changes.
const (
	Joined             Kind = "joined"   // with what joining made of it; what has become of that since are further changes
	Rejoined           Kind = "rejoined" // the same of a member before and after, who was removed in between
	Left               Kind = "left"
	RolesChanged       Kind = "roles_changed"
	Suspended          Kind = "suspended"
	Reactivated        Kind = "reactivated"
	Renamed            Kind = "renamed"
	SpacesAssigned     Kind = "spaces_assigned"
	Requested          Kind = "requested"       // to join
	RequestedAgain     Kind = "requested_again" // asks before and after, and was answered in between
	RequestClosed      Kind = "request_closed"  // and is no member; of who is one, Joined says it
	InvitationOpened   Kind = "invitation_opened"
	InvitationResent   Kind = "invitation_resent"
	InvitationChanged  Kind = "invitation_changed" // open before and after, to other roles or spaces
	InvitationClosed   Kind = "invitation_closed"
	SpaceCreated       Kind = "space_created"
	SpaceRenamed       Kind = "space_renamed"
	SpaceDeleted       Kind = "space_deleted"
	OrganizationNamed  Kind = "organization_renamed" // from nothing: founded
	OrganizationEnded  Kind = "organization_deleted"
	OrganizationPolicy Kind = "policy_changed"
)

// Change is one difference, and the event that decided it: the last one that made
// what it is about what it was at the later point. Of a member, an invitation or a
// space that is new, the change that says so has what it began as, by the event
// that it began with; what differs from that are changes like any other, since
// somebody else may have decided them. So the changes of a member, one after the
// other, lead from what was so at the one point to what was so at the other.
type Change struct {
	Kind          Kind
	Account       domain.AccountID
	Invitation    domain.InvitationID
	Space         domain.SpaceID
	Name          string // whom or what it is about, for people
	Before, After *Value // nil for nothing
	Event         commands.AccessEvent

	stream     uint32
	revision   eventstore.Revision
	generation int // of an invitation: that the event has opened, at revision or before it
}

// Value is what was so, as far as it has changed.
type Value struct {
	Name       string           `json:"name,omitempty"`
	Email      domain.Email     `json:"email,omitempty"`
	Status     string           `json:"status,omitempty"`
	Roles      []domain.Role    `json:"roles,omitempty"`
	Spaces     []domain.SpaceID `json:"spaces,omitempty"`
	Generation int              `json:"generation,omitempty" doc:"Of an invitation: 1, and 1 more for each time that it was sent again."`
	Policy     string           `json:"policy,omitempty"`
	Version    int              `json:"policy_version,omitempty"`
}

// Diff compares two moments. From may be before the organization was founded:
// then all is new. It fails as At does, with ErrTooLarge, and with CodeInvalid
// when to is before from.
func (h *History) Diff(ctx context.Context, org domain.OrganizationID, from, to Moment) (Diff, error) {
	x, n, err := h.locate(ctx, org, to)
	if err != nil {
		return Diff{}, err
	}
	if n == 0 {
		return Diff{}, x.founded()
	}
	_, m, err := h.locate(ctx, org, from)
	if err != nil {
		return Diff{}, err
	}
	if m > n {
		return Diff{}, domain.Invalid("from", "Give a moment that is not after the other one.")
	}
	after, err := h.past(ctx, x, n)
	if err != nil {
		return Diff{}, err
	}
	before := &Past{org: org}
	if m > 0 {
		if before, err = h.past(ctx, x, m); err != nil {
			return Diff{}, err
		}
	}
	d := &differ{ctx: ctx, before: before, after: after, latest: latest(x.entries[m:n], x.streams)}
	for _, compare := range []func() error{d.organization, d.members, d.requests, d.invitations, d.spaces} {
		if err := compare(); err != nil {
			return Diff{}, err
		}
		if len(d.changes) > MaxRows {
			return Diff{}, ErrTooLarge
		}
	}
	if err := h.name(ctx, x, d.changes); err != nil {
		return Diff{}, err
	}
	slices.SortStableFunc(d.changes, func(a, b Change) int { return cmp.Compare(a.Event.Position, b.Event.Position) })
	return Diff{From: Point{before.Position, before.At}, To: Point{after.Position, after.At}, Changes: d.changes}, nil
}

// latest is the last event of each invitation among some entries.
func latest(entries []entry, streams []stream) map[string]entry {
	last := make(map[string]entry)
	for _, e := range entries {
		if e.stream > 0 {
			last[streams[e.stream].name] = e
		}
	}
	return last
}

// name looks the events up that decided changes.
func (h *History) name(ctx context.Context, x *index, changes []Change) error {
	revisions := make([]eventstore.Revision, 0, len(changes))
	var others []of
	for _, c := range changes {
		if c.stream == 0 {
			revisions = append(revisions, c.revision)
			continue
		}
		others = append(others, of{c.stream, c.revision, c.generation})
	}
	own, err := h.commands.OrganizationEvents(ctx, x.org, revisions)
	if err != nil {
		return err
	}
	invitations, err := h.named(ctx, x, others)
	if err != nil {
		return err
	}
	for i := range changes {
		c := &changes[i]
		event, ok := own[c.revision]
		if c.stream > 0 {
			event, ok = invitations[of{c.stream, c.revision, c.generation}]
		}
		if !ok {
			return fmt.Errorf("history: an event of %s at revision %d was there and is not", x.streams[c.stream].name, c.revision)
		}
		c.Event = event
	}
	return nil
}
