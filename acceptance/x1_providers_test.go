package acceptance

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/oidc/oidctest"
)

// TestX1_CertifiedProvider signs in at a certified provider, as a browser does.
func TestX1_CertifiedProvider(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		address, at := withFixedAddress(t)
		issuer := certifiedProvider(t, at+"/v1/oidc/certified/callback")
		c := b.start(t, address, withProviders(t, map[string]string{"certified": issuer})).newCast(t)
		browserOf := func(email string) *browser {
			browser := c.newBrowser(t)
			browser.form = func(page string) url.Values {
				if strings.Contains(page, `value="login"`) {
					return url.Values{"prompt": {"login"}, "login": {email}, "password": {"any"}}
				}
				return url.Values{"prompt": {"consent"}}
			}
			return browser
		}

		grace := browserOf("grace@example.com")
		first := decoded[exchanged](t, grace.exchange(grace.code(t, "certified"), ""))
		me := decoded[map[string]any](t, client{server: c.server, token: first.Session.Token}.get("/v1/me"))
		is.Equal(me["email"], "grace@example.com")
		is.Equal(me["display_name"], "Name of grace@example.com")
		again := decoded[exchanged](t, grace.exchange(grace.code(t, "certified"), ""))
		is.Equal(again.Session.AccountID, first.Session.AccountID)
		is.True(again.Session.Token != first.Session.Token)

		known := browserOf(strings.ToUpper(c.viewer.Email))
		is.Equal(decoded[exchanged](t, known.exchange(known.code(t, "certified"), "")).Session.AccountID, c.viewer.AccountID)

		unverified := browserOf("unverified@example.com")
		refused(t, unverified.exchange(unverified.code(t, "certified"), ""), 403, "email_unverified")

		guest := unique("guest") + "@example.com"
		ok(t, c.owner.invite(c.org, guest, unique("guest"), "USER"))
		invited := browserOf(guest)
		joined := decoded[exchanged](t, invited.exchange(invited.code(t, "certified"), c.tokenTo(t, guest, invitePage, 1)))
		is.Equal(joined.Joined.OrganizationID, c.org)

		// Nobody signs in there: the person cancels.
		cancelled := c.newBrowser(t)
		page, _, text := cancelled.follow(t, cancelled.loginPath("certified"), "#")
		abort := strings.Replace(formAction.FindStringSubmatch(text)[1], "&#x2F;", "/", -1) + "/abort"
		is.True(strings.Contains(page, "/interaction/"))
		_, last, text := cancelled.follow(t, abort, "#code=")
		is.Equal(last.StatusCode, http.StatusForbidden)
		is.True(strings.Contains(text, "<code>provider_refused</code>"))
	})
}

