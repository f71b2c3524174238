package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/oidc/oidctest"
)

// fates has one entry for each step of each command.
func fates() []fate {
	return []fate{
		{step: "sign-up: e-mail reserved", prepare: signingUp(false)},
		{step: "sign-up: account registered", prepare: signingUp(true)},
		{step: "verify: address verified", prepare: verifying},
		{step: "identity: reserved", prepare: linking, options: withAcme},
		{step: "identity: linked", prepare: linking, options: withAcme},
		{step: "identity: unlinked", prepare: unlinking, options: withAcme},
		{step: "activate: name reserved", prepare: activating(false)},
		{step: "activate: organization activated", prepare: activating(true)},
		{step: "rename: new name reserved", prepare: renaming(false)},
		{step: "rename: organization renamed", prepare: renaming(true)},
		{step: "reservation: confirmed", prepare: renaming(true)},
		{step: "reservation: released", prepare: renaming(true)},
		{step: "invite: names taken", prepare: inviting},
		{step: "invite: link issued", prepare: inviting},
		{step: "accept: account registered", prepare: accepting(false)},
		{step: "accept: seat kept", prepare: claiming},
		{step: "accept: link used", prepare: accepting(true)},
		{step: "accept: member admitted", prepare: accepting(true)},
		{step: "revoke: link revoked", prepare: revoking},
		{step: "decline: link used", prepare: declining},
		{step: "expire: link expired", prepare: expiring, byProcess: true},
		{step: "remove: member removed", prepare: removing},
		{step: "suspend: member suspended", prepare: suspending},
		{step: "add: account registered", prepare: adding},
		{step: "reset password: decided", prepare: resetting},
		{step: "exclusive role: reserved", prepare: exclusiveRole(false)},
		{step: "exclusive role: given", prepare: exclusiveRole(true)},
		{step: "transfer: confirmed", prepare: transferring},
		{step: "delete: organization deleted", prepare: deleting},
		{step: "onboard: personal space made", prepare: signingInFirst, options: withOnboarding},
		{step: "e-mail domain: reserved", prepare: signingInFirst, options: withOnboarding},
		{step: "e-mail domain: changed", prepare: givingUpDomain, options: withOnboarding},
		{step: "profile: account changed", prepare: changingProfile},
		{step: "erase: account ended", prepare: erasing},
		{step: "erase: organizations left", prepare: erasing, byProcess: true},
		{step: "erase: address given back", prepare: erasing, byProcess: true},
		{step: "erase: keys recorded", prepare: erasing, byProcess: true},
		{step: "erase: keys destroyed", prepare: erasing, byProcess: true},
		{step: "erase: invitee's erasure requested", prepare: erasingInvitee},
		{step: "mail: claimed", prepare: mailing, byProcess: true},
		{step: "mail: handed over", prepare: mailing, byProcess: true},
		{step: "mail: recorded", prepare: mailing, byProcess: true},
	}
}

// signingUp: with an account the mail comes by itself; without one the address
// is whoever's signs up next.
func signingUp(registered bool) func(*testing.T, *cast) doing {
	return func(t *testing.T, c *cast) doing {
		p := c.newPerson("New")
		d := doing{
			give: func(x ...extra) response { return p.requestAccount(x...) },
			finished: func() bool {
				mails := c.mailsTo(p.Email, verifyPage)
				if len(mails) == 0 {
					return false
				}
				p.enter(decoded[session](t, p.verify(mails[len(mails)-1].token(verifyPage))))
				return p.get("/v1/me").done()
			},
		}
		if !registered {
			d.alone = func() {
				p.register(t)
				p.signIn(t)
			}
		}
		return d
	}
}

// withAcme has the server know a provider.
func withAcme(t *testing.T) (*oidctest.Provider, option) {
	provider := oidctest.Start(t)
	return provider, withProviders(t, map[string]string{"acme": provider.URL})
}

// linking: an identity whose account was not written is whoever's signs in next.
func linking(t *testing.T, c *cast) doing {
	email := unique("new") + "@example.com"
	c.acme.SignIn(claims(email, email, true))
	b := c.newBrowser(t)
	code := b.code(t, "acme")
	return doing{
		give: func(x ...extra) response { return b.exchange(code, "", x...) },
		finished: func() bool {
			p, again := c.signInWith(t, "acme"), c.signInWith(t, "acme")
			return p.AccountID == again.AccountID && decoded[map[string]any](t, p.get("/v1/me"))["email"] == email
		},
	}
}

