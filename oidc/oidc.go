// Package oidc signs people in at OpenID Connect providers: the authorization
// code flow with PKCE, state and nonce. Package go-oidc fetches and caches the
// providers' keys and verifies ID tokens; what it leaves to its caller is here:
// the nonce, the authorized party, the hash of the access token, the issuer of
// the answer (RFC 9207), the issuers of Microsoft's tenants, and whether an
// e-mail address counts as verified.
//
// When it does:
//
//   - At a provider without a preset, when email_verified is true.
//   - At Google likewise, for addresses of gmail.com and googlemail.com and of
//     accounts that a Workspace manages (the claim hd). For any other address
//     Google has sent a mail there once, whoever has the address by now, and says
//     itself that it is no authority.
//     https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
//   - At Microsoft, where Entra ID has no such claim and lets an organization's
//     administrators write any address into it: for personal accounts, whose
//     addresses Microsoft has verified, and when the optional claim xms_edov says
//     that the domain's owner is verified.
//     https://learn.microsoft.com/en-us/entra/identity-platform/migrate-off-email-claim-authorization
//   - In the domains that the operator trusts the provider with.
//
// A provider is asked for its addresses and keys when somebody first signs in
// there, so one that is down keeps nobody from starting a server. The package
// keeps nothing else: what the browser has to bring back is in Login, which its
// user hands over to the browser, sealed.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// The errors of a sign-in, to be matched with errors.Is. What they wrap is for
// the server's log; it holds no tokens.
var (
	ErrUnavailable = errors.New("oidc: the provider cannot be reached")
	ErrRefused     = errors.New("oidc: the provider has not signed the person in")
	ErrState       = errors.New("oidc: not the answer to a sign-in of this browser")
	ErrInvalid     = errors.New("oidc: the provider's answer is not valid")
	ErrTenant      = errors.New("oidc: the tenant may not sign in")
)

const (
	exchangeTimeout = 10 * time.Second // of all that is asked of a provider at once
	maxAnswerBytes  = 1 << 20
	retryAfter      = 2 * time.Second // a provider that was just down is not asked again
)

// Providers are those of a deployment. They are safe for concurrent use.
type Providers struct {
	all []*Provider
}

