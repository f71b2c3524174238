package organization_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

// becoming says what roles become: each name is followed by what it becomes.
type becoming map[domain.Role][]domain.Role

func movedTo(from, to *policy.Policy, roles becoming) decision {
	return func(s State) ([]domain.Event, error) { return ChangePolicy(s, from, Move{To: to, Roles: roles}) }
}

func policyChanged(from, to *policy.Policy, roles becoming) PolicyChanged {
	return PolicyChanged{
		OrganizationID: org, Before: PolicyVersion{Policy: from.Name, Version: from.Version}, After: PolicyVersion{Policy: to.Name, Version: to.Version}, Roles: roles,
	}
}

var (
	toModerated = becoming{"OWNER": roles("admin"), "ADMIN": roles("author"), "USER": roles("participant"), "VIEWER": roles("participant")}
	toDelegated = becoming{"OWNER": roles("ORGANIZATION_ADMIN"), "ADMIN": roles("USER_ADMIN"), "USER": roles("MEMBER"), "VIEWER": roles("MEMBER")}
	// retitled is the ownership policy's next version.
	retitled = with(ownership, func(p *policy.Policy) { p.Version++ })
)

// replacing is a mapping with one entry replaced, or without it.
func replacing(roles becoming, role domain.Role, become ...domain.Role) becoming {
	changed := make(becoming)
	for name, become := range roles {
		changed[name] = become
	}
	changed[role] = become
	if become == nil {
		delete(changed, role)
	}
	return changed
}

