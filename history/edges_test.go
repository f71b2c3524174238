package history_test

import (
	"slices"
	"strings"
	"testing"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/history"
)

// A change of policy changes what open invitations are to, and says so itself.
func TestAChangeOfPolicyChangesInvitations(t *testing.T) {
	w := newWorld(t, history.Options{})
	s := newStory(w, 5, 0)
	s.tell(1)
	s.invite()
	s.write()
	before, err := w.log.Head(t.Context())
	w.is.NoErr(err)
	open := s.invitations[0]
	into := map[domain.Role][]domain.Role{"OWNER": {"ADMIN"}}
	for _, role := range open.Roles {
		into[role] = []domain.Role{"MOVED"}
	}
	s.organization(organization.PolicyChanged{
		OrganizationID: s.id, Before: organization.PolicyVersion{Policy: "ownership", Version: 1}, After: organization.PolicyVersion{Policy: "delegated", Version: 1}, Roles: into,
	})
	s.write()
	d, err := w.history.Diff(t.Context(), s.id, history.Moment{Position: before}, history.Moment{})
	w.is.NoErr(err)
	found := 0
	for _, c := range d.Changes {
		w.is.Equal(c.Event.Type, "organization.policy_changed.v1")
		if c.Kind == history.InvitationChanged {
			found++
			w.is.Equal(c.Invitation, open.InvitationID)
			w.is.Equal(*c.Before, history.Value{Roles: open.Roles})
			w.is.Equal(*c.After, history.Value{Roles: []domain.Role{"MOVED"}})
		}
	}
	w.is.Equal(found, 1)
}

// Who joined and was made something else since was made it by whoever did that.
func TestWhatBecameOfWhoJoinedIsWhoseItWas(t *testing.T) {
	w := newWorld(t, history.Options{})
	s := newStory(w, 5, 0)
	s.tell(1)
	space := domain.SpaceID(s.uuid())
	s.organization(organization.SpaceCreated{OrganizationID: s.id, SpaceID: space, Name: "North"})
	gone := s.joins("VIEWER")
	s.write()
	before, err := w.log.Head(t.Context())
	w.is.NoErr(err)
	s.organization(organization.MemberRemoved{OrganizationID: s.id, AccountID: gone, Roles: []domain.Role{"VIEWER"}})
	s.organization(organization.MemberJoined{OrganizationID: s.id, AccountID: gone, DisplayName: "Again", Roles: []domain.Role{"USER"}})
	for _, id := range []domain.AccountID{s.joins("USER"), gone} {
		s.organization(organization.RolesChanged{OrganizationID: s.id, AccountID: id, Before: []domain.Role{"USER"}, After: []domain.Role{"ADMIN"}})
		s.organization(organization.SpacesAssigned{OrganizationID: s.id, AccountID: id, Before: []domain.SpaceID{}, After: []domain.SpaceID{space}})
		s.organization(organization.MemberRenamed{OrganizationID: s.id, AccountID: id, Before: "Joins", After: "Married"})
		s.organization(organization.MemberSuspended{OrganizationID: s.id, AccountID: id, Roles: []domain.Role{"ADMIN"}})
	}
	s.write()
	d, err := w.history.Diff(t.Context(), s.id, history.Moment{Position: before}, history.Moment{})
	w.is.NoErr(err)
	var said []string
	for _, c := range d.Changes {
		said = append(said, string(c.Kind)+" "+c.Before.Text()+" > "+c.After.Text()+" "+c.Event.Type)
	}
	since := []string{
		"roles_changed roles=USER > roles=ADMIN organization.roles_changed.v1",
		"spaces_assigned  > spaces=" + string(space) + " organization.spaces_assigned.v1",
		"renamed name=Joins > name=Married organization.member_renamed.v1",
		"suspended status=active > status=suspended organization.member_suspended.v1",
	}
	again := slices.Clone(since)
	again[2] = "renamed name=Again > name=Married organization.member_renamed.v1"
	w.is.Equal(said, slices.Concat([]string{
		"rejoined name=Joins; status=active; roles=VIEWER > name=Again; status=active; roles=USER organization.member_joined.v1",
		"joined  > name=Joins; status=active; roles=USER organization.member_joined.v1",
	}, since, again))
}

// joins has somebody join.
func (s *story) joins(role domain.Role) domain.AccountID {
	id := domain.AccountID(s.uuid())
	s.organization(organization.MemberJoined{OrganizationID: s.id, AccountID: id, DisplayName: "Joins", Roles: []domain.Role{role}})
	return id
}

// Who asks for what is so already has decided nothing.
func TestNobodyIsNamedWhoHasChangedNothing(t *testing.T) {
	w := newWorld(t, history.Options{})
	s := newStory(w, 5, 0)
	s.tell(1)
	s.invite()
	s.write()
	before, err := w.log.Head(t.Context())
	w.is.NoErr(err)
	id := s.invitations[0].InvitationID
	s.invitation(id, invitation.Revoked{InvitationID: id, OrganizationID: s.id, Cause: invitation.CauseRevoked})
	s.invitation(id, domain.ChangedNothing{})
	s.invitation(id, domain.ChangedNothing{})
	d, err := w.history.Diff(t.Context(), s.id, history.Moment{Position: before}, history.Moment{})
	w.is.NoErr(err)
	w.is.Equal(len(d.Changes), 1)
	w.is.Equal(d.Changes[0].Kind, history.InvitationClosed)
	w.is.Equal(d.Changes[0].Event.Type, "invitation.revoked.v1")
	w.is.Equal(d.Changes[0].Event.Revision, eventstore.Revision(1))
}

// Nobody may do anything in an organization that was deleted.
func TestTheReviewOfADeletedOrganization(t *testing.T) {
	w := newWorld(t, history.Options{})
	s := newStory(w, 5, 0)
	s.tell(1)
	s.write()
	head, err := w.log.Head(t.Context())
	w.is.NoErr(err)
	s.organization(organization.Deleted{OrganizationID: s.id, Name: s.name})
	s.write()
	before, err := w.history.Review(t.Context(), s.id, history.Moment{Position: head})
	w.is.NoErr(err)
	w.is.True(len(before.Members[0].Permissions) > 0)
	after, err := w.history.Review(t.Context(), s.id, history.Moment{})
	w.is.NoErr(err)
	w.is.Equal(len(after.Members), 1)
	w.is.Equal(len(after.Members[0].Permissions), 0)
	text, err := after.CSV()
	w.is.NoErr(err)
	w.is.True(!strings.Contains(string(text), "members.invite"))
}
