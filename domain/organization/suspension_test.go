package organization_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

// moderated is the built-in policy; guarded the same with an owner, seats and
// other rules that it lacks.
var (
	moderated = builtin("moderated")
	guarded   = func() *policy.Policy {
		p := *moderated
		p.Ownership = &policy.Ownership{Role: "owner", Candidates: []domain.Role{"admin"}, PreviousOwnerBecomes: "admin"}
		p.Roles = append([]policy.Role{{
			Name: "owner", Grants: p.Roles[0].Grants, Manages: []domain.Role{"participant"}, Permissions: p.Roles[0].Permissions,
		}}, p.Roles...)
		p.Members.FounderRoles, p.Members.Seats = []domain.Role{"owner"}, 3
		return &p
	}()
)

// school is an organization of the moderated policy: an admin (owner), an
// author (admin), a participant (user), one that is suspended (viewer), one that
// was removed (former) and one who asks (nobody).
func school(more ...domain.Event) []domain.Event {
	return append([]domain.Event{
		activated(moderated), joined(admin, "author"), joined(user, "participant"), joined(viewer, "participant"), suspendedMember(viewer, "participant"),
		joined(former, "participant"), removed(former, "participant"), asked(nobody),
	}, more...)
}

// guardedSchool has an owner and an admin under the guarded policy.
func guardedSchool(more ...domain.Event) []domain.Event {
	return append([]domain.Event{activated(guarded), joined(admin, "admin")}, more...)
}

func suspendedMember(id domain.AccountID, roles ...domain.Role) domain.Event {
	return MemberSuspended{OrganizationID: org, AccountID: id, Roles: roles}
}

func asked(id domain.AccountID) domain.Event {
	return JoinRequested{OrganizationID: org, AccountID: id, Email: domain.Email(id + "@example.com"), DisplayName: "The " + string(id), RequestedAt: noon}
}

func suspend(p *policy.Policy, actor, account domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return Suspend(s, p, by(actor), account) }
}

func reactivate(p *policy.Policy, actor, account domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return Reactivate(s, p, by(actor), account) }
}

func addedUnasked(id domain.AccountID) domain.Event {
	return MemberJoined{OrganizationID: org, AccountID: id, Email: domain.Email(id + "@example.com"), Roles: []domain.Role{"participant"}, Via: "addition"}
}

// A password is reset for an account that the organization made, or whose owner
// has come by themselves.
func TestWhosePasswordIsReset(t *testing.T) {
	made := func(s State) ([]domain.Event, error) {
		return ResetPassword(s, moderated, by(owner), "pupil", true)
	}
	reset := PasswordReset{OrganizationID: org, AccountID: "pupil"}
	added := domaintest.Given(t, Evolve, school(addedUnasked("pupil"))...)
	added.When(resetPassword(moderated, owner, "pupil")).Refused(domain.CodeMemberElsewhere)
	added.When(made).Then(reset)
	domaintest.Given(t, Evolve, school(addedUnasked("pupil"), removed("pupil", "participant"), joined("pupil", "participant"))...).
		When(resetPassword(moderated, owner, "pupil")).Then(reset)
}

func resetPassword(p *policy.Policy, actor, account domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return ResetPassword(s, p, by(actor), account, false) }
}

