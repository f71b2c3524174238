package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestM4_DirectAddition(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newSchool(t)

		t.Run("a new user with a password is active at once, without a mail", func(t *testing.T) {
			is := is.New(t)
			p := c.newPerson("Fresh")
			p.Password = "sesame"
			refused(t, c.admin.add(c.org, p.Email, "", "participant"), 422, "password_required")
			refused(t, c.admin.add(c.org, p.Email, "12345", "participant"), 422, "invalid")
			ok(t, c.admin.add(c.org, p.Email, p.Password, "participant"))
			p.signIn(t)
			ok(t, p.get(orgPath(c.org)))
			is.Equal(c.statusOf(t, p), "active")
			c.everything(t)
			is.Equal(len(c.mailsTo(p.Email, verifyPage))+len(c.mailsTo(p.Email, invitePage)), 0)
			refused(t, c.admin.add(c.org, strings.ToUpper(p.Email), "", "participant"), 409, "email_taken")
		})

		t.Run("an existing user keeps their password", func(t *testing.T) {
			p := c.signUp(t, "Known")
			refused(t, c.admin.add(c.org, p.Email, "another password", "participant"), 422, "account_exists")
			ok(t, c.admin.add(c.org, p.Email, "", "participant"))
			p.signIn(t)
			ok(t, p.get(orgPath(c.org)))
		})

		t.Run("only admins add, and only roles that there are", func(t *testing.T) {
			p := c.signUp(t, "Known")
			refused(t, c.author.add(c.org, p.Email, "", "participant"), 403, "permission_denied")
			refused(t, c.participant.add(c.org, p.Email, "", "participant"), 403, "permission_denied")
			refused(t, p.add(c.org, p.Email, "", "admin"), 404, "not_found")
			refused(t, c.admin.add(c.org, p.Email, "", "OWNER"), 422, "role_unknown")
			owned := c.found(t, p, "ownership")
			refused(t, p.add(owned, c.author.Email, "", "USER"), 403, "permission_denied")
		})

		t.Run("an address that is not proven goes nowhere else, until a link in a mail proves it", func(t *testing.T) {
			p, other := c.newPerson("Unproven"), c.signUp(t, "Other")
			second := c.found(t, other, "moderated")
			p.Password = "sesame"
			ok(t, c.admin.add(c.org, p.Email, p.Password, "participant"))
			p.signIn(t)
			refused(t, p.activate(unique("Mine")), 403, "email_unverified")
			refused(t, p.askToJoin(second), 403, "email_unverified")
			refused(t, p.get("/v1/me/invitations"), 403, "email_unverified")
			refused(t, other.add(second, p.Email, "", "participant"), 403, "email_unverified")
			refused(t, other.add(second, p.Email, "sesame two", "participant"), 422, "account_exists")
			ok(t, other.invite(second, p.Email, "", "participant"))
			token := c.invitationTo(t, p.Email)
			refused(t, p.accept(token), 403, "email_unverified") // who made the account may be signed in

			// A stranger who signs up with the address gets nothing by it.
			stranger := &person{client: c.anonymous(), Email: p.Email, Name: "Stranger", Password: "a stranger's password"}
			ok(t, stranger.requestAccount())
			refused(t, stranger.requestSession(), 401, "credentials_wrong")
			ok(t, p.get("/v1/me"))

			// The owner of the mailbox takes the account over.
			ok(t, c.anonymous().post("/v1/password-resets", map[string]any{"email": p.Email}))
			ok(t, c.anonymous().resetPassword(c.tokenTo(t, p.Email, resetPage, 1), "a password of one's own"))
			refused(t, p.get("/v1/me"), 401, "not_signed_in")
			refused(t, p.requestSession(), 401, "credentials_wrong")
			p.Password = "a password of one's own"
			p.signIn(t)
			ok(t, p.accept(token))
			ok(t, p.get(orgPath(c.org)))
			ok(t, p.get(orgPath(second)))
		})

		t.Run("the same request again adds nobody twice, also after a restart", func(t *testing.T) {
			p, key := c.newPerson("Once"), idempotencyKey(unique("key"))
			first := ok(t, c.admin.add(c.org, p.Email, "sesame", "participant", key))
			c.restart(t)
			sameAnswer(t, "add", first, c.admin.add(c.org, p.Email, "sesame", "participant", key))
		})
	})
}

