package acceptance

import (
	"slices"
	"testing"

	"github.com/matryer/is"
)

func TestC6_WhoSignsInWithTheDomainIsPending(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, onboarding())
		domain := uniqueDomain()
		ada := s.signUpAt(t, domain, "Ada")
		org := ada.only(t)
		bob := s.signUpAt(t, domain, "Bob")

		t.Run("no access until approved", func(t *testing.T) {
			is := is.New(t)
			isGone(t, bob, org)
			is.Equal(ada.member(t, org, bob).Status, "pending")
			is.Equal(bob.pendingIn(t), []string{domain})
			is.Equal(len(bob.mine(t)), 0)
			bob.signIn(t) // asks once
			is.Equal(len(ada.pending(t, org)), 1)
			is.Equal(bob.pendingIn(t), []string{domain})
		})

		t.Run("administrators are notified", func(t *testing.T) {
			is := is.New(t)
			bell := ada.bell(t, org)
			is.Equal(bell.JoinRequests, 1)
			is.Equal(bell.Newest[0].Email, bob.Email)
			is.Equal(ada.pending(t, org), []string{bob.Email})
			member := ada.hire(t, org, s.newPerson("Member"), manageAccess)
			refused(t, member.get(orgPath(org, "notifications")), 403, "permission_denied")
			refused(t, member.get(orgPath(org, "join-requests")), 403, "permission_denied")
		})

		t.Run("nobody asks by hand", func(t *testing.T) {
			stranger := s.signUp(t, "Stranger")
			refused(t, stranger.askToJoin(org), 404, "not_found")
			refused(t, bob.askToJoin(org), 404, "not_found")
			refused(t, stranger.get(orgPath(org, "join")), 404, "not_found")
		})

		t.Run("nobody is let in without an approval", func(t *testing.T) {
			refused(t, ada.autoActivate(org, true), 409, "not_offered")
		})

		t.Run("approved, they belong", func(t *testing.T) {
			is := is.New(t)
			is.Equal(outcomes(t, ada.decide(org, each("approve", bob))), []string{"approved"})
			is.Equal(bob.only(t), org)
			is.Equal(bob.holding(t, org).YourRoles, []string{})
			is.Equal(len(bob.pendingIn(t)), 0)
			is.Equal(ada.bell(t, org).JoinRequests, 0)
		})

		t.Run("rejected or removed, they are not asked for again", func(t *testing.T) {
			is := is.New(t)
			eve := s.signUpAt(t, domain, "Eve")
			is.Equal(outcomes(t, ada.decide(org, each("reject", eve))), []string{"rejected"})
			is.Equal(len(eve.pendingIn(t)), 0)
			ok(t, ada.remove(org, bob))
			for _, p := range []*person{eve, bob} {
				p.signIn(t)
				is.Equal(len(p.pendingIn(t)), 0)
				isGone(t, p, org)
			}
			is.Equal(ada.bell(t, org).JoinRequests, 0)
			ok(t, ada.inviteTo(org, bob, nil)) // that is the way back
			ok(t, bob.accept(s.invitationTo(t, bob.Email)))
			is.Equal(bob.only(t), org)
		})

		t.Run("invited, they need not ask", func(t *testing.T) {
			is := is.New(t)
			guest := s.personAt(domain, "Guest")
			ok(t, ada.inviteTo(org, guest, nil))
			guest.register(t)
			is.Equal(len(guest.pendingIn(t)), 0)
			ok(t, guest.accept(s.invitationTo(t, guest.Email)))
			is.Equal(guest.only(t), org)
		})

		t.Run("after a restart, and with views made anew", func(t *testing.T) {
			is := is.New(t)
			late := s.signUpAt(t, domain, "Late")
			s.restart(t)
			is.Equal(late.pendingIn(t), []string{domain})
			s.rebuild(t)
			is.Equal(late.pendingIn(t), []string{domain})
			is.Equal(ada.pending(t, org), []string{late.Email})
			ok(t, late.withdraw(org))
			is.Equal(len(late.pendingIn(t)), 0)
			late.signIn(t) // asks again by that
			is.Equal(late.pendingIn(t), []string{domain})
		})
	})
}

func TestC7_DecideThoseWhoAskByDomain(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, onboarding())
		domain := uniqueDomain()
		ada := s.signUpAt(t, domain, "Ada")
		org := ada.only(t)
		ask := func(n int) []*person {
			people := make([]*person, n)
			for i := range people {
				people[i] = s.signUpAt(t, domain, "Asker")
			}
			return people
		}
		one := ask(1)
		is.Equal(outcomes(t, ada.decide(org, each("approve", one...))), []string{"approved"})
		is.Equal(outcomes(t, ada.decide(org, each("approve", one...))), []string{"request_not_there"})
		several := ask(3)
		body := each("approve", several[0], several[1], one[0])
		body["decisions"].([]map[string]any)[0]["roles"] = []string{manageAccess}
		body["decisions"].([]map[string]any)[1]["decision"] = "reject"
		is.Equal(outcomes(t, ada.decide(org, body)), []string{"approved", "rejected", "request_not_there"})
		is.Equal(several[0].holding(t, org).YourRoles, []string{manageAccess})
		is.Equal(ada.bell(t, org).JoinRequests, 1)
		everybody := append(ask(4), several[2])
		is.Equal(outcomes(t, ada.decide(org, map[string]any{"all": "approve"})), slices.Repeat([]string{"approved"}, 5))
		for _, p := range everybody {
			is.Equal(p.only(t), org)
		}
		is.Equal(ada.bell(t, org).JoinRequests, 0)
	})
}
