package organization_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

func TestSpacesAreCreatedRenamedAndDeleted(t *testing.T) {
	is := is.New(t)
	some := domaintest.Given(t, Evolve, delegating()...)
	more := some.When(createSpace(delegated, userAdmin, "New")).Then(created("new", "New"))
	more.When(renameSpace(delegated, founder, "new", "NEW")).Then(SpaceRenamed{OrganizationID: org, SpaceID: "new", Before: "New", After: "NEW"})
	more.When(renameSpace(delegated, founder, "new", "New")).Then()
	moved := some.When(renameSpace(delegated, founder, attic, "Loft")).Then(SpaceRenamed{OrganizationID: org, SpaceID: attic, Before: "Attic", After: "Loft"})
	moved.When(createSpace(delegated, userAdmin, "Attic")).Then(created("new", "Attic")) // the name is free

	gone := some.When(deleteSpace(delegated, userAdmin, attic)).Then(SpaceDeleted{OrganizationID: org, SpaceID: attic, Name: "Attic"})
	gone.When(createSpace(delegated, userAdmin, "attic")).Then(created("new", "attic"))
	m, _ := gone.State.Member(user)
	is.Equal(gone.State.SpacesOf(m), spaces())
	is.True(!gone.State.MayEnter(delegated, m, attic))
	gone.When(assignSpaces(delegated, founder, user, cellar)).Then(assigned(user, spaces(), spaces(cellar)))
}

func TestDeletingASpaceReleasesTheWorkInItInOneOrder(t *testing.T) {
	some := domaintest.Given(t, Evolve, delegating(given(user, "2", attic), given(user, "1", attic), given(user, "3", ""), given(founder, "9", attic), given(founder, "8", cellar))...)
	some.When(deleteSpace(delegated, founder, attic)).Then(
		SpaceDeleted{OrganizationID: org, SpaceID: attic, Name: "Attic"},
		released(founder, "9", attic, "space_lost"), released(user, "1", attic, "space_lost"), released(user, "2", attic, "space_lost"),
	)
}

func TestAssigningSpaces(t *testing.T) {
	is := is.New(t)
	some := domaintest.Given(t, Evolve, delegating(given(user, "1", attic), given(user, "2", ""))...)
	both := some.When(assignSpaces(delegated, userAdmin, user, cellar, attic, cellar)).Then(assigned(user, spaces(attic), spaces(attic, cellar)))
	both.When(assignSpaces(delegated, userAdmin, user, cellar, attic)).Then() // no change
	both.When(assignSpaces(delegated, founder, user, cellar)).Then(assigned(user, spaces(attic, cellar), spaces(cellar)), released(user, "1", attic, "space_lost"))
	both.When(assignSpaces(delegated, founder, user)).Then(assigned(user, spaces(attic, cellar), spaces()), released(user, "1", attic, "space_lost"))

	m, _ := both.State.Member(user)
	is.True(both.State.MayEnter(delegated, m, cellar))
	is.True(!both.State.MayEnter(delegated, m, garden))
	f, _ := both.State.Member(founder)
	is.True(both.State.MayEnter(delegated, f, garden)) // all of them

	// A user admin edits the spaces of all users (D3), those of admins included.
	for _, account := range []domain.AccountID{founder, userAdmin, biller} {
		some.When(assignSpaces(delegated, userAdmin, account, garden)).Then(assigned(account, spaces(), spaces(garden)))
	}
	// Ten at once, and ten more the next time (D6).
	events, ids := many(20)
	ten := domaintest.Given(t, Evolve, delegating(events...)...).When(assignSpaces(delegated, userAdmin, biller, ids[:10]...)).Then(assigned(biller, spaces(), ids[:10]))
	ten.When(assignSpaces(delegated, userAdmin, biller, ids...)).Then(assigned(biller, ids[:10], ids))
	refusal := ten.When(assignSpaces(delegated, userAdmin, user, ids...)).Refused(domain.CodeTooManySpaces)
	is.Equal(refusal.Field, "spaces")
	is.Equal(refusal.Message, "You can only assign a user to 10 spaces at this point. To assign more, add the user at the respective spaces.")
}

func TestAMemberHasABoundedNumberOfSpaces(t *testing.T) {
	any := with(delegated, func(p *policy.Policy) { p.Spaces = &policy.Spaces{} })
	events, ids := many(MaxSpacesOfMember + 1)
	some := domaintest.Given(t, Evolve, delegating(events...)...)
	some.When(assignSpaces(any, founder, biller, ids...)).Refused(domain.CodeTooManySpaces)
	some.When(assignSpaces(any, founder, biller, ids[1:]...)).Then(assigned(biller, spaces(), ids[1:]))
}

