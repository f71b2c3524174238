// Package oidctest is an OpenID provider for tests, with which everything can be
// wrong: it signs what it is told to. A certified provider refuses to do that.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The client that the provider knows.
const (
	ClientID     = "tenure"
	ClientSecret = "a secret of the client"
)

// Claims are those of an ID token, or of the user info.
type Claims = map[string]any

// Provider is a running provider. Whoever is sent there is signed in at once as
// the person that SignIn has named last. Fields are changed before it is used.
type Provider struct {
	URL string // also its issuer

	Tenants bool // it is like Microsoft's, with an issuer for each tid

	mu       sync.Mutex
	server   *httptest.Server
	keys     []*ecdsa.PrivateKey // the last one signs
	person   Claims
	userInfo Claims
	alter    func(Claims)
	sign     func(Claims) string
	answer   url.Values // to the browser, besides or instead of what is right
	reports  bool       // it says that it names its issuer in answers
	codes    map[string]grant
	asked    map[string]int
}

// grant is what a code was given for.
type grant struct{ challenge, redirect, nonce string }

// Start starts a provider that ends with the test.
func Start(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{codes: make(map[string]grant), asked: make(map[string]int)}
	p.Rotate(t)
	p.server = httptest.NewServer(p)
	p.URL = p.server.URL
	t.Cleanup(p.server.Close)
	return p
}

// Down stops it: nobody answers any more.
func (p *Provider) Down() { p.server.Close() }

// SignIn says who signs in from now on; sub is needed.
func (p *Provider) SignIn(person Claims) { p.set(func() { p.person = person }) }

// UserInfo says what the user info endpoint answers with; nil for none.
func (p *Provider) UserInfo(info Claims) { p.set(func() { p.userInfo = info }) }

// Alter changes the claims of ID tokens before they are signed; nil for not.
func (p *Provider) Alter(f func(Claims)) { p.set(func() { p.alter = f }) }

// Sign makes ID tokens instead of the provider's key; nil for not.
func (p *Provider) Sign(f func(Claims) string) { p.set(func() { p.sign = f }) }

// Answer adds to what the browser is sent back with; an empty value takes away.
func (p *Provider) Answer(with url.Values) { p.set(func() { p.answer = with }) }

// NamesIssuer has the provider say that its answers name the issuer.
func (p *Provider) NamesIssuer() { p.set(func() { p.reports = true }) }

// Asked counts the requests for a path.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Rotate makes a new key, and forgets the ones before.
func (p *Provider) Rotate(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.set(func() { p.keys = []*ecdsa.PrivateKey{key} })
}

// Unsigned is an ID token with the algorithm none.
func Unsigned(c Claims) string {
	return part(Claims{"alg": "none", "typ": "JWT"}) + "." + part(c) + "."
}

// ByStranger is an ID token that is signed with a key that the provider does not
// publish.
func ByStranger(c Claims) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return signed(key, c)
}

// BySecret is an ID token that is signed with the client's secret (HS256).
func BySecret(c Claims) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat(ClientSecret, 2))}, nil)
	if err != nil {
		panic(err)
	}
	return serialized(s, c)
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.URL.Path]++
	switch {
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		p.discovery(w)
	case r.URL.Path == "/jwks":
		p.jwks(w)
	case r.URL.Path == "/authorize":
		p.authorize(w, r)
	case r.URL.Path == "/token":
		p.token(w, r)
	case r.URL.Path == "/userinfo" && p.userInfo != nil:
		write(w, http.StatusOK, p.userInfo)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) discovery(w http.ResponseWriter) {
	issuer := p.URL
	if p.Tenants {
		issuer += "/{tenantid}/v2.0"
	}
	document := Claims{
		"issuer": issuer, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"RS256", "ES256", "HS256", "none"},
		"authorization_response_iss_parameter_supported": p.reports,
	}
	if p.userInfo != nil {
		document["userinfo_endpoint"] = p.URL + "/userinfo"
	}
	write(w, http.StatusOK, document)
}

func (p *Provider) jwks(w http.ResponseWriter) {
	var set jose.JSONWebKeySet
	for _, key := range p.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: keyID(key), Algorithm: "ES256", Use: "sig"})
	}
	write(w, http.StatusOK, set)
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("response_type") != "code" || q.Get("client_id") != ClientID || q.Get("code_challenge_method") != "S256" ||
		q.Get("code_challenge") == "" || q.Get("state") == "" || q.Get("nonce") == "" {
		http.Error(w, "not the code flow with PKCE, state and nonce", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.codes[code] = grant{q.Get("code_challenge"), q.Get("redirect_uri"), q.Get("nonce")}
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	maps.Copy(back, p.answer)
	for key, values := range back {
		if values[0] == "" {
			back.Del(key)
		}
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if decoded, err := url.QueryUnescape(secret); err == nil {
		secret = decoded
	}
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != ClientID || secret != ClientSecret {
		write(w, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	}
	code := r.PostFormValue("code")
	given, ok := p.codes[code]
	delete(p.codes, code) // once
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || given.redirect != r.PostFormValue("redirect_uri") || given.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		write(w, http.StatusBadRequest, Claims{"error": "invalid_grant"})
		return
	}
	access := rand.Text()
	write(w, http.StatusOK, Claims{"access_token": access, "token_type": "Bearer", "expires_in": 3600, "id_token": p.idToken(given, access)})
}

func (p *Provider) idToken(given grant, access string) string {
	sum := sha256.Sum256([]byte(access))
	c := Claims{
		"iss": p.URL, "aud": ClientID, "nonce": given.nonce, "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(c, p.person)
	if tid, ok := c["tid"].(string); ok && p.Tenants {
		c["iss"] = p.URL + "/" + tid + "/v2.0"
	}
	if p.alter != nil {
		p.alter(c)
	}
	if p.sign != nil {
		return p.sign(c)
	}
	return signed(p.keys[len(p.keys)-1], c)
}

func (p *Provider) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func signed(key *ecdsa.PrivateKey, c Claims) string {
	options := (&jose.SignerOptions{}).WithHeader("kid", keyID(key))
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		panic(err)
	}
	return serialized(s, c)
}

func serialized(s jose.Signer, c Claims) string {
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	object, err := s.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

func keyID(key *ecdsa.PrivateKey) string {
	sum := sha256.Sum256(key.X.Bytes())
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

func part(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