// unlinking: the identity is free for another account.
func unlinking(t *testing.T, c *cast) doing {
	email := unique("old") + "@example.com"
	c.acme.SignIn(claims(email, email, true))
	p := c.signInWith(t, "acme")
	id := decoded[page[map[string]any]](t, p.get("/v1/me/identities")).Items[0]["identity_id"].(string)
	next := unique("next") + "@example.com"
	return doing{
		give: func(x ...extra) response { return p.delete("/v1/me/identities/"+id, x...) },
		finished: func() bool {
			c.acme.SignIn(claims(email, next, true))
			return c.signInWith(t, "acme").AccountID != p.AccountID
		},
	}
}

func verifying(t *testing.T, c *cast) doing {
	p := c.newPerson("New")
	ok(t, p.requestAccount())
	token := c.tokenTo(t, p.Email, verifyPage, 1)
	return doing{
		give:     func(x ...extra) response { return p.verify(token, x...) },
		finished: func() bool { return p.requestSession().done() },
	}
}

// activating: a name that was reserved and never used is free again later.
func activating(activated bool) func(*testing.T, *cast) doing {
	return func(t *testing.T, c *cast) doing {
		name := unique("Own")
		d := doing{
			give: func(x ...extra) response { return c.stranger.activate(name, x...) },
			finished: func() bool {
				mine := all[membershipDoc](t, c.stranger.client, "/v1/me/organizations")
				return len(mine) == 1 && mine[0].Name == name && c.admin.activate(name).code() == "organization_name_taken"
			},
		}
		if !activated {
			d.alone = func() {
				refused(t, c.admin.activate(name), 409, "organization_name_taken")
				c.shiftClock(t, 11*time.Minute)
				ok(t, c.admin.activate(strings.ToUpper(name)))
			}
		}
		return d
	}
}

// renaming: in the end one of the two names is free.
func renaming(renamed bool) func(*testing.T, *cast) doing {
	return func(t *testing.T, c *cast) doing {
		name := unique("Other")
		d := doing{
			give: func(x ...extra) response { return c.owner.rename(c.org, name, x...) },
			finished: func() bool {
				return c.owner.organization(t, c.org).Name == name && c.stranger.activate(name).code() == "organization_name_taken" &&
					c.stranger.activate(c.name).done()
			},
		}
		if !renamed {
			d.alone = func() {
				c.shiftClock(t, 11*time.Minute)
				eventually(t, "the name is free", func() bool { return c.stranger.activate(name).done() })
				refused(t, c.stranger.activate(c.name), 409, "organization_name_taken")
			}
		}
		return d
	}
}

// inviting: the mail comes, its link works, and the names are held until then.
func inviting(t *testing.T, c *cast) doing {
	p := c.newPerson("Guest")
	return doing{
		give: func(x ...extra) response { return c.owner.invite(c.org, p.Email, p.Name, "USER", x...) },
		finished: func() bool {
			refused(t, c.owner.invite(c.org, p.Email, unique("someone"), "USER"), 409, "email_taken")
			refused(t, c.owner.invite(c.org, unique("someone")+"@example.com", p.Name, "USER"), 409, "username_taken")
			ok(t, p.acceptNew(c.invitationTo(t, p.Email)))
			return len(c.owner.invitations(t, c.org, "?q="+p.Name)) == 1
		},
	}
}

// accepting: an account that was made before the link was used signs in with
// the password that was chosen.
func accepting(used bool) func(*testing.T, *cast) doing {
	return func(t *testing.T, c *cast) doing {
		p := c.newPerson("Guest")
		ok(t, c.owner.invite(c.org, p.Email, p.Name, "USER"))
		token := c.invitationTo(t, p.Email)
		d := doing{
			give: func(x ...extra) response { return p.acceptNew(token, x...) },
			finished: func() bool {
				m, joined := find(c.owner.members(t, c.org, "?q="+p.Name), func(m memberDoc) bool { return m.Email == p.Email })
				if joined {
					p.signIn(t)
				}
				return joined && m.Roles[0] == "USER" && p.isMember(c.org)
			},
		}
		if !used {
			d.alone = func() {
				refused(t, p.acceptNew(token), 401, "not_signed_in")
				p.signIn(t)
				ok(t, p.accept(token))
				eventually(t, "the member is there", d.finished)
			}
		}
		return d
	}
}

