package httpapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/policy"
	"tenure/httpapi"
	"tenure/oidc"
	"tenure/oidc/oidctest"
	"tenure/policies"
)

const (
	returnTo = "https://app.example/signed-in?x=1"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	tenantID = "0f8fad5b-d9cb-469f-a165-70867728950e"
)

func challengeOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// signers is a stack with two providers: google, and microsoft with its tenants.
type signers struct {
	*stack
	google, microsoft *oidctest.Provider
}

func newSigners(t testing.TB, change ...func(*httpapi.Config)) *signers {
	t.Helper()
	x := &signers{google: oidctest.Start(t), microsoft: oidctest.Start(t)}
	x.microsoft.Tenants = true
	use := func(c *httpapi.Config) {
		c.AllowedOrigins = []string{"https://app.example"}
		c.Commands = commands.New(offering(c.Commands.Dependencies))
		c.Providers = oidc.New([]oidc.Config{
			{Name: "google", Label: "Google", Preset: oidc.PresetGoogle, Issuer: x.google.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Scopes: []string{"openid"}},
			{Name: "microsoft", Label: "Microsoft", Preset: oidc.PresetMicrosoft, Issuer: x.microsoft.URL + "/common/v2.0", ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Scopes: []string{"openid"}},
		}, c.PublicURL, time.Now)
	}
	x.stack = newStack(t, append([]func(*httpapi.Config){use}, change...)...)
	x.commands = x.config.Commands
	return x
}

// offering has every policy let invitations ask for the two providers.
func offering(d commands.Dependencies) commands.Dependencies {
	d.Policies = offered{policies.Builtin()}
	return d
}

type offered struct{ commands.Policies }

func (o offered) Get(name string, version int) (*policy.Policy, bool) {
	p, ok := o.Policies.Get(name, version)
	if !ok {
		return nil, false
	}
	with := *p
	with.Invitations.Providers = []string{policy.AnyProvider, "google", "microsoft"}
	return &with, true
}

// who is somebody at google or, with a tenant, at microsoft.
func who(subject, email string, verified bool) oidctest.Claims {
	return oidctest.Claims{"sub": subject, "email": email, "email_verified": verified, "hd": "example.com", "name": "Name of " + subject}
}

// browser keeps the cookie of a login.
type browser struct {
	*signers
	cookie string
}

func (x *signers) browser() *browser { return &browser{signers: x} }

// begin answers with where the browser is sent.
func (b *browser) begin(provider string) *url.URL {
	b.Helper()
	q := url.Values{"return_to": {returnTo}, "challenge": {challengeOf(verifier)}}
	a := b.want(302, "GET", "/v1/oidc/"+provider+"/login?"+q.Encode(), "", nil)
	b.cookie, _, _ = strings.Cut(a.header.Get("Set-Cookie"), ";")
	at, err := url.Parse(a.header.Get("Location"))
	b.is.NoErr(err)
	return at
}

// visit is where the provider sends the browser: a path of the API's.
func (b *browser) visit(at *url.URL) string {
	b.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(at.String())
	b.is.NoErr(err)
	answer.Body.Close()
	back, ok := strings.CutPrefix(answer.Header.Get("Location"), "https://tenure.example")
	b.is.True(ok)
	return back
}

func (b *browser) comeBack(at string, headers ...string) answer {
	b.Helper()
	return b.do("GET", at, "", nil, append([]string{"Cookie", b.cookie}, headers...)...)
}

// code goes all the way to the page that asked.
func (b *browser) code(provider string) string {
	b.Helper()
	a := b.comeBack(b.visit(b.begin(provider)))
	b.is.Equal(a.status, 303)
	code, ok := strings.CutPrefix(a.header.Get("Location"), returnTo+"#code=")
	b.is.True(ok)
	return code
}

func exchange(code string, invitation string) map[string]any {
	body := map[string]any{"code": code, "verifier": verifier}
	if invitation != "" {
		body["invitation"] = invitation
	}
	return body
}

