package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/oidc"
	"tenure/oidc/oidctest"
)

const (
	public = "https://tenure.example"
	tenant = "0f8fad5b-d9cb-469f-a165-70867728950e"
)

func ada(more oidctest.Claims) oidctest.Claims {
	c := oidctest.Claims{"sub": "1", "email": "Ada@example.com", "email_verified": true, "name": "Ada Lovelace", "preferred_username": "ada"}
	for k, v := range more {
		c[k] = v
	}
	return c
}

func provider(p *oidctest.Provider, change ...func(*oidc.Config)) *oidc.Provider {
	c := oidc.Config{Name: "acme", Issuer: p.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Scopes: []string{"openid", "email"}}
	if p.Tenants {
		c.Preset, c.Issuer = oidc.PresetMicrosoft, p.URL+"/common/v2.0"
	}
	for _, f := range change {
		f(&c)
	}
	found, _ := oidc.New([]oidc.Config{c}, public, time.Now).Get("acme")
	return found
}

// visit follows the browser to the provider and back.
func visit(t *testing.T, at string) oidc.Callback {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	if !strings.HasPrefix(back.String(), public+"/v1/oidc/acme/callback?") {
		t.Fatalf("sent to %s", back)
	}
	q := back.Query()
	return oidc.Callback{State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error")}
}

func signIn(t *testing.T, p *oidc.Provider) (oidc.Identity, error) {
	t.Helper()
	login, at, err := p.Begin(context.Background())
	if err != nil {
		return oidc.Identity{}, err
	}
	return p.Finish(context.Background(), login, visit(t, at))
}

func TestSigningIn(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	server.SignIn(ada(nil))
	p := provider(server)
	got, err := signIn(t, p)
	is.NoErr(err)
	is.Equal(got, oidc.Identity{
		Provider: "acme", Issuer: server.URL, Subject: "1", Email: "Ada@example.com", EmailVerified: true, Username: "ada", Name: "Ada Lovelace",
	})
	_, err = signIn(t, p)
	is.NoErr(err)
	is.Equal(server.Asked("/.well-known/openid-configuration"), 1) // both are kept
	is.Equal(server.Asked("/jwks"), 1)
}

func TestWhatTheProviderMayNotSay(t *testing.T) {
	set := func(name string, value any) func(*oidctest.Provider) {
		return func(p *oidctest.Provider) { p.Alter(func(c oidctest.Claims) { c[name] = value }) }
	}
	drop := func(name string) func(*oidctest.Provider) {
		return func(p *oidctest.Provider) { p.Alter(func(c oidctest.Claims) { delete(c, name) }) }
	}
	sign := func(f func(oidctest.Claims) string) func(*oidctest.Provider) {
		return func(p *oidctest.Provider) { p.Sign(f) }
	}
	answer := func(name, value string) func(*oidctest.Provider) {
		return func(p *oidctest.Provider) { p.Answer(url.Values{name: {value}}) }
	}
	for name, c := range map[string]struct {
		wrong func(*oidctest.Provider)
		err   error
	}{
		"another issuer":         {set("iss", "https://evil.example"), oidc.ErrInvalid},
		"no issuer":              {drop("iss"), oidc.ErrInvalid},
		"another audience":       {set("aud", "somebody else"), oidc.ErrInvalid},
		"an audience too many":   {set("aud", []string{oidctest.ClientID, "other"}), oidc.ErrInvalid},
		"another party":          {set("azp", "somebody else"), oidc.ErrInvalid},
		"another nonce":          {set("nonce", "other"), oidc.ErrInvalid},
		"no nonce":               {drop("nonce"), oidc.ErrInvalid},
		"expired":                {set("exp", time.Now().Add(-time.Minute).Unix()), oidc.ErrInvalid},
		"never expires":          {drop("exp"), oidc.ErrInvalid},
		"not yet":                {set("nbf", time.Now().Add(time.Hour).Unix()), oidc.ErrInvalid},
		"no subject":             {drop("sub"), oidc.ErrInvalid},
		"a long subject":         {set("sub", strings.Repeat("s", 256)), oidc.ErrInvalid},
		"another access token":   {set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), oidc.ErrInvalid},
		"unsigned":               {sign(oidctest.Unsigned), oidc.ErrInvalid},
		"by a stranger's key":    {sign(oidctest.ByStranger), oidc.ErrInvalid},
		"by the client's secret": {sign(oidctest.BySecret), oidc.ErrInvalid},
		"no token":               {sign(func(oidctest.Claims) string { return "" }), oidc.ErrInvalid},
		"rubbish":                {sign(func(oidctest.Claims) string { return "a.b.c" }), oidc.ErrInvalid},
		"a name of two types":    {set("name", 7), oidc.ErrInvalid},
		"another state":          {answer("state", "other"), oidc.ErrState},
		"no state":               {answer("state", ""), oidc.ErrState},
		"another code":           {answer("code", "other"), oidc.ErrInvalid},
		"no code":                {answer("code", ""), oidc.ErrRefused},
		"an error":               {answer("error", "access_denied"), oidc.ErrRefused},
		"an answer of another":   {answer("iss", "https://evil.example"), oidc.ErrInvalid},
		"no issuer in answers":   {func(p *oidctest.Provider) { p.NamesIssuer() }, oidc.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			server := oidctest.Start(t)
			server.SignIn(ada(nil))
			c.wrong(server)
			got, err := signIn(t, provider(server))
			is.True(errors.Is(err, c.err))
			is.Equal(got, oidc.Identity{})
		})
	}
}