func TestM6_ResetPassword(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newSchool(t)
		refused(t, c.admin.resetMember(c.org, c.participant), 409, "member_elsewhere") // had an account, and was added unasked
		p := c.signUp(t, "Invited")
		ok(t, c.admin.invite(c.org, p.Email, "", "participant"))
		ok(t, p.accept(c.invitationTo(t, p.Email)))
		type answer struct {
			TemporaryPassword string `json:"temporary_password"`
		}
		refused(t, c.author.resetMember(c.org, p), 403, "permission_denied")
		refused(t, c.admin.resetMember(c.org, c.admin), 403, "member_not_manageable")
		key := idempotencyKey(unique("key"))
		first := ok(t, c.admin.resetMember(c.org, p, key))
		temporary := decoded[answer](t, first).TemporaryPassword
		sameAnswer(t, "reset", first, c.admin.resetMember(c.org, p, key))
		is.True(len(temporary) >= 20)
		is.True(decoded[answer](t, c.admin.resetMember(c.org, p)).TemporaryPassword != temporary)

		refused(t, p.get("/v1/me"), 401, "not_signed_in") // all sessions end
		refused(t, p.requestSession(), 401, "credentials_wrong")
		p.Password = decoded[answer](t, c.admin.resetMember(c.org, p)).TemporaryPassword
		type mustChange struct {
			MustChange  bool `json:"must_change_password"`
			EmailProven bool `json:"email_proven"`
		}
		is.True(decoded[mustChange](t, p.requestSession()).MustChange)
		p.signIn(t)
		c.restart(t)
		is.Equal(decoded[mustChange](t, p.get("/v1/me")), mustChange{MustChange: true})
		ok(t, p.get(orgPath(c.org)))
		for _, file := range []string{"log.db", "log.db-wal", "views.db", "views.db-wal"} {
			is.True(!fileHolds(t, c.data, file, p.Password)) // stored nowhere
		}
		is.True(!c.stderr.contains(p.Password))

		ok(t, p.put("/v1/me/password", map[string]any{"old_password": p.Password, "new_password": "a password of one's own"}))
		p.Password = "a password of one's own"
		is.Equal(decoded[mustChange](t, p.get("/v1/me")), mustChange{})
		is.True(!decoded[mustChange](t, p.requestSession()).MustChange)

		// The admin could have changed it too: the account goes nowhere else until
		// a mail has proven whose it is.
		refused(t, p.foundAs("ownership", unique("Mine")), 403, "email_unverified")
		ok(t, c.anonymous().post("/v1/password-resets", map[string]any{"email": p.Email}))
		ok(t, c.anonymous().resetPassword(c.tokenTo(t, p.Email, resetPage, 1), "yet another password"))
		p.Password = "yet another password"
		p.signIn(t)
		elsewhere := c.found(t, p, "ownership")

		// And an admin has no say over an account that others rely on.
		refused(t, c.admin.resetMember(c.org, p), 409, "member_elsewhere")
		ok(t, p.get(orgPath(elsewhere)))
		reset := all[entryDoc](t, c.admin.client, orgPath(c.org, "members", p.AccountID, "history")+"?type=organization.password_reset")
		is.Equal(len(reset), 3)
		is.Equal(reset[0].Actor.ID, c.admin.AccountID)
	})
}

