package commands

import (
	"slices"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
)

// EnterSpace is what a question about a space asks that wants to know no more
// than whether somebody may enter it. Roles do not have it as a permission: some
// open every space, and others those that are assigned to the member.
const EnterSpace domain.Permission = "spaces.enter"

// AccessSpace is what a decision about a space rests on, besides the membership.
type AccessSpace struct {
	SpaceID  domain.SpaceID
	OpenedBy []domain.Role // the roles of the policy that open every space
	Created  *AccessEvent  // nil for somebody who may not read the history
	Deleted  *AccessEvent  // nil while it is there
	Assigned *AccessEvent  // assigned it to the member; nil while it is not
}

// authorize is whether the subject may, anywhere in the organization.
func (v *accessView) authorize(subject domain.AccountID, q AccessQuestion) error {
	by := domain.ByAccount(subject)
	if q.onlyEnters() {
		_, err := organization.AuthorizeMember(v.state, by)
		return reword(v.policy, err)
	}
	_, err := organization.Authorize(v.state, v.policy, by, q.Permission)
	return err
}

// onlyEnters reports whether no permission is asked for.
func (q AccessQuestion) onlyEnters() bool { return q.Space != nil && q.Permission == EnterSpace }

// grants reports whether a role is enough for what is asked.
func (v *accessView) grants(role domain.Role, q AccessQuestion) bool {
	if q.onlyEnters() {
		return v.opensSpaces(role)
	}
	return v.policy.Allows([]domain.Role{role}, q.Permission)
}

func (v *accessView) opensSpaces(role domain.Role) bool {
	return v.policy.AllSpaces([]domain.Role{role})
}

// decideSpace decides on an active member, who may do what is asked. To who asks
// about themselves and may not read the spaces, there are only their own.
func (v *accessView) decideSpace(subject domain.AccountID, q AccessQuestion, self bool) AccessDecision {
	member, _ := v.state.Member(subject)
	if q.Space == nil || v.state.MayEnter(v.policy, member, *q.Space) {
		return AccessDecision{Allowed: true, Reason: AccessAllowed}
	}
	if _, there := v.state.Space(*q.Space); !there || self && !v.policy.Allows(member.Roles, domain.ReadSpaces) {
		return AccessDecision{Reason: AccessSpaceUnknown, Message: "Check the space's id, and that the space was not deleted."}
	}
	return AccessDecision{Reason: AccessSpaceNotAssigned, Message: "Assign the space to the member, or give a role that opens every space."}
}

// spaceOrigin is how a space came to be there, and not to be there any more.
type spaceOrigin struct {
	created eventstore.Revision
	deleted *eventstore.Revision
	last    eventstore.Revision // changed it
	name    string              // with which it was created
}

// assignment is how a space came to be one that a member may enter.
type assignment struct {
	space domain.SpaceID
	given eventstore.Revision
}

// followSpace folds an event about a space into a trail.
func (t trail) followSpace(e domain.Event, this eventstore.Revision) trail {
	switch e := e.(type) {
	case organization.SpaceCreated:
		t.spaces = t.spaces.Set(string(e.SpaceID), spaceOrigin{created: this, last: this, name: e.Name})
	case organization.SpaceRenamed:
		if o, known := t.spaces.Get(string(e.SpaceID)); known && e.After != e.Before {
			o.last = this
			t.spaces = t.spaces.Set(string(e.SpaceID), o)
		}
	case organization.SpaceDeleted:
		if o, known := t.spaces.Get(string(e.SpaceID)); known {
			o.deleted, o.last = &this, this
			t.spaces = t.spaces.Set(string(e.SpaceID), o)
		}
	}
	return t
}

// assigned are the spaces of a member after the event with revision this.
func (o origin) assigned(spaces []domain.SpaceID, this eventstore.Revision) []assignment {
	all := make([]assignment, len(spaces))
	for i, id := range spaces {
		all[i] = assignment{id, this}
		if j := slices.IndexFunc(o.spaces, func(a assignment) bool { return a.space == id }); j >= 0 {
			all[i] = o.spaces[j]
		}
	}
	return all
}

// spaceRevisions are those of the events that an explanation about a space names;
// nil for those that there are not, or that the caller may not read of.
func (k *AccessCheck) spaceRevisions(v *accessView, o origin, id domain.SpaceID, self bool) (created, deleted, given *eventstore.Revision) {
	space, known := v.trail.spaces.Get(string(id))
	if !known {
		return nil, nil, nil
	}
	if i := slices.IndexFunc(o.spaces, func(a assignment) bool { return a.space == id }); i >= 0 && space.deleted == nil {
		given = &o.spaces[i].given
	}
	if self && k.mayNotReadHistory(v) {
		return nil, nil, given
	}
	return &space.created, space.deleted, given
}
