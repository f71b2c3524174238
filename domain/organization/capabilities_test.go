package organization_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
)

const (
	administrate    domain.Role = "ADMINISTRATE_ORGANIZATION"
	manageAccess    domain.Role = "MANAGE_ACCESS"
	managePlatforms domain.Role = "MANAGE_PLATFORM_REGISTRATION"
)

// capable is an organization of the capabilities policy: user has none, viewer
// may invite, admin may do everything.
func capable(more ...domain.Event) []domain.Event {
	return append([]domain.Event{activated(capabilities), joined(user), joined(viewer, manageAccess), joined(admin, administrate)}, more...)
}

func TestAMemberMayHaveNoRole(t *testing.T) {
	is := is.New(t)
	given := domaintest.Given(t, Evolve, capable()...)
	is.Equal(given.State.ActiveMembers(), 4)
	_, err := Authorize(given.State, capabilities, by(user), domain.ReadOrganization)
	is.NoErr(err) // what every member may
	given.When(func(s State) ([]domain.Event, error) {
		_, err := Authorize(s, capabilities, by(user), domain.ReadMembers)
		return nil, err
	}).Refused(domain.CodePermissionDenied)

	all := given.When(changeRoles(capabilities, owner, user, manageAccess, managePlatforms)).
		Then(RolesChanged{OrganizationID: org, AccountID: user, After: []domain.Role{manageAccess, managePlatforms}})
	all.When(changeRoles(capabilities, owner, user, managePlatforms, manageAccess)).Then() // in whatever order
	all.When(changeRoles(capabilities, owner, user)).
		Then(RolesChanged{OrganizationID: org, AccountID: user, Before: []domain.Role{manageAccess, managePlatforms}, After: nil})
	all.When(changeRoles(capabilities, owner, user, manageAccess, manageAccess)).Refused(domain.CodeRoleCount)
}

func TestTheRoleThatImpliesAllMayAll(t *testing.T) {
	given := domaintest.Given(t, Evolve, capable()...)
	in := newcomer() // without a role
	given.When(invite(capabilities, viewer, in)).Then(InvitationOpened{
		OrganizationID: org, InvitationID: invited, Generation: 1, Email: in.Email, Username: in.Username, Language: "en",
		InvitedBy: viewer, ExpiresAt: noon.Add(capabilities.Invitations.Lifetime),
	})
	given.When(invite(capabilities, viewer, newcomer(manageAccess))).Refused(domain.CodeRoleNotGranted)
	given.When(invite(capabilities, user, in)).Refused(domain.CodePermissionDenied)
	if _, err := Invite(given.State, capabilities, by(owner), newcomer(administrate), noon); err != nil { // members.invite is implied
		t.Fatal(err)
	}
	given.When(remove(capabilities, viewer, user)).Refused(domain.CodePermissionDenied)
}

func TestNobodyChangesTheirOwnCapabilities(t *testing.T) {
	given := domaintest.Given(t, Evolve, capable()...)
	refusal := given.When(changeRoles(capabilities, owner, owner, administrate)).Refused(domain.CodeOwnRolesFixed) // not even to what they are
	is.New(t).Equal(refusal.Title, "Not your own capabilities")
	given.When(changeRoles(capabilities, owner, admin)).Then(RolesChanged{OrganizationID: org, AccountID: admin, Before: []domain.Role{administrate}}).
		When(changeRoles(capabilities, admin, owner)).Refused(domain.CodePermissionDenied)
	domaintest.Given(t, Evolve, staffed()...).When(changeRoles(ownership, admin, admin, "USER")).
		Then(RolesChanged{OrganizationID: org, AccountID: admin, Before: []domain.Role{"ADMIN"}, After: []domain.Role{"USER"}}) // where the policy lets them
}
