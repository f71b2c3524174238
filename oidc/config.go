package oidc

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"tenure/documents"
)

// The presets: what a provider does differently from the standard, or leaves to
// be known.
const (
	PresetGoogle    = "google"
	PresetMicrosoft = "microsoft"
)

// PersonalTenant is the tenant of personal Microsoft accounts.
const PersonalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

const (
	googleIssuer    = "https://accounts.google.com"
	microsoftIssuer = "https://login.microsoftonline.com/common/v2.0"

	maxDocumentBytes = 64 << 10
	maxProviders     = 50
)

// Config is one provider as the operator has written it down.
type Config struct {
	Name             string   `yaml:"name"`  // in paths, invitations and policies: small letters, digits and dashes
	Label            string   `yaml:"label"` // what people are shown
	Preset           string   `yaml:"preset"`
	Issuer           string   `yaml:"issuer"`
	ClientID         string   `yaml:"client_id"`
	ClientSecret     Secret   `yaml:"client_secret"`
	ClientSecretFile string   `yaml:"client_secret_file"`
	Scopes           []string `yaml:"scopes"`

	// Tenants are the only ones whose people may sign in: tenant ids of
	// Microsoft Entra ID, Workspace domains of Google. Empty: all.
	Tenants []string `yaml:"tenants"`
	// TrustedDomains are e-mail domains that the operator vouches for: an
	// address there counts as verified though the provider does not say so.
	TrustedDomains []string `yaml:"trusted_domains"`
}

// Secret is a text that shows itself to nobody by accident.
type Secret string

// String implements fmt.Stringer.
func (Secret) String() string { return "(set)" }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return `"(set)"` }

// MarshalText implements encoding.TextMarshaler, also for logs.
func (Secret) MarshalText() ([]byte, error) { return []byte("(set)"), nil }

// Error says everything that is wrong with the document of the providers, as Problems.
type (
	Error   = documents.Error
	Problem = documents.Problem
)

// Load reads the file of providers, and the files with secrets that it names,
// relative to its own folder.
func Load(path string) ([]Config, error) {
	document, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	configs, err := Parse(document)
	if err != nil {
		return nil, err
	}
	for i := range configs {
		c := &configs[i]
		if c.ClientSecretFile == "" {
			continue
		}
		at := c.ClientSecretFile
		if !filepath.IsAbs(at) {
			at = filepath.Join(filepath.Dir(path), at)
		}
		text, err := os.ReadFile(at)
		if err != nil {
			return nil, fmt.Errorf("the secret of %s: %w", c.Name, err)
		}
		if c.ClientSecret = Secret(strings.TrimSpace(string(text))); c.ClientSecret == "" {
			return nil, fmt.Errorf("the secret of %s: the file is empty", c.Name)
		}
	}
	return configs, nil
}