// signIn signs the person in with a provider.
func (x *signers) signIn(provider string) person {
	x.Helper()
	a := x.want(201, "POST", "/v1/sessions/exchange", "", exchange(x.browser().code(provider), ""))
	session := a.object["session"].(map[string]any)
	return person{id: session["account_id"].(string), token: session["token"].(string)}
}

func (x *signers) refusedExchange(status int, code, provider, invitation string) answer {
	x.Helper()
	before := x.count()
	refusal := x.refused(status, code, "POST", "/v1/sessions/exchange", "", exchange(x.browser().code(provider), invitation))
	x.is.Equal(x.count(), before) // nothing has happened
	return refusal
}

func (x *signers) count() (n int) {
	for _, prefix := range []string{"account.", "invitation.", "organization."} {
		x.events(prefix, func(domain.Event) { n++ })
	}
	return n
}

func TestProvidersAreListed(t *testing.T) {
	x := newSigners(t)
	a := x.want(200, "GET", "/v1/oidc/providers", "", nil)
	x.is.Equal(string(a.body), `{"items":[{"name":"google","label":"Google"},{"name":"microsoft","label":"Microsoft"}]}`)
	x.is.Equal(string(newStack(t).want(200, "GET", "/v1/oidc/providers", "", nil).body), `{"items":[]}`)
	x.refused(404, "not_found", "GET", "/v1/oidc/other/login?return_to=x&challenge="+challengeOf("x"), "", nil)
	x.refused(404, "not_found", "GET", "/v1/oidc/other/callback", "", nil)
}

func TestAnIdentityIsAnAccount(t *testing.T) {
	x := newSigners(t)
	x.google.SignIn(who("1", "Grace@example.com", true))
	first := x.signIn("google")
	me := x.want(200, "GET", "/v1/me", first.token, nil)
	x.is.Equal(me.str("email"), "Grace@example.com")
	x.is.Equal(me.str("display_name"), "Name of 1")

	x.google.SignIn(who("1", "elsewhere@example.com", false)) // the subject counts
	again := x.signIn("google")
	x.is.Equal(again.id, first.id)
	x.is.True(again.token != first.token)

	// Without a password there is none that is right, until a mail sets one.
	x.refused(401, "credentials_wrong", "POST", "/v1/sessions", "", map[string]any{"email": "grace@example.com", "password": ""})
	link, err := x.commands.PasswordResetLink(context.Background(), domain.AccountID(first.id), 1)
	x.is.NoErr(err)
	x.want(202, "POST", "/v1/password-resets", "", map[string]any{"email": "grace@example.com"})
	x.want(204, "POST", "/v1/password-resets/confirm", "", map[string]any{"token": link.Token, "password": secretWord})
	session := x.want(201, "POST", "/v1/sessions", "", map[string]any{"email": "grace@example.com", "password": secretWord}).str("token")

	list := x.want(200, "GET", "/v1/me/identities", session, nil)
	identity := list.object["items"].([]any)[0].(map[string]any)
	x.is.Equal(identity["issuer"], x.google.URL)
	path := "/v1/me/identities/" + identity["identity_id"].(string)
	x.want(200, "DELETE", path, session, nil)
	x.is.Equal(string(x.want(200, "GET", "/v1/me/identities", session, nil).body), `{"items":[]}`)
	x.want(200, "DELETE", path, session, nil)
	x.refusedExchange(403, "email_unverified", "google", "")

	// The identity is free: another account may have it.
	x.google.SignIn(who("1", "other@example.com", true))
	x.is.True(x.signIn("google").id != first.id)
}

