package organization_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

func changeEmailDomain(p *policy.Policy, actor domain.AccountID, name string) decision {
	return func(s State) ([]domain.Event, error) { return ChangeEmailDomain(s, p, by(actor), name) }
}

// refuseEmailDomains are examples for TestEveryRefusalOfEveryDecision.
func refuseEmailDomains(r domaintest.Refusals[State]) {
	r.Refused("ChangeEmailDomain", domain.CodeNotFound, "no member", capable(), changeEmailDomain(capabilities, nobody, "acme.example"))
	r.Refused("ChangeEmailDomain", domain.CodePermissionDenied, "who may invite", capable(), changeEmailDomain(capabilities, viewer, "acme.example"))
	r.Refused("ChangeEmailDomain", domain.CodeNotOffered, "people ask by hand", school(), changeEmailDomain(moderated, owner, "acme.example"))
}

func TestAnOrganizationHoldsOneEmailDomain(t *testing.T) {
	is := is.New(t)
	given := domaintest.Given(t, Evolve, capable()...)
	is.True(!given.State.HoldsEmailDomain(""))
	held := given.When(changeEmailDomain(capabilities, admin, "acme.example")).
		Then(EmailDomainChanged{OrganizationID: org, After: "acme.example"})
	is.True(held.State.HoldsEmailDomain("acme.example"))
	held.When(changeEmailDomain(capabilities, owner, "acme.example")).Then()
	other := held.When(changeEmailDomain(capabilities, owner, "other.example")).
		Then(EmailDomainChanged{OrganizationID: org, Before: "acme.example", After: "other.example"})
	is.True(!other.State.HoldsEmailDomain("acme.example"))
	other.When(changeEmailDomain(capabilities, owner, "")).Then(EmailDomainChanged{OrganizationID: org, Before: "other.example"})
	gone := domaintest.Given(t, Evolve, capable(EmailDomainChanged{OrganizationID: org, After: "acme.example"}, Deleted{OrganizationID: org})...)
	is.True(!gone.State.HoldsEmailDomain("acme.example"))
}

func TestAnOrganizationIsFoundedWithItsEmailDomain(t *testing.T) {
	is := is.New(t)
	founded := domaintest.Given(t, Evolve).When(func(s State) ([]domain.Event, error) {
		return Activate(s, capabilities, Activation{OrganizationID: org, Name: "acme.example", AccountID: owner, Email: "owner@acme.example", EmailDomain: "acme.example"})
	}).Then(
		Activated{OrganizationID: org, Name: "acme.example", Policy: "capabilities", PolicyVersion: 1, AccountID: owner, Email: "owner@acme.example", Roles: []domain.Role{administrate}},
		EmailDomainChanged{OrganizationID: org, After: "acme.example"},
	)
	is.True(founded.State.HoldsEmailDomain("acme.example"))
	is.True(!founded.State.Personal)
}

// A personal space has one member for ever, whatever is tried.
func TestAPersonalSpaceStaysPersonal(t *testing.T) {
	is := is.New(t)
	space := domaintest.Given(t, Evolve).When(func(s State) ([]domain.Event, error) {
		return Activate(s, personal, Activation{OrganizationID: org, Name: "Mine", AccountID: owner, Email: "owner@example.com"})
	}).Then(Activated{
		OrganizationID: org, Name: "Mine", Policy: "personal", PolicyVersion: 1, AccountID: owner, Email: "owner@example.com", Roles: []domain.Role{"HOLDER"}, Personal: true,
	})
	is.True(space.State.Personal)
	for name, d := range map[string]decision{
		"invite": invite(personal, owner, newcomer("HOLDER")), "remove": remove(personal, owner, owner), "change roles": changeRoles(personal, owner, owner),
		"delete": func(s State) ([]domain.Event, error) { return Delete(s, personal, by(owner)) },
		"add":    addMember(personal, owner, user, "user@example.com", "HOLDER"),
		"start a trial": func(s State) ([]domain.Event, error) {
			return ChangeSettings(s, personal, by(owner), SectionTrials, map[string]string{"product": "x"}, "change")
		},
		"hold a domain": changeEmailDomain(personal, owner, "acme.example"),
	} {
		t.Run(name, func(t *testing.T) {
			refusal := space.When(d).Refused(domain.CodePermissionDenied)
			is := is.New(t)
			is.Equal(refusal.Title, "Not in a personal space")
		})
	}
	space.When(requestToJoin(personal, user, "user@example.com")).Refused(domain.CodeNotOffered)
	for _, section := range []Section{SectionGeneral, SectionBilling, SectionSubscriptions, SectionPlatforms} {
		_, err := ChangeSettings(space.State, personal, by(owner), section, map[string]string{"name": "value"}, "change")
		is.NoErr(err) // it is fully configurable
	}
}
