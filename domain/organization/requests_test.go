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

func requestToJoin(p *policy.Policy, account domain.AccountID, email domain.Email) decision {
	return func(s State) ([]domain.Event, error) {
		return RequestToJoin(s, p, account, Request{Email: email, DisplayName: "The " + string(account)}, noon)
	}
}

func approve(p *policy.Policy, actor, account domain.AccountID, roles ...domain.Role) decision {
	return func(s State) ([]domain.Event, error) { return Approve(s, p, by(actor), account, roles) }
}

func reject(p *policy.Policy, actor, account domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return Reject(s, p, by(actor), account) }
}

func autoActivate(p *policy.Policy, actor domain.AccountID, on bool) decision {
	return func(s State) ([]domain.Event, error) { return SetAutoActivation(s, p, by(actor), on) }
}

func addMember(p *policy.Policy, actor, account domain.AccountID, email domain.Email, roles ...domain.Role) decision {
	return func(s State) ([]domain.Event, error) {
		return AddMember(s, p, by(actor), account, Request{Email: email, DisplayName: "The " + string(account)}, roles)
	}
}

func checkAddition(p *policy.Policy, actor domain.AccountID, email domain.Email, roles ...domain.Role) decision {
	return func(s State) ([]domain.Event, error) { return nil, CheckAddition(s, p, by(actor), email, roles) }
}

// joinedVia is a member by a request or an addition.
func joinedVia(id domain.AccountID, via string, roles ...domain.Role) domain.Event {
	return MemberJoined{
		OrganizationID: org, AccountID: id, Email: domain.Email(id + "@example.com"), DisplayName: "The " + string(id), Roles: roles, Via: via,
	}
}