func TestAnIdentityIsLinkedByAVerifiedAddress(t *testing.T) {
	x := newSigners(t)
	ada := x.person("Ada@example.com")
	x.google.SignIn(who("1", "ada@EXAMPLE.com", false))
	x.refusedExchange(403, "email_unverified", "google", "")
	x.google.SignIn(who("1", "", true))
	x.refusedExchange(403, "email_unverified", "google", "")
	x.google.SignIn(who("1", "not an address", true))
	x.refusedExchange(403, "email_unverified", "google", "")

	x.google.SignIn(who("1", "ada@EXAMPLE.com", true))
	x.is.Equal(x.signIn("google").id, ada.id)
	x.want(201, "POST", "/v1/sessions", "", map[string]any{"email": ada.email, "password": secretWord}) // its owner's

	// The provider gives the address to somebody else: the account stays whose it is.
	x.google.SignIn(who("2", "ada@example.com", true))
	x.refusedExchange(409, "identity_conflict", "google", "")
	x.microsoft.SignIn(oidctest.Claims{"sub": "m", "tid": tenantID, "email": "ada@example.com"})
	x.refusedExchange(403, "email_unverified", "microsoft", "")
	x.microsoft.SignIn(oidctest.Claims{"sub": "m", "tid": tenantID, "email": "ada@example.com", "xms_edov": true})
	x.is.Equal(x.signIn("microsoft").id, ada.id)
}

func TestAStrangersPasswordGoes(t *testing.T) {
	x := newSigners(t)
	x.want(202, "POST", "/v1/accounts", "", map[string]any{"email": "grace@example.com", "display_name": "Mallory", "password": secretWord})
	stolen := x.verification("grace@example.com")
	x.google.SignIn(who("1", "grace@example.com", true))
	grace := x.signIn("google")
	x.is.Equal(x.want(200, "GET", "/v1/me", grace.token, nil).str("display_name"), "Name of 1")
	x.refused(401, "credentials_wrong", "POST", "/v1/sessions", "", map[string]any{"email": "grace@example.com", "password": secretWord})
	x.refused(401, "credentials_wrong", "POST", "/v1/accounts/verify", "", map[string]any{"token": stolen, "password": secretWord})
}

func TestTheLoginBelongsToTheBrowser(t *testing.T) {
	x := newSigners(t)
	x.google.SignIn(who("1", "grace@example.com", true))
	x.microsoft.SignIn(oidctest.Claims{"sub": "m", "tid": oidc.PersonalTenant, "email": "grace@example.com"})
	fail := func(b *browser, at string) {
		t.Helper()
		a := b.comeBack(at)
		x.is.Equal(a.status, 400)
		x.is.Equal(a.str("code"), "login_invalid")
		x.is.True(strings.Contains(a.header.Get("Set-Cookie"), "max-age=0") || strings.Contains(a.header.Get("Set-Cookie"), "expires="))
	}
	b := x.browser()
	q := url.Values{"return_to": {returnTo}, "challenge": {challengeOf(verifier)}}
	set := x.want(302, "GET", "/v1/oidc/google/login?"+q.Encode(), "", nil).header.Get("Set-Cookie")
	x.is.True(strings.HasPrefix(set, "__Host-tenure-login=tnr_sld_"))
	for _, attribute := range []string{"path=/", "HttpOnly", "secure", "SameSite=Lax", "max-age=600"} {
		x.is.True(strings.Contains(strings.ToLower(set), strings.ToLower(attribute)))
	}
	x.is.True(!strings.Contains(strings.ToLower(set), "domain="))
	x.is.True(len(set) < 2000)

	at := b.visit(b.begin("google"))
	cookie := b.cookie
	for _, wrong := range []string{"", "__Host-tenure-login=x", cookie[:len(cookie)-2] + "AA", strings.Replace(cookie, "tnr_sld_", "tnr_sld_A", 1)} {
		b.cookie = wrong
		fail(b, at)
	}
	other := x.browser()
	other.begin("google")
	fail(other, at) // another browser
	b.cookie = cookie
	fail(b, strings.Replace(at, "state=", "state=x", 1))
	fail(b, strings.Replace(at, "/google/", "/microsoft/", 1)) // mix-up
	code := b.comeBack(at)
	x.is.Equal(code.status, 303)
	replayed := b.comeBack(at) // by who has kept the cookie: the provider has its code back
	x.is.Equal(replayed.str("code"), "identity_invalid")

	// What does not hold stands in the log, and nobody is woken up for it.
	elsewhere := who("1", "grace@example.com", true)
	elsewhere["aud"] = "another-client"
	x.google.SignIn(elsewhere)
	other = x.browser()
	x.is.Equal(other.comeBack(other.visit(other.begin("google"))).str("code"), "identity_invalid")
	x.is.True(strings.Contains(x.log.String(), `"level":"INFO","msg":"sign-in not accepted"`))
	x.is.True(strings.Contains(x.log.String(), "another-client"))
	x.is.True(!strings.Contains(x.log.String(), `"level":"ERROR"`))
	x.google.SignIn(who("1", "grace@example.com", true))

	at = b.visit(b.begin("google"))
	x.offset.Store(int64(10*time.Minute + time.Second))
	fail(b, at)
	x.offset.Store(0)

	a := b.comeBack(b.visit(b.begin("google")), "Accept", "text/html")
	x.is.Equal(a.status, 303)
	for _, private := range []string{"tnr_sld", cookie, "grace"} {
		x.is.True(!strings.Contains(x.log.String(), private))
	}
}

