package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const maxSubjectBytes = 255 // OpenID Connect Core, 2

// googleMail are the domains whose mailboxes Google runs for persons.
var googleMail = []string{"gmail.com", "googlemail.com"}

// usernames are the claims that may hold the username of an account, by preset; the
// first that does counts. Without any, accounts have no names but their e-mail
// addresses.
var usernames = map[string][]func(claims) string{
	"":              {claims.preferredUsername, claims.upn},
	PresetGoogle:    {},
	PresetMicrosoft: {claims.preferredUsername, claims.upn},
}

// Identity is who has signed in. Issuer and Subject tell identities apart for
// ever; the rest may change.
type Identity struct {
	Provider      string `json:"provider"`
	Issuer        string `json:"issuer"`
	Subject       string `json:"subject"`
	Tenant        string `json:"tenant,omitempty"` // of Microsoft and Google; empty for personal accounts
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Username      string `json:"username,omitempty"`
	Name          string `json:"name,omitempty"`
}

// claims are those of the ID token and of the user info endpoint.
type claims struct {
	Subject           string `json:"sub"`
	Email             string `json:"email"`
	EmailVerified     flag   `json:"email_verified"`
	PreferredUsername string `json:"preferred_username"`
	UPN               string `json:"upn"`
	Name              string `json:"name"`
	Tenant            string `json:"tid"`
	HostedDomain      string `json:"hd"`
	DomainVerified    flag   `json:"xms_edov"`
}

func (c claims) preferredUsername() string { return c.PreferredUsername }
func (c claims) upn() string               { return c.UPN }

// username is that of the account, or empty.
func (p *Provider) username(c claims) string {
	for _, claim := range usernames[p.config.Preset] {
		if name := claim(c); name != "" {
			return name
		}
	}
	return ""
}

// flag is a boolean that some providers write as text or as a number.
type flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(text []byte) error {
	switch strings.ToLower(string(text)) {
	case `true`, `"true"`, `1`, `"1"`:
		*f = true
	}
	return nil
}

// identity reads who the ID token is about, and asks the provider for the e-mail
// address where the token leaves it out.
func (p *Provider) identity(ctx context.Context, d *discovered, t *gooidc.IDToken, tokens *oauth2.Token) (Identity, error) {
	var c claims
	if err := t.Claims(&c); err != nil {
		return Identity{}, fmt.Errorf("%w: its claims cannot be read", ErrInvalid)
	}
	if c.Email == "" && d.provider.UserInfoEndpoint() != "" && p.config.Preset == "" {
		if err := p.askUserInfo(ctx, d, t.Subject, tokens, &c); err != nil {
			return Identity{}, err
		}
	}
	id := Identity{
		Provider: p.config.Name, Issuer: t.Issuer, Subject: t.Subject,
		Email: c.Email, Username: p.username(c), Name: c.Name,
	}
	home := "" // the tenant as the settings name it
	switch p.config.Preset {
	case PresetGoogle:
		id.Tenant, home = strings.ToLower(c.HostedDomain), strings.ToLower(c.HostedDomain)
	case PresetMicrosoft:
		if home = strings.ToLower(c.Tenant); home != PersonalTenant {
			id.Tenant = home
		}
	}
	if len(p.config.Tenants) > 0 && !slices.Contains(p.config.Tenants, home) {
		return Identity{}, ErrTenant
	}
	id.EmailVerified = p.vouchesFor(c, home)
	return id, nil
}

// vouchesFor reports whether the e-mail address counts as verified; the package
// comment says why.
func (p *Provider) vouchesFor(c claims, tenant string) bool {
	_, mailDomain, ok := cutLastAt(c.Email)
	switch {
	case !ok:
		return false
	case slices.Contains(p.config.TrustedDomains, strings.ToLower(mailDomain)):
		return true
	case p.config.Preset == PresetMicrosoft:
		return tenant == PersonalTenant || bool(c.DomainVerified)
	case p.config.Preset == PresetGoogle && tenant == "" && !slices.Contains(googleMail, strings.ToLower(mailDomain)):
		return false
	}
	return bool(c.EmailVerified)
}

// askUserInfo fills in what the user info endpoint knows. Its answer counts only
// if it is about the same subject (OpenID Connect Core, 5.3.2).
func (p *Provider) askUserInfo(ctx context.Context, d *discovered, subject string, tokens *oauth2.Token, c *claims) error {
	info, err := d.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	switch {
	case err != nil && unreachable(err):
		return fmt.Errorf("%w: user info: %w", ErrUnavailable, err)
	case err != nil:
		return fmt.Errorf("%w: the user info cannot be read", ErrInvalid)
	case info.Subject != subject:
		return fmt.Errorf("%w: the user info is about another subject", ErrInvalid)
	}
	var raw json.RawMessage
	if err := info.Claims(&raw); err != nil {
		return fmt.Errorf("%w: the user info cannot be read", ErrInvalid)
	}
	if err := json.Unmarshal(raw, c); err != nil {
		return fmt.Errorf("%w: the user info cannot be read", ErrInvalid)
	}
	return nil
}

func cutLastAt(address string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(address, '@')
	if i <= 0 {
		return "", "", false
	}
	return address[:i], address[i+1:], true
}