// refusedMoves are examples for TestEveryRefusalOfEveryDecision.
func refusedMoves(r domaintest.Refusals[State]) {
	r.Refused("ChangePolicy", domain.CodeNotFound, "no organization", nil, movedTo(ownership, moderated, toModerated))
	r.Refused("ChangePolicy", domain.CodeOrganizationClosed, "deleted", staffed(Deleted{OrganizationID: org}), movedTo(ownership, moderated, toModerated))
	r.Refused("ChangePolicy", domain.CodeRoleUnknown, "not of the policy before", staffed(), movedTo(ownership, moderated, replacing(toModerated, "BOSS", "admin")))
	r.Refused("ChangePolicy", domain.CodeRoleUnknown, "not of the policy after", staffed(), movedTo(ownership, moderated, replacing(toModerated, "USER", "guest")))
	r.Refused("ChangePolicy", domain.CodeRoleUnmapped, "of a member", staffed(), movedTo(ownership, moderated, replacing(toModerated, "VIEWER")))
	r.Refused("ChangePolicy", domain.CodeRoleUnmapped, "of one who is suspended", school(), movedTo(moderated, seats, becoming{"admin": roles("Administrator"), "author": roles("Administrator")}))
	r.Refused("ChangePolicy", domain.CodeRoleUnmapped, "of an open invitation", []domain.Event{activated(ownership), joined(admin, "ADMIN"), opened(invited, 1, "USER")},
		movedTo(ownership, moderated, replacing(replacing(toModerated, "VIEWER"), "USER")))
	r.Refused("ChangePolicy", domain.CodeRoleCount, "none where one is needed", staffed(), movedTo(ownership, moderated, replacing(toModerated, "USER", []domain.Role{}...)))
	r.Refused("ChangePolicy", domain.CodeRoleCount, "several where one is allowed", staffed(), movedTo(ownership, moderated, replacing(toModerated, "USER", "participant", "author")))
	r.Refused("ChangePolicy", domain.CodeRoleCount, "an invitation to several", staffed(opened(invited, 1, "ADMIN")), movedTo(ownership, moderated, replacing(toModerated, "ADMIN", "participant", "author")))
	r.Refused("ChangePolicy", domain.CodeLastAdmin, "none left", staffed(), movedTo(ownership, moderated, replacing(toModerated, "OWNER", "author")))
	r.Refused("ChangePolicy", domain.CodeLastAdmin, "a suspended one does not count", staffed(suspendedMember(admin, "ADMIN")), movedTo(ownership, moderated, replacing(replacing(toModerated, "OWNER", "author"), "ADMIN", "admin")))

	noSeats := staffed()
	for i := range 7 { // with four there are eleven
		noSeats = append(noSeats, joined(domain.AccountID(fmt.Sprint("m", i)), "USER"))
	}
	toSeats := becoming{"OWNER": roles("Administrator"), "ADMIN": roles("Administrator"), "USER": roles("Member"), "VIEWER": roles("Member")}
	r.Refused("ChangePolicy", domain.CodeSeatsTooFew, "too many members", noSeats, movedTo(ownership, seats, toSeats))
	r.Refused("ChangePolicy", domain.CodeSeatsTooFew, "an invitee may be accepting", append(noSeats[:len(noSeats)-1:len(noSeats)-1], opened(invited, 1, "USER")), movedTo(ownership, seats, toSeats))
	r.Refused("ChangePolicy", domain.CodeTooMuchWork, "in spaces that they may not enter any more", delegating(tooMuch()...), movedTo(delegated, with(delegated, func(p *policy.Policy) {
		p.Version, p.Roles = 99, append([]policy.Role{}, p.Roles...)
		p.Roles[0].AllSpaces = false
	}), nil))

	personal := activated(ownership).(Activated)
	personal.Personal = true
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "from a personal space", []domain.Event{personal}, movedTo(ownership, moderated, toModerated))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "to a personal space", staffed(), movedTo(ownership, with(moderated, func(p *policy.Policy) { p.Members.Personal = true }), toModerated))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "no owner", school(JoinRequestClosed{OrganizationID: org, AccountID: nobody, Outcome: "withdrawn"}), movedTo(moderated, ownership, becoming{"admin": roles("ADMIN"), "author": roles("USER"), "participant": roles("VIEWER")}))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "two owners", levelled(), movedTo(flat, ownership, becoming{"BOSS": roles("OWNER"), "LEAD": roles("OWNER"), "HAND": roles("USER")}))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "a suspended owner", []domain.Event{activated(flat), joined(user, "HAND"), suspendedMember(user, "HAND")}, movedTo(flat, ownership, becoming{"BOSS": roles("ADMIN"), "HAND": roles("OWNER")}))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "suspended for ever", staffed(suspendedMember(user, "USER")), movedTo(ownership, retitled, nil))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "an invitation to own", []domain.Event{activated(flat), opened(invited, 1, "LEAD")}, movedTo(flat, ownership, becoming{"BOSS": roles("OWNER"), "LEAD": roles("OWNER")}))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "an invitation to an exclusive role", staffed(opened(invited, 1, "ADMIN")), movedTo(ownership, moderated, toModerated))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "open requests", school(), movedTo(moderated, seats, becoming{"admin": roles("Administrator"), "author": roles("Member"), "participant": roles("Member")}))
	r.Refused("ChangePolicy", domain.CodePolicyImpossible, "spaces", delegating(), movedTo(delegated, seats, becoming{
		"ORGANIZATION_ADMIN": roles("Administrator"), "BILLING_ADMIN": roles("Member"), "USER_ADMIN": roles("Administrator"), "MEMBER": roles("Member"),
	}))

	crowd := staffed()
	for i := range MaxExclusiveGains {
		crowd = append(crowd, joined(domain.AccountID(fmt.Sprint("m", i)), "ADMIN"))
	}
	r.Refused("ExclusiveMoves", domain.CodePolicyImpossible, "too many", crowd, func(s State) ([]domain.Event, error) {
		_, _, err := ExclusiveMoves(s, ownership, moderated, []domain.Event{policyChanged(ownership, moderated, toModerated)})
		return nil, err
	})
}

// tooMuch is more work in spaces of one who enters them all by their role than
// can be released at once.
func tooMuch() []domain.Event {
	return append(busy(founder, MaxWork, attic), append([]domain.Event{joined("second", "ORGANIZATION_ADMIN")}, busy("second", 1, attic)...)...)
}

