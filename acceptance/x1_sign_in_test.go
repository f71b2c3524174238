package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestX1_LocalAccounts(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		ada := s.signUp(t, "Ada")

		t.Run("an account is opened by e-mail and password, and proven by the link in a mail", func(t *testing.T) {
			is := is.New(t)
			p := s.newPerson("New")
			is.Equal(p.requestAccount().status, 202)
			refused(t, p.requestSession(), 403, "email_unverified")
			r := p.verify(s.tokenTo(t, p.Email, verifyPage, 1))
			is.Equal(r.status, 201)
			p.enter(decoded[session](t, r))
			me := decoded[map[string]any](t, p.get("/v1/me"))
			is.Equal(me["email"], p.Email)
			is.Equal(me["display_name"], p.Name)
			is.Equal(me["session_id"], p.SessionID)
		})

		t.Run("who knows the address but not the password proves nothing", func(t *testing.T) {
			p := s.newPerson("Mallory")
			ok(t, p.requestAccount())
			token := s.tokenTo(t, p.Email, verifyPage, 1)
			thief := *p
			thief.Password = "another password"
			refused(t, thief.verify(token), 401, "credentials_wrong")
			ok(t, p.verify(token))
		})

		t.Run("the link is single-use, and a newer one kills it", func(t *testing.T) {
			p := s.newPerson("Twice")
			ok(t, p.requestAccount())
			first := s.tokenTo(t, p.Email, verifyPage, 1)
			ok(t, p.requestAccount())
			second := s.tokenTo(t, p.Email, verifyPage, 2)
			refused(t, p.verify(first), 404, "link_invalid")
			ok(t, p.verify(second))
			refused(t, p.verify(second), 409, "already_verified")
		})

		t.Run("nobody learns who has an account", func(t *testing.T) {
			is := is.New(t)
			again := &person{client: s.anonymous(), Name: "Somebody else", Email: strings.ToUpper(ada.Email), Password: "another password"}
			known, fresh := again.requestAccount(), s.newPerson("Fresh").requestAccount()
			is.Equal(known.status, fresh.status)
			is.Equal(string(known.body), string(fresh.body))
			eventually(t, "the owner of the address is told", func() bool {
				mails, err := s.mailbox.mails(ada.Email)
				_, told := find(mails, func(m mail) bool { return strings.Contains(m.Subject, "already have an account") })
				return err == nil && told
			})
			wrong := &person{client: s.anonymous(), Email: ada.Email, Password: "wrong password"}
			nobody := &person{client: s.anonymous(), Email: "nobody@example.com", Password: "wrong password"}
			a, b := refused(t, wrong.requestSession(), 401, "credentials_wrong"), refused(t, nobody.requestSession(), 401, "credentials_wrong")
			is.Equal(a, b)
			resetKnown := s.anonymous().post("/v1/password-resets", map[string]any{"email": ada.Email})
			resetNobody := s.anonymous().post("/v1/password-resets", map[string]any{"email": "nobody@example.com"})
			is.Equal(resetKnown.status, 202)
			is.Equal(string(resetKnown.body), string(resetNobody.body))
			ada.signIn(t) // nothing has changed
		})

		t.Run("a password has at least 10 characters and at most 256 bytes", func(t *testing.T) {
			for _, bad := range []string{"", "123456789", strings.Repeat("a", 257)} {
				p := s.newPerson("Weak")
				p.Password = bad
				refused(t, p.requestAccount(), 422, "invalid")
			}
			p := s.newPerson("Strong")
			p.Password = strings.Repeat("ä", 128)
			p.register(t)
			p.signIn(t)
		})

		t.Run("the password is changed by who knows it, and every other session ends", func(t *testing.T) {
			p := s.signUp(t, "Changer")
			other := *p
			other.signIn(t)
			change := func(old, fresh string) response {
				return p.put("/v1/me/password", map[string]any{"old_password": old, "new_password": fresh})
			}
			refused(t, change("wrong password", "a new password"), 401, "credentials_wrong")
			refused(t, change(p.Password, "short"), 422, "invalid")
			ok(t, change(p.Password, "a new password"))
			ok(t, p.get("/v1/me"))
			refused(t, other.get("/v1/me"), 401, "not_signed_in")
			refused(t, p.requestSession(), 401, "credentials_wrong")
			p.Password = "a new password"
			p.signIn(t)
		})

		t.Run("a forgotten password is replaced by the link in a mail, and all sessions end", func(t *testing.T) {
			p := s.signUp(t, "Forgetful")
			ok(t, s.anonymous().post("/v1/password-resets", map[string]any{"email": strings.ToUpper(p.Email)}))
			old := s.tokenTo(t, p.Email, resetPage, 1)
			ok(t, s.anonymous().post("/v1/password-resets", map[string]any{"email": p.Email}))
			token := s.tokenTo(t, p.Email, resetPage, 2)
			refused(t, s.anonymous().resetPassword(old, "a new password"), 404, "link_invalid")
			refused(t, s.anonymous().resetPassword(token, "short"), 422, "invalid")
			is.New(t).Equal(ok(t, s.anonymous().resetPassword(token, "a new password")).status, 204)
			refused(t, s.anonymous().resetPassword(token, "a newer password"), 404, "link_invalid")
			refused(t, p.get("/v1/me"), 401, "not_signed_in")
			refused(t, p.requestSession(), 401, "credentials_wrong")
			p.Password = "a new password"
			p.signIn(t)
		})

		t.Run("the name of the account is carried to its organizations", func(t *testing.T) {
			p := s.signUp(t, "Renamer")
			org := decoded[receipt](t, p.activate(unique("Named"))).OrganizationID
			ok(t, p.patch("/v1/me", map[string]any{"display_name": "Grace Hopper", "language": "fr"}))
			me := decoded[map[string]any](t, p.get("/v1/me"))
			is.New(t).Equal(me["display_name"], "Grace Hopper")
			is.New(t).Equal(me["language"], "fr")
			eventually(t, "the member has the new name", func() bool {
				return p.member(t, org, p).DisplayName == "Grace Hopper"
			})
		})

		t.Run("a token of another server, a made-up one and rubbish are none", func(t *testing.T) {
			other := b.start(t)
			stranger := other.signUp(t, "Other")
			for _, token := range []string{stranger.token, *other.key.Load(), "tnr_ses_" + strings.Repeat("A", 71), ada.token[:len(ada.token)-1] + "!", "rubbish", ada.token + "A"} {
				refused(t, client{server: s, token: token}.get("/v1/me"), 401, "not_signed_in")
			}
			refused(t, s.anonymous().get("/v1/me", header("Authorization", "Basic YTpi")), 401, "not_signed_in")
		})
	})
}

