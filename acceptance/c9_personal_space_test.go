package acceptance

import (
	"slices"
	"testing"

	"github.com/matryer/is"
)

func TestC9_EverybodyHasAPersonalSpace(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, onboarding())
		ada, eve := s.signUpAt(t, uniqueDomain(), "Ada"), s.signUpAt(t, "gmail.com", "Eve")
		space := ada.space(t)

		t.Run("of which they are the only member", func(t *testing.T) {
			is := is.New(t)
			for _, p := range []*person{ada, eve} {
				is.True(p.space(t) != "")
				o := p.holding(t, p.space(t))
				is.True(o.Personal)
				is.Equal(o.Name, "Personal space") // names tell no two of them apart
				is.Equal(o.Members, 1)
				is.Equal(p.members(t, p.space(t), "")[0].AccountID, p.AccountID)
			}
			isGone(t, eve, space)
			ada.signIn(t)
			is.Equal(ada.space(t), space) // there is one
			refused(t, eve.askToJoin(space), 404, "not_found")
			refused(t, ada.post("/v1/organizations", map[string]any{"name": unique("Mine"), "policy": "personal"}), 422, "invalid")
		})

		t.Run("invites nobody, starts no trial, and stays", func(t *testing.T) {
			is := is.New(t)
			before := ada.history(t, space)
			for _, r := range []response{
				ada.inviteTo(space, s.newPerson("Guest"), []string{"HOLDER"}),
				ada.set(space, "trials", map[string]string{"product": "x"}),
				ada.get(orgPath(space, "invitations")),
				ada.remove(space, ada),
				ada.setRoles(space, ada, nil),
				ada.add(space, eve.Email, "", "HOLDER"),
				ada.delete(orgPath(space)),
				ada.requestTransfer(space, ada),
				ada.holdDomain(space),
			} {
				is.Equal(refused(t, r, 403, "permission_denied").Title, "Not in a personal space")
			}
			is.Equal(ada.history(t, space), before)
		})

		t.Run("settings are edited", func(t *testing.T) {
			is := is.New(t)
			for _, section := range []string{"settings", "billing", "subscriptions", "platforms"} {
				ok(t, ada.set(space, section, map[string]string{"theme": "dark"}))
				is.Equal(decoded[settingsDoc](t, ada.get(orgPath(space, section))).Settings, map[string]string{"theme": "dark"})
			}
			ok(t, ada.rename(space, "My own"))
			ok(t, eve.rename(eve.space(t), "my OWN")) // any name
			is.Equal(ada.holding(t, space).Name, "My own")
			ok(t, s.signUp(t, "Founder").activate("My own")) // and none is taken by it
		})

		t.Run("after a restart, and with views made anew", func(t *testing.T) {
			is := is.New(t)
			before := ada.holding(t, space)
			s.restart(t)
			is.Equal(ada.space(t), space)
			s.rebuild(t)
			is.Equal(ada.space(t), space)
			is.Equal(ada.holding(t, space), before)
		})
	})
}

func TestC9_APersonPicksTheOrganizationToWorkIn(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, onboarding())
		domain := uniqueDomain()
		ada := s.signUpAt(t, domain, "Ada")
		org, bob := ada.only(t), s.signUpAt(t, domain, "Bob")
		is.Equal(bob.me(t).OrganizationID, bob.space(t)) // to begin with
		refused(t, bob.workIn(org), 404, "not_found")    // as long as he is pending
		ok(t, ada.decide(org, each("approve", bob)))
		listed := all[ownDoc](t, bob.client, "/v1/me/organizations")
		is.Equal(len(listed), 2)
		is.True(slices.ContainsFunc(listed, func(o ownDoc) bool { return o.Personal && o.Policy == "personal" }))

		key := idempotencyKey(unique("key"))
		first := bob.workIn(org, key)
		is.Equal(len(decoded[receipt](t, first).Events), 0) // an account's are nobody's business
		sameAnswer(t, "pick", first, bob.workIn(org, key))
		is.Equal(bob.me(t).OrganizationID, org)
		refused(t, bob.workIn(ada.space(t)), 404, "not_found")
		refused(t, bob.workIn("none"), 422, "invalid")
		s.restart(t)
		is.Equal(bob.me(t).OrganizationID, org)
		tag := bob.get("/v1/me").header.Get("ETag")

		ok(t, ada.remove(org, bob))
		is.Equal(decoded[meDoc](t, bob.get("/v1/me", header("If-None-Match", tag))).OrganizationID, bob.space(t))
		ok(t, bob.workIn(bob.space(t)))
		ok(t, bob.workIn(""))
		is.Equal(bob.me(t).OrganizationID, bob.space(t))
	})
}

// A personal space is nobody's business but its holder's.
func TestC9_APersonalSpaceCountsNowhere(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, onboarding())
		c := s.newSchool(t)
		p := s.signUpAt(t, "gmail.com", "Pupil")
		ok(t, c.admin.add(c.org, p.Email, "", "author")) // in one organization only
		is.True(p.space(t) != "")
		refused(t, c.admin.resetMember(c.org, p), 409, "member_elsewhere") // added unasked
		ok(t, c.admin.remove(c.org, p))
		ok(t, c.admin.invite(c.org, p.Email, "", "author"))
		ok(t, p.accept(s.invitationTo(t, p.Email)))
		space := p.space(t)
		p.Password = decoded[struct {
			TemporaryPassword string `json:"temporary_password"`
		}](t, ok(t, c.admin.resetMember(c.org, p))).TemporaryPassword // a member of no other organization
		p.signIn(t)
		ok(t, p.get(orgPath(c.org)))
		for _, r := range []response{p.get(orgPath(space)), p.get(orgPath(space, "settings")), p.rename(space, unique("Stolen")), p.workIn(space)} {
			refused(t, r, 403, "email_unverified") // nobody else gets into it
		}
		ok(t, s.anonymous().post("/v1/password-resets", map[string]any{"email": p.Email}))
		ok(t, s.anonymous().resetPassword(s.tokenTo(t, p.Email, resetPage, 1), p.Password))
		p.signIn(t)
		ok(t, p.get(orgPath(space)))
		p.found(t, "ownership")
		refused(t, c.admin.resetMember(c.org, p), 409, "member_elsewhere")
	})
}
