package acceptance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/oidc/oidctest"
)

func TestC1_TheFirstToSignInFromADomainFounds(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, onboarding())

		t.Run("and administrates the organization", func(t *testing.T) {
			is := is.New(t)
			domain := uniqueDomain()
			ada := s.signUpAt(t, domain, "Ada")
			org := ada.only(t)
			o := ada.holding(t, org)
			is.Equal(o.Name, domain)
			is.Equal(o.EmailDomain, domain)
			is.Equal(o.Policy, "capabilities")
			is.Equal(o.YourRoles, []string{administrate})
			h := ada.history(t, org)
			is.Equal(len(h), 2)
			is.Equal(h[0].Type+" "+h[1].Type, "organization.activated.v1 organization.email_domain_changed.v1")
			is.Equal(h[0].Actor, actorDoc{"account", ada.AccountID})
			before := s.everything(t)
			ada.signIn(t)
			is.Equal(ada.only(t), org)
			is.True(s.everything(t) != before) // the session
			is.Equal(len(ada.history(t, org)), 2)
		})

		t.Run("whatever the spelling of the domain", func(t *testing.T) {
			is := is.New(t)
			domain := uniqueDomain()
			ada, bob := s.signUpAt(t, strings.ToUpper(domain), "Ada"), s.signUpAt(t, domain, "Bob")
			is.Equal(ada.holding(t, ada.only(t)).EmailDomain, domain)
			is.Equal(len(bob.mine(t)), 0)
			is.Equal(bob.pendingIn(t), []string{domain})
			other := s.signUpAt(t, "eu."+domain, "Other") // another domain
			is.Equal(other.holding(t, other.only(t)).EmailDomain, "eu."+domain)
		})

		t.Run("public mail domains never found one", func(t *testing.T) {
			for _, domain := range []string{"gmail.com", "GoogleMail.com", "outlook.fr", "web.de", "mail.yandex.ru", "mailinator.com"} {
				p := s.signUpAt(t, domain, "Private")
				is := is.New(t)
				is.Equal(len(p.mine(t)), 0)
				is.Equal(len(p.pendingIn(t)), 0)
				refused(t, p.holdDomain(p.found(t, "capabilities")), 409, "email_domain_public")
			}
		})

		t.Run("a name that is taken gets a number", func(t *testing.T) {
			domain := uniqueDomain()
			ok(t, s.signUpAt(t, "gmail.com", "Squatter").activate(strings.ToUpper(domain)))
			is.New(t).Equal(s.signUpAt(t, domain, "Ada").mine(t)[0].Name, domain+" 2")
		})

		t.Run("not before the address is proven", func(t *testing.T) {
			is := is.New(t)
			domain := uniqueDomain()
			school := s.newSchool(t)
			added := s.personAt(domain, "Added")
			ok(t, school.admin.add(school.org, added.Email, added.Password, "participant"))
			added.signIn(t)
			is.Equal(added.only(t), school.org)
			is.Equal(added.space(t), "")
			ok(t, s.anonymous().post("/v1/password-resets", map[string]any{"email": added.Email}))
			ok(t, s.anonymous().resetPassword(s.tokenTo(t, added.Email, resetPage, 1), "another password"))
			added.Password = "another password"
			added.signIn(t)
			is.Equal(len(added.mine(t)), 2)
			is.True(added.space(t) != "")
		})

		t.Run("after a restart as well", func(t *testing.T) {
			is := is.New(t)
			domain := uniqueDomain()
			ada := s.signUpAt(t, domain, "Ada")
			org := ada.only(t)
			before := ada.holding(t, org)
			s.restart(t)
			is.Equal(ada.holding(t, org), before)
			is.Equal(s.signUpAt(t, domain, "Bob").pendingIn(t), []string{domain})
			s.rebuild(t)
			is.Equal(ada.holding(t, org), before)
			is.Equal(ada.bell(t, org).JoinRequests, 1)
		})
	})
}

func TestC1_WithEveryWayToSignIn(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		acme := oidctest.Start(t)
		s := b.start(t, onboarding(), withProviders(t, map[string]string{"acme": acme.URL}))

		t.Run("at a provider", func(t *testing.T) {
			is := is.New(t)
			domain := uniqueDomain()
			acme.SignIn(claims(unique("sub"), "ada@"+domain, true))
			is.Equal(s.signInWith(t, "acme").mine(t)[0].Name, domain)
			acme.SignIn(claims(unique("sub"), "bob@"+domain, true))
			is.Equal(s.signInWith(t, "acme").pendingIn(t), []string{domain})
		})

		t.Run("by the link of an invitation", func(t *testing.T) {
			is := is.New(t)
			boss, domain := s.signUp(t, "Boss"), uniqueDomain()
			org := boss.found(t, "seats")
			guest := s.personAt(domain, "Guest")
			ok(t, boss.inviteTo(org, guest, []string{"Member"}))
			guest.enter(*decoded[receipt](t, guest.acceptNew(s.invitationTo(t, guest.Email))).Session)
			is.Equal(len(guest.mine(t)), 2)
			is.True(guest.space(t) != "")
		})
	})
}

