package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/oidc"
)

// A sign-in at an OpenID provider goes through three requests, any of which may
// reach another node; nothing is stored between them. What the next one has to
// know is sealed with the deployment's secret:
//
//   - login sends the browser to the provider, and leaves in a cookie what it has
//     to come back with. The cookie binds the sign-in to the browser.
//   - callback verifies what the provider says, and sends the browser to the page
//     that asked, with a code in the fragment, which no server or log sees.
//   - exchange turns the code into a session. The page proves that it is the one
//     that asked: the code is good for who knows the text behind its challenge
//     alone, so nobody can plant a code of their own in another browser (RFC
//     9700, 4.7). It works once; see commands.SignInWithProvider.
const (
	loginLifetime = 10 * time.Minute
	codeLifetime  = time.Minute

	sealedLogin = "oidc login" // what token.Keys.Seal tells the two apart by
	sealedCode  = "oidc code"

	maxReturnBytes = 1024 // the cookie has room for 4096
)

// pendingLogin is what the cookie holds.
type pendingLogin struct {
	oidc.Login
	ReturnTo  string `json:"return_to"`
	Challenge string `json:"challenge"`
}

// signInCode is what the code holds.
type signInCode struct {
	ID        string        `json:"id"` // no other code has it
	Challenge string        `json:"challenge"`
	Identity  oidc.Identity `json:"identity"`
}

type providerBody struct {
	Name  string `json:"name" doc:"As in the path of the login." example:"google"`
	Label string `json:"label" doc:"What people are shown." example:"Google"`
}

// ProviderPath is the input of routes below a provider.
type ProviderPath struct {
	Provider string `path:"provider" maxLength:"100" doc:"The provider's name." example:"google"`
}

type loginInput struct {
	ProviderPath
	ReturnTo  string `query:"return_to" required:"true" maxLength:"1024" doc:"Where the browser goes with the code in the fragment: an address of the server's own origin or one that may call the API (CORS)." example:"https://app.example.com/signed-in"`
	Challenge string `query:"challenge" required:"true" maxLength:"43" doc:"The SHA-256 hash, in base64url without padding, of a random text that the page keeps for the exchange." example:"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"`
}

type callbackInput struct {
	ProviderPath
	State string `query:"state" maxLength:"512" doc:"From the login."`
	Code  string `query:"code" maxLength:"4096" doc:"From the provider."`
	Iss   string `query:"iss" maxLength:"512" doc:"The provider's issuer (RFC 9207)."`
	Error string `query:"error" maxLength:"512" doc:"Instead of a code."`
}

type exchangeBody struct {
	Code       string `json:"code" maxLength:"8192" doc:"From the fragment of the page's address. It works once, for a minute."`
	Verifier   string `json:"verifier" maxLength:"128" doc:"The text whose hash was the login's challenge."`
	Invitation string `json:"invitation,omitempty" maxLength:"200" doc:"The token of an invitation's link, to accept it at the same time."`
	Language   string `json:"language,omitempty" maxLength:"35" doc:"Of mails to a new account, as a BCP 47 tag; default what the browser asks for."`
}

type exchangedBody struct {
	Session sessionBody `json:"session"`
	Joined  *joinedBody `json:"joined,omitempty" doc:"What the invitation has made of the account."`
}

type joinedBody struct {
	InvitationID   domain.InvitationID   `json:"invitation_id" format:"uuid"`
	OrganizationID domain.OrganizationID `json:"organization_id" format:"uuid"`
	Roles          []domain.Role         `json:"roles"`
}

const exampleVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func (a *API) addOIDC() {
	add(a, route{
		id: "list-providers", method: http.MethodGet, path: "/v1/oidc/providers", tag: "Accounts", access: Public(), status: http.StatusOK,
		summary: "Identity providers", description: "Those that people may sign in with, in the order of the server's settings.",
		response: list[providerBody]{Items: []providerBody{{"google", "Google"}}},
	}, a.listProviders)
	add(a, route{
		id: "provider-login", method: http.MethodGet, path: "/v1/oidc/{provider}/login", tag: "Accounts", access: Public(), status: http.StatusFound,
		summary:     "Sign in with a provider",
		description: "For a browser to navigate to: sends it to the provider, and leaves a cookie that is good for 10 minutes.",
		words:       []string{"provider"}, page: true,
		codes: []domain.Code{domain.CodeInvalid, domain.CodeTooManyAttempts, codeProviderUnavailable},
	}, a.providerLogin)
	add(a, route{
		id: "provider-callback", method: http.MethodGet, path: "/v1/oidc/{provider}/callback", tag: "Accounts", access: Public(), status: http.StatusSeeOther,
		summary:     "Come back from a provider",
		description: "For the provider to send the browser to: sends it on to the login's return_to, with `code` in the fragment for the exchange.",
		words:       []string{"provider"}, page: true,
		codes: []domain.Code{
			domain.CodeInvalid, domain.CodeTooManyAttempts, codeProviderUnavailable, codeProviderRefused, codeIdentityInvalid, codeTenantNotAllowed, codeLoginInvalid,
		},
	}, a.providerCallback)
	add(a, route{
		id: "exchange-code", method: http.MethodPost, path: "/v1/sessions/exchange", tag: "Accounts", access: Public(), status: http.StatusCreated,
		summary: "Finish a sign-in with a provider",
		description: "Answers with the token of a new session. An identity that is new is linked with the account that has the same e-mail address, or makes one; " +
			"the provider has to vouch for the address. With an invitation the account accepts it besides, or nothing happens.",
		codes: []domain.Code{
			domain.CodeTooManyAttempts, domain.CodeLinkInvalid, domain.CodeEmailUnverified, domain.CodeIdentityConflict, domain.CodeNotSignedIn, domain.CodeNotFound,
			domain.CodeProviderRequired, domain.CodeWrongProvider, domain.CodeWrongTenant, domain.CodeWrongAccount,
			domain.CodeInvitationExpired, domain.CodeInvitationAccepted, domain.CodeInvitationDeclined, domain.CodeInvitationRevoked,
		},
		request:  exchangeBody{Code: "tnr_sld_Zm9yIGV4YW1wbGU", Verifier: exampleVerifier},
		response: exchangedBody{exampleSessionBody(), &joinedBody{exampleInvitation, exampleOrganization, []domain.Role{"USER"}}},
	}, a.exchangeCode)
	a.addIdentities()
}

func (a *API) listProviders(context.Context, *call, *struct{}) (answer, error) {
	items := []providerBody{}
	for _, p := range a.config.Providers.List() {
		items = append(items, providerBody{p.Name(), p.Label()})
	}
	return answer{body: list[providerBody]{Items: items}}, nil
}

func (a *API) provider(name string) (*oidc.Provider, error) {
	p, ok := a.config.Providers.Get(name)
	if !ok {
		return nil, domain.Refuse(domain.CodeNotFound, "No such provider", "Take a name from the list of providers.")
	}
	return p, nil
}

func (a *API) providerLogin(ctx context.Context, c *call, in *loginInput) (answer, error) {
	p, err := a.provider(in.Provider)
	if err != nil {
		return answer{}, err
	}
	var k checks
	to := a.returnTo(&k, in.ReturnTo)
	if !challenge.MatchString(in.Challenge) {
		k.note(domain.Invalid("challenge", "Give a SHA-256 hash in base64url, 43 characters."))
	}
	if err := k.err(); err != nil {
		return answer{}, err
	}
	if err := a.charge(ctx, a.perAddress(c, "provider", a.config.Throttle.LoginsPerAddress)); err != nil {
		return answer{}, err
	}
	login, at, err := p.Begin(ctx)
	if err != nil {
		return answer{}, err
	}
	sealed, err := a.config.Commands.Keys.Seal(sealedLogin, pendingLogin{login, to, in.Challenge}, a.config.Commands.Now().Add(loginLifetime))
	a.setCookie(c, sealed, loginLifetime)
	return answer{location: at}, err
}

