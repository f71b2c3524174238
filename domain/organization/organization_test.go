package organization_test

import (
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
)

func TestActivationMakesTheFounderTheOwner(t *testing.T) {
	is := is.New(t)
	s := domaintest.Given(t, Evolve).When(activate(ownership, "owner")).Then(activated(ownership)).State
	is.Equal(s.Name, domain.OrganizationName("Acme"))
	is.Equal(s.Policy, "ownership")
	is.Equal(s.PolicyVersion, 1)
	is.Equal(s.ActiveMembers(), 1)
	m, active := s.ActiveMember(owner)
	is.True(active)
	is.Equal(m.Roles, []domain.Role{"OWNER"})

	domaintest.Given(t, Evolve).When(activate(flat, "")).Then(Activated{ // no username where the policy asks for none
		OrganizationID: org, Name: "Acme", Policy: "flat", PolicyVersion: 3, AccountID: owner, Email: "owner@example.com", DisplayName: "The owner",
		Roles: []domain.Role{"BOSS"},
	})
}

func TestRename(t *testing.T) {
	is := is.New(t)
	staff := domaintest.Given(t, Evolve, staffed()...)
	after := staff.When(rename(by(admin), "Ajax")).Then(Renamed{OrganizationID: org, Before: "Acme", After: "Ajax"})
	is.Equal(after.State.Name, domain.OrganizationName("Ajax"))
	after.When(rename(by(owner), "Ajax")).Then() // no change
	after.When(rename(by(owner), "AJAX")).Then(Renamed{OrganizationID: org, Before: "Ajax", After: "AJAX"})
}

func TestAuthorizeAnswersWithTheMembership(t *testing.T) {
	is := is.New(t)
	s := domaintest.Given(t, Evolve, staffed()...).State
	m, err := Authorize(s, ownership, by(viewer), domain.ReadHistory)
	is.NoErr(err)
	is.Equal(m.Roles, []domain.Role{"VIEWER"})
	is.Equal(m.DisplayName, "The viewer")
	is.Equal(m.Status, Active)
}

func TestInviteTakesTheNames(t *testing.T) {
	is := is.New(t)
	next := domaintest.Given(t, Evolve, staffed()...).When(invite(ownership, admin, newcomer("USER"))).Then(opened(invited, 1, "USER"))
	open, ok := next.State.Invitation(invited)
	is.True(ok)
	is.Equal(open.Generation, 1)
	is.Equal(open.Roles, []domain.Role{"USER"})
	is.Equal(next.State.InvitationsBy(admin), []domain.InvitationID{invited})
	is.Equal(len(next.State.InvitationsBy(owner)), 0)
	is.Equal(next.State.ActiveMembers(), 4) // not one more yet

	for _, role := range []domain.Role{"ADMIN", "USER", "VIEWER"} { // the source's three
		domaintest.Given(t, Evolve, staffed()...).When(invite(ownership, admin, newcomer(role))).Then(opened(invited, 1, role))
	}
	flatOpen := opened(invited, 1, "HAND", "LEAD")
	flatOpen.InvitedBy, flatOpen.ExpiresAt = owner, noon.Add(time.Hour)
	domaintest.Given(t, Evolve, levelled()...).When(invite(flat, owner, newcomer("HAND", "LEAD"))).Then(flatOpen)
}