func TestM7_Suspension(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newSchool(t)
		second, guest := c.signUp(t, "Second"), c.newPerson("Guest")
		ok(t, c.admin.add(c.org, second.Email, "", "admin"))
		theirs := decoded[receipt](t, second.invite(c.org, guest.Email, "", "participant")).InvitationID
		link := c.invitationTo(t, guest.Email)
		own := c.found(t, second, "ownership")
		refused(t, c.author.suspend(c.org, c.participant), 403, "permission_denied")
		refused(t, c.admin.suspend(c.org, c.admin), 409, "self_removal")

		ok(t, c.admin.suspend(c.org, second))
		for _, r := range []response{
			second.get(orgPath(c.org), anyPosition), second.get(orgPath(c.org, "members"), anyPosition), second.get(orgPath(c.org, "members", second.AccountID), anyPosition),
			second.get(orgPath(c.org, "notifications"), anyPosition), second.rename(c.org, unique("Mine")), second.invite(c.org, "x@example.com", "", "participant"),
			second.suspend(c.org, c.admin), second.askToJoin(c.org), second.resetMember(c.org, c.participant),
		} {
			is.Equal(refused(t, r, 403, "member_suspended").Title, "Member suspended")
		}
		refused(t, guest.acceptNew(link), 409, "invitation_revoked") // X14
		eventually(t, "the invitation is revoked", func() bool { return c.admin.invitation(t, c.org, theirs).Status == "revoked" })
		is.Equal(c.statusOf(t, second), "suspended")
		is.Equal(statusAtHome(t, second, c.org), "suspended")
		is.Equal(c.admin.organization(t, c.org).Members, 3)
		ok(t, second.get(orgPath(own))) // where the account is at home otherwise, nothing has changed
		is.Equal(decoded[receipt](t, c.admin.suspend(c.org, second)).Events, []event{})

		c.restart(t)
		refused(t, second.get(orgPath(c.org)), 403, "member_suspended")
		second.signIn(t)
		refused(t, second.get(orgPath(c.org)), 403, "member_suspended")
		c.rebuild(t)
		is.Equal(c.statusOf(t, second), "suspended")

		ok(t, c.admin.reactivate(c.org, second))
		is.Equal(c.statusOf(t, second), "active")
		is.Equal(statusAtHome(t, second, c.org), "active")
		is.Equal(c.admin.roleOf(t, c.org, second), "admin") // with what it had
		ok(t, second.invite(c.org, guest.Email, "", "participant"))
		is.Equal(c.admin.organization(t, c.org).Members, 4)

		// A suspended admin is none that an organization can be left with.
		ok(t, second.suspend(c.org, c.admin))
		refused(t, second.changeRole(c.org, second, "author"), 409, "last_admin")
		ok(t, second.remove(c.org, c.admin)) // removed while suspended
		is.Equal(second.organization(t, c.org).Members, 3)
		refused(t, second.reactivate(c.org, c.admin), 409, "member_removed")
	})
}

func TestM8_Remove(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newSchool(t)
		p := c.participant
		ok(t, c.admin.remove(c.org, p))
		refused(t, p.get(orgPath(c.org)), 404, "not_found")
		is.Equal(refused(t, p.askToJoin(c.org), 409, "member_removed").Title, "Member removed")
		refused(t, c.admin.reactivate(c.org, p), 409, "member_removed")
		refused(t, c.admin.resetMember(c.org, p), 409, "member_removed")
		is.Equal(c.statusOf(t, p), "removed")
		ok(t, c.admin.invite(c.org, p.Email, "", "participant"))
		ok(t, p.accept(c.invitationTo(t, p.Email)))
		is.Equal(c.statusOf(t, p), "active")
		ok(t, c.admin.remove(c.org, p))
		ok(t, c.admin.add(c.org, p.Email, "", "participant")) // by whom may invite
		ok(t, p.get(orgPath(c.org)))

		// Whoever was added unasked may leave, also from a role that keeps them from
		// having it elsewhere (M9), and is not added again.
		ok(t, c.admin.changeRole(c.org, p, "author"))
		refused(t, p.foundAs("moderated", unique("Mine")), 409, "role_exclusive")
		is.Equal(decoded[receipt](t, p.remove(c.org, p)).Events[0].Data["left"], true)
		refused(t, p.get(orgPath(c.org)), 404, "not_found")
		eventually(t, "the role is free", func() bool { return p.foundAs("moderated", unique("Mine")).done() })
		refused(t, c.admin.add(c.org, p.Email, "", "participant"), 409, "member_removed")
		ok(t, c.admin.invite(c.org, p.Email, "", "participant"))
		ok(t, p.accept(c.invitationTo(t, p.Email)))
		refused(t, c.admin.remove(c.org, c.admin), 409, "last_admin")
		ok(t, c.admin.suspend(c.org, p)) // which keeps nobody in
		ok(t, p.remove(c.org, p))
		is.Equal(refused(t, p.askToJoin(c.org), 409, "member_removed").Title, "You have left")
	})
}

