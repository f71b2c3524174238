package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Login is a sign-in that has begun: what the browser has to bring back, which
// nobody else may know or change.
type Login struct {
	Provider string `json:"provider"`
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // PKCE, RFC 7636
}

// Callback is what a provider has sent the browser back with.
type Callback struct {
	State  string
	Code   string
	Issuer string // RFC 9207; empty where the provider sends none
	Error  string // instead of Code
}

// Begin answers with where to send the browser. It fails with ErrUnavailable.
func (p *Provider) Begin(ctx context.Context) (Login, string, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return Login{}, "", err
	}
	l := Login{Provider: p.config.Name, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	options := []oauth2.AuthCodeOption{gooidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)}
	if p.config.Preset == PresetGoogle && len(p.config.Tenants) == 1 {
		options = append(options, oauth2.SetAuthURLParam("hd", p.config.Tenants[0])) // offers those accounts
	}
	return l, p.oauth(d).AuthCodeURL(l.State, options...), nil
}

// Finish turns the code that the browser has come back with into an identity. It
// fails with ErrState, ErrRefused, ErrUnavailable, ErrInvalid and ErrTenant.
func (p *Provider) Finish(ctx context.Context, l Login, in Callback) (Identity, error) {
	// The state comes first: what a stranger has sent the browser with is not
	// even an answer of the provider.
	if l.Provider != p.config.Name || !equal(l.State, in.State) {
		return Identity{}, ErrState
	}
	ctx, cancel := context.WithTimeout(gooidc.ClientContext(ctx, p.client), exchangeTimeout)
	defer cancel()
	d, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	// An answer of another provider must not get this one's code, or the other
	// way round (RFC 9700, 4.4).
	if (in.Issuer != "" || d.says.IssuerInAnswer) && !d.hasIssuer(in.Issuer) {
		return Identity{}, fmt.Errorf("%w: it is of another issuer", ErrInvalid)
	}
	if in.Error != "" || in.Code == "" {
		return Identity{}, fmt.Errorf("%w: %q", ErrRefused, errorCode(in.Error))
	}
	tokens, err := p.oauth(d).Exchange(ctx, in.Code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return Identity{}, exchangeFailed(err)
	}
	idToken, err := p.verify(ctx, d, tokens, l.Nonce)
	if err != nil {
		return Identity{}, err
	}
	if in.Issuer != "" && in.Issuer != idToken.Issuer && in.Issuer != d.issuer {
		return Identity{}, fmt.Errorf("%w: answer and token are of two issuers", ErrInvalid)
	}
	return p.identity(ctx, d, idToken, tokens)
}

// verify checks the ID token: its signature, issuer, audience and time by
// go-oidc, the rest here.
func (p *Provider) verify(ctx context.Context, d *discovered, tokens *oauth2.Token, nonce string) (*gooidc.IDToken, error) {
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return nil, fmt.Errorf("%w: there is no ID token", ErrInvalid)
	}
	keys := &observedKeys{KeySet: d.keys}
	t, err := gooidc.NewVerifier(d.issuer, keys, &gooidc.Config{
		ClientID: p.config.ClientID, Now: p.now, SupportedSigningAlgs: algorithms,
		SkipIssuerCheck: true, // see below: one provider may have an issuer for each tenant
	}).Verify(ctx, raw)
	switch {
	case err != nil && unreachable(keys.err):
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, keys.err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if p.config.Preset == PresetGoogle && "https://"+t.Issuer == d.issuer {
		t.Issuer = d.issuer // Google's documentation allows for both
	}
	var c struct {
		Tenant          string `json:"tid"`
		AuthorizedParty string `json:"azp"`
	}
	if err := t.Claims(&c); err != nil {
		return nil, fmt.Errorf("%w: its claims cannot be read", ErrInvalid)
	}
	switch {
	case t.Issuer != d.issuerOf(c.Tenant) || !d.hasIssuer(t.Issuer):
		return nil, fmt.Errorf("%w: the ID token is of the issuer %q", ErrInvalid, t.Issuer)
	case t.Subject == "" || len(t.Subject) > maxSubjectBytes:
		return nil, fmt.Errorf("%w: the ID token has no subject", ErrInvalid)
	case !equal(t.Nonce, nonce):
		return nil, fmt.Errorf("%w: the ID token has another nonce", ErrInvalid)
	case c.AuthorizedParty != "" && c.AuthorizedParty != p.config.ClientID, c.AuthorizedParty == "" && len(t.Audience) > 1:
		return nil, fmt.Errorf("%w: the ID token is for another party", ErrInvalid)
	}
	if t.AccessTokenHash != "" {
		if err := t.VerifyAccessToken(tokens.AccessToken); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return t, nil
}

// algorithms are all that sign with a key that only the provider has.
var algorithms = []string{
	gooidc.RS256, gooidc.RS384, gooidc.RS512, gooidc.PS256, gooidc.PS384, gooidc.PS512,
	gooidc.ES256, gooidc.ES384, gooidc.ES512, gooidc.EdDSA,
}

// observedKeys remembers why keys could not be used, which go-oidc tells only in
// words.
type observedKeys struct {
	gooidc.KeySet
	err error
}

// VerifySignature implements gooidc.KeySet.
func (k *observedKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	k.err = err
	return payload, err
}

// exchangeFailed tells why the provider gave nothing for the code. The library's
// own words hold the provider's answer.
func exchangeFailed(err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("%w: the code was answered with %q", ErrInvalid, errorCode(refused.ErrorCode))
	case unreachable(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: the code was answered with no tokens", ErrInvalid)
}

// errorCodes are those that RFC 6749 and OpenID Connect Core name.
var errorCodes = []string{
	"access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_client", "invalid_grant",
	"invalid_request", "invalid_scope", "login_required", "server_error", "temporarily_unavailable", "unauthorized_client",
	"unsupported_grant_type", "unsupported_response_type",
}

// errorCode is a code that may stand in a log.
func errorCode(code string) string {
	if slices.Contains(errorCodes, code) {
		return code
	}
	return "unknown"
}

func equal(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
