package organization

import (
	"fmt"
	"slices"

	"tenure/domain"
	"tenure/domain/policy"
)

// Bounds of spaces.
const (
	MaxSpaces         = 10_000 // of an organization
	MaxSpacesOfMember = 1_000  // that are assigned to a member
)

// Space finds the name of a space.
func (s State) Space(id domain.SpaceID) (name string, ok bool) { return get(s.spaces, id) }

// SpacesOf lists the spaces that are assigned to a member and not deleted.
func (s State) SpacesOf(m Member) []domain.SpaceID {
	return s.existing(m.spaces)
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
		return nil, domain.Refuse(domain.CodeTooManySpaces, "Too many spaces", fmt.Sprintf("Delete one first; an organization has at most %d.", MaxSpaces))
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

// AssignSpaces says which spaces a member may enter (D3, D6, M5). Work in others
// is released. It fails with CodeNotFound, CodePermissionDenied, CodeNotOffered,
// CodeMemberRemoved and CodeTooManySpaces.
func AssignSpaces(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, spaces []domain.SpaceID) ([]domain.Event, error) {
	events, err := s.assignedSpaces(p, by, account, spaces)
	return s.releaseLost(p, account, events), err
}

func (s State) assignedSpaces(p *policy.Policy, by domain.Actor, account domain.AccountID, spaces []domain.SpaceID) ([]domain.Event, error) {
	if err := s.mayAssignSpaces(p, by); err != nil {
		return nil, err
	}
	member, err := s.presentMember(p, account)
	if err != nil {
		return nil, err
	}
	before := s.SpacesOf(member)
	after, err := s.checkAssignment(p, before, spaces)
	if err != nil || slices.Equal(before, after) {
		return nil, err
	}
	return []domain.Event{SpacesAssigned{OrganizationID: s.ID, AccountID: account, Before: before, After: after}}, nil
}

// AssignInvitationSpaces says which spaces the invitee may enter once they are a
// member (D6); those that are deleted until then are left out. It fails with
// CodeNotFound, CodePermissionDenied, CodeNotOffered and CodeTooManySpaces.
func AssignInvitationSpaces(s State, p *policy.Policy, by domain.Actor, id domain.InvitationID, spaces []domain.SpaceID) ([]domain.Event, error) {
	if err := s.mayAssignSpaces(p, by); err != nil {
		return nil, err
	}
	open, ok := s.Invitation(id)
	if !ok {
		return nil, domain.Refuse(domain.CodeNotFound, "No such invitation", "Choose one that is pending; the spaces of a member are the member's.")
	}
	before := s.existing(open.spaces)
	after, err := s.checkAssignment(p, before, spaces)
	if err != nil || slices.Equal(before, after) {
		return nil, err
	}
	return []domain.Event{InvitationSpacesChanged{OrganizationID: s.ID, InvitationID: id, Before: before, After: after}}, nil
}

// EditMember changes roles and spaces in one step (D7); nil leaves either as it
// is, and with spaces, roles that are the same need no permission. It fails as
// ChangeRoles does, and with CodeInvalid, CodeNotOffered and CodeTooManySpaces.
func EditMember(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, roles []domain.Role, spaces []domain.SpaceID) ([]domain.Event, error) {
	if roles == nil && spaces == nil {
		return nil, domain.Invalid("roles", "Give roles, spaces or both.")
	}
	var events []domain.Event
	member, _ := s.Member(account)
	if roles != nil && (spaces == nil || !domain.SameRoles(member.Roles, roles)) {
		changed, err := s.changedRoles(p, by, account, roles)
		if err != nil {
			return nil, err
		}
		events = changed
	}
	if spaces != nil {
		// Decided on the state before: who takes their own role away may still
		// finish what they are at.
		assigned, err := s.assignedSpaces(p, by, account, spaces)
		if err != nil {
			return nil, err
		}
		events = append(events, assigned...)
	}
	return s.releaseLost(p, account, events), nil
}

// releaseLost adds to events the release of the member's work in spaces that
// they may not enter after them.
func (s State) releaseLost(p *policy.Policy, account domain.AccountID, events []domain.Event) []domain.Event {
	for _, e := range events {
		s = Evolve(s, e)
	}
	m, _ := s.Member(account)
	if len(events) == 0 || len(m.work) == 0 || p.AllSpaces(m.Roles) {
		return events
	}
	assigned := s.SpacesOf(m)
	return append(events, s.release(account, m, "space_lost", func(w WorkItem) bool {
		return w.Space != "" && !slices.Contains(assigned, w.Space)
	})...)
}

// existing leaves out the spaces that were deleted.
func (s State) existing(spaces []domain.SpaceID) []domain.SpaceID {
	return slices.DeleteFunc(append([]domain.SpaceID{}, spaces...), func(id domain.SpaceID) bool {
		_, there := s.Space(id)
		return !there
	})
}

// checkAssignment answers with the spaces sorted, each once.
func (s State) checkAssignment(p *policy.Policy, before, spaces []domain.SpaceID) ([]domain.SpaceID, error) {
	after := slices.Compact(slices.Sorted(slices.Values(spaces)))
	if after == nil {
		after = []domain.SpaceID{}
	}
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
		return nil, tooManySpaces(p, fmt.Sprintf("Assign at most %d spaces at a time; add the member to the others afterwards.", most))
	}
	if len(after) > MaxSpacesOfMember {
		e := domain.Refuse(domain.CodeTooManySpaces, "Too many spaces", fmt.Sprintf("Assign at most %d spaces to a member.", MaxSpacesOfMember))
		e.Field = "spaces"
		return nil, e
	}
	return after, nil
}

func tooManySpaces(p *policy.Policy, message string) error {
	e := p.Refuse(domain.CodeTooManySpaces, "Too many spaces at once", message)
	e.Field = "spaces"
	return e
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

func (s State) mayAssignSpaces(p *policy.Policy, by domain.Actor) error {
	if _, err := Authorize(s, p, by, domain.AssignSpaces); err != nil {
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

func (s State) nameSpace(id domain.SpaceID, name string) State {
	s = s.deleteSpace(id)
	s.spaces = set(s.spaces, id, name)
	s.spaceNames = set(s.spaceNames, domain.Fold(name), id)
	return s
}

func (s State) deleteSpace(id domain.SpaceID) State {
	name, there := s.Space(id)
	if !there {
		return s
	}
	s.spaces = s.spaces.Delete(id)
	if holder, _ := get(s.spaceNames, domain.Fold(name)); holder == id {
		s.spaceNames = s.spaceNames.Delete(domain.Fold(name))
	}
	return s
}

func (s State) changeInvitationSpaces(e InvitationSpacesChanged) State {
	if open, ok := s.Invitation(e.InvitationID); ok {
		open.spaces = slices.Sorted(slices.Values(e.After))
		s.invitations = s.invitations.Set(e.InvitationID, open)
	}
	return s
}

// Assigned lists the spaces that are assigned to the member, sorted; some may be
// deleted.
func (m Member) Assigned() []domain.SpaceID { return m.spaces }

// Assigned lists the spaces for the member that the invitation makes, sorted; some
// may be deleted.
func (i OpenInvitation) Assigned() []domain.SpaceID { return i.spaces }