// TestM3_TheList is for M10 as well.
func TestM3_TheList(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newSchool(t)
		pending := c.askers(t, 1)[0]
		ok(t, c.admin.suspend(c.org, c.author))
		listed := map[string]memberDoc{}
		for _, status := range []string{"active", "suspended", "pending"} {
			for _, m := range c.admin.members(t, c.org, "?status="+status) {
				is.Equal(m.Status, status)
				listed[m.Email] = m
			}
		}
		is.Equal(len(listed), 4)
		is.Equal(listed[c.author.Email].Roles, []string{"author"})
		is.Equal(listed[c.participant.Email].Roles, []string{"participant"})
		is.Equal(listed[pending.Email].Roles, []string{})
		is.Equal(len(c.admin.members(t, c.org, "?role=author&status=suspended")), 1)

		t.Run("M5: the role, and the tracks that a participant may enter", func(t *testing.T) {
			is := is.New(t)
			var tracks []string
			for _, name := range []string{"Pumps", "Valves"} {
				tracks = append(tracks, decoded[map[string]any](t, c.admin.createSpace(c.org, name))["space_id"].(string))
			}
			open := func() (names []string) {
				for _, track := range all[map[string]any](t, c.participant.client, orgPath(c.org, "spaces")) {
					names = append(names, track["name"].(string))
				}
				return names
			}
			is.Equal(len(open()), 0)
			ok(t, c.admin.edit(c.org, c.participant, map[string]any{"spaces": tracks[:1]}))
			is.Equal(open(), []string{"Pumps"})
			refused(t, c.participant.edit(c.org, c.participant, map[string]any{"spaces": tracks}), 403, "permission_denied")
			ok(t, c.admin.edit(c.org, c.participant, map[string]any{"roles": []string{"author"}, "spaces": tracks[1:]}))
			is.Equal(c.admin.roleOf(t, c.org, c.participant), "author")
			is.Equal(len(c.admin.members(t, c.org, "?role=author")), 1)
			is.Equal(len(open()), 2) // an author enters all
		})
	})
}

func TestM9_ExclusiveRoles(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		one, other := s.newSchool(t), s.newSchool(t)
		p := s.signUp(t, "Wanted")
		for _, c := range []*school{one, other} {
			ok(t, c.admin.add(c.org, p.Email, "", "participant")) // of many organizations
		}

		t.Run("author or admin in one organization only, by whatever way", func(t *testing.T) {
			is := is.New(t)
			ok(t, one.admin.changeRole(one.org, p, "author"))
			is.Equal(refused(t, other.admin.changeRole(other.org, p, "admin"), 409, "role_exclusive").Title, "Author or admin elsewhere")
			refused(t, p.foundAs("moderated", unique("Third")), 409, "role_exclusive")
			refused(t, other.admin.add(other.org, one.author.Email, "", "author"), 409, "role_exclusive")
			ok(t, other.admin.invite(other.org, one.author.Email, "", "author"))
			link := s.invitationTo(t, one.author.Email)
			refused(t, one.author.accept(link), 409, "role_exclusive")
			ok(t, one.admin.changeRole(one.org, p, "admin")) // another one here
			ok(t, one.admin.changeRole(one.org, one.author, "participant"))
			ok(t, one.author.accept(link)) // the link was not used up
			refused(t, one.admin.changeRole(one.org, one.author, "author"), 409, "role_exclusive")
		})

		t.Run("until it is given up, also by suspension's end or removal", func(t *testing.T) {
			ok(t, one.admin.suspend(one.org, p))
			refused(t, other.admin.changeRole(other.org, p, "author"), 409, "role_exclusive") // it may come back
			ok(t, one.admin.remove(one.org, p))
			ok(t, other.admin.changeRole(other.org, p, "author"))
			refused(t, one.admin.add(one.org, p.Email, "", "author"), 409, "role_exclusive")
			ok(t, one.admin.add(one.org, p.Email, "", "participant"))
			ok(t, other.admin.changeRole(other.org, p, "participant"))
		})

		t.Run("of two organizations at the same time exactly one wins", func(t *testing.T) {
			is := is.New(t)
			for range 20 {
				var here, there response
				together(
					func() { here = one.admin.changeRole(one.org, p, "author") },
					func() { there = other.admin.changeRole(other.org, p, "admin") },
				)
				if here.done() == there.done() {
					t.Fatalf("both or neither: %v, %v", here, there)
				}
				winner, loser := one, other
				lost := there
				if there.done() {
					winner, loser, lost = other, one, here
				}
				refused(t, lost, 409, "role_exclusive")
				is.Equal(loser.admin.roleOf(t, loser.org, p), "participant")
				ok(t, winner.admin.changeRole(winner.org, p, "participant"))
			}
		})

		t.Run("a refused command keeps nothing", func(t *testing.T) {
			guest := s.signUp(t, "Guest")
			refused(t, one.author.changeRole(one.org, p, "author"), 403, "permission_denied")
			refused(t, one.admin.add(one.org, one.participant.Email, "", "author"), 409, "email_taken")
			ok(t, guest.foundAs("moderated", unique("Own")))
			ok(t, other.admin.changeRole(other.org, p, "author"))
			s.restart(t)
			refused(t, one.admin.changeRole(one.org, p, "author"), 409, "role_exclusive")
		})
	})
}