func TestAMoveGivesEverybodyWhatTheirRolesBecome(t *testing.T) {
	is := is.New(t)
	all := domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"), suspendedMember(viewer, "VIEWER"))...)
	moved := all.When(movedTo(ownership, moderated, toModerated)).Then(policyChanged(ownership, moderated, toModerated))
	s := moved.State
	is.Equal(s.Policy, "moderated")
	is.Equal(s.PolicyVersion, moderated.Version)
	for id, become := range map[domain.AccountID]domain.Role{owner: "admin", admin: "author", user: "participant", viewer: "participant"} {
		m, _ := s.Member(id)
		is.Equal(m.Roles, roles(become))
	}
	m, _ := s.Member(former)
	is.Equal(len(m.Roles), 0)
	open, _ := s.Invitation(invited)
	is.Equal(open.Roles, roles("participant"))
	is.Equal(s.ActiveMembers(), 3)

	// What is decided from then on goes by the new policy, and an invitation
	// leads to the role that its own has become.
	moved.When(authorizeUnder(moderated, by(owner), domain.SuspendMembers)).Then()
	moved.When(func(s State) ([]domain.Event, error) {
		return Admit(s, Joiner{AccountID: nobody, Email: "newcomer@example.com", DisplayName: "N", InvitationID: invited, InvitedBy: admin}), nil
	}).Then(MemberJoined{OrganizationID: org, AccountID: nobody, Email: "newcomer@example.com", DisplayName: "N", Roles: roles("participant"), InvitationID: invited, InvitedBy: admin})
	m, _ = all.State.Member(owner)
	is.Equal(m.Roles, roles("OWNER")) // the older state is as it was
}

func authorizeUnder(p *policy.Policy, actor domain.Actor, permission domain.Permission) decision {
	return func(s State) ([]domain.Event, error) { _, err := Authorize(s, p, actor, permission); return nil, err }
}

func TestThoseWithoutARoleGetOneWhereThePolicyAsksForIt(t *testing.T) {
	is := is.New(t)
	mapping := becoming{administrate: roles("OWNER"), manageAccess: roles("ADMIN"), managePlatforms: {}}
	m := Move{To: ownership, Roles: mapping, NoRole: roles("USER", "USER")}
	become := func(m Move) decision {
		return func(s State) ([]domain.Event, error) { return ChangePolicy(s, capabilities, m) }
	}
	all := domaintest.Given(t, Evolve, activated(capabilities), joined(user), joined(viewer, manageAccess), opened(invited, 1), askedAt(nobody, noon, mondayNine),
		JoinRequestClosed{OrganizationID: org, AccountID: nobody, Outcome: "withdrawn"}, joined(former), removed(former))
	changed := policyChanged(capabilities, ownership, mapping)
	changed.NoRole = roles("USER")
	moved := all.When(become(m)).Then(changed)
	for id, has := range map[domain.AccountID][]domain.Role{owner: roles("OWNER"), viewer: roles("ADMIN"), user: roles("USER"), former: nil} {
		m, _ := moved.State.Member(id)
		is.Equal(m.Roles, has)
	}
	open, _ := moved.State.Invitation(invited)
	is.Equal(open.Roles, roles("USER"))

	m.NoRole = nil
	all.When(become(m)).Refused(domain.CodeRoleCount)
	m.NoRole = roles("BOSS")
	all.When(become(m)).Refused(domain.CodeRoleUnknown)
	// Whose only role becomes none is not one who had none.
	m.NoRole = roles("USER")
	domaintest.Given(t, Evolve, activated(capabilities), joined(user, managePlatforms)).When(become(m)).Refused(domain.CodeRoleCount)
}

func TestRolesOfTheSameNameStay(t *testing.T) {
	all := domaintest.Given(t, Evolve, staffed()...)
	same := becoming{"OWNER": roles("OWNER"), "ADMIN": roles("ADMIN"), "USER": roles("USER"), "VIEWER": roles("VIEWER")}
	all.When(movedTo(ownership, retitled, nil)).Then(policyChanged(ownership, retitled, same))
	all.When(movedTo(ownership, retitled, becoming{"VIEWER": roles("USER", "USER")})).Then(policyChanged(ownership, retitled, replacing(same, "VIEWER", "USER")))
	all.When(movedTo(ownership, ownership, becoming{"VIEWER": roles("USER")})).Then() // it is there
}

func TestAMoveEndsWhatItMustAndKeepsTheRest(t *testing.T) {
	is := is.New(t)
	changed := policyChanged(ownership, delegated, toDelegated)
	pending := domaintest.Given(t, Evolve, staffed(requested(user))...)
	after := pending.When(movedTo(ownership, delegated, toDelegated)).Then(
		OwnershipTransferEnded{OrganizationID: org, TransferID: request, From: owner, To: user, Outcome: "voided"}, changed)
	is.True(after.State.Transfer == nil)

	// Work in spaces that a role has opened, and does not any more.
	narrow := with(delegated, func(p *policy.Policy) {
		p.Version, p.Roles = 99, append([]policy.Role{}, p.Roles...)
		p.Roles[0].AllSpaces = false
	})
	same := becoming{}
	for _, r := range delegated.Roles {
		same[r.Name] = roles(r.Name)
	}
	domaintest.Given(t, Evolve, delegating(given(founder, "9", attic), given(founder, "8", ""), given(user, "7", attic))...).
		When(movedTo(delegated, narrow, nil)).Then(policyChanged(delegated, narrow, same), released(founder, "9", attic, "space_lost"))
}

