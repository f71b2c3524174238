package history

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"

	"tenure/commands"
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
		o, traced := d.after.Trail.Invitation(id)
		before, known := was[id]
		if !known {
			if before = i; traced {
				before = d.began(i, o)
			}
			d.invitation(InvitationOpened, i, nil, invitationValue(before))
			d.changes[len(d.changes)-1].generation = before.Generation
		}
		if before.Generation != i.Generation {
			d.invitation(InvitationResent, i, &Value{Generation: before.Generation}, &Value{Generation: i.Generation})
		}
		if err := d.offer(before, i, o, traced); err != nil {
			return err
		}
	}
	return nil
}

// began is what an invitation was when it was opened, or when it was sent after
// that: the organization says before what it is to, and may have changed it.
func (d *differ) began(i projections.Invitation, o commands.Offer) projections.Invitation {
	was := i
	was.Generation, was.Roles, was.Spaces = o.Generation, o.Began, nil
	if before, open := d.before.Trail.Invitation(i.InvitationID); open && before.Opened == o.Opened {
		then, _ := d.before.Trail.State().Invitation(i.InvitationID)
		was.Roles, was.Spaces = then.Roles, then.Assigned()
	}
	if o.Spaces == o.Opened {
		was.Spaces = i.Spaces // those that it had when it expired
	}
	return was
}

// offer compares what an invitation is to, on both sides.
func (d *differ) offer(was, is projections.Invitation, o commands.Offer, traced bool) error {
	var before, after Value
	var by []eventstore.Revision
	if !slices.Equal(was.Roles, is.Roles) {
		before.Roles, after.Roles, by = was.Roles, is.Roles, append(by, o.Roles)
	}
	if !sameSpaces(was.Spaces, is.Spaces) {
		before.Spaces, after.Spaces, by = was.Spaces, is.Spaces, append(by, o.Spaces)
	}
	switch {
	case len(by) == 0:
		return nil
	case !traced:
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
	change := func(kind Kind, by eventstore.Revision, s projections.Space, before, after *Value) {
		d.decided(by, Change{Kind: kind, Space: s.SpaceID, Name: s.Name, Before: before, After: after})
	}
	for id, s := range was {
		if _, still := is[id]; !still {
			_, last, _ := d.after.Trail.Space(id)
			change(SpaceDeleted, last, s, &Value{Name: s.Name}, nil)
		}
	}
	for id, s := range is {
		before, known := was[id]
		created, last, first := d.after.Trail.Space(id)
		if !known {
			before.Name = first
			change(SpaceCreated, created, s, nil, &Value{Name: first})
		}
		if before.Name != s.Name {
			change(SpaceRenamed, last, s, &Value{Name: before.Name}, &Value{Name: s.Name})
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
