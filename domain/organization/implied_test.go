package organization_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

// staff has a LEAD who is a BOSS as well, whom HR neither makes nor manages.
var staff = func() *policy.Policy {
	manage := []domain.Permission{domain.InviteMembers, domain.ChangeRoles, domain.RemoveMembers}
	all := []domain.Role{"BOSS", "LEAD", "HR", "USER"}
	return &policy.Policy{
		Name: "staff", Version: 1,
		Roles: []policy.Role{
			{Name: "BOSS", AdminLike: true, Exclusive: true, Grants: all, Manages: all, Permissions: manage},
			{Name: "LEAD", Implies: []domain.Role{"BOSS"}},
			{Name: "HR", Grants: []domain.Role{"LEAD", "USER"}, Manages: []domain.Role{"LEAD", "HR", "USER"}, Permissions: manage},
			{Name: "USER"},
		},
		Members: policy.Members{FounderRoles: []domain.Role{"BOSS"}, MinimumAdmins: 1},
	}
}()

func TestNobodyGetsBeyondTheirRightsByARoleThatImpliesAnother(t *testing.T) {
	is := is.New(t)
	office := domaintest.Given(t, Evolve, activated(staff), joined(admin, "HR"), joined(user, "USER"), joined(viewer, "LEAD"), opened(invited, 1, "LEAD"))
	office.When(changeRoles(staff, admin, admin, "LEAD")).Refused(domain.CodeRoleNotGranted)
	office.When(invite(staff, admin, Invitee{InvitationID: "other", Email: "other@example.com", Roles: []domain.Role{"LEAD"}})).Refused(domain.CodeRoleNotGranted)
	office.When(authorizeRevocation(staff, admin, "LEAD")).Refused(domain.CodeRoleNotGranted)
	office.When(changeRoles(staff, admin, viewer, "USER")).Refused(domain.CodeMemberProtected)
	office.When(remove(staff, admin, viewer)).Refused(domain.CodeMemberProtected)
	office.When(remove(staff, admin, owner)).Refused(domain.CodeMemberProtected)
	office.When(remove(staff, admin, user)).Then(removed(user, "USER"))

	promoted := RolesChanged{OrganizationID: org, AccountID: user, Before: []domain.Role{"USER"}, After: []domain.Role{"LEAD"}}
	after := office.When(changeRoles(staff, viewer, user, "LEAD")).Then(promoted) // a LEAD may what a BOSS may
	is.True(after.State.HoldsExclusive(staff, user))
	is.Equal(GainsExclusive(office.State, staff, []domain.Event{promoted}), []domain.AccountID{user})
	is.Equal(LosesExclusive(staff, []domain.Event{removed(viewer, "LEAD")}), []domain.AccountID{viewer})
}