func TestWhatTheProviderMaySay(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	server.SignIn(ada(oidctest.Claims{"aud": []string{oidctest.ClientID, "other"}, "azp": oidctest.ClientID, "email_verified": "true"}))
	server.NamesIssuer()
	server.Answer(url.Values{"iss": {server.URL}})
	got, err := signIn(t, provider(server))
	is.NoErr(err)
	is.True(got.EmailVerified)
}

func TestTheStateBelongsToOneProviderAndOneLogin(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	server.SignIn(ada(nil))
	p := provider(server)
	login, at, err := p.Begin(context.Background())
	is.NoErr(err)
	back := visit(t, at)

	other := login
	other.Provider = "other"
	_, err = p.Finish(context.Background(), other, back)
	is.True(errors.Is(err, oidc.ErrState))
	_, err = p.Finish(context.Background(), oidc.Login{Provider: "acme"}, oidc.Callback{Code: back.Code})
	is.True(errors.Is(err, oidc.ErrState))

	other = login
	other.Verifier = strings.Repeat("v", 43)
	_, err = p.Finish(context.Background(), other, back)
	is.True(errors.Is(err, oidc.ErrInvalid)) // the code belongs to another verifier
	_, err = p.Finish(context.Background(), login, back)
	is.True(errors.Is(err, oidc.ErrInvalid)) // and is used up
}

func TestKeysRotate(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	server.SignIn(ada(nil))
	p := provider(server)
	_, err := signIn(t, p)
	is.NoErr(err)
	server.Rotate(t)
	_, err = signIn(t, p)
	is.NoErr(err)
	is.Equal(server.Asked("/jwks"), 2)
}

func TestAProviderThatIsDown(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	server.SignIn(ada(nil))
	p := provider(server)
	login, at, err := p.Begin(context.Background())
	is.NoErr(err)
	back := visit(t, at)
	server.Down()
	_, err = p.Finish(context.Background(), login, back)
	is.True(errors.Is(err, oidc.ErrUnavailable))

	_, _, err = provider(server).Begin(context.Background())
	is.True(errors.Is(err, oidc.ErrUnavailable))
}

func TestADiscoveryDocumentOfAnotherIssuer(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	_, _, err := provider(server, func(c *oidc.Config) { c.Issuer += "/" }).Begin(context.Background())
	is.True(errors.Is(err, oidc.ErrUnavailable))
	server.Tenants = true
	_, _, err = provider(server, func(c *oidc.Config) { c.Preset = "" }).Begin(context.Background())
	is.True(errors.Is(err, oidc.ErrUnavailable))
}

