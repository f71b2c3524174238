package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/projections"
)

// differ compares two pasts part by part.
type differ struct {
	ctx           context.Context
	before, after *Past
	latest        map[string]entry
	changes       []Change
}

// decided adds a change that an event of the organization's own stream decided.
func (d *differ) decided(by eventstore.Revision, c Change) {
	c.revision = by
	d.changes = append(d.changes, c)
}

func (d *differ) organization() error {
	var was projections.Organization
	if d.before.events > 0 {
		var err error
		if was, err = d.before.organization(d.ctx); err != nil {
			return err
		}
	}
	is, err := d.after.organization(d.ctx)
	if err != nil {
		return err
	}
	name := string(is.Name)
	if was.Name != is.Name {
		c := Change{Kind: OrganizationNamed, Name: name, After: &Value{Name: name}}
		if was.Name != "" {
			c.Before = &Value{Name: string(was.Name)}
		}
		d.decided(d.after.Trail.Named(), c)
	}
	if was.Policy != is.Policy || was.PolicyVersion != is.PolicyVersion {
		c := Change{Kind: OrganizationPolicy, Name: name, After: &Value{Policy: is.Policy, Version: is.PolicyVersion}}
		if was.Policy != "" {
			c.Before = &Value{Policy: was.Policy, Version: was.PolicyVersion}
		}
		d.decided(d.after.Trail.Ruled(), c)
	}
	if is.DeletedAt != nil && was.DeletedAt == nil {
		d.decided(d.after.Trail.Ended(), Change{Kind: OrganizationEnded, Name: name, Before: &Value{Name: name}})
	}
	return nil
}