func TestEditingAMember(t *testing.T) {
	some := domaintest.Given(t, Evolve, delegating(joined(second, "ORGANIZATION_ADMIN"), given(second, "1", attic), given(second, "2", cellar), given(second, "3", ""))...)
	some.When(editMember(delegated, founder, user, roles("USER_ADMIN"), spaces(attic, garden))).Then(
		reassigned(user, roles("MEMBER"), roles("USER_ADMIN")), assigned(user, spaces(attic), spaces(attic, garden)))
	some.When(editMember(delegated, founder, user, roles("USER_ADMIN"), nil)).Then(reassigned(user, roles("MEMBER"), roles("USER_ADMIN")))
	some.When(editMember(delegated, founder, user, roles("MEMBER"), nil)).Then()
	some.When(editMember(delegated, founder, user, roles("MEMBER"), spaces(attic))).Then()

	// A user admin saves what they may change, with the role as it was.
	some.When(editMember(delegated, userAdmin, user, roles("MEMBER"), spaces())).Then(assigned(user, spaces(attic), spaces()))
	some.When(editMember(delegated, userAdmin, user, nil, spaces())).Then(assigned(user, spaces(attic), spaces()))

	// Who steps down loses the work in spaces that they may not enter any more, and no other.
	down := reassigned(second, roles("ORGANIZATION_ADMIN"), roles("MEMBER"))
	some.When(editMember(delegated, second, second, roles("MEMBER"), spaces(attic))).Then(
		down, assigned(second, spaces(), spaces(attic)), released(second, "2", cellar, "space_lost"))
	some.When(changeRoles(delegated, founder, second, "MEMBER")).Then(
		down, released(second, "1", attic, "space_lost"), released(second, "2", cellar, "space_lost"))
}

func TestInvitationsCarrySpaces(t *testing.T) {
	is := is.New(t)
	in := newcomer("MEMBER")
	in.Spaces = spaces(cellar, attic)
	changed := func(before, after []domain.SpaceID) domain.Event {
		return InvitationSpacesChanged{OrganizationID: org, InvitationID: invited, Before: before, After: after}
	}
	some := domaintest.Given(t, Evolve, delegating()...)
	open := some.When(invite(delegated, userAdmin, in)).Then(opened(invited, 1, "MEMBER"), changed(spaces(), spaces(attic, cellar)))

	in.Spaces = spaces("nowhere")
	some.When(invite(delegated, userAdmin, in)).Refused(domain.CodeNotFound)
	events, ids := many(11)
	in.Spaces = ids
	domaintest.Given(t, Evolve, delegating(events...)...).When(invite(delegated, userAdmin, in)).Refused(domain.CodeTooManySpaces)

	open.When(inviteeSpaces(delegated, founder, invited, attic, cellar)).Then()
	more := open.When(inviteeSpaces(delegated, founder, invited, garden, attic)).Then(changed(spaces(attic, cellar), spaces(attic, garden)))

	// The member gets those that are there still, in the event that makes them one.
	admit := domaintest.Always(func(s State) []domain.Event {
		return Admit(s, Joiner{AccountID: nobody, Email: "newcomer@example.com", Username: "newcomer", DisplayName: "New", InvitationID: invited, InvitedBy: admin})
	})
	join := MemberJoined{
		OrganizationID: org, AccountID: nobody, Email: "newcomer@example.com", Username: "newcomer", DisplayName: "New",
		Roles: roles("MEMBER"), InvitationID: invited, InvitedBy: admin, Spaces: spaces(garden),
	}
	in1 := more.When(deleteSpace(delegated, founder, attic)).Then(SpaceDeleted{OrganizationID: org, SpaceID: attic, Name: "Attic"}).When(admit).Then(join)
	m, _ := in1.State.Member(nobody)
	is.True(in1.State.MayEnter(delegated, m, garden))

	// A resend keeps them, also after the invitation has expired.
	again := more.When(resend(delegated, userAdmin, newcomer("MEMBER"), 1)).Then(opened(invited, 2, "MEMBER"))
	again.When(inviteeSpaces(delegated, founder, invited, attic, garden)).Then()
	expired := domaintest.Always(func(s State) []domain.Event { return ExpireInvitation(s, invited, 1) })
	lapsed := more.When(expired).Then(InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "expired"})
	back := lapsed.When(resend(delegated, userAdmin, newcomer("MEMBER"), 1)).Then(opened(invited, 2, "MEMBER"), changed(spaces(), spaces(attic, garden)))
	back.When(inviteeSpaces(delegated, founder, invited, attic, garden)).Then()
	none := domaintest.Always(func(s State) []domain.Event { return CloseInvitation(s, invited, "revoked") })
	other := newcomer("MEMBER")
	more.When(none).Then(InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "revoked"}).
		When(invite(delegated, userAdmin, other)).Then(opened(invited, 1, "MEMBER")) // nothing is left over
}