func TestTheAddressMayBeInTheUserInfo(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	server.SignIn(oidctest.Claims{"sub": "1"})
	server.UserInfo(ada(nil))
	got, err := signIn(t, provider(server))
	is.NoErr(err)
	is.Equal(got.Email, "Ada@example.com")
	is.True(got.EmailVerified)

	server.UserInfo(ada(oidctest.Claims{"sub": "2"}))
	_, err = signIn(t, provider(server))
	is.True(errors.Is(err, oidc.ErrInvalid))
}

func TestWhenAnAddressCountsAsVerified(t *testing.T) {
	microsoft := func(c *oidc.Config) { c.Preset = oidc.PresetMicrosoft }
	trusting := func(c *oidc.Config) { c.TrustedDomains = []string{"example.com"} }
	in := func(tenants ...string) func(*oidc.Config) {
		return func(c *oidc.Config) { c.Tenants = tenants }
	}
	for name, c := range map[string]struct {
		change []func(*oidc.Config)
		person oidctest.Claims
		want   bool
	}{
		"the provider says so":      {nil, oidctest.Claims{"email_verified": true}, true},
		"the provider says no":      {nil, oidctest.Claims{"email_verified": false}, false},
		"the provider says nothing": {nil, oidctest.Claims{"email_verified": nil}, false},
		"something else":            {nil, oidctest.Claims{"email_verified": "yes"}, false},
		"no address":                {nil, oidctest.Claims{"email": ""}, false},
		"the operator's word":       {[]func(*oidc.Config){trusting}, oidctest.Claims{"email_verified": false}, true},
		"about another domain":      {[]func(*oidc.Config){trusting}, oidctest.Claims{"email": "ada@sub.example.com", "email_verified": false}, false},
		"a tenant's word":           {[]func(*oidc.Config){microsoft}, oidctest.Claims{"tid": tenant, "email_verified": true}, false},
		"xms_edov":                  {[]func(*oidc.Config){microsoft}, oidctest.Claims{"tid": tenant, "xms_edov": true}, true},
		"xms_edov as a number":      {[]func(*oidc.Config){microsoft}, oidctest.Claims{"tid": tenant, "xms_edov": "1"}, true},
		"xms_edov says no":          {[]func(*oidc.Config){microsoft}, oidctest.Claims{"tid": tenant, "xms_edov": false}, false},
		"a personal account":        {[]func(*oidc.Config){microsoft}, oidctest.Claims{"tid": oidc.PersonalTenant}, true},
		"the operator on a tenant":  {[]func(*oidc.Config){microsoft, in(tenant), trusting}, oidctest.Claims{"tid": tenant}, true},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			server := oidctest.Start(t)
			server.Tenants = c.person["tid"] != nil
			server.SignIn(ada(c.person))
			got, err := signIn(t, provider(server, c.change...))
			is.NoErr(err)
			is.Equal(got.EmailVerified, c.want)
		})
	}
}