// Parse reads the document of providers and fills in what presets imply. It
// fails with an *Error that lists every problem; a document that cannot be read
// has one.
func Parse(document []byte) ([]Config, error) {
	if len(document) > maxDocumentBytes || !utf8.Valid(document) {
		return nil, &Error{Problems: []Problem{{Message: fmt.Sprintf("Write the document in UTF-8, in at most %d bytes.", maxDocumentBytes)}}}
	}
	file, err := parser.ParseBytes(document, 0)
	if err != nil {
		return nil, unreadable(err)
	}
	var content struct {
		Providers []Config `yaml:"providers"`
	}
	if err := yaml.UnmarshalWithOptions(document, &content, yaml.Strict()); err != nil {
		return nil, unreadable(err)
	}
	k := check{file: file, configs: content.Providers}
	k.all()
	if len(k.problems) > 0 {
		slices.SortStableFunc(k.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &Error{Problems: k.problems}
	}
	return k.configs, nil
}

// unreadable words what the YAML library says, without the text that it found:
// that may be a secret.
func unreadable(err error) error {
	p := Problem{Message: "Write valid YAML."}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		message, _, _ := strings.Cut(syntax.GetMessage(), "\n")
		p.Message = "Correct this: " + message + "."
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return &Error{Problems: []Problem{p}}
}

// check finds what no type says, and fills in what follows from presets.
type check struct {
	file     *ast.File
	configs  []Config
	problems []Problem
}

var (
	name   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	domain = regexp.MustCompile(`^([a-z0-9-]+\.)+[a-z0-9-]+$`)
	tenant = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	scope  = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`) // RFC 6749, 3.3
)

func (k *check) all() {
	if len(k.configs) == 0 || len(k.configs) > maxProviders {
		k.report("", "Give a list of 1 to %d \"providers\".", maxProviders)
	}
	for i := range k.configs {
		k.one(i)
	}
}

func (k *check) one(i int) {
	c, at := &k.configs[i], fmt.Sprintf("providers[%d]", i)
	twice := slices.ContainsFunc(k.configs[:i], func(other Config) bool { return other.Name == c.Name })
	switch {
	case !name.MatchString(c.Name) || c.Name == "any":
		k.report(at+".name", "Give a name of small letters, digits and dashes, for example \"google\"; \"any\" is taken.")
	case twice:
		k.report(at+".name", "Choose another name; a provider %s stands above.", c.Name)
	}
	switch c.Preset {
	case "":
	case PresetGoogle:
		c.Issuer, c.Label = cmp.Or(c.Issuer, googleIssuer), cmp.Or(c.Label, "Google")
	case PresetMicrosoft:
		c.Issuer, c.Label = cmp.Or(c.Issuer, microsoftIssuer), cmp.Or(c.Label, "Microsoft")
	default:
		k.report(at+".preset", "Give google or microsoft, or leave it out.")
	}
	c.Label = cmp.Or(c.Label, c.Name)
	if utf8.RuneCountInString(c.Label) > 100 || strings.ContainsFunc(c.Label, func(r rune) bool { return r < ' ' }) {
		k.report(at+".label", "Give one line of at most 100 characters.")
	}
	if c.Issuer == "" {
		k.report(at, "Add \"issuer\": the provider's address, as its discovery document names it.")
	} else if !isIssuer(c.Issuer) {
		k.report(at+".issuer", "Give an https address without query and fragment; http is for this machine only.")
	}
	if c.ClientID == "" {
		k.report(at, "Add \"client_id\": what the provider calls this server.")
	}
	if (c.ClientSecret == "") == (c.ClientSecretFile == "") {
		k.report(at, "Give either client_secret or client_secret_file.")
	}
	k.lists(at, c)
}

func (k *check) lists(at string, c *Config) {
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "email", "profile"}
	}
	if !slices.Contains(c.Scopes, "openid") {
		k.report(at+".scopes", "Add openid; without it the provider does not say who signs in.")
	}
	for j, s := range c.Scopes {
		if !scope.MatchString(s) {
			k.report(fmt.Sprintf("%s.scopes[%d]", at, j), "Give a scope as the provider's documentation writes it.")
		}
	}
	if len(c.Tenants) > 0 && c.Preset == "" {
		k.report(at+".tenants", "Leave this out; only Google and Microsoft have tenants.")
	}
	for j := range c.Tenants {
		c.Tenants[j] = strings.ToLower(c.Tenants[j])
		switch here := fmt.Sprintf("%s.tenants[%d]", at, j); {
		case c.Preset == PresetMicrosoft && !tenant.MatchString(c.Tenants[j]):
			k.report(here, "Give a tenant id, for example %q for personal accounts.", PersonalTenant)
		case c.Preset == PresetGoogle && !domain.MatchString(c.Tenants[j]):
			k.report(here, "Give the domain of a Google Workspace, for example \"example.com\".")
		}
	}
	for j := range c.TrustedDomains {
		c.TrustedDomains[j] = strings.ToLower(c.TrustedDomains[j])
		if !domain.MatchString(c.TrustedDomains[j]) {
			k.report(fmt.Sprintf("%s.trusted_domains[%d]", at, j), "Give the domain of e-mail addresses, for example \"example.com\".")
		}
	}
	if len(c.TrustedDomains) > 0 && c.Preset == PresetMicrosoft && len(c.Tenants) == 0 {
		k.report(at+".trusted_domains", "Add \"tenants\": anybody with a tenant could claim an address in these domains.")
	}
}

// isIssuer reports whether the text can be an issuer; without TLS anybody on the
// way could be the provider.
func isIssuer(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(text, "#{}") {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func (k *check) report(path, format string, args ...any) {
	line, column := k.place(path)
	k.problems = append(k.problems, Problem{Line: line, Column: column, Path: path, Message: fmt.Sprintf(format, args...)})
}

// place is where the value at a path begins.
func (k *check) place(at string) (line, column int) {
	path, err := yaml.PathString("$." + at)
	if at == "" || err != nil {
		return 0, 0
	}
	node, err := path.FilterFile(k.file)
	if err != nil || node == nil {
		return 0, 0
	}
	t := firstToken(node)
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

// firstToken is where a value begins: a mapping's own token is its first colon.
func firstToken(n ast.Node) *token.Token {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return m.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return m.Key.GetToken()
	}
	return n.GetToken()
}
