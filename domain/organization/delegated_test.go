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

// More people of the examples: the founder is an ORGANIZATION_ADMIN.
const (
	founder                    = owner
	userAdmin                  = admin
	biller                     = viewer
	second    domain.AccountID = "second" // another ORGANIZATION_ADMIN

	attic  domain.SpaceID = "attic"
	cellar domain.SpaceID = "cellar"
	garden domain.SpaceID = "garden"
)

var (
	delegated = builtin("delegated")
	host      = domain.ByAPIKey("host")
)

// with is a policy with something changed.
func with(p *policy.Policy, change func(*policy.Policy)) *policy.Policy {
	changed := *p
	change(&changed)
	return &changed
}

// delegating is an organization of the delegated policy with a member of each
// role, a former one, and three spaces, of which the user may enter one.
func delegating(more ...domain.Event) []domain.Event {
	return append([]domain.Event{
		activated(delegated), joined(userAdmin, "USER_ADMIN"), joined(biller, "BILLING_ADMIN"), joined(user, "MEMBER"),
		joined(former, "MEMBER"), removed(former, "MEMBER"),
		created(attic, "Attic"), created(cellar, "Cellar"), created(garden, "Garden"), assigned(user, nil, spaces(attic)),
	}, more...)
}

func spaces(ids ...domain.SpaceID) []domain.SpaceID { return append([]domain.SpaceID{}, ids...) }

func roles(r ...domain.Role) []domain.Role { return r }

func created(id domain.SpaceID, name string) domain.Event {
	return SpaceCreated{OrganizationID: org, SpaceID: id, Name: name}
}

func assigned(id domain.AccountID, before, after []domain.SpaceID) domain.Event {
	return SpacesAssigned{OrganizationID: org, AccountID: id, Before: before, After: after}
}

func reassigned(id domain.AccountID, before, after []domain.Role) domain.Event {
	return RolesChanged{OrganizationID: org, AccountID: id, Before: before, After: after}
}

func given(id domain.AccountID, work string, space domain.SpaceID) domain.Event {
	return WorkAssigned{OrganizationID: org, AccountID: id, Kind: "contact", WorkID: work, SpaceID: space}
}

func released(id domain.AccountID, work string, space domain.SpaceID, cause string) domain.Event {
	return WorkReleased{OrganizationID: org, AccountID: id, Kind: "contact", WorkID: work, SpaceID: space, Cause: cause}
}

func createSpace(p *policy.Policy, actor domain.AccountID, name string) decision {
	return func(s State) ([]domain.Event, error) { return CreateSpace(s, p, by(actor), "new", name) }
}

func renameSpace(p *policy.Policy, actor domain.AccountID, id domain.SpaceID, name string) decision {
	return func(s State) ([]domain.Event, error) { return RenameSpace(s, p, by(actor), id, name) }
}

func deleteSpace(p *policy.Policy, actor domain.AccountID, id domain.SpaceID) decision {
	return func(s State) ([]domain.Event, error) { return DeleteSpace(s, p, by(actor), id) }
}

func assignSpaces(p *policy.Policy, actor, account domain.AccountID, ids ...domain.SpaceID) decision {
	return func(s State) ([]domain.Event, error) { return AssignSpaces(s, p, by(actor), account, ids) }
}

func inviteeSpaces(p *policy.Policy, actor domain.AccountID, id domain.InvitationID, ids ...domain.SpaceID) decision {
	return func(s State) ([]domain.Event, error) {
		return AssignInvitationSpaces(s, p, by(actor), id, ids)
	}
}

func editMember(p *policy.Policy, actor, account domain.AccountID, roles []domain.Role, spaces []domain.SpaceID) decision {
	return func(s State) ([]domain.Event, error) {
		return EditMember(s, p, by(actor), account, roles, spaces)
	}
}

func assignWork(p *policy.Policy, actor domain.Actor, account domain.AccountID, work string, space domain.SpaceID) decision {
	return func(s State) ([]domain.Event, error) {
		return AssignWork(s, p, actor, account, WorkItem{Kind: "contact", ID: work, Space: space})
	}
}

func releaseWork(p *policy.Policy, actor domain.Actor, account domain.AccountID, work string) decision {
	return func(s State) ([]domain.Event, error) { return ReleaseWork(s, p, actor, account, "contact", work) }
}