// refusedSuspensions are examples for TestEveryRefusalOfEveryDecision.
func refusedSuspensions(r domaintest.Refusals[State]) {
	for name, decide := range map[string]func(*policy.Policy, domain.AccountID, domain.AccountID) decision{
		"Suspend": suspend, "Reactivate": reactivate, "ResetPassword": resetPassword,
	} {
		r.Refused(name, domain.CodeNotFound, "actor no member", school(), decide(moderated, nobody, user))
		r.Refused(name, domain.CodeNotFound, "nobody", school(), decide(moderated, owner, "somebody"))
		r.Refused(name, domain.CodePermissionDenied, "an author", school(), decide(moderated, admin, user))
		r.Refused(name, domain.CodeMemberRemoved, "gone", school(), decide(moderated, owner, former))
		r.Refused(name, domain.CodeMemberProtected, "a role that one does not manage", guardedSchool(), decide(guarded, owner, admin))
	}
	r.Refused("Suspend", domain.CodeOwnerProtected, "the owner", guardedSchool(), suspend(guarded, admin, owner))
	r.Refused("ResetPassword", domain.CodeOwnerProtected, "the owner", guardedSchool(), resetPassword(guarded, admin, owner))
	r.Refused("ResetPassword", domain.CodeMemberElsewhere, "added unasked", school(addedUnasked("pupil")), resetPassword(moderated, owner, "pupil"))
	r.Refused("ResetPassword", domain.CodeMemberProtected, "oneself", school(), resetPassword(moderated, owner, owner))
	r.Refused("Suspend", domain.CodeSelfRemoval, "oneself", school(), suspend(moderated, owner, owner))
	alone := *moderated // whose authors suspend admins
	alone.Roles = append([]policy.Role{}, moderated.Roles...)
	alone.Roles[1].Permissions = append([]domain.Permission{domain.SuspendMembers}, alone.Roles[1].Permissions...)
	alone.Roles[1].Manages = []domain.Role{"admin", "author", "participant"}
	r.Refused("Suspend", domain.CodeLastAdmin, "by an author", school(), suspend(&alone, admin, owner))
	for name, decide := range map[string]decision{
		"Authorize": func(s State) ([]domain.Event, error) {
			_, err := Authorize(s, moderated, by(viewer), domain.ReadOrganization)
			return nil, err
		},
		"AuthorizeMember": func(s State) ([]domain.Event, error) { _, err := AuthorizeMember(s, by(viewer)); return nil, err },
	} {
		r.Refused(name, domain.CodeMemberSuspended, "suspended", school(), decide)
	}
	gone := Deleted{OrganizationID: org, Name: "Acme"}
	for name, decide := range map[string]decision{
		"Authorize": func(s State) ([]domain.Event, error) {
			_, err := Authorize(s, moderated, by(user), domain.ReadOrganization)
			return nil, err
		},
		"AuthorizeMember": func(s State) ([]domain.Event, error) { _, err := AuthorizeMember(s, by(user)); return nil, err },
	} {
		r.Refused(name, domain.CodeOrganizationClosed, "deleted", school(gone), decide)
	}
}

func TestSuspendingAndReactivating(t *testing.T) {
	is := is.New(t)
	out := domaintest.Given(t, Evolve, school()...).When(suspend(moderated, owner, user)).Then(suspendedMember(user, "participant"))
	m, _ := out.State.Member(user)
	is.Equal(m.Status, Suspended)
	is.Equal(out.State.ActiveMembers(), 2)
	is.Equal(out.State.SeatsTaken(), 4) // a suspended member keeps the seat
	out.When(suspend(moderated, owner, user)).Then()
	out.When(invite(moderated, owner, Invitee{InvitationID: invited, Email: "USER@example.com", Roles: []domain.Role{"participant"}})).Refused(domain.CodeEmailTaken)
	in := out.When(reactivate(moderated, owner, user)).Then(MemberReactivated{OrganizationID: org, AccountID: user, Roles: []domain.Role{"participant"}})
	in.When(reactivate(moderated, owner, user)).Then()
	m, _ = in.State.Member(user)
	is.Equal(m.Roles, []domain.Role{"participant"})
}

func TestASuspendedAdminDoesNotCount(t *testing.T) {
	two := school(joined("second", "admin"))
	one := domaintest.Given(t, Evolve, two...).When(suspend(moderated, owner, "second")).Then(suspendedMember("second", "admin"))
	one.When(changeRoles(moderated, owner, owner, "author")).Refused(domain.CodeLastAdmin)
	one.When(remove(moderated, owner, "second")).Then(removed("second", "admin")) // is none that is needed
}

func TestExclusiveRolesOfTheState(t *testing.T) {
	is := is.New(t)
	given := RolesChanged{OrganizationID: org, AccountID: user, Before: []domain.Role{"participant"}, After: []domain.Role{"author"}}
	s := domaintest.Given(t, Evolve, school()...).When(changeRoles(moderated, owner, user, "author")).Then(given)
	is.True(s.State.HoldsExclusive(moderated, user))
	is.True(!s.State.HoldsExclusive(moderated, viewer))
	before := domaintest.Given(t, Evolve, school()...).State
	is.Equal(GainsExclusive(before, moderated, []domain.Event{given}), []domain.AccountID{user})
	is.Equal(GainsExclusive(s.State, moderated, []domain.Event{given}), nil) // has one already
	taken := []domain.Event{removed(admin, "author"), removed(user, "participant")}
	is.Equal(LosesExclusive(moderated, taken), []domain.AccountID{admin})
}
