package organization

import (
	"fmt"
	"slices"

	"tenure/domain"
	"tenure/domain/policy"
)

// MaxSpaces is how many spaces an organization may have.
const MaxSpaces = 10_000

// Space finds the name of a space.
func (s State) Space(id domain.SpaceID) (name string, ok bool) { return get(s.spaces, id) }

// SpacesOf lists the spaces that are assigned to a member and not deleted.
func (s State) SpacesOf(m Member) []domain.SpaceID {
	return slices.DeleteFunc(slices.Clone(m.spaces), func(id domain.SpaceID) bool {
		_, there := s.Space(id)
		return !there
	})
}

// CreateSpace makes a space. Its name is unique in the organization, whatever
// the case. It fails with CodeNotFound, CodePermissionDenied, CodeNotOffered,
// CodeSpaceNameTaken and CodeTooManySpaces.
func CreateSpace(s State, p *policy.Policy, by domain.Actor, id domain.SpaceID, name string) ([]domain.Event, error) {
	if err := s.mayManageSpaces(p, by); err != nil {
		return nil, err
	}
	if err := s.checkSpaceName(p, id, name); err != nil {
		return nil, err
	}
	if s.spaces != nil && s.spaces.Len() >= MaxSpaces {
		return nil, p.Refuse(domain.CodeTooManySpaces, "Too many spaces", fmt.Sprintf("Delete one first; an organization has at most %d.", MaxSpaces))
	}
	return []domain.Event{SpaceCreated{OrganizationID: s.ID, SpaceID: id, Name: name}}, nil
}

// RenameSpace gives a space another name. It fails with CodeNotFound,
// CodePermissionDenied, CodeNotOffered and CodeSpaceNameTaken.
func RenameSpace(s State, p *policy.Policy, by domain.Actor, id domain.SpaceID, name string) ([]domain.Event, error) {
	if err := s.mayManageSpaces(p, by); err != nil {
		return nil, err
	}
	before, ok := s.Space(id)
	if !ok {
		return nil, noSpace()
	}
	if err := s.checkSpaceName(p, id, name); err != nil || before == name {
		return nil, err
	}
	return []domain.Event{SpaceRenamed{OrganizationID: s.ID, SpaceID: id, Before: before, After: name}}, nil
}

// DeleteSpace ends a space. The work in it is released. It fails with
// CodeNotFound, CodePermissionDenied, CodeNotOffered and CodeTooMuchWork.
func DeleteSpace(s State, p *policy.Policy, by domain.Actor, id domain.SpaceID) ([]domain.Event, error) {
	if err := s.mayManageSpaces(p, by); err != nil {
		return nil, err
	}
	name, ok := s.Space(id)
	if !ok {
		return nil, noSpace()
	}
	events := []domain.Event{SpaceDeleted{OrganizationID: s.ID, SpaceID: id, Name: name}}
	for itr := s.members.Iterator(); !itr.Done(); {
		account, m, _ := itr.Next()
		events = append(events, s.release(account, m, "space_lost", func(w WorkItem) bool { return w.Space == id })...)
	}
	if len(events) > MaxWork+1 {
		return nil, p.Refuse(domain.CodeTooMuchWork, "Too much work in the space", fmt.Sprintf("Release some first; at most %d pieces are released at once.", MaxWork))
	}
	slices.SortFunc(events[1:], compareReleases)
	return events, nil
}

// AssignSpaces says which spaces a member may enter (D3, D6, M5). It fails with
// CodeNotFound, CodePermissionDenied, CodeNotOffered, CodeMemberRemoved and
// CodeTooManySpaces.
func AssignSpaces(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, spaces []domain.SpaceID) ([]domain.Event, error) {
	if _, err := Authorize(s, p, by, domain.AssignSpaces); err != nil {
		return nil, err
	}
	if p.Spaces == nil {
		return nil, noSpaces(p)
	}
	member, err := s.presentMember(p, account)
	if err != nil {
		return nil, err
	}
	before, after := s.SpacesOf(member), slices.Compact(slices.Sorted(slices.Values(spaces)))
	added := 0
	for _, id := range after {
		if _, there := s.Space(id); !there {
			return nil, noSpace()
		}
		if !slices.Contains(before, id) {
			added++
		}
	}
	if most := p.Spaces.PerAssignment; most > 0 && added > most {
		e := p.Refuse(domain.CodeTooManySpaces, "Too many spaces at once", fmt.Sprintf("Assign at most %d spaces at a time; add the member to the others afterwards.", most))
		e.Field = "spaces"
		return nil, e
	}
	if slices.Equal(before, after) {
		return nil, nil
	}
	events := []domain.Event{SpacesAssigned{OrganizationID: s.ID, AccountID: account, Before: before, After: after}}
	if p.AllSpaces(member.Roles) {
		return events, nil
	}
	return append(events, s.release(account, member, "space_lost", func(w WorkItem) bool {
		return w.Space != "" && !slices.Contains(after, w.Space)
	})...), nil
}

// EditMember changes roles and spaces in one step (D7); nil leaves either as it
// is. It fails as ChangeRoles and AssignSpaces do.
func EditMember(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, roles []domain.Role, spaces []domain.SpaceID) ([]domain.Event, error) {
	var events []domain.Event
	if roles != nil {
		changed, err := ChangeRoles(s, p, by, account, roles)
		if err != nil {
			return nil, err
		}
		events = changed
	}
	if spaces == nil {
		return events, nil
	}
	after := s
	for _, e := range events {
		after = Evolve(after, e)
	}
	assigned, err := AssignSpaces(after, p, by, account, spaces)
	return append(events, assigned...), err
}

// MayEnter reports whether a member may enter a space.
func (s State) MayEnter(p *policy.Policy, m Member, id domain.SpaceID) bool {
	_, there := s.Space(id)
	return there && m.Status == Active && (p.AllSpaces(m.Roles) || slices.Contains(m.spaces, id))
}

func (s State) mayManageSpaces(p *policy.Policy, by domain.Actor) error {
	if _, err := Authorize(s, p, by, domain.ManageSpaces); err != nil {
		return err
	}
	if p.Spaces == nil {
		return noSpaces(p)
	}
	return nil
}

func (s State) checkSpaceName(p *policy.Policy, id domain.SpaceID, name string) error {
	if holder, taken := get(s.spaceNames, domain.Fold(name)); taken && holder != id {
		e := p.Refuse(domain.CodeSpaceNameTaken, "Name taken", "Choose another name; another space of the organization has it.")
		e.Field = "name"
		return e
	}
	return nil
}

func noSpace() error {
	return domain.Refuse(domain.CodeNotFound, "No such space", "Look the space up in the list of spaces.")
}

func noSpaces(p *policy.Policy) error {
	return notOffered(p, "Organizations of this policy have no spaces.")
}