func changeSettings(actor domain.AccountID, section Section, settings map[string]string) decision {
	return func(s State) ([]domain.Event, error) {
		return ChangeSettings(s, delegated, by(actor), section, settings)
	}
}

func deleteOrganization(p *policy.Policy, actor domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return Delete(s, p, by(actor)) }
}

// many makes n spaces.
func many(n int) (events []domain.Event, ids []domain.SpaceID) {
	for i := range n {
		ids = append(ids, domain.SpaceID(fmt.Sprintf("space-%05d", i)))
		events = append(events, created(ids[i], fmt.Sprintf("Space %d", i)))
	}
	return events, ids
}

// busy gives somebody n pieces of work.
func busy(id domain.AccountID, n int, space domain.SpaceID) (events []domain.Event) {
	for i := range n {
		events = append(events, given(id, fmt.Sprintf("%s-%03d", id, i), space))
	}
	return events
}

// refusedSpaces are examples of all refused decisions about spaces, work,
// settings and the end of an organization.
func refusedSpaces(r domaintest.Refusals[State]) {
	spaceless := with(delegated, func(p *policy.Policy) { p.Spaces = nil })
	for name, when := range map[string]func(*policy.Policy, domain.AccountID) decision{
		"CreateSpace": func(p *policy.Policy, a domain.AccountID) decision { return createSpace(p, a, "New") },
		"RenameSpace": func(p *policy.Policy, a domain.AccountID) decision { return renameSpace(p, a, attic, "New") },
		"DeleteSpace": func(p *policy.Policy, a domain.AccountID) decision { return deleteSpace(p, a, attic) },
		"AssignSpaces": func(p *policy.Policy, a domain.AccountID) decision {
			return assignSpaces(p, a, user, attic, cellar)
		},
		"AssignInvitationSpaces": func(p *policy.Policy, a domain.AccountID) decision {
			return inviteeSpaces(p, a, invited, attic)
		},
		"EditMember": func(p *policy.Policy, a domain.AccountID) decision {
			return editMember(p, a, user, nil, spaces(cellar))
		},
	} {
		open := delegating(opened(invited, 1, "MEMBER"))
		r.Refused(name, domain.CodeNotFound, "actor no member", open, when(delegated, nobody))
		r.Refused(name, domain.CodePermissionDenied, "billing admin", open, when(delegated, biller))
		r.Refused(name, domain.CodePermissionDenied, "member", open, when(delegated, user))
		r.Refused(name, domain.CodeNotOffered, "a policy without spaces", open, when(spaceless, founder))
	}
	r.Refused("CreateSpace", domain.CodeSpaceNameTaken, "in another case", delegating(), createSpace(delegated, userAdmin, "ATTIC"))
	full, _ := many(MaxSpaces)
	r.Refused("CreateSpace", domain.CodeTooManySpaces, "as many as there can be", append([]domain.Event{activated(delegated)}, full...), createSpace(delegated, founder, "One more"))
	r.Refused("RenameSpace", domain.CodeNotFound, "no such space", delegating(), renameSpace(delegated, founder, "nowhere", "New"))
	r.Refused("RenameSpace", domain.CodeSpaceNameTaken, "another's name", delegating(), renameSpace(delegated, founder, attic, "cellar"))
	r.Refused("DeleteSpace", domain.CodeNotFound, "no such space", delegating(), deleteSpace(delegated, founder, "nowhere"))
	crowded := delegating(append(busy(user, MaxWork, attic), given(founder, "one more", attic))...)
	r.Refused("DeleteSpace", domain.CodeTooMuchWork, "more than one step releases", crowded, deleteSpace(delegated, founder, attic))

	eleven, ids := many(11)
	for name, when := range map[string]func(domain.AccountID, ...domain.SpaceID) decision{
		"AssignSpaces": func(account domain.AccountID, ids ...domain.SpaceID) decision {
			return assignSpaces(delegated, userAdmin, account, ids...)
		},
		"EditMember": func(account domain.AccountID, ids ...domain.SpaceID) decision {
			return editMember(delegated, userAdmin, account, nil, ids)
		},
	} {
		r.Refused(name, domain.CodeNotFound, "no such member", delegating(), when(nobody, attic))
		r.Refused(name, domain.CodeNotFound, "no such space", delegating(), when(user, attic, "nowhere"))
		r.Refused(name, domain.CodeMemberRemoved, "former member", delegating(), when(former, attic))
		r.Refused(name, domain.CodeTooManySpaces, "eleven at once", delegating(eleven...), when(user, ids...))
	}
	r.Refused("AssignInvitationSpaces", domain.CodeNotFound, "not open", delegating(), inviteeSpaces(delegated, founder, invited, attic))
	r.Refused("AssignInvitationSpaces", domain.CodeNotFound, "no such space", delegating(opened(invited, 1, "MEMBER")), inviteeSpaces(delegated, founder, invited, "nowhere"))
	r.Refused("AssignInvitationSpaces", domain.CodeTooManySpaces, "eleven at once", delegating(append(eleven, opened(invited, 1, "MEMBER"))...), inviteeSpaces(delegated, founder, invited, ids...))

	fixed := with(delegated, func(p *policy.Policy) { p.Members.OwnRolesFixed = true })
	r.Refused("EditMember", domain.CodeInvalid, "nothing to edit", delegating(), editMember(delegated, founder, user, nil, nil))
	r.Refused("EditMember", domain.CodePermissionDenied, "a user admin promotes", delegating(), editMember(delegated, userAdmin, user, roles("USER_ADMIN"), spaces(attic)))
	r.Refused("EditMember", domain.CodePermissionDenied, "a user admin demotes themselves", delegating(), editMember(delegated, userAdmin, userAdmin, roles("MEMBER"), nil))
	r.Refused("EditMember", domain.CodeRoleCount, "none", delegating(), editMember(delegated, founder, user, []domain.Role{}, nil))
	r.Refused("EditMember", domain.CodeRoleUnknown, "no such role", delegating(), editMember(delegated, founder, user, roles("GUEST"), spaces(attic)))
	r.Refused("EditMember", domain.CodeLastAdmin, "the only one", delegating(), editMember(delegated, founder, founder, roles("MEMBER"), spaces(attic)))
	r.Refused("EditMember", domain.CodeOwnRolesFixed, "their own", delegating(), editMember(fixed, founder, founder, roles("MEMBER"), nil))
	r.Refused("EditMember", domain.CodeOwnerProtected, "the owner", staffed(), editMember(ownership, admin, owner, roles("USER"), nil))
	r.Refused("EditMember", domain.CodeRoleNotGranted, "to a higher role", levelled(), editMember(flat, viewer, user, roles("BOSS"), nil))
	r.Refused("EditMember", domain.CodeMemberProtected, "of a higher role", levelled(), editMember(flat, viewer, owner, roles("HAND"), nil))
	r.Refused("ChangeRoles", domain.CodeOwnRolesFixed, "their own", delegating(), changeRoles(fixed, founder, founder, "MEMBER"))

	suspended := delegating(MemberSuspended{OrganizationID: org, AccountID: user, Roles: roles("MEMBER")})
	for name, when := range map[string]func(domain.Actor, domain.AccountID) decision{
		"AssignWork": func(a domain.Actor, account domain.AccountID) decision {
			return assignWork(delegated, a, account, "1", "")
		},
		"ReleaseWork": func(a domain.Actor, account domain.AccountID) decision {
			return releaseWork(delegated, a, account, "1")
		},
	} {
		r.Refused(name, domain.CodeNotFound, "actor no member", delegating(), when(by(nobody), user))
		r.Refused(name, domain.CodeNotFound, "no organization", nil, when(host, user))
		r.Refused(name, domain.CodeNotFound, "no such member", delegating(), when(host, nobody))
		r.Refused(name, domain.CodePermissionDenied, "user admin", delegating(), when(by(userAdmin), user))
		r.Refused(name, domain.CodeMemberRemoved, "former member", delegating(), when(host, former))
	}
	r.Refused("AssignWork", domain.CodeMemberSuspended, "suspended member", suspended, assignWork(delegated, host, user, "1", ""))
	r.Refused("AssignWork", domain.CodeNotFound, "a space that they may not enter", delegating(), assignWork(delegated, host, user, "1", cellar))
	r.Refused("AssignWork", domain.CodeTooMuchWork, "as much as there can be", delegating(busy(user, MaxWork, "")...), assignWork(delegated, host, user, "more", ""))

	for actor, section := range map[domain.AccountID]Section{biller: SectionGeneral, userAdmin: SectionBilling, user: SectionSubscriptions} {
		r.Refused("ChangeSettings", domain.CodePermissionDenied, string(actor), delegating(), changeSettings(actor, section, map[string]string{"a": "b"}))
	}
	r.Refused("ChangeSettings", domain.CodeNotFound, "no such section", delegating(), changeSettings(founder, "weather", nil))
	r.Refused("ChangeSettings", domain.CodeNotFound, "no member", delegating(), changeSettings(nobody, SectionGeneral, nil))
	long, plenty := make([]byte, MaxSettingsSize), make(map[string]string)
	for i := range MaxSettings + 1 {
		plenty[fmt.Sprint("setting-", i)] = ""
	}
	for because, settings := range map[string]map[string]string{
		"no name": {"": "b"}, "no ASCII": {"größe": "b"}, "a space": {"a b": "c"}, "a long name": {string(long[:MaxSettingNameSize+1]): ""},
		"too long": {"a": string(long)}, "too many": plenty,
	} {
		r.Refused("ChangeSettings", domain.CodeInvalid, because, delegating(), changeSettings(founder, SectionGeneral, settings))
	}

	ended := delegating(Deleted{OrganizationID: org, Name: "Acme"})
	r.Refused("Delete", domain.CodeNotFound, "no member", delegating(), deleteOrganization(delegated, nobody))
	for _, actor := range []domain.AccountID{userAdmin, biller, user} {
		r.Refused("Delete", domain.CodePermissionDenied, string(actor), delegating(), deleteOrganization(delegated, actor))
	}
	r.Refused("Authorize", domain.CodeOrganizationClosed, "deleted", ended, deleteOrganization(delegated, founder))
	r.Refused("AuthorizeMember", domain.CodeOrganizationClosed, "deleted", ended, func(s State) ([]domain.Event, error) {
		_, err := AuthorizeMember(s, by(user))
		return nil, err
	})
	r.Refused("Authorize", domain.CodeNotFound, "deleted, and removed before", ended, deleteOrganization(delegated, former))
}

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
		return Admit(s, Joiner{AccountID: nobody, Email: "newcomer@example.com", Username: "newcomer", DisplayName: "New", Roles: roles("MEMBER"), InvitationID: invited, InvitedBy: admin})
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