func TestTheCodeWorksOnceForWhoAskedForIt(t *testing.T) {
	x := newSigners(t)
	x.google.SignIn(who("1", "grace@example.com", true))
	const path = "/v1/sessions/exchange"
	code := x.browser().code("google")
	wrong := exchange(code, "")
	wrong["verifier"] = strings.Repeat("v", 43)
	x.refused(404, "link_invalid", "POST", path, "", wrong)
	x.refused(404, "link_invalid", "POST", path, "", exchange(code+"A", ""))
	x.refused(404, "link_invalid", "POST", path, "", exchange("", ""))
	cookie := strings.TrimPrefix(func() string { b := x.browser(); b.begin("google"); return b.cookie }(), "__Host-tenure-login=")
	x.refused(404, "link_invalid", "POST", path, "", exchange(cookie, "")) // another purpose

	before := x.count()
	dry := x.want(200, "POST", path+"?dry_run=true", "", exchange(code, ""))
	x.is.Equal(x.count(), before)
	x.is.Equal(dry.object["session"].(map[string]any)["token"], "")

	first := x.want(201, "POST", path, "", exchange(code, ""), "Idempotency-Key", "one")
	x.refused(404, "link_invalid", "POST", path, "", exchange(code, ""))
	x.refused(404, "link_invalid", "POST", path, "", exchange(code, ""), "Idempotency-Key", "two")
	again := x.want(201, "POST", path, "", exchange(code, ""), "Idempotency-Key", "one")
	x.is.Equal(string(again.body), string(first.body))
	token := first.object["session"].(map[string]any)["token"].(string)
	x.want(204, "DELETE", "/v1/sessions/current", token, nil)
	x.refused(404, "link_invalid", "POST", path, "", exchange(code, "")) // also after signing out

	code = x.browser().code("google")
	x.offset.Store(int64(time.Minute + time.Second))
	x.refused(404, "link_invalid", "POST", path, "", exchange(code, ""))
	x.offset.Store(0)

	// Of many at once one gets the session.
	code = x.browser().code("google")
	statuses := make(chan int, 8)
	for range cap(statuses) {
		go func() { statuses <- x.raw("POST", path, "", exchange(code, "")).status }()
	}
	got := 0
	for range cap(statuses) {
		if <-statuses == 201 {
			got++
		}
	}
	x.is.Equal(got, 1)
}