func (a *API) providerCallback(ctx context.Context, c *call, in *callbackInput) (answer, error) {
	p, err := a.provider(in.Provider)
	if err != nil {
		return answer{}, err
	}
	cookie := c.fiber.Cookies(a.cookieName())
	a.setCookie(c, "", -time.Second) // whatever comes of it, it is for one answer
	var login pendingLogin
	who, err := charged(ctx, a, []budget{a.perAddress(c, "sign in", a.config.Throttle.SignInPerAddress)}, func() (oidc.Identity, error) {
		if a.config.Commands.Keys.Open(sealedLogin, cookie, &login, a.config.Commands.Now()) != nil {
			return oidc.Identity{}, oidc.ErrState
		}
		return p.Finish(ctx, login.Login, oidc.Callback{State: in.State, Code: in.Code, Issuer: in.Iss, Error: in.Error})
	})
	if err != nil {
		c.back = login.ReturnTo
		return answer{}, err
	}
	code, err := a.config.Commands.Keys.Seal(sealedCode, signInCode{rand.Text(), login.Challenge, who}, a.config.Commands.Now().Add(codeLifetime))
	return answer{location: login.ReturnTo + "#code=" + code}, err
}

func (a *API) exchangeCode(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body exchangeBody
}) (answer, error) {
	var k checks
	lang := k.language("language", in.Body.Language, preferredLanguage(c.fiber.Get("Accept-Language")))
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	done, err := charged(ctx, a, a.linkBudgets(c), func() (commands.WithProvider, error) {
		code, err := a.openCode(in.Body.Code, in.Body.Verifier)
		if err != nil {
			return commands.WithProvider{}, err
		}
		return do.SignInWithProvider(ctx, r, identified(code, lang), in.Body.Invitation)
	})
	body := exchangedBody{Session: sessionOf(done.SignedIn)}
	if j := done.Joined; j != nil {
		body.Joined = &joinedBody{j.InvitationID, j.OrganizationID, j.Roles}
	}
	return answer{body: body, position: done.Position}, err
}

// openCode reads a code for who knows what is behind its challenge. It fails
// with CodeLinkInvalid.
func (a *API) openCode(text, verifier string) (signInCode, error) {
	var code signInCode
	err := a.config.Commands.Keys.Open(sealedCode, text, &code, a.config.Commands.Now())
	sum := sha256.Sum256([]byte(verifier))
	hash := base64.RawURLEncoding.EncodeToString(sum[:])
	if err != nil || subtle.ConstantTimeCompare([]byte(hash), []byte(code.Challenge)) != 1 {
		return signInCode{}, domain.Refuse(domain.CodeLinkInvalid, "Code invalid", "Sign in again: the code works for a minute, in the page that began the sign-in.")
	}
	return code, nil
}

// identified is whom a code names, with values that an account may have.
func identified(code signInCode, lang string) commands.Identified {
	id := code.Identity
	email, err := domain.ParseEmail("email", id.Email)
	who := commands.Identified{
		Identity: account.Identity{Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject},
		SignIn:   code.ID, Tenant: id.Tenant, Email: email, EmailVerified: id.EmailVerified && err == nil, Username: id.Username, Language: lang,
	}
	local, _, _ := strings.Cut(id.Email, "@")
	for _, text := range []string{id.Name, id.Username, local, "-"} {
		if who.DisplayName, err = domain.ParseDisplayName("display_name", text); err == nil {
			break
		}
	}
	return who
}

var challenge = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// returnTo checks that a page may be sent a code: it is of an origin that is
// ours or may call the API.
func (a *API) returnTo(k *checks, text string) string {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxReturnBytes || u.User != nil || u.Opaque != "" || strings.Contains(text, "#") || strings.ContainsAny(text, "\\ ") ||
		!slices.Contains(append([]string{originOf(a.config.PublicURL)}, a.config.AllowedOrigins...), u.Scheme+"://"+u.Host) {
		k.note(domain.Invalid("return_to", "Give an address, without a fragment, of this server or of an origin that may call the API."))
		return ""
	}
	return u.String()
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// cookieName has, with https, the prefix that lets no other host or path set the
// cookie.
func (a *API) cookieName() string {
	if strings.HasPrefix(a.config.PublicURL, "https:") {
		return "__Host-tenure-login"
	}
	return "tenure-login"
}

// setCookie sets the cookie of a login; Lax, since the provider sends the
// browser back from its own site.
func (a *API) setCookie(c *call, value string, lifetime time.Duration) {
	c.fiber.Cookie(&fiber.Cookie{
		Name: a.cookieName(), Value: value, Path: "/", MaxAge: int(lifetime / time.Second), Expires: a.config.Commands.Now().Add(lifetime),
		Secure: strings.HasPrefix(a.config.PublicURL, "https:"), HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode,
	})
}
