package organization_test

import (
	"fmt"

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
		return ChangeSettings(s, delegated, by(actor), section, settings, "change")
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
	r.Refused("Remove", domain.CodeSelfRemoval, "who does not manage their own role", delegating(), remove(delegated, userAdmin, userAdmin))
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