func TestWhereTheBrowserMayBeSent(t *testing.T) {
	x := newSigners(t)
	login := func(to, challenge string) string {
		return "/v1/oidc/google/login?" + url.Values{"return_to": {to}, "challenge": {challenge}}.Encode()
	}
	for _, to := range []string{"https://app.example", "https://app.example/a?b=c", "https://tenure.example/sign-in"} {
		x.want(302, "GET", login(to, challengeOf("v")), "", nil)
	}
	for _, to := range []string{
		"", "/sign-in", "//app.example", "https://evil.example", "https://app.example.evil.example", "https://app.example@evil.example", "http://app.example",
		"https://app.example:8443", "javascript:alert(1)", "https:app.example", "https://app.example/#x", "https://app.example\\@evil.example",
		"https://app.example/" + strings.Repeat("x", 1024), "https://app.example/\r\nSet-Cookie: x=y", "https://user@app.example",
	} {
		a := x.do("GET", login(to, challengeOf("v")), "", nil)
		if a.status != 422 || a.str("code") != "invalid" || a.header.Get("Location") != "" {
			t.Errorf("%q: %d %s", to, a.status, a.body)
		}
	}
	for _, challenge := range []string{"", "short", strings.Repeat("=", 43)} {
		x.refused(422, "invalid", "GET", login("https://app.example", challenge), "", nil)
	}
}

func TestBrowsersAreShownPages(t *testing.T) {
	x := newSigners(t)
	x.google.Answer(url.Values{"error": {"access_denied"}})
	b := x.browser()
	at := b.visit(b.begin("google"))
	x.is.Equal(b.comeBack(at).str("code"), "provider_refused")
	page := b.comeBack(at, "Accept", "text/html,*/*")
	x.is.Equal(page.status, 403)
	x.is.Equal(page.header.Get("Content-Type"), "text/html; charset=utf-8")
	for _, text := range []string{"<code>provider_refused</code>", `href="../../../pages/page.css"`, `href="https://app.example/signed-in?x=1"`} {
		x.is.True(strings.Contains(string(page.body), text))
	}
	page = b.do("GET", "/v1/oidc/google/callback?error=%3Cscript%3E&state=x", "", nil, "Accept", "text/html")
	x.is.Equal(page.status, 400)
	x.is.True(strings.Contains(string(page.body), "<code>login_invalid</code>"))
	x.is.True(!strings.Contains(string(page.body), "script"))

	x.microsoft.Down()
	q := "?" + url.Values{"return_to": {returnTo}, "challenge": {challengeOf(verifier)}}.Encode()
	down := x.refused(503, "provider_unavailable", "GET", "/v1/oidc/microsoft/login"+q, "", nil)
	x.is.True(down.header.Get("Retry-After") != "")
	x.is.Equal(x.do("GET", "/v1/oidc/microsoft/login"+q, "", nil, "Accept", "text/html").status, 503)
	x.want(200, "GET", "/v1/oidc/providers", "", nil)
}

func TestSignInsWithAProviderAreThrottled(t *testing.T) {
	limits := httpapi.DefaultThrottle()
	x := newSigners(t, func(c *httpapi.Config) { c.Throttle = &limits })
	b := x.browser()
	last := func(n int, what func() answer) (a answer) {
		for range n {
			a = what()
		}
		return a
	}
	x.is.Equal(last(limits.SignInPerAddress.Events+1, func() answer { return b.comeBack("/v1/oidc/google/callback?state=x&code=y") }).str("code"), "too_many_attempts")
	x.is.Equal(last(limits.LinksPerAddress.Events+1, func() answer { return b.do("POST", "/v1/sessions/exchange", "", exchange("x", "")) }).str("code"), "too_many_attempts")
	q := "?" + url.Values{"return_to": {returnTo}, "challenge": {challengeOf(verifier)}}.Encode()
	x.is.Equal(last(limits.LoginsPerAddress.Events+1, func() answer { return b.do("GET", "/v1/oidc/google/login"+q, "", nil) }).str("code"), "too_many_attempts")
}
