package history

import (
	"errors"
	"fmt"
	"slices"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/projections"
)

// differing compares somebody who is a member now, and was one before if known.
//
// Of one who has joined since, the change says what joining made of it, by the
// event that did. What differs from that was decided later, and maybe by others:
// these are changes of their own, as of one who was a member all the time.
func (d *differ) differing(id domain.AccountID, known bool) error {
	m, err := d.after.member(d.ctx, id)
	if err != nil {
		return err
	}
	kind, was, value := Joined, projections.Member{}, asking(d.before, id)
	if known {
		if was, err = d.before.member(d.ctx, id); err != nil {
			return err
		}
		kind, value = Rejoined, membership(was)
	}
	origin, _ := d.after.Trail.Origin(id)
	if before, _ := d.before.Trail.Origin(id); !known || before.Joined != origin.Joined {
		was = first(m, origin.Began)
		if err := d.member(id, kind, m.DisplayName, value, membership(was)); err != nil {
			return err
		}
	}
	return d.attributes(id, was, m)
}

// first is a member as it was once it had joined.
func first(m projections.Member, b commands.Beginning) projections.Member {
	m.DisplayName, m.Status, m.Roles, m.Spaces = b.Name, organization.Active, b.Roles, b.Spaces
	return m
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
		if is.Status == organization.Active {
			kind = Reactivated
		}
		all = append(all, d.member(id, kind, is.DisplayName, &Value{Status: string(was.Status)}, &Value{Status: string(is.Status)}))
	}
	if !sameSpaces(was.Spaces, is.Spaces) {
		all = append(all, d.member(id, SpacesAssigned, is.DisplayName, &Value{Spaces: was.Spaces}, &Value{Spaces: is.Spaces}))
	}
	return errors.Join(all...)
}

func sameSpaces(a, b []domain.SpaceID) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
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

// asking is what is known of somebody whose request to join is open; nil where
// none is.
func asking(p *Past, id domain.AccountID) *Value {
	r, open := p.Trail.State().Request(id)
	if !open {
		return nil
	}
	return &Value{Name: r.DisplayName, Email: r.Email, Status: string(projections.Pending)}
}

// requests compares who asks to join. Who asked before and is a member now has
// joined: that says what became of the request.
func (d *differ) requests() error {
	was, is := d.before.Trail, d.after.Trail
	for _, id := range is.State().OpenRequests(is.State().Requests()) {
		by, known := is.Asked(id)
		if !known {
			return fmt.Errorf("history: no trail leads to a request of %s at position %d", d.after.org, d.after.Position)
		}
		kind, before, value := Requested, asking(d.before, id), asking(d.after, id)
		if asked, open := was.Asked(id); open {
			if asked == by {
				continue
			}
			kind = RequestedAgain
		}
		d.decided(by, Change{Kind: kind, Account: id, Name: value.Name, Before: before, After: value})
	}
	for _, id := range was.State().OpenRequests(was.State().Requests()) {
		_, open := is.State().Request(id)
		if m, _ := is.State().Member(id); open || m.Present() {
			continue
		}
		by, outcome, known := is.Answered(id)
		if !known {
			return fmt.Errorf("history: no trail leads to the end of a request of %s at position %d", d.after.org, d.after.Position)
		}
		value := asking(d.before, id)
		d.decided(by, Change{Kind: RequestClosed, Account: id, Name: value.Name, Before: value, After: &Value{Status: outcome}})
	}
	return nil
}