func TestAddressesThatDifferByDotsAndTagsAreOthers(t *testing.T) {
	taken := domaintest.Given(t, Evolve, activated(ownership), MemberJoined{
		OrganizationID: org, AccountID: user, Email: "Jörg.Groß@Example.com", Username: "jörg", Roles: []domain.Role{"USER"},
	})
	try := func(email domain.Email, username domain.Username) domaintest.Outcome[State] {
		return taken.When(invite(ownership, owner, Invitee{InvitationID: invited, Email: email, Username: username, Roles: []domain.Role{"USER"}}))
	}
	for _, same := range []domain.Email{"jörg.groß@example.com", "JÖRG.GROSS@EXAMPLE.COM", "jo\u0308rg.groß@example.com"} {
		try(same, "other").Refused(domain.CodeEmailTaken)
	}
	for _, same := range []domain.Username{"JÖRG", "jo\u0308rg", "Jo\u0308rg"} {
		try("other@example.com", same).Refused(domain.CodeUsernameTaken)
	}
	for _, other := range []domain.Email{"jörggroß@example.com", "jörg.groß+work@example.com", "jorg.gross@example.com"} {
		try(other, "other").Then(InvitationOpened{
			OrganizationID: org, InvitationID: invited, Generation: 1, Email: other, Username: "other", Roles: []domain.Role{"USER"},
			InvitedBy: owner, ExpiresAt: noon.Add(7 * 24 * time.Hour),
		})
	}
}

func TestResendOpensTheNextGeneration(t *testing.T) {
	open := domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"))...)
	second := open.When(resend(ownership, admin, newcomer("USER"), 1)).Then(opened(invited, 2, "USER"))
	second.When(resend(ownership, admin, newcomer("USER"), 1)).Then(opened(invited, 3, "USER")) // the link was slower than the organization

	byOwner := opened(invited, 2, "USER")
	byOwner.InvitedBy = owner
	open.When(resend(ownership, owner, newcomer("USER"), 1)).Then(byOwner) // who resends answers for it

	expired := domaintest.Given(t, Evolve, staffed(opened(invited, 4, "USER"), InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "expired"})...)
	expired.When(resend(ownership, admin, newcomer("USER"), 4)).Then(opened(invited, 5, "USER"))
}

func TestClosingGivesTheNamesBackOnce(t *testing.T) {
	is := is.New(t)
	open := domaintest.Given(t, Evolve, staffed(opened(invited, 2, "USER"))...)
	for _, outcome := range []string{"declined", "revoked", "expired", "accepted"} {
		closing := domaintest.Always(func(s State) []domain.Event { return CloseInvitation(s, invited, outcome) })
		closed := open.When(closing).Then(InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: outcome})
		closed.When(closing).Then()
		again := newcomer("VIEWER")
		again.InvitationID = "again"
		closed.When(invite(ownership, admin, again)).Then(opened("again", 1, "VIEWER"))
		_, ok := closed.State.Invitation(invited)
		is.True(!ok)
		is.Equal(len(closed.State.InvitationsBy(admin)), 0)
	}
}

func TestExpiryClosesOnlyTheGenerationThatExpired(t *testing.T) {
	expire := func(generation int) decision {
		return domaintest.Always(func(s State) []domain.Event { return ExpireInvitation(s, invited, generation) })
	}
	closed := InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "expired"}
	open := domaintest.Given(t, Evolve, staffed(opened(invited, 2, "USER"))...)
	open.When(expire(1)).Then() // resent since
	open.When(expire(2)).Then(closed).When(expire(2)).Then()
}

func TestRevocationIsForThoseWhoMayGiveTheRole(t *testing.T) {
	domaintest.Given(t, Evolve, staffed()...).When(authorizeRevocation(ownership, admin, "ADMIN")).Then()
	domaintest.Given(t, Evolve, levelled()...).When(authorizeRevocation(flat, viewer, "HAND")).Then()
}