func TestInvitationsKeepTheirSeatsWhereSeatsBecomeLimited(t *testing.T) {
	is := is.New(t)
	toSeats := becoming{"OWNER": roles("Administrator"), "ADMIN": roles("Administrator"), "USER": roles("Member"), "VIEWER": roles("Member")}
	changed := policyChanged(ownership, seats, toSeats)
	changed.KeepsSeats = true
	moved := domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"))...).When(movedTo(ownership, seats, toSeats)).Then(changed)
	is.Equal(moved.State.SeatsTaken(), 5)
	is.Equal(moved.State.Seats(seats), 10)
	moved.When(claimSeat(seats, invited)).Then() // it has one
	is.Equal(Evolve(moved.State, InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "revoked"}).SeatsTaken(), 4)

	// The operator's number counts where seats do.
	back := becoming{"Administrator": roles("BOSS"), "Member": roles("HAND")}
	few := domaintest.Given(t, Evolve, seated(2, 1, SeatsChanged{OrganizationID: org, After: 3})...)
	free := few.When(movedTo(seats, flat, back)).Then(policyChanged(seats, flat, back))
	is.Equal(free.State.Seats(flat), 0)
	is.Equal(free.State.Seats(seats), 3)
	domaintest.Given(t, Evolve, seated(3, 1, SeatsChanged{OrganizationID: org, After: 3}, policyChanged(seats, flat, back))...).
		When(movedTo(flat, seats, becoming{"BOSS": roles("Administrator"), "LEAD": roles("Member"), "HAND": roles("Member")})).Refused(domain.CodeSeatsTooFew)
}

func TestAnInvitationThatHasExpiredLeadsToWhatItsRoleHasBecome(t *testing.T) {
	is := is.New(t)
	closed := func(outcome string) domain.Event {
		return InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: outcome}
	}
	moved := domaintest.Given(t, Evolve, staffed(opened(invited, 1, "ADMIN"), closed("expired"), policyChanged(ownership, moderated, toModerated))...)
	now, ok := moved.State.RolesInvitedTo(invited)
	is.True(ok)
	is.Equal(now, roles("author"))
	_, ok = domaintest.Given(t, Evolve, staffed(opened(invited, 1, "ADMIN"), closed("revoked"))...).State.RolesInvitedTo(invited)
	is.True(!ok) // it is over
}

func TestWhoGainsAndLosesExclusiveRoles(t *testing.T) {
	is := is.New(t)
	there := policyChanged(ownership, moderated, toModerated)
	s := domaintest.Given(t, Evolve, staffed(suspendedMember(admin, "ADMIN"))...).State
	gains, losses, err := ExclusiveMoves(s, ownership, moderated, []domain.Event{there})
	is.NoErr(err)
	is.Equal(gains, []domain.AccountID{admin, owner})
	is.Equal(len(losses), 0)
	back := policyChanged(moderated, flat, becoming{"admin": roles("BOSS"), "author": roles("LEAD"), "participant": roles("HAND")})
	gains, losses, err = ExclusiveMoves(Evolve(s, there), moderated, flat, []domain.Event{back})
	is.NoErr(err)
	is.Equal(len(gains), 0)
	is.Equal(losses, []domain.AccountID{admin, owner})
}