func TestTenants(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	server.Tenants = true
	in := func(tenants ...string) func(*oidc.Config) { return func(c *oidc.Config) { c.Tenants = tenants } }

	server.SignIn(ada(oidctest.Claims{"tid": tenant}))
	got, err := signIn(t, provider(server))
	is.NoErr(err)
	is.Equal(got.Tenant, tenant)
	is.Equal(got.Issuer, server.URL+"/"+tenant+"/v2.0")
	_, err = signIn(t, provider(server, in(tenant)))
	is.NoErr(err)
	_, err = signIn(t, provider(server, in(oidc.PersonalTenant)))
	is.True(errors.Is(err, oidc.ErrTenant))

	server.SignIn(ada(oidctest.Claims{"tid": oidc.PersonalTenant}))
	got, err = signIn(t, provider(server, in(tenant, oidc.PersonalTenant)))
	is.NoErr(err)
	is.Equal(got.Tenant, "") // counts as microsoft without one
	_, err = signIn(t, provider(server, in(tenant)))
	is.True(errors.Is(err, oidc.ErrTenant))

	for name, wrong := range map[string]func(oidctest.Claims){
		"the issuer of another tenant": func(c oidctest.Claims) { c["tid"] = tenant },
		"no tenant":                    func(c oidctest.Claims) { delete(c, "tid") },
		"a tenant that is none":        func(c oidctest.Claims) { c["tid"], c["iss"] = "common", server.URL+"/common/v2.0" },
		"the template":                 func(c oidctest.Claims) { c["tid"], c["iss"] = "{tenantid}", server.URL+"/{tenantid}/v2.0" },
		"a path":                       func(c oidctest.Claims) { c["tid"], c["iss"] = tenant+"/x", server.URL+"/"+tenant+"/x/v2.0" },
	} {
		t.Run(name, func(t *testing.T) {
			server.Alter(wrong)
			_, err := signIn(t, provider(server))
			is.New(t).True(errors.Is(err, oidc.ErrInvalid))
		})
	}
	server.Alter(nil)
	server.Answer(url.Values{"iss": {server.URL + "/" + tenant + "/v2.0"}}) // of another tenant than the token
	_, err = signIn(t, provider(server))
	is.True(errors.Is(err, oidc.ErrInvalid))

	google := oidctest.Start(t)
	workspace := func(c *oidc.Config) { c.Preset, c.Tenants = oidc.PresetGoogle, []string{"example.com"} }
	google.SignIn(ada(oidctest.Claims{"hd": "Example.com"}))
	got, err = signIn(t, provider(google, workspace))
	is.NoErr(err)
	is.Equal(got.Tenant, "example.com")
	google.SignIn(ada(nil))
	_, err = signIn(t, provider(google, workspace))
	is.True(errors.Is(err, oidc.ErrTenant))
}

// Google is an authority for its own mailboxes and for what a Workspace manages,
// not for other addresses, whatever email_verified says.
func TestWhatGoogleVouchesFor(t *testing.T) {
	is := is.New(t)
	google := oidctest.Start(t)
	preset := func(c *oidc.Config) { c.Preset = oidc.PresetGoogle }
	verified := func(more oidctest.Claims, configure ...func(*oidc.Config)) bool {
		google.SignIn(ada(more))
		got, err := signIn(t, provider(google, append(configure, preset)...))
		is.NoErr(err)
		return got.EmailVerified
	}
	is.True(!verified(oidctest.Claims{"email": "ceo@victim.example", "email_verified": true}))
	is.True(!verified(oidctest.Claims{"email": "ceo@notgmail.com", "email_verified": true}))
	is.True(verified(oidctest.Claims{"email": "ceo@victim.example", "email_verified": true}, func(c *oidc.Config) { c.TrustedDomains = []string{"victim.example"} }))
	is.True(verified(oidctest.Claims{"email": "ada@example.com", "email_verified": true, "hd": "example.com"}))
	is.True(!verified(oidctest.Claims{"email": "ada@example.com", "email_verified": false, "hd": "example.com"}))
	is.True(verified(oidctest.Claims{"email": "Ada@Gmail.com", "email_verified": true}))
	is.True(verified(oidctest.Claims{"email": "ada@googlemail.com", "email_verified": true}))
	is.True(!verified(oidctest.Claims{"email": "ada@gmail.com", "email_verified": false}))
}

func TestErrorsHoldNothingOfTheAnswer(t *testing.T) {
	is := is.New(t)
	server := oidctest.Start(t)
	server.SignIn(ada(nil))
	p := provider(server, func(c *oidc.Config) { c.ClientSecret = "wrong" })
	login, at, err := p.Begin(context.Background())
	is.NoErr(err)
	back := visit(t, at)
	_, err = p.Finish(context.Background(), login, back)
	is.True(errors.Is(err, oidc.ErrInvalid))
	for _, private := range []string{back.Code, login.State, login.Nonce, login.Verifier, "wrong"} {
		is.True(!strings.Contains(err.Error(), private))
	}
	_, err = p.Finish(context.Background(), login, oidc.Callback{State: login.State, Error: "<script>"})
	is.True(errors.Is(err, oidc.ErrRefused))
	is.True(!strings.Contains(err.Error(), "script"))
}