func TestSettingsSayWhatChanged(t *testing.T) {
	is := is.New(t)
	text := func(s string) *string { return &s }
	change := func(c ...SettingChange) domain.Event {
		return SettingsChanged{OrganizationID: org, Section: SectionBilling, Changes: c}
	}
	first := domaintest.Given(t, Evolve, delegating()...).
		When(changeSettings(biller, SectionBilling, map[string]string{"vat": "1", "city": "Bern"})).
		Then(change(SettingChange{Name: "city", After: text("Bern")}, SettingChange{Name: "vat", After: text("1")}))
	is.Equal(first.State.Settings(SectionBilling), map[string]string{"vat": "1", "city": "Bern"})
	is.Equal(len(first.State.Settings(SectionGeneral)), 0)
	first.When(changeSettings(founder, SectionBilling, map[string]string{"vat": "1", "city": "Bern"})).Then()
	next := first.When(changeSettings(founder, SectionBilling, map[string]string{"vat": "2", "street": ""})).Then(change(
		SettingChange{Name: "city", Before: text("Bern")}, SettingChange{Name: "street", After: text("")}, SettingChange{Name: "vat", Before: text("1"), After: text("2")}))
	is.Equal(next.State.Settings(SectionBilling), map[string]string{"vat": "2", "street": ""})
	is.Equal(first.State.Settings(SectionBilling), map[string]string{"vat": "1", "city": "Bern"})
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
		return Admit(s, Joiner{AccountID: nobody, Email: "newcomer@example.com", Roles: roles("MEMBER"), InvitationID: invited, InvitedBy: admin})
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