// refusedRequests are examples for TestEveryRefusalOfEveryDecision.
func refusedRequests(r domaintest.Refusals[State]) {
	const one, two domain.AccountID = "one", "two"
	none := *moderated
	none.Requests, none.Additions = nil, nil
	byDomain := *moderated
	byDomain.Requests = &policy.Requests{Roles: moderated.Requests.Roles, ByDomain: true}
	auto := AutoActivationChanged{OrganizationID: org, After: true}
	full := guardedSchool(joined(user, "participant"))

	r.Refused("RequestToJoin", domain.CodeNotFound, "no organization", nil, requestToJoin(moderated, one, "one@example.com"))
	r.Refused("RequestToJoin", domain.CodeNotOffered, "no requests", school(), requestToJoin(&none, one, "one@example.com"))
	r.Refused("RequestToJoin", domain.CodeOrganizationClosed, "deleted", school(Deleted{OrganizationID: org}), requestToJoin(moderated, one, "one@example.com"))
	r.Refused("RequestToJoin", domain.CodeMemberActive, "a member", school(), requestToJoin(moderated, user, "user@example.com"))
	r.Refused("RequestToJoin", domain.CodeMemberSuspended, "a suspended one", school(), requestToJoin(moderated, viewer, "viewer@example.com"))
	r.Refused("RequestToJoin", domain.CodeMemberRemoved, "a former one", school(), requestToJoin(moderated, former, "former@example.com"))
	r.Refused("RequestToJoin", domain.CodeMemberRemoved, "who has left", school(MemberRemoved{OrganizationID: org, AccountID: user, Left: true}), requestToJoin(moderated, user, "user@example.com"))
	r.Refused("RequestToJoin", domain.CodeRequestNotThere, "rejected, and signs in again",
		school(JoinRequestClosed{OrganizationID: org, AccountID: nobody, Outcome: "rejected"}), requestToJoin(&byDomain, nobody, "nobody@example.com"))
	r.Refused("RequestToJoin", domain.CodeEmailTaken, "invited", school(opened(invited, 1, "participant")), requestToJoin(moderated, one, "NEWCOMER@example.com"))
	r.Refused("RequestToJoin", domain.CodeEmailTaken, "a member's address", school(), requestToJoin(moderated, one, "user@example.com"))
	r.Refused("RequestToJoin", domain.CodeSeatsFull, "let in at once", append(full, auto), requestToJoin(guarded, one, "one@example.com"))

	r.Refused("Approve", domain.CodeNotFound, "actor no member", school(), approve(moderated, two, nobody))
	r.Refused("Approve", domain.CodePermissionDenied, "an author", school(), approve(moderated, admin, nobody))
	r.Refused("Approve", domain.CodeRequestNotThere, "nobody asks", school(), approve(moderated, owner, one))
	r.Refused("Approve", domain.CodeRoleCount, "two roles", school(), approve(moderated, owner, nobody, "author", "admin"))
	r.Refused("Approve", domain.CodeRoleUnknown, "no such role", school(), approve(moderated, owner, nobody, "OWNER"))
	r.Refused("Approve", domain.CodeRoleNotGranted, "the owner's", guardedSchool(asked(nobody)), approve(guarded, owner, nobody, "owner"))
	r.Refused("Approve", domain.CodeEmailTaken, "invited since", school(InvitationOpened{OrganizationID: org, InvitationID: invited, Email: "nobody@example.com", InvitedBy: owner}), approve(moderated, owner, nobody))
	r.Refused("Approve", domain.CodeSeatsFull, "one too many", append(full, asked(nobody)), approve(guarded, owner, nobody))

	r.Refused("Reject", domain.CodeNotFound, "actor no member", school(), reject(moderated, two, nobody))
	r.Refused("Reject", domain.CodePermissionDenied, "an author", school(), reject(moderated, admin, nobody))
	r.Refused("Reject", domain.CodeRequestNotThere, "nobody asks", school(), reject(moderated, owner, one))

	r.Refused("SetAutoActivation", domain.CodeNotFound, "actor no member", school(), autoActivate(moderated, nobody, true))
	r.Refused("SetAutoActivation", domain.CodePermissionDenied, "an author", school(), autoActivate(moderated, admin, true))
	r.Refused("SetAutoActivation", domain.CodeNotOffered, "no requests", school(), autoActivate(&none, owner, true))
	r.Refused("SetAutoActivation", domain.CodeNotOffered, "asked by the e-mail domain", school(), autoActivate(&byDomain, owner, true))

	for name, add := range map[string]func(p *policy.Policy, actor domain.AccountID, email domain.Email, roles ...domain.Role) decision{
		"CheckAddition": checkAddition,
		"AddMember": func(p *policy.Policy, actor domain.AccountID, email domain.Email, roles ...domain.Role) decision {
			return addMember(p, actor, one, email, roles...)
		},
	} {
		r.Refused(name, domain.CodeNotFound, "actor no member", school(), add(moderated, nobody, "one@example.com", "participant"))
		r.Refused(name, domain.CodePermissionDenied, "an author", school(), add(moderated, admin, "one@example.com", "participant"))
		r.Refused(name, domain.CodeNotOffered, "no additions", school(), add(&none, owner, "one@example.com", "participant"))
		r.Refused(name, domain.CodeRoleCount, "no role", school(), add(moderated, owner, "one@example.com"))
		r.Refused(name, domain.CodeRoleUnknown, "no such role", school(), add(moderated, owner, "one@example.com", "OWNER"))
		r.Refused(name, domain.CodeRoleNotGranted, "the owner's", guardedSchool(), add(guarded, owner, "one@example.com", "owner"))
		r.Refused(name, domain.CodeEmailTaken, "a member's", school(), add(moderated, owner, "USER@example.com", "participant"))
		r.Refused(name, domain.CodeSeatsFull, "one too many", full, add(guarded, owner, "one@example.com", "participant"))
	}
	r.Refused("AddMember", domain.CodeMemberRemoved, "one who left", append(school(), MemberRemoved{OrganizationID: org, AccountID: user, Roles: roles("participant"), Left: true}), addMember(moderated, owner, user, "one@example.com", "participant"))
	r.Refused("AddMember", domain.CodeMemberActive, "a member with another address", school(), addMember(moderated, owner, user, "one@example.com", "participant"))
	r.Refused("AddMember", domain.CodeMemberSuspended, "a suspended one with another address", school(), addMember(moderated, owner, viewer, "one@example.com", "participant"))
}

func TestWhoHasNoSeatLeftIsToldHowManyThereAre(t *testing.T) {
	is := is.New(t)
	full := domaintest.Given(t, Evolve, guardedSchool(joined(user, "participant"), asked(nobody))...)
	is.Equal(full.When(approve(guarded, owner, nobody)).Refused(domain.CodeSeatsFull).Message,
		"All seats are taken, of which there are 3. Remove a member, or have the number of seats raised.")
}

