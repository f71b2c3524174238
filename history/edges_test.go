package history_test

import (
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