func TestX1_SessionsAndKeysAreRevocableAtOnce(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		ada := s.signUp(t, "Ada")
		second := *ada
		second.signIn(t)

		t.Run("who signs out is signed out, there only", func(t *testing.T) {
			is.New(t).Equal(ok(t, second.delete("/v1/sessions/current")).status, 204)
			refused(t, second.get("/v1/me"), 401, "not_signed_in")
			ok(t, ada.get("/v1/me"))
		})

		t.Run("also after a restart", func(t *testing.T) {
			s.restart(t)
			refused(t, second.get("/v1/me"), 401, "not_signed_in")
			ok(t, ada.get("/v1/me"))
		})

		org := decoded[receipt](t, ada.activate(unique("Read"))).OrganizationID
		var key client
		var id string
		t.Run("an operator makes a key with scopes, whose text is shown once", func(t *testing.T) {
			is := is.New(t)
			r := s.operator().createKey("reader", "organizations.read")
			is.Equal(r.status, 201)
			made := decoded[receipt](t, r)
			id, key = made.APIKeyID, client{server: s, token: made.Key}
			s.issued.add(made.Key)
			ok(t, key.get(orgPath(org, "members")))
			refused(t, key.rename(org, "Mine"), 403, "permission_denied")
			refused(t, key.get("/v1/operator/api-keys"), 403, "permission_denied")
			list := s.operator().get("/v1/operator/api-keys")
			ok(t, list)
			is.True(strings.Contains(string(list.body), id))
			is.True(!strings.Contains(string(list.body), "tnr_key_"))
		})

		t.Run("a revoked key is none at once, also after a restart", func(t *testing.T) {
			ok(t, s.operator().delete("/v1/operator/api-keys/"+id))
			refused(t, key.get(orgPath(org, "members")), 401, "not_signed_in")
			s.restart(t)
			refused(t, key.get(orgPath(org, "members")), 401, "not_signed_in")
			ok(t, s.operator().get("/v1/operator/organizations"))
		})

		t.Run("unknown scopes are refused", func(t *testing.T) {
			r := s.operator().createKey("odd", "everything")
			is.New(t).Equal(r.status, 422)
		})
	})
}

func TestX1_TokensExpire(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		ada := s.signUp(t, "Ada")
		late := s.newPerson("Late")
		ok(t, late.requestAccount())
		verification := s.tokenTo(t, late.Email, verifyPage, 1)
		ok(t, s.anonymous().post("/v1/password-resets", map[string]any{"email": ada.Email}))
		reset := s.tokenTo(t, ada.Email, resetPage, 1)
		expires := time.Now().Add(13 * time.Hour).UTC()
		made := decoded[receipt](t, s.operator().post("/v1/operator/api-keys", map[string]any{"name": "short", "scopes": []string{"operator"}, "expires_at": expires}))
		key := client{server: s, token: made.Key}
		s.issued.add(made.Key)

		t.Run("the link for a new password after an hour", func(t *testing.T) {
			s.shiftClock(t, time.Hour+time.Second)
			refused(t, s.anonymous().resetPassword(reset, "a new password"), 410, "link_expired")
		})

		t.Run("a session after twelve hours", func(t *testing.T) {
			s.shiftClock(t, 12*time.Hour-time.Minute)
			ok(t, ada.get("/v1/me"))
			s.shiftClock(t, 12*time.Hour+time.Minute)
			refused(t, ada.get("/v1/me"), 401, "not_signed_in")
			ada.signIn(t)
		})

		t.Run("a key at its time", func(t *testing.T) {
			ok(t, key.get("/v1/operator/organizations"))
			s.setClock(t, expires.Add(time.Second))
			refused(t, key.get("/v1/operator/organizations"), 401, "not_signed_in")
		})

		t.Run("the link that proves an address after a day, and signing up again makes a new one", func(t *testing.T) {
			s.shiftClock(t, 24*time.Hour+time.Minute)
			refused(t, late.verify(verification), 410, "link_expired")
			ok(t, late.requestAccount())
			ok(t, late.verify(s.tokenTo(t, late.Email, verifyPage, 2)))
		})
	})
}

func (c client) resetPassword(token, password string, extras ...extra) response {
	return c.post("/v1/password-resets/confirm", map[string]any{"token": token, "password": password}, extras...)
}

func (c client) createKey(name, scope string, extras ...extra) response {
	return c.post("/v1/operator/api-keys", map[string]any{"name": name, "scopes": []string{scope}}, extras...)
}