func TestAdmission(t *testing.T) {
	is := is.New(t)
	joiner := Joiner{
		AccountID: nobody, Email: "Newcomer@example.com", Username: "newcomer", DisplayName: "New Comer",
		InvitationID: invited, InvitedBy: admin,
	}
	admit := domaintest.Always(func(s State) []domain.Event { return Admit(s, joiner) })
	join := MemberJoined{
		OrganizationID: org, AccountID: nobody, Email: "Newcomer@example.com", Username: "newcomer", DisplayName: "New Comer",
		Roles: []domain.Role{"USER"}, InvitationID: invited, InvitedBy: admin,
	}
	closed := InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "accepted"}
	open := domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"))...)

	domaintest.Given(t, Evolve, staffed()...).When(admit).Then() // not, or no longer, open
	open.When(checkAdmission(ownership, invited)).Then()
	in := open.When(admit).Then(join)
	is.Equal(in.State.ActiveMembers(), 5)
	_, still := in.State.Invitation(invited)
	is.True(!still) // closed by joining
	in.When(admit).Then()

	in.When(invite(ownership, admin, newcomer("USER"))).Refused(domain.CodeEmailTaken) // now by the member

	// A resend that was slower than the admission is closed, whether the member stayed or not.
	late := opened(invited, 2, "USER")
	domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"), join, late)...).When(admit).Then(closed)
	domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"), join, removed(nobody, "USER"), late)...).When(admit).Then(closed)
	domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"), join, removed(nobody, "USER"))...).When(admit).Then()

	// A member who accepts another invitation keeps the roles.
	joiner.AccountID = user
	kept := open.When(admit).Then(closed)
	m, _ := kept.State.ActiveMember(user)
	is.Equal(m.Roles, []domain.Role{"USER"})

	// Under a policy that does not mind, a former inviter's invitation works.
	lenient := *ownership
	lenient.Invitations.RevokeWhenInviterLeaves = false
	domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"), removed(admin, "ADMIN"))...).When(checkAdmission(&lenient, invited)).Then()
}

func TestAFormerMemberIsInvitedAgain(t *testing.T) {
	is := is.New(t)
	in := Invitee{InvitationID: invited, Email: "former@example.com", Username: "former", Roles: []domain.Role{"VIEWER"}, Language: "en"}
	open := opened(invited, 1, "VIEWER")
	open.Email, open.Username = in.Email, in.Username
	again := domaintest.Given(t, Evolve, staffed()...).When(invite(ownership, admin, in)).Then(open).
		When(domaintest.Always(func(s State) []domain.Event {
			return Admit(s, Joiner{AccountID: former, Email: in.Email, Username: in.Username, DisplayName: "Back", InvitationID: invited, InvitedBy: admin})
		})).Then(MemberJoined{
		OrganizationID: org, AccountID: former, Email: in.Email, Username: in.Username, DisplayName: "Back",
		Roles: in.Roles, InvitationID: invited, InvitedBy: admin,
	})
	m, active := again.State.ActiveMember(former)
	is.True(active)
	is.Equal(m.Roles, []domain.Role{"VIEWER"})
	is.Equal(again.State.ActiveMembers(), 5)
}

func TestChangeRoles(t *testing.T) {
	change := func(id domain.AccountID, before, after []domain.Role) domain.Event {
		return RolesChanged{OrganizationID: org, AccountID: id, Before: before, After: after}
	}
	roles := func(r ...domain.Role) []domain.Role { return r }
	staff := domaintest.Given(t, Evolve, staffed()...)
	staff.When(changeRoles(ownership, admin, user, "VIEWER")).Then(change(user, roles("USER"), roles("VIEWER")))
	staff.When(changeRoles(ownership, owner, viewer, "ADMIN")).Then(change(viewer, roles("VIEWER"), roles("ADMIN")))
	staff.When(changeRoles(ownership, admin, admin, "USER")).Then(change(admin, roles("ADMIN"), roles("USER"))) // the owner remains
	staff.When(changeRoles(ownership, admin, user, "USER")).Then()                                              // no change

	flatStaff := domaintest.Given(t, Evolve, levelled(joined(admin, "HAND", "BOSS"))...)
	flatStaff.When(changeRoles(flat, owner, admin, "BOSS", "HAND")).Then() // the same, in another order
	flatStaff.When(changeRoles(flat, owner, admin, "HAND")).Then(change(admin, roles("HAND", "BOSS"), roles("HAND"))).
		When(changeRoles(flat, owner, owner, "HAND")).Refused(domain.CodeLastAdmin) // now the last one
	flatStaff.When(changeRoles(flat, admin, owner, "BOSS", "LEAD")).Then(change(owner, roles("BOSS"), roles("BOSS", "LEAD"))) // an admin still
}

