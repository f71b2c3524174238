package commands

import (
	"context"
	"fmt"
	"slices"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Trail is an organization after some event of its stream: what decisions rested
// on then, and which events had made it so. Trails share what they have in
// common and are never changed. The zero Trail is before the first event.
type Trail struct {
	trail
	position eventstore.Position
}

// Follow is the trail after the next event of the organization's stream.
func (t Trail) Follow(e codec.Envelope) Trail {
	return Trail{follow(t.trail, e.Event), e.Position}
}

// Origin names the events, by their revisions, that made a member what it is.
type Origin struct {
	Invited *eventstore.Revision // the invitation by which it joined, if it was by one
	Joined  eventstore.Revision
	Status  eventstore.Revision // gave the membership its status
	Roles   eventstore.Revision // gave the member these roles, and no others
	Name    eventstore.Revision // gave the member its name
	Spaces  eventstore.Revision // assigned its spaces, or ended one of them
	Given   map[domain.Role]eventstore.Revision
	Began   Beginning // what the event that it joined by has made it
}

// Origin finds what made a member, or a former one, what it is.
func (t Trail) Origin(account domain.AccountID) (Origin, bool) {
	if t.members == nil {
		return Origin{}, false
	}
	o, ok := t.members.Get(string(account))
	given := make(map[domain.Role]eventstore.Revision, len(o.roles))
	for _, r := range o.roles {
		given[r.role] = r.given
	}
	began := o.began
	if m, _ := t.Member(account); began == nil {
		began = beginning(t.trail.State, m)
	}
	return Origin{Invited: o.invited, Joined: o.joined, Status: o.changed, Roles: o.granted, Name: o.named, Spaces: o.spaced, Given: given, Began: *began}, ok
}

// State is what decisions rested on.
func (t Trail) State() organization.State { return t.trail.State }

// Named is the event that gave the organization its name.
func (t Trail) Named() eventstore.Revision { return t.named }

// Ruled is the event that put the policy in force.
func (t Trail) Ruled() eventstore.Revision { return t.policy }

// Ended is the event that deleted the organization.
func (t Trail) Ended() eventstore.Revision { return t.deleted }

// Offer says how an open invitation came to be to what it is to.
type Offer struct {
	Opened     eventstore.Revision // the first time, or after it had expired
	Roles      eventstore.Revision // gave it its roles
	Spaces     eventstore.Revision // gave it its spaces; Opened where nobody has changed them since
	Generation int                 // that it was opened with
	Began      []domain.Role       // what it was to when it was opened
}

// Invitation finds what made an open invitation what it is.
func (t Trail) Invitation(id domain.InvitationID) (Offer, bool) {
	if t.opened == nil {
		return Offer{}, false
	}
	o, ok := t.opened.Get(string(id))
	return Offer{Opened: o.began.by, Roles: o.roles, Spaces: o.spaces, Generation: o.began.generation, Began: o.began.roles}, ok
}

// Space is the first and the last event of a space, also of one that is deleted,
// and what it was called first.
func (t Trail) Space(id domain.SpaceID) (created, last eventstore.Revision, name string) {
	if t.spaces == nil {
		return 0, 0, ""
	}
	o, _ := t.spaces.Get(string(id))
	return o.created, o.last, o.name
}

// RulesOf is the policy that was in force.
func (c *Commands) RulesOf(t Trail) (*policy.Policy, error) { return c.rules(t.trail.State) }

// CheckPastAccess is CheckAccess for decisions as they would have been: past
// finds the trail of an organization at the time in question, the zero Trail for
// before there was one.
//
// Who may ask is decided by the present: an account may ask about itself as long
// as it is an active member, and about others where it has members.read and
// history.read now. What a former member could once look up is nothing that they
// may look up today, and who reads the history may know all of it anyway.
func (c *Commands) CheckPastAccess(by domain.Actor, explain bool, past func(context.Context, domain.OrganizationID) (Trail, error)) *AccessCheck {
	k := c.CheckAccess(by, explain)
	k.past = past
	return k
}

// lookBack puts the past in the place of the present, once; the view keeps what
// decides on the caller. It is called for callers who were let in only, since
// finding the past can cost much.
func (k *AccessCheck) lookBack(ctx context.Context, org domain.OrganizationID, v *accessView) error {
	if v.caller != v {
		return nil
	}
	t, err := k.past(ctx, org)
	if err != nil {
		return err
	}
	now := *v
	rules, err := k.commands.RulesOf(t)
	v.caller, v.state, v.policy, v.position, v.trail = &now, t.trail.State, rules, t.position, &t.trail
	return err
}

// Named names an event of a stream.
func Named(e codec.Envelope) AccessEvent {
	return AccessEvent{
		Type: e.Event.EventType(), Revision: e.Revision, Position: e.Position, At: e.Metadata.OccurredAt, Actor: e.Metadata.Actor, Reason: e.Metadata.Reason,
	}
}

// OrganizationEvents looks events of an organization's stream up by their
// revisions; what lies close together is read at once.
func (c *Commands) OrganizationEvents(ctx context.Context, org domain.OrganizationID, revisions []eventstore.Revision) (map[eventstore.Revision]AccessEvent, error) {
	const near = 64 // events that are read and not wanted, rather than asking once more
	wanted := slices.Compact(slices.Sorted(slices.Values(revisions)))
	found := make(map[eventstore.Revision]AccessEvent, len(wanted))
	stream := c.organizations.prefix + string(org)
	for len(wanted) > 0 {
		n := 1
		for n < len(wanted) && wanted[n]-wanted[n-1] <= near && wanted[n]-wanted[0] < loadPage {
			n++
		}
		recorded, err := c.Store.ReadStream(ctx, stream, wanted[0], int(wanted[n-1]-wanted[0])+1)
		if err != nil {
			return nil, fmt.Errorf("commands: reading events of %s: %w", stream, err)
		}
		if err := c.Codec.Prefetch(ctx, recorded); err != nil {
			return nil, err
		}
		for _, r := range recorded {
			if _, is := slices.BinarySearch(wanted[:n], r.Revision); !is {
				continue
			}
			e, err := c.Codec.Decode(r)
			if err != nil {
				return nil, err
			}
			found[r.Revision] = Named(e)
		}
		wanted = wanted[n:]
	}
	return found, nil
}