// New makes providers. PublicURL is where browsers reach the server; now tells
// the time.
func New(configs []Config, publicURL string, now func() time.Time) *Providers {
	client := &http.Client{
		Timeout:       exchangeTimeout,
		Transport:     bounded{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	all := make([]*Provider, len(configs))
	for i, c := range configs {
		all[i] = &Provider{config: c, redirect: publicURL + "/v1/oidc/" + c.Name + "/callback", client: client, now: now}
	}
	return &Providers{all: all}
}

// List lists them in the order of the settings.
func (p *Providers) List() []*Provider {
	if p == nil {
		return nil
	}
	return slices.Clone(p.all)
}

// Get finds a provider by its name.
func (p *Providers) Get(name string) (*Provider, bool) {
	list := p.List()
	i := slices.IndexFunc(list, func(x *Provider) bool { return x.config.Name == name })
	if i < 0 {
		return nil, false
	}
	return list[i], true
}

// Provider is one provider.
type Provider struct {
	config   Config
	redirect string
	client   *http.Client
	now      func() time.Time

	mu       sync.Mutex
	found    *discovered
	failed   error
	failedAt time.Time
}

// discovered is what a provider says about itself.
type discovered struct {
	provider *gooidc.Provider
	issuer   string // with {tenantid}, of Microsoft's tenants together
	says     struct {
		Issuer         string `json:"issuer"`
		Keys           string `json:"jwks_uri"`
		IssuerInAnswer bool   `json:"authorization_response_iss_parameter_supported"`
	}
	keys gooidc.KeySet
}

// Name is what settings, paths and invitations call it.
func (p *Provider) Name() string { return p.config.Name }

// Label is what people are shown.
func (p *Provider) Label() string { return p.config.Label }

// IsTenant reports whether the text may be a tenant of the provider. Personal
// Microsoft accounts have none.
func (p *Provider) IsTenant(text string) bool {
	text = strings.ToLower(text)
	switch p.config.Preset {
	case PresetGoogle:
		return domain.MatchString(text)
	case PresetMicrosoft:
		return tenant.MatchString(text) && text != PersonalTenant
	}
	return false
}

// NamesByAddress reports whether accounts there have no usernames besides their
// e-mail addresses.
func (p *Provider) NamesByAddress() bool { return len(usernames[p.config.Preset]) == 0 }

// discover asks the provider, once; it is asked again when that has failed.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.found != nil:
		return p.found, nil
	case p.failed != nil && time.Since(p.failedAt) < retryAfter:
		return nil, p.failed
	}
	// Not the request's own end, which would be everybody's failure.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout)
	defer cancel()
	found := &discovered{issuer: expectedIssuer(p.config)}
	ctx = gooidc.InsecureIssuerURLContext(gooidc.ClientContext(ctx, p.client), found.issuer)
	var err error
	if found.provider, err = gooidc.NewProvider(ctx, p.config.Issuer); err != nil {
		p.failed, p.failedAt = fmt.Errorf("%w: discovery: %w", ErrUnavailable, err), time.Now()
		return nil, p.failed
	}
	// The library leaves this to who names the issuer beforehand.
	if err := found.provider.Claims(&found.says); err != nil || found.says.Issuer != found.issuer {
		p.failed, p.failedAt = fmt.Errorf("%w: discovery: it is that of the issuer %q", ErrUnavailable, found.says.Issuer), time.Now()
		return nil, p.failed
	}
	found.keys = gooidc.NewRemoteKeySet(gooidc.ClientContext(context.Background(), p.client), found.says.Keys)
	p.found, p.failed = found, nil
	return found, nil
}

// expectedIssuer is what the discovery document has to name as the issuer: the
// address that it was found at, but for the addresses that Microsoft has for
// many tenants at once.
func expectedIssuer(c Config) string {
	if c.Preset != PresetMicrosoft {
		return c.Issuer
	}
	base, version, ok := cutLast(c.Issuer)
	base, authority, ok2 := cutLast(base)
	switch {
	case ok && ok2 && (authority == "common" || authority == "organizations"):
		return base + "/{tenantid}/" + version
	case ok && ok2 && authority == "consumers":
		return base + "/" + PersonalTenant + "/" + version
	}
	return c.Issuer
}

func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, '/')
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// issuerOf is the issuer of a tenant's tokens.
func (d *discovered) issuerOf(tenant string) string {
	return strings.ReplaceAll(d.issuer, "{tenantid}", tenant)
}

// hasIssuer reports whether tokens of this issuer can come from the provider.
func (d *discovered) hasIssuer(issuer string) bool {
	before, after, many := strings.Cut(d.issuer, "{tenantid}")
	if !many {
		return issuer == d.issuer
	}
	rest, ok := strings.CutPrefix(issuer, before)
	id, ok2 := strings.CutSuffix(rest, after)
	return ok && ok2 && tenant.MatchString(id)
}

func (p *Provider) oauth(d *discovered) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: string(p.config.ClientSecret), Endpoint: d.provider.Endpoint(),
		RedirectURL: p.redirect, Scopes: p.config.Scopes,
	}
}

// bounded keeps answers short, and those that say no out of errors.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet && answer.StatusCode != http.StatusOK || answer.StatusCode >= http.StatusInternalServerError {
		answer.Body.Close()
		return nil, fmt.Errorf("status %d", answer.StatusCode)
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, maxAnswerBytes), answer.Body}
	return answer, nil
}

// unreachable tells a provider that cannot be reached from one that says no.
func unreachable(err error) bool {
	var network *url.Error
	return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