func TestRemove(t *testing.T) {
	is := is.New(t)
	staff := domaintest.Given(t, Evolve, staffed()...)
	gone := staff.When(remove(ownership, admin, user)).Then(removed(user, "USER"))
	m, ok := gone.State.Member(user)
	is.True(ok)
	is.Equal(m.Status, Removed)
	is.Equal(len(m.Roles), 0)
	is.Equal(gone.State.ActiveMembers(), 3)
	_, active := gone.State.ActiveMember(user)
	is.True(!active)

	same := Invitee{InvitationID: invited, Email: "user@example.com", Username: "user", Roles: []domain.Role{"USER"}}
	is.Equal(len(gone.When(invite(ownership, admin, same)).Then(InvitationOpened{
		OrganizationID: org, InvitationID: invited, Generation: 1, Email: same.Email, Username: same.Username, Roles: same.Roles,
		InvitedBy: admin, ExpiresAt: noon.Add(7 * 24 * time.Hour),
	}).State.InvitationsBy(admin)), 1) // the names are free again

	// Where the policy lets, members leave, whatever they may do besides; and come
	// back by their own decision alone.
	domaintest.Given(t, Evolve, levelled()...).When(remove(flat, viewer, viewer)).Then(left(viewer, "LEAD"))
	away := domaintest.Given(t, Evolve, school()...).When(remove(moderated, user, user)).Then(left(user, "participant"))
	away.When(addMember(moderated, owner, user, "user@example.com", "participant")).Refused(domain.CodeMemberRemoved)
	away.When(remove(moderated, user, user)).Refused(domain.CodeNotFound)
}

func TestRenameMember(t *testing.T) {
	is := is.New(t)
	follow := func(id domain.AccountID, name string) decision {
		return domaintest.Always(func(s State) []domain.Event { return RenameMember(s, id, name) })
	}
	staff := domaintest.Given(t, Evolve, staffed()...)
	next := staff.When(follow(user, "Uma")).Then(MemberRenamed{OrganizationID: org, AccountID: user, Before: "The user", After: "Uma"})
	m, _ := next.State.Member(user)
	is.Equal(m.DisplayName, "Uma")
	next.When(follow(user, "Uma")).Then()
	staff.When(follow(former, "Uma")).Then()
	staff.When(follow(nobody, "Uma")).Then()
}

func TestStatesStayAsTheyWere(t *testing.T) {
	is := is.New(t)
	before := domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"))...)
	before.When(remove(ownership, admin, user)).Then(removed(user, "USER"))
	before.When(changeRoles(ownership, admin, user, "VIEWER"))
	Evolve(before.State, MemberJoined{OrganizationID: org, AccountID: nobody, Email: "newcomer@example.com", Username: "newcomer", Roles: []domain.Role{"USER"}, InvitationID: invited})
	m, active := before.State.ActiveMember(user)
	is.True(active)
	is.Equal(m.Roles, []domain.Role{"USER"})
	is.Equal(before.State.ActiveMembers(), 4)
	is.True(slices.Contains(before.State.InvitationsBy(admin), invited))
	before.When(invite(ownership, admin, Invitee{InvitationID: "x", Email: "user@example.com", Username: "x", Roles: []domain.Role{"USER"}})).Refused(domain.CodeEmailTaken)
}

func TestTheZeroStateAnswers(t *testing.T) {
	is := is.New(t)
	var s State
	is.True(!s.Exists())
	is.Equal(s.ActiveMembers(), 0)
	is.Equal(len(s.InvitationsBy(owner)), 0)
	_, ok := s.Member(owner)
	is.True(!ok)
	_, ok = s.Invitation(invited)
	is.True(!ok)
}