func TestAMoveHasOpenRequestsSummedUpWhenTheNewPolicySays(t *testing.T) {
	is := is.New(t)
	same := becoming{administrate: roles(administrate), manageAccess: roles(manageAccess), managePlatforms: roles(managePlatforms), "MANAGE_SUBSCRIPTION": roles("MANAGE_SUBSCRIPTION")}
	fridays := with(withDigest(capabilities, &policy.Digest{Weekday: time.Friday, At: 9 * 60, Zone: time.UTC}), func(p *policy.Policy) { p.Version++ })
	move := func(s State) ([]domain.Event, error) {
		return ChangePolicy(s, capabilities, Move{To: fridays, At: noon})
	}
	changed := policyChanged(capabilities, fridays, same)

	domaintest.Given(t, Evolve, capable()...).When(move).Then(changed) // nobody asks
	overdue := domaintest.Given(t, Evolve, capable(askedAt(nobody, noon.Add(-72*time.Hour), noon))...).When(move).Then(changed)
	is.Equal(len(SummarizeRequests(overdue.State, fridays, noon)), 1) // it is late, not lost
	changed.DigestAt = noon.Add(5*24*time.Hour - 3*time.Hour)
	moved := domaintest.Given(t, Evolve, capable(askedAt(nobody, noon, mondayNine))...).When(move).Then(changed)
	is.Equal(len(SummarizeRequests(moved.State, fridays, mondayNine)), 0)
	is.Equal(len(SummarizeRequests(moved.State, fridays, changed.DigestAt)), 1)
}

func TestAMoveGivesUpAnEMailDomainThatNobodyCanAskBy(t *testing.T) {
	held := EmailDomainChanged{OrganizationID: org, After: "acme.example"}
	toSeats := becoming{administrate: roles("Administrator"), manageAccess: roles("Member"), managePlatforms: roles("Member"), "MANAGE_SUBSCRIPTION": roles("Member")}
	changed := policyChanged(capabilities, seats, toSeats)
	changed.KeepsSeats = true
	withRoles := []domain.Event{activated(capabilities), joined(admin, administrate), held}
	domaintest.Given(t, Evolve, withRoles...).When(movedTo(capabilities, seats, toSeats)).
		Then(changed, EmailDomainChanged{OrganizationID: org, Before: "acme.example"})
}

func TestAMoveEndsAutoActivationWherePeopleAskByTheirEMailDomain(t *testing.T) {
	toCapabilities := becoming{"admin": roles(administrate), "author": {}, "participant": {}}
	given := domaintest.Given(t, Evolve, school(
		MemberReactivated{OrganizationID: org, AccountID: viewer, Roles: roles("participant")},
		JoinRequestClosed{OrganizationID: org, AccountID: nobody, Outcome: "withdrawn"},
		AutoActivationChanged{OrganizationID: org, After: true})...)
	moved := given.When(movedTo(moderated, capabilities, toCapabilities)).Then(
		policyChanged(moderated, capabilities, toCapabilities), AutoActivationChanged{OrganizationID: org, Before: true})
	moved.When(requestToJoin(capabilities, "one", "one@example.com")).Then(askedAt("one", noon, nineInParis))
}

func TestAPersonalSpaceMovesToANewerVersion(t *testing.T) {
	alone := with(flat, func(p *policy.Policy) { p.Members.Personal = true })
	newer := with(alone, func(p *policy.Policy) { p.Version++ })
	founded := activated(alone).(Activated)
	founded.Personal = true
	same := becoming{"BOSS": roles("BOSS"), "LEAD": roles("LEAD"), "HAND": roles("HAND")}
	given := domaintest.Given(t, Evolve, founded)
	given.When(movedTo(alone, newer, nil)).Then(policyChanged(alone, newer, same))
	given.When(movedTo(alone, moderated, nil)).Refused(domain.CodePolicyImpossible)
}

// A policy that wants usernames asks no invitation for one that was made before,
// open or expired.
func TestAnInvitationWithoutAUsernameIsResentUnderAPolicyThatAsksForOne(t *testing.T) {
	unnamed := opened(invited, 1, "admin")
	unnamed.Username, unnamed.InvitedBy = "", owner
	again := unnamed
	again.Generation, again.Roles = 2, roles("ADMIN")
	toOwnership := becoming{"admin": roles("OWNER"), "author": roles("ADMIN"), "participant": roles("USER")}
	in := Invitee{InvitationID: invited, Email: unnamed.Email, Roles: again.Roles, Language: "en"}
	unnamed.Roles = roles("author")
	open := []domain.Event{activated(moderated), unnamed, policyChanged(moderated, ownership, toOwnership)}
	moved := domaintest.Given(t, Evolve, open...)
	moved.When(resend(ownership, owner, in, 1)).Then(again)
	domaintest.Given(t, Evolve, append(open, InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "expired"})...).When(resend(ownership, owner, in, 1)).Then(again)
	in.InvitationID, in.Email = "new", "another@example.com"
	moved.When(invite(ownership, owner, in)).Refused(domain.CodeUsernameNeeded)
}