func TestAskingToJoin(t *testing.T) {
	is := is.New(t)
	const one domain.AccountID = "one"
	asks := domaintest.Given(t, Evolve, school()...).When(requestToJoin(moderated, one, "one@example.com")).Then(asked(one))
	is.Equal(asks.State.Requests(), 2)
	asks.When(requestToJoin(moderated, one, "one@example.com")).Then() // once
	in := asks.When(approve(moderated, owner, one)).Then(joinedVia(one, "request", "participant"))
	is.Equal(in.State.Requests(), 1)
	is.Equal(in.State.OpenRequests(5), []domain.AccountID{nobody})
	in.When(approve(moderated, owner, one)).Refused(domain.CodeRequestNotThere)
	asks.When(approve(moderated, owner, one, "author")).Then(joinedVia(one, "request", "author"))

	out := asks.When(reject(moderated, owner, one)).Then(JoinRequestClosed{OrganizationID: org, AccountID: one, Outcome: "rejected"})
	out.When(requestToJoin(moderated, one, "one@example.com")).Then(asked(one)) // may ask again
	withdraw := domaintest.Always(func(s State) []domain.Event { return WithdrawRequest(s, one) })
	gone := asks.When(withdraw).Then(JoinRequestClosed{OrganizationID: org, AccountID: one, Outcome: "withdrawn"})
	gone.When(withdraw).Then()
}

func TestAutoActivation(t *testing.T) {
	const one domain.AccountID = "one"
	on := domaintest.Given(t, Evolve, school()...).When(autoActivate(moderated, owner, true)).Then(AutoActivationChanged{OrganizationID: org, After: true})
	on.When(autoActivate(moderated, owner, true)).Then()
	on.When(requestToJoin(moderated, one, "one@example.com")).Then(joinedVia(one, "request", "participant"))
	on.When(autoActivate(moderated, owner, false)).Then(AutoActivationChanged{OrganizationID: org, Before: true})
}

// nineInParis is when capabilities sums up what is asked at noon.
var nineInParis = mondayNine.Add(-time.Hour)

func TestWhoAsksByTheirEMailDomainMustBeApproved(t *testing.T) {
	on, off := AutoActivationChanged{OrganizationID: org, After: true}, AutoActivationChanged{OrganizationID: org, Before: true}
	given := domaintest.Given(t, Evolve, capable(on)...) // before it was refused
	given.When(func(s State) ([]domain.Event, error) {
		return RequestToJoin(s, capabilities, nobody, Request{Email: "nobody@example.com", DisplayName: "The nobody"}, noon)
	}).Then(askedAt(nobody, noon, nineInParis))
	given.When(autoActivate(capabilities, owner, true)).Refused(domain.CodeNotOffered)
	given.When(autoActivate(capabilities, owner, false)).Then(off)
}

func TestAddingAMember(t *testing.T) {
	is := is.New(t)
	const one domain.AccountID = "one"
	domaintest.Given(t, Evolve, school()...).When(addMember(moderated, owner, one, "one@example.com", "author")).Then(joinedVia(one, "addition", "author"))
	// Somebody who asks is in by that, and so is a former member (M8).
	in := domaintest.Given(t, Evolve, school()...).When(addMember(moderated, owner, nobody, "nobody@example.com", "participant")).Then(joinedVia(nobody, "addition", "participant"))
	is.Equal(in.State.Requests(), 0)
	domaintest.Given(t, Evolve, school()...).When(addMember(moderated, owner, former, "former@example.com", "participant")).Then(joinedVia(former, "addition", "participant"))
}

func TestAnOrganizationBeginsAsItsPolicySays(t *testing.T) {
	is := is.New(t)
	open := with(moderated, func(p *policy.Policy) { p.Requests = &policy.Requests{Roles: roles("participant"), AutoActivate: true} })
	events, err := Activate(State{}, open, Activation{OrganizationID: org, Name: "Acme", AccountID: owner, Email: "owner@example.com", DisplayName: "The owner"})
	is.NoErr(err)
	is.True(domaintest.Given(t, Evolve, events...).State.AutoActivates())
}