func TestC1_WithoutTheSettingNobodyIsOnboarded(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t)
		domain := uniqueDomain()
		ada := s.signUpAt(t, domain, "Ada")
		org := ada.found(t, "capabilities")
		is.Equal(ada.holding(t, org).EmailDomain, domain) // for when somebody is
		bob := s.signUpAt(t, domain, "Bob")
		for _, p := range []*person{ada, bob} {
			is.Equal(p.space(t), "")
			is.Equal(p.me(t).OrganizationID, "")
		}
		is.Equal(len(bob.mine(t))+len(bob.pendingIn(t)), 0)
		s.flags = append(s.flags, "--onboarding", "capabilities")
		s.restart(t)
		for _, p := range []*person{ada, bob} { // from the next time that they sign in
			p.signIn(t)
			is.True(p.space(t) != "")
		}
		is.Equal(bob.pendingIn(t), []string{ada.organization(t, org).Name})
		is.Equal(ada.only(t), org)
	})
}

func TestC1_AnAdministratorHoldsTheDomain(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, onboarding())
		domain := uniqueDomain()
		ada := s.signUpAt(t, domain, "Ada")
		first, second := ada.only(t), ada.found(t, "capabilities")
		is.Equal(ada.holding(t, second).EmailDomain, "") // it is held
		refused(t, ada.holdDomain(second), 409, "email_domain_taken")
		refused(t, ada.holdDomain(ada.found(t, "seats")), 403, "permission_denied")
		refused(t, ada.holdDomain(s.found(t, ada, "moderated")), 409, "not_offered")
		helper := ada.hire(t, second, s.newPerson("Helper"), manageAccess)
		refused(t, helper.holdDomain(second), 403, "permission_denied")
		refused(t, helper.giveUpDomain(first), 404, "not_found")

		done := decoded[receipt](t, ada.giveUpDomain(first))
		is.Equal(done.types(), "organization.email_domain_changed")
		is.Equal(done.Events[0].Data["before"], domain)
		is.Equal(done.Events[0].Data["after"], "")
		is.Equal(len(decoded[receipt](t, ada.giveUpDomain(first)).Events), 0)
		key := idempotencyKey(unique("key"))
		held := ada.holdDomain(second, key)
		is.Equal(decoded[receipt](t, held).types(), "organization.email_domain_changed")
		sameAnswer(t, "hold", held, ada.holdDomain(second, key))
		is.Equal(len(decoded[receipt](t, ada.holdDomain(second)).Events), 0)
		refused(t, ada.holdDomain(first), 409, "email_domain_taken")
		refused(t, ada.giveUpDomain(second, ifMatch(`"0"`)), 412, "revision_mismatch")

		s.restart(t)
		is.Equal(ada.holding(t, second).EmailDomain, domain)
		bob := s.signUpAt(t, domain, "Bob")
		is.Equal(bob.pendingIn(t), []string{ada.organization(t, second).Name})
		is.Equal(ada.bell(t, first).JoinRequests, 0)
	})
}

// Of many who are the first at the same time, on several nodes, one is.
func TestC1_ManyAtOnceOnThreeNodes(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		const crowd = 64
		d := b.startNodes(t, 3, startMailServer(t, false), onboarding())
		domain := uniqueDomain()
		people, tokens := make([]*person, crowd), make([]string, crowd)
		for i := range people {
			people[i] = d.personAt(domain, fmt.Sprintf("Crowd%d", i))
			ok(t, people[i].requestAccount())
		}
		for i, p := range people {
			tokens[i] = d.tokenTo(t, p.Email, verifyPage, 1)
		}
		answers, runs := make([]response, crowd), make([]func(), crowd)
		for i, p := range people {
			runs[i] = func() {
				answers[i] = d.anonymous().at(d.nodes[i%3]).post("/v1/accounts/verify", map[string]any{"token": tokens[i], "password": p.Password})
			}
		}
		together(runs...)
		for i, p := range people {
			d.note(answers[i])
			p.enter(decoded[session](t, answers[i]))
		}
		is := is.New(t)
		founders, pending := 0, 0
		var founder *person
		for _, p := range people {
			if mine := p.mine(t); len(mine) == 1 {
				founders, founder = founders+1, p
			}
			pending += len(p.pendingIn(t))
			is.True(p.space(t) != "")
		}
		is.Equal(founders, 1)
		is.Equal(pending, crowd-1)
		org := founder.only(t)
		is.Equal(founder.holding(t, org).EmailDomain, domain)
		is.Equal(founder.bell(t, org).JoinRequests, crowd-1)
		d.settled(t) // the processes have looked at all of it again
		is.Equal(founder.bell(t, org).JoinRequests, crowd-1)
	})
}