func TestX1_OIDC(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		provider, other := oidctest.Start(t), oidctest.Start(t)
		c := b.start(t, withProviders(t, map[string]string{"acme": provider.URL, "other": other.URL})).newCast(t)

		t.Run("the first sign-in makes an account, the second finds it", func(t *testing.T) {
			is := is.New(t)
			provider.SignIn(claims("first", "First@example.com", true))
			first, second := c.signInWith(t, "acme"), c.signInWith(t, "acme")
			is.Equal(first.AccountID, second.AccountID)
			is.True(first.token != second.token)
			is.Equal(decoded[map[string]any](t, first.get("/v1/me"))["email"], "First@example.com")
		})

		t.Run("an account is linked by its verified address", func(t *testing.T) {
			provider.SignIn(claims("user", strings.ToUpper(c.user.Email), false))
			browser := c.newBrowser(t)
			refused(t, browser.exchange(browser.code(t, "acme"), ""), 403, "email_unverified")
			provider.SignIn(claims("user", strings.ToUpper(c.user.Email), true))
			linked := c.signInWith(t, "acme")
			is := is.New(t)
			is.Equal(linked.AccountID, c.user.AccountID)
			c.user.signIn(t) // the password goes on to work
			identities := decoded[page[map[string]any]](t, linked.get("/v1/me/identities")).Items
			is.Equal(len(identities), 1)
			ok(t, linked.delete("/v1/me/identities/"+identities[0]["identity_id"].(string)))
			is.Equal(len(decoded[page[map[string]any]](t, linked.get("/v1/me/identities")).Items), 0)
		})

		t.Run("what the provider may not say", func(t *testing.T) {
			provider.SignIn(claims("wrong", "wrong@example.com", true))
			for name, wrong := range map[string]func(oidctest.Claims){
				"issuer":   func(c oidctest.Claims) { c["iss"] = other.URL },
				"audience": func(c oidctest.Claims) { c["aud"] = "somebody else" },
				"nonce":    func(c oidctest.Claims) { c["nonce"] = "another" },
				"expired":  func(c oidctest.Claims) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
			} {
				t.Run(name, func(t *testing.T) {
					provider.Alter(wrong)
					defer provider.Alter(nil)
					c.seesProblem(t, c.newBrowser(t), http.StatusForbidden, "identity_invalid")
				})
			}
			for name, sign := range map[string]func(oidctest.Claims) string{
				"unsigned": oidctest.Unsigned, "another key": oidctest.ByStranger, "the client's secret": oidctest.BySecret,
			} {
				t.Run(name, func(t *testing.T) {
					provider.Sign(sign)
					defer provider.Sign(nil)
					c.seesProblem(t, c.newBrowser(t), http.StatusForbidden, "identity_invalid")
				})
			}
		})

		t.Run("its keys may change", func(t *testing.T) {
			provider.Rotate(t)
			provider.SignIn(claims("first", "First@example.com", true))
			c.signInWith(t, "acme")
		})

		t.Run("a login is for one browser, one answer and ten minutes", func(t *testing.T) {
			is := is.New(t)
			browser := c.newBrowser(t)
			back, _, _ := browser.follow(t, browser.loginPath("acme"), "/callback")
			stranger := c.newBrowser(t)
			c.shows(t, stranger, back, http.StatusBadRequest, "login_invalid")
			stranger.follow(t, stranger.loginPath("acme"), "/callback")
			c.shows(t, stranger, back, http.StatusBadRequest, "login_invalid") // with a cookie of its own
			address, _, _ := browser.follow(t, back, "#code=")
			is.True(strings.Contains(address, "/sign-in#code="))
			c.shows(t, browser, back, http.StatusBadRequest, "login_invalid") // replayed

			back, _, _ = browser.follow(t, browser.loginPath("acme"), "/callback")
			c.shows(t, browser, strings.Replace(back, "state=", "state=x", 1), http.StatusBadRequest, "login_invalid")

			back, _, _ = browser.follow(t, browser.loginPath("acme"), "/callback")
			base, err := url.Parse(back)
			is.NoErr(err)
			for _, cookie := range browser.http.Jar.Cookies(base) {
				cookie.Value = cookie.Value[:len(cookie.Value)-4] + "AAAA"
				cookie.Path = "/"
				browser.http.Jar.SetCookies(base, []*http.Cookie{cookie})
			}
			c.shows(t, browser, back, http.StatusBadRequest, "login_invalid")

			browser = c.newBrowser(t)
			back, _, _ = browser.follow(t, browser.loginPath("acme"), "/callback")
			c.shiftClock(t, 11*time.Minute)
			defer c.shiftClock(t, 0)
			c.shows(t, browser, back, http.StatusBadRequest, "login_invalid")
		})

		t.Run("a provider that is down keeps nobody from the rest", func(t *testing.T) {
			is := is.New(t)
			other.Down()
			browser := c.newBrowser(t)
			answer, err := browser.http.Get(browser.loginPath("other"))
			is.NoErr(err)
			defer answer.Body.Close()
			is.Equal(answer.StatusCode, http.StatusServiceUnavailable)
			is.Equal(answer.Header.Get("Content-Type"), "application/problem+json")
			c.shows(t, browser, browser.loginPath("other"), http.StatusServiceUnavailable, "provider_unavailable")
			c.restart(t)
			is.Equal(len(decoded[page[any]](t, c.anonymous().get("/v1/oidc/providers")).Items), 2)
			c.signInWith(t, "acme")
		})

		t.Run("the client's secret is shown to nobody", func(t *testing.T) {
			is := is.New(t)
			config := exec.Command(c.program, append([]string{"config"}, c.flags...)...)
			config.Env = os.Environ()
			out, err := config.CombinedOutput()
			is.NoErr(err)
			is.True(bytes.Contains(out, []byte("--oidc-file")))
			for _, said := range [][]byte{out, c.stderr.bytes(), c.stdout.bytes()} {
				is.True(!bytes.Contains(said, []byte(oidctest.ClientSecret)))
				is.True(!bytes.Contains(said, []byte("tnr_sld_")))
			}
		})
	})
}

// TestS6_InvitationLinkRedeemsItself: the part that every policy has; for
// invitations that ask for a provider see TestS2S6_InvitationsBoundToAProvider.
func TestS6_InvitationLinkRedeemsItself(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		provider := oidctest.Start(t)
		c := b.start(t, withProviders(t, map[string]string{"acme": provider.URL})).newCast(t)
		guest := unique("guest") + "@example.com"
		id := decoded[receipt](t, c.owner.invite(c.org, guest, unique("guest"), "USER")).InvitationID
		token := c.tokenTo(t, guest, invitePage, 1)
		exchange := func(who oidctest.Claims) response {
			provider.SignIn(who)
			browser := c.newBrowser(t)
			return browser.exchange(browser.code(t, "acme"), token)
		}
		refused(t, exchange(claims("1", guest, false)), 403, "email_unverified")
		refused(t, exchange(claims("2", "somebody@example.com", true)), 403, "wrong_account")
		refused(t, exchange(claims("3", c.viewer.Email, true)), 403, "wrong_account")
		is.Equal(decoded[invitationDoc](t, c.owner.get(orgPath(c.org, "invitations", id))).Status, "pending")

		done := decoded[exchanged](t, exchange(claims("1", strings.ToUpper(guest), true)))
		is.Equal(done.Joined.OrganizationID, c.org)
		is.Equal(done.Joined.Roles, []string{"USER"})
		member := &person{client: client{server: c.server, token: done.Session.Token}, AccountID: done.Session.AccountID}
		is.Equal(c.owner.roleOf(t, c.org, member), "USER")
		is.Equal(decoded[invitationDoc](t, c.owner.get(orgPath(c.org, "invitations", id))).Status, "accepted")
		refused(t, exchange(claims("1", guest, true)), 409, "invitation_accepted")
	})
}

// seesProblem signs in in vain.
func (c *cast) seesProblem(t *testing.T, b *browser, status int, code string) {
	t.Helper()
	c.shows(t, b, b.loginPath("acme"), status, code)
}

// shows holds that a page leads to a problem with the code.
func (c *cast) shows(t *testing.T, b *browser, at string, status int, code string) {
	t.Helper()
	address, last, text := b.follow(t, at, "#code=")
	if last.StatusCode != status || !strings.Contains(text, "<code>"+code+"</code>") {
		t.Fatalf("want %d %s, got %d at %s: %s", status, code, last.StatusCode, address, text)
	}
}