// claiming: the seat is kept for whoever has the link, who accepts again.
func claiming(t *testing.T, c *cast) doing {
	p := c.newPerson("Guest")
	org := c.owner.found(t, "seats")
	ok(t, c.owner.inviteTo(org, p, []string{"Member"}))
	token := c.invitationTo(t, p.Email)
	joined := func() bool { return p.isMember(org) && c.owner.limits(t, org) == (limitsDoc{Seats: 10, Taken: 2}) }
	return doing{
		give: func(x ...extra) response { return p.acceptNew(token, x...) },
		finished: func() bool {
			p.signIn(t)
			return joined()
		},
		alone: func() {
			p.signIn(t)
			is.New(t).Equal(c.owner.limits(t, org), limitsDoc{Seats: 10, Taken: 2, OpenInvitations: 1})
			ok(t, p.accept(token))
			eventually(t, "the member is there", joined)
		},
	}
}

func revoking(t *testing.T, c *cast) doing {
	p := c.newPerson("Guest")
	id := decoded[receipt](t, c.owner.invite(c.org, p.Email, p.Name, "USER")).InvitationID
	token := c.invitationTo(t, p.Email)
	return doing{
		give: func(x ...extra) response { return c.owner.revoke(c.org, id, x...) },
		finished: func() bool {
			refused(t, p.acceptNew(token), 409, "invitation_revoked")
			return c.owner.invite(c.org, p.Email, p.Name, "USER").done()
		},
	}
}

func declining(t *testing.T, c *cast) doing {
	p := c.newPerson("Guest")
	ok(t, c.owner.invite(c.org, p.Email, p.Name, "USER"))
	token := c.invitationTo(t, p.Email)
	return doing{
		give: func(x ...extra) response { return c.anonymous().decline(token, x...) },
		finished: func() bool {
			refused(t, p.acceptNew(token), 409, "invitation_declined")
			return c.owner.invite(c.org, p.Email, p.Name, "USER").done()
		},
	}
}

func expiring(t *testing.T, c *cast) doing {
	p := c.newPerson("Guest")
	id := decoded[receipt](t, c.owner.invite(c.org, p.Email, p.Name, "USER")).InvitationID
	c.invitationTo(t, p.Email)
	return doing{
		give: func(...extra) response {
			c.shiftClock(t, 7*day+time.Second)
			return response{}
		},
		finished: func() bool {
			return c.owner.invitation(t, c.org, id).Status == "expired" && c.owner.invite(c.org, p.Email, p.Name, "USER").done()
		},
	}
}

// removing: the open invitations of the removed member are revoked.
func removing(t *testing.T, c *cast) doing {
	p := c.newPerson("Guest")
	id := decoded[receipt](t, c.admin.invite(c.org, p.Email, p.Name, "USER")).InvitationID
	return doing{
		give: func(x ...extra) response { return c.owner.remove(c.org, c.admin, x...) },
		finished: func() bool {
			return !c.admin.isMember(c.org) && c.owner.invitation(t, c.org, id).Status == "revoked" &&
				c.owner.organization(t, c.org).OpenInvitations == 0
		},
	}
}

func transferring(t *testing.T, c *cast) doing {
	ok(t, c.owner.requestTransfer(c.org, c.admin))
	token := c.newestTransferLink(t, c.owner)
	return doing{
		give: func(x ...extra) response { return c.anonymous().confirmTransfer(token, x...) },
		finished: func() bool {
			return c.owner.roleOf(t, c.org, c.owner) == "ADMIN" && c.owner.roleOf(t, c.org, c.admin) == "OWNER"
		},
	}
}

func changingProfile(t *testing.T, c *cast) doing {
	return doing{
		give: func(x ...extra) response {
			return c.user.patch("/v1/me", map[string]any{"display_name": "Changed"}, x...)
		},
		finished: func() bool { return c.owner.member(t, c.org, c.user).DisplayName == "Changed" },
	}
}

// mailing: the mail is there, once. The log in the data folder has one process at
// a time, which goes on; elsewhere another node may be sending the mail.
func mailing(t *testing.T, c *cast) doing {
	p := c.newPerson("Guest")
	d := doing{
		give: func(x ...extra) response { return c.owner.invite(c.org, p.Email, p.Name, "USER", x...) },
		finished: func() bool {
			ok(t, p.acceptNew(c.invitationTo(t, p.Email)))
			return len(c.mailsTo(p.Email, invitePage)) == 1
		},
	}
	if c.stores.events != nil {
		d.alone = func() {
			c.shiftClock(t, 3*time.Minute) // the claim of a dead node ends
			eventually(t, "the mail is there", d.finished)
		}
	}
	return d
}