// members compares digests of all members first, so that it keeps no two
// documents of each in memory.
func (d *differ) members() error {
	seed := maphash.MakeSeed()
	was := make(map[domain.AccountID]uint64)
	if d.before.events > 0 {
		err := d.before.eachMember(d.ctx, func(m projections.Member, text []byte) { was[m.AccountID] = maphash.Bytes(seed, text) })
		if err != nil {
			return err
		}
	}
	var differing []domain.AccountID
	err := d.after.eachMember(d.ctx, func(m projections.Member, text []byte) {
		before, known := was[m.AccountID]
		if !known || before != maphash.Bytes(seed, text) {
			differing = append(differing, m.AccountID)
		} else {
			delete(was, m.AccountID)
		}
	})
	if err != nil {
		return err
	}
	if len(differing)+len(was) > MaxRows {
		return ErrTooLarge
	}
	for _, id := range differing {
		_, known := was[id]
		delete(was, id)
		if err := d.differing(id, known); err != nil {
			return err
		}
	}
	for id := range was {
		m, err := d.before.member(d.ctx, id)
		if err == nil {
			err = d.member(id, Left, m.DisplayName, membership(m), nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// differing compares somebody who is a member now, and was one before if known.
func (d *differ) differing(id domain.AccountID, known bool) error {
	m, err := d.after.member(d.ctx, id)
	if err != nil {
		return err
	}
	if !known {
		return d.member(id, Joined, m.DisplayName, nil, membership(m))
	}
	before, err := d.before.member(d.ctx, id)
	switch {
	case err != nil:
		return err
	case !before.JoinedAt.Equal(m.JoinedAt) || before.InvitationID != m.InvitationID:
		return d.member(id, Rejoined, m.DisplayName, membership(before), membership(m))
	}
	return d.attributes(id, before, m)
}

func membership(m projections.Member) *Value {
	return &Value{Name: m.DisplayName, Email: m.Email, Status: string(m.Status), Roles: m.Roles, Spaces: m.Spaces}
}

// attributes compares what a member is on both sides.
func (d *differ) attributes(id domain.AccountID, was, is projections.Member) error {
	var all []error
	if was.DisplayName != is.DisplayName {
		all = append(all, d.member(id, Renamed, is.DisplayName, &Value{Name: was.DisplayName}, &Value{Name: is.DisplayName}))
	}
	if !slices.Equal(was.Roles, is.Roles) {
		all = append(all, d.member(id, RolesChanged, is.DisplayName, &Value{Roles: was.Roles}, &Value{Roles: is.Roles}))
	}
	if was.Status != is.Status {
		kind := Suspended
		if is.Status == "active" {
			kind = Reactivated
		}
		all = append(all, d.member(id, kind, is.DisplayName, &Value{Status: string(was.Status)}, &Value{Status: string(is.Status)}))
	}
	if !slices.Equal(was.Spaces, is.Spaces) {
		all = append(all, d.member(id, SpacesAssigned, is.DisplayName, &Value{Spaces: was.Spaces}, &Value{Spaces: is.Spaces}))
	}
	return errors.Join(all...)
}

// member adds a change of a member, decided by the event that the trail leads to.
func (d *differ) member(id domain.AccountID, kind Kind, name string, before, after *Value) error {
	origin, ok := d.after.Trail.Origin(id)
	if !ok {
		return fmt.Errorf("history: no trail leads to a member of %s at position %d", d.after.org, d.after.Position)
	}
	by := map[Kind]eventstore.Revision{
		Joined: origin.Joined, Rejoined: origin.Joined, Left: origin.Status, Suspended: origin.Status, Reactivated: origin.Status,
		RolesChanged: origin.Roles, Renamed: origin.Name, SpacesAssigned: origin.Spaces,
	}[kind]
	d.decided(by, Change{Kind: kind, Account: id, Name: name, Before: before, After: after})
	return nil
}

func (d *differ) invitations() error {
	was, err := byID(d.before, func() ([]projections.Invitation, error) { return d.before.pending(d.ctx) }, invitationID)
	if err != nil {
		return err
	}
	is, err := byID(d.after, func() ([]projections.Invitation, error) { return d.after.pending(d.ctx) }, invitationID)
	if err != nil {
		return err
	}
	for id, i := range was {
		if _, still := is[id]; still {
			continue
		}
		closed, err := d.after.invitation(d.ctx, id)
		if err != nil {
			return err
		}
		d.invitation(InvitationClosed, closed, invitationValue(i), invitationValue(closed))
	}
	for id, i := range is {
		before, known := was[id]
		switch {
		case !known:
			d.invitation(InvitationOpened, i, nil, invitationValue(i))
		case before.Generation != i.Generation:
			d.invitation(InvitationResent, i, invitationValue(before), invitationValue(i))
		default:
			if err := d.offer(before, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// offer compares what an invitation is to, on both sides.
func (d *differ) offer(was, is projections.Invitation) error {
	roles, spaces, known := d.after.Trail.Invitation(is.InvitationID)
	var before, after Value
	var by []eventstore.Revision
	if !slices.Equal(was.Roles, is.Roles) {
		before.Roles, after.Roles, by = was.Roles, is.Roles, append(by, roles)
	}
	if !slices.Equal(was.Spaces, is.Spaces) {
		before.Spaces, after.Spaces, by = was.Spaces, is.Spaces, append(by, spaces)
	}
	switch {
	case len(by) == 0:
		return nil
	case !known:
		return fmt.Errorf("history: no trail leads to an open invitation of %s at position %d", d.after.org, d.after.Position)
	}
	d.decided(slices.Max(by), Change{
		Kind: InvitationChanged, Invitation: is.InvitationID, Name: cmp.Or(string(is.Email), string(is.Username)), Before: &before, After: &after,
	})
	return nil
}

func invitationID(i projections.Invitation) domain.InvitationID { return i.InvitationID }

func invitationValue(i projections.Invitation) *Value {
	return &Value{Name: string(i.Username), Email: i.Email, Status: string(i.Status), Roles: i.Roles, Spaces: i.Spaces, Generation: i.Generation}
}

// invitation adds a change that the last event of the invitation decided.
func (d *differ) invitation(kind Kind, i projections.Invitation, before, after *Value) {
	last := d.latest["invitation-"+string(i.InvitationID)]
	d.changes = append(d.changes, Change{
		Kind: kind, Invitation: i.InvitationID, Account: i.AcceptedBy, Name: cmp.Or(string(i.Email), string(i.Username)), Before: before, After: after,
		stream: last.stream, revision: eventstore.Revision(last.revision),
	})
}

func (d *differ) spaces() error {
	was, err := byID(d.before, func() ([]projections.Space, error) { return d.before.spaces(d.ctx) }, spaceID)
	if err != nil {
		return err
	}
	is, err := byID(d.after, func() ([]projections.Space, error) { return d.after.spaces(d.ctx) }, spaceID)
	if err != nil {
		return err
	}
	change := func(kind Kind, s projections.Space, before, after *Value) {
		by, _ := d.after.Trail.Space(s.SpaceID)
		d.decided(by, Change{Kind: kind, Space: s.SpaceID, Name: s.Name, Before: before, After: after})
	}
	for id, s := range was {
		if _, still := is[id]; !still {
			change(SpaceDeleted, s, &Value{Name: s.Name}, nil)
		}
	}
	for id, s := range is {
		before, known := was[id]
		switch {
		case !known:
			change(SpaceCreated, s, nil, &Value{Name: s.Name})
		case before.Name != s.Name:
			change(SpaceRenamed, s, &Value{Name: before.Name}, &Value{Name: s.Name})
		}
	}
	return nil
}

func spaceID(s projections.Space) domain.SpaceID { return s.SpaceID }

// byID are the documents of a past by their ids; none before the first event.
func byID[D any, K comparable](p *Past, list func() ([]D, error), id func(D) K) (map[K]D, error) {
	if p.events == 0 {
		return nil, nil
	}
	all, err := list()
	found := make(map[K]D, len(all))
	for _, d := range all {
		found[id(d)] = d
	}
	return found, err
}
