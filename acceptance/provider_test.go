package acceptance

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tenure/oidc/oidctest"
)

// installed is the certified provider with what it needs, installed once in a
// run as package-lock.json says.
var installed struct {
	once   sync.Once
	folder string
	err    error
}

// certifiedProvider starts the npm package oidc-provider, for one redirect URI,
// and answers with its issuer. It ends with the test.
func certifiedProvider(t *testing.T, redirect string) string {
	t.Helper()
	installed.once.Do(func() {
		installed.folder = filepath.Join(programs.folder, "oidc-provider")
		if installed.err = os.CopyFS(installed.folder, os.DirFS("testdata/oidc-provider")); installed.err != nil {
			return
		}
		npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		npm.Dir = installed.folder
		if out, err := npm.CombinedOutput(); err != nil {
			installed.err = fmt.Errorf("npm ci: %w\n%s\nThe test needs Node.js 20 or later with npm, and a registry of npm packages: set npm_config_registry to a mirror where the public one cannot be reached", err, out)
		}
	})
	if installed.err != nil {
		t.Fatal(installed.err)
	}
	node := exec.Command("node", "provider.mjs", redirect)
	node.Dir = installed.folder
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		node.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	issuer, ok := strings.CutPrefix(strings.TrimSpace(line), "issuer ")
	if err != nil || !ok {
		t.Fatalf("the provider says %q: %v", line, err)
	}
	return issuer
}

// withProviders has the server know providers by their issuers.
func withProviders(t *testing.T, issuers map[string]string) option {
	t.Helper()
	var document strings.Builder
	document.WriteString("providers:\n")
	for name, issuer := range issuers {
		fmt.Fprintf(&document, "  - name: %s\n    issuer: %s\n    client_id: %s\n    client_secret_file: secret\n", name, issuer, oidctest.ClientID)
	}
	folder := t.TempDir()
	for file, text := range map[string]string{"oidc.yaml": document.String(), "secret": oidctest.ClientSecret + "\n"} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return withFlags("--oidc-file", filepath.Join(folder, "oidc.yaml"))
}

// withFixedAddress has the server listen where it is known beforehand. The port is
// below those that the system gives to whoever asks for any.
func withFixedAddress(t *testing.T) (option, string) {
	t.Helper()
	var l net.Listener
	for try, err := 0, error(nil); l == nil; try++ {
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000))); err != nil && try == 100 {
			t.Fatal(err)
		}
	}
	defer l.Close()
	return withFlags("--listen", l.Addr().String()), "http://" + l.Addr().String()
}

// browser is a browser with cookies, in which a page signs somebody in.
type browser struct {
	*server
	http     *http.Client
	verifier string
	form     func(page string) url.Values // fills in the provider's forms
}

func (s *server) newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{
		server: s, verifier: strings.Repeat(unique("verifier"), 5),
		http: &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: stay},
	}
}

func (b *browser) loginPath(provider string) string {
	sum := sha256.Sum256([]byte(b.verifier))
	q := url.Values{"return_to": {*b.url.Load() + "/sign-in"}, "challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	return *b.url.Load() + "/v1/oidc/" + provider + "/login?" + q.Encode()
}

// visit loads a page as browsers do.
func (b *browser) visit(t *testing.T, request *http.Request) (*http.Response, string) {
	t.Helper()
	request.Header.Set("Accept", "text/html,application/xhtml+xml")
	answer, err := b.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func getting(t *testing.T, at string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// follow goes on from a page, through redirects and the provider's forms, until
// it comes to one whose address holds stop, or to one that leads nowhere.
func (b *browser) follow(t *testing.T, at, stop string) (address string, last *http.Response, page string) {
	t.Helper()
	request := getting(t, at)
	for range 20 {
		last, page = b.visit(t, request)
		next, err := last.Location()
		switch form := formAction.FindStringSubmatch(page); {
		case err == nil && strings.Contains(next.String(), stop):
			return next.String(), last, page
		case err == nil:
			request = getting(t, next.String())
		case form != nil && b.form != nil:
			request, err = http.NewRequest(http.MethodPost, html.UnescapeString(form[1]), strings.NewReader(b.form(page).Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		default:
			return request.URL.String(), last, page
		}
	}
	t.Fatal("the provider sends the browser in circles")
	return "", nil, ""
}

// code signs in at the provider and answers with what the page gets.
func (b *browser) code(t *testing.T, provider string) string {
	t.Helper()
	address, _, page := b.follow(t, b.loginPath(provider), "#code=")
	_, code, ok := strings.Cut(address, "#code=")
	if !ok {
		t.Fatalf("no code at %s: %s", address, page)
	}
	return code
}

// exchange turns a code into a session.
func (b *browser) exchange(code, invitation string, extras ...extra) response {
	body := map[string]any{"code": code, "verifier": b.verifier}
	if invitation != "" {
		body["invitation"] = invitation
	}
	return b.anonymous().post("/v1/sessions/exchange", body, extras...)
}

// exchanged is the answer to an exchange.
type exchanged struct {
	Session session `json:"session"`
	Joined  *struct {
		OrganizationID string   `json:"organization_id"`
		Roles          []string `json:"roles"`
	} `json:"joined"`
}

// signInWith signs a person in at a provider.
func (s *server) signInWith(t *testing.T, provider string) *person {
	t.Helper()
	b := s.newBrowser(t)
	p := &person{client: s.anonymous()}
	p.enter(decoded[exchanged](t, b.exchange(b.code(t, provider), "")).Session)
	return p
}

// claims are those of somebody at a provider.
func claims(subject, email string, verified bool) oidctest.Claims {
	return oidctest.Claims{"sub": subject, "email": email, "email_verified": verified, "name": "Name of " + subject}
}