func TestWorkIsAssignedAndReleased(t *testing.T) {
	is := is.New(t)
	some := domaintest.Given(t, Evolve, delegating()...)
	for _, actor := range []domain.Actor{host, by(founder)} {
		one := some.When(assignWork(delegated, actor, user, "1", attic)).Then(given(user, "1", attic))
		one.When(assignWork(delegated, actor, user, "1", attic)).Then()
		loose := one.When(assignWork(delegated, actor, user, "1", "")).Then(given(user, "1", "")) // moved out of the space
		m, _ := loose.State.Member(user)
		is.Equal(m.Work(), []WorkItem{{Kind: "contact", ID: "1"}})
		one.When(releaseWork(delegated, actor, user, "1")).Then(released(user, "1", attic, "finished")).
			When(releaseWork(delegated, actor, user, "1")).Then()
	}
	some.When(assignWork(delegated, host, founder, "1", garden)).Then(given(founder, "1", garden)) // enters every space
	full := domaintest.Given(t, Evolve, delegating(busy(user, MaxWork, "")...)...)
	full.When(assignWork(delegated, host, user, "user-000", attic)).Then(given(user, "user-000", attic)) // no more than before

	ended := domaintest.Given(t, Evolve, delegating(given(user, "1", ""), Deleted{OrganizationID: org, Name: "Acme"})...)
	ended.When(assignWork(delegated, host, user, "2", "")).Refused(domain.CodeOrganizationClosed)
	ended.When(releaseWork(delegated, host, user, "1")).Refused(domain.CodeOrganizationClosed)
}

func TestAMemberWhoGoesLeavesWorkAndSpaces(t *testing.T) {
	some := domaintest.Given(t, Evolve, delegating(given(user, "1", attic), given(user, "2", ""))...)
	gone := MemberRemoved{OrganizationID: org, AccountID: user, Roles: roles("MEMBER"), Spaces: spaces(attic)}
	out := some.When(remove(delegated, userAdmin, user)).Then(released(user, "1", attic, "removed"), released(user, "2", "", "removed"), gone)
	m, _ := out.State.Member(user)
	if len(m.Work()) > 0 || len(out.State.SpacesOf(m)) > 0 {
		t.Fatalf("left behind: %v, %v", m.Work(), out.State.SpacesOf(m))
	}

	suspend := func(p *policy.Policy) decision {
		return func(s State) ([]domain.Event, error) { return Suspend(s, p, by(founder), user) }
	}
	suspending := with(delegated, func(p *policy.Policy) {
		p.Roles = append([]policy.Role{}, p.Roles...)
		p.Roles[0].Permissions = append([]domain.Permission{domain.SuspendMembers}, p.Roles[0].Permissions...)
	})
	suspended := MemberSuspended{OrganizationID: org, AccountID: user, Roles: roles("MEMBER")}
	some.When(suspend(suspending)).Then(suspended)
	releasing := with(suspending, func(p *policy.Policy) { p.Work.ReleasedOnSuspension = true })
	some.When(suspend(releasing)).Then(suspended, released(user, "1", attic, "suspended"), released(user, "2", "", "suspended"))
}

func TestDeletingTheOrganization(t *testing.T) {
	end := Deleted{OrganizationID: org, Name: "Acme"}
	over := domaintest.Given(t, Evolve, delegating(opened(invited, 1, "MEMBER"))...).When(deleteOrganization(delegated, founder)).Then(end)
	over.When(deleteOrganization(delegated, founder)).Refused(domain.CodeOrganizationClosed)
	over.When(checkAdmission(delegated, invited)).Refused(domain.CodeNotFound)
	over.When(assignSpaces(delegated, userAdmin, user, cellar)).Refused(domain.CodeOrganizationClosed)
	over.When(domaintest.Always(func(s State) []domain.Event { return RenameMember(s, user, "Other") })).Then()
	// Who was accepting meanwhile does not become a member.
	over.When(domaintest.Always(func(s State) []domain.Event {
		return Admit(s, Joiner{AccountID: nobody, Email: "newcomer@example.com", InvitationID: invited, InvitedBy: admin})
	})).Then(InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "accepted"})

	// A pending transfer ends with it.
	deleting := with(ownership, func(p *policy.Policy) {
		p.Roles = append([]policy.Role{}, p.Roles...)
		p.Roles[0].Permissions = append([]domain.Permission{domain.DeleteOrganization}, p.Roles[0].Permissions...)
	})
	voided := OwnershipTransferEnded{OrganizationID: org, TransferID: request, From: owner, To: user, Outcome: "voided"}
	pending := domaintest.Given(t, Evolve, staffed(requested(user))...)
	pending.When(deleteOrganization(deleting, owner)).Then(voided, end).
		When(confirmTransfer(request, noon)).Refused(domain.CodeTransferNotPending)
	pending.When(func(s State) ([]domain.Event, error) {
		return ExpireTransfer(Evolve(s, end), request, noon.Add(25*time.Hour)), nil
	}).
		Then(OwnershipTransferEnded{OrganizationID: org, TransferID: request, From: owner, To: user, Outcome: "expired"})
}