// exclusiveRole: a reservation that a killed command left holds for a while, and
// then serves whoever wants it.
func exclusiveRole(given bool) func(*testing.T, *cast) doing {
	return func(t *testing.T, c *cast) doing {
		one := c.found(t, c.owner, "moderated")
		other := c.found(t, c.admin, "moderated")
		ok(t, c.owner.add(one, c.user.Email, "", "participant"))
		ok(t, c.admin.add(other, c.user.Email, "", "participant"))
		d := doing{
			give: func(x ...extra) response { return c.owner.changeRole(one, c.user, "author", x...) },
			finished: func() bool {
				return c.owner.roleOf(t, one, c.user) == "author" && c.admin.changeRole(other, c.user, "author").code() == "role_exclusive"
			},
		}
		if !given {
			d.alone = func() {
				refused(t, c.admin.changeRole(other, c.user, "author"), 409, "role_exclusive")
				c.shiftClock(t, 3*time.Minute)
				ok(t, c.admin.changeRole(other, c.user, "author"))
				refused(t, c.owner.changeRole(one, c.user, "author"), 409, "role_exclusive")
			}
		}
		return d
	}
}

// suspending: the open invitations of the suspended member are revoked.
func suspending(t *testing.T, c *cast) doing {
	org, guest := c.found(t, c.owner, "moderated"), c.newPerson("Guest")
	ok(t, c.owner.add(org, c.admin.Email, "", "admin"))
	id := decoded[receipt](t, c.admin.invite(org, guest.Email, "", "participant")).InvitationID
	return doing{
		give: func(x ...extra) response { return c.owner.suspend(org, c.admin, x...) },
		finished: func() bool {
			return !c.admin.isMember(org) && c.owner.invitation(t, org, id).Status == "revoked"
		},
	}
}

// adding: an account without its member is added without a password.
func adding(t *testing.T, c *cast) doing {
	org, p := c.found(t, c.owner, "moderated"), c.newPerson("Added")
	p.Password = "sesame"
	d := doing{
		give: func(x ...extra) response { return c.owner.add(org, p.Email, p.Password, "participant", x...) },
		finished: func() bool {
			p.signIn(t)
			return p.isMember(org)
		},
	}
	d.alone = func() {
		refused(t, d.give(), 422, "account_exists")
		ok(t, c.owner.add(org, p.Email, "", "participant"))
		eventually(t, "the member is there", d.finished)
	}
	return d
}

// resetting: the password before works as long as nobody knows of another.
func resetting(t *testing.T, c *cast) doing {
	org, p := c.found(t, c.owner, "moderated"), c.newPerson("Added")
	p.Password = "sesame"
	p.AccountID = decoded[receipt](t, c.owner.add(org, p.Email, p.Password, "participant")).AccountID
	return doing{
		give:     func(x ...extra) response { return c.owner.resetMember(org, p, x...) },
		finished: func() bool { return p.requestSession().code() == "credentials_wrong" },
		alone: func() {
			p.signIn(t)
			ok(t, c.owner.resetMember(org, p))
			refused(t, p.get("/v1/me"), 401, "not_signed_in")
		},
	}
}
