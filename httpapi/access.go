package httpapi

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
)

// AccessKind says whom a route is for.
type AccessKind string

// The kinds of access.
const (
	AccessPublic   AccessKind = "public"    // everybody
	AccessLink     AccessKind = "link"      // who has the token of a mail's link, which is in the body
	AccessSignedIn AccessKind = "signed_in" // every signed-in account
	AccessMember   AccessKind = "member"    // members with a permission
	AccessOperator AccessKind = "operator"  // API keys with a scope
	AccessCheck    AccessKind = "check"     // API keys with a scope, and signed-in accounts about what they may see
)

// Access is the permission decision of a route. There is no default.
type Access struct {
	Kind       AccessKind        `json:"kind"`
	Permission domain.Permission `json:"permission,omitempty"` // of AccessMember
	Self       bool              `json:"self,omitempty"`       // a member without the permission may read what is about themselves
	Own        bool              `json:"own,omitempty"`        // a member without the permission gets what is theirs of the list
	Ended      bool              `json:"ended,omitempty"`      // a session that has ended will do
	Keys       bool              `json:"keys,omitempty"`       // a key with the scope may give the command
	All        bool              `json:"all,omitempty"`        // the organization is in the query; a key with the scope may leave it out
	Scope      apikey.Scope      `json:"scope,omitempty"`      // of AccessOperator, AccessCheck, and of keys that may do the same as a member
}

// Public lets everybody in.
func Public() Access { return Access{Kind: AccessPublic} }

// Link lets in who has the token of a mail's link; the command checks it.
func Link() Access { return Access{Kind: AccessLink} }

// SignedIn lets in every account with a session.
func SignedIn() Access { return Access{Kind: AccessSignedIn} }

// SignedInOnce lets in as SignedIn does, and whoever was signed in before.
func SignedInOnce() Access { return Access{Kind: AccessSignedIn, Ended: true} }

// Member lets in members of the organization in the path who have the
// permission, and for reads operators whose key may read organizations. To
// everybody else the organization does not exist. Of a command, the aggregate
// decides.
func Member(permission domain.Permission) Access {
	return Access{Kind: AccessMember, Permission: permission, Scope: apikey.ScopeReadOrganizations}
}

// MemberOrSelf is Member, and lets a member read what is about themselves: the
// path's {user}.
func MemberOrSelf(permission domain.Permission) Access {
	access := Member(permission)
	access.Self = true
	return access
}

// MemberOrOwn is Member, and gives a member without the permission the part of
// the list that is theirs.
func MemberOrOwn(permission domain.Permission) Access {
	access := Member(permission)
	access.Own = true
	return access
}

// MemberOrKey is for commands of members with the permission, and of the host
// product: API keys with the scope.
func MemberOrKey(permission domain.Permission, scope apikey.Scope) Access {
	return Access{Kind: AccessMember, Permission: permission, Scope: scope, Keys: true}
}

// MemberOrAll is Member for reads that name the organization in the query, and
// lets API keys with the scope read all organizations at once.
func MemberOrAll(permission domain.Permission, scope apikey.Scope) Access {
	return Access{Kind: AccessMember, Permission: permission, Scope: scope, All: true}
}

// Operator lets in API keys with the scope.
func Operator(scope apikey.Scope) Access { return Access{Kind: AccessOperator, Scope: scope} }

// Check lets in API keys with the scope, and every signed-in account; of what an
// account may ask, commands.AccessCheck decides.
func Check(scope apikey.Scope) Access { return Access{Kind: AccessCheck, Scope: scope} }

// authenticate finds out who calls. It fails with CodeNotSignedIn.
func (a *API) authenticate(ctx context.Context, c *call) error {
	secret, presented := a.secret(c)
	if !presented {
		switch c.route.access.Kind {
		case AccessPublic, AccessLink:
			return nil
		}
		return domain.Refuse(domain.CodeNotSignedIn, "Sign in first", "Send a session token or an API key in the header Authorization: Bearer ….")
	}
	if c.route.access.Kind == AccessPublic {
		return nil // whoever it is
	}
	authenticate := a.config.Commands.Authenticate
	if c.route.access.Ended {
		authenticate = a.config.Commands.AuthenticateEnded
	}
	caller, err := authenticate(ctx, secret)
	if err != nil {
		return err
	}
	c.caller = caller
	if account, ok := caller.Actor.Account(); ok && c.route.read() {
		// Seen or not, the request is served.
		if err := a.config.Commands.NoteSeen(ctx, account); err != nil {
			a.config.Logger.Warn("an account in use was not recorded as that", "error", err)
		}
	}
	return nil
}

// secret is what the client presents: Bearer, or for an operator's browser
// Basic with the user "operator" and the key as the password.
func (a *API) secret(c *call) (secret string, presented bool) {
	header := c.fiber.Get(fiber.HeaderAuthorization)
	if header == "" {
		return "", false
	}
	scheme, credentials, _ := strings.Cut(header, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return strings.TrimSpace(credentials), true
	case strings.EqualFold(scheme, "Basic") && c.route.basic():
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(credentials))
		user, password, _ := strings.Cut(string(decoded), ":")
		if err == nil && user == "operator" {
			return password, true
		}
	}
	return "", true
}

// authorize decides on the caller. It fails with CodePermissionDenied and
// CodeNotFound.
func (a *API) authorize(ctx context.Context, c *call) error {
	access := c.route.access
	byKey := c.caller.Actor.Kind == domain.ActorAPIKey
	switch access.Kind {
	case AccessPublic:
		return nil
	case AccessLink, AccessSignedIn:
		if byKey {
			return denied("Sign in as a person; an API key cannot do this.")
		}
		return nil
	case AccessOperator, AccessCheck:
		if !byKey && access.Kind == AccessCheck {
			return nil
		}
		if !byKey || !c.caller.Key.Allows(access.Scope, a.config.Commands.Now()) {
			return denied("Use an API key with the scope " + string(access.Scope) + ".")
		}
		return nil
	case AccessMember:
		if byKey {
			return a.authorizeKey(ctx, c)
		}
		if err := account.CheckEnters(c.caller.Account, c.organization()); err != nil {
			return err
		}
		return a.authorizeMember(ctx, c)
	}
	return denied("Nobody may do this.")
}

func (a *API) authorizeKey(ctx context.Context, c *call) error {
	if !c.route.read() && !c.route.access.Keys {
		return denied("Sign in as a member; API keys read organizations and do not change them.")
	}
	if !c.caller.Key.Allows(c.route.access.Scope, a.config.Commands.Now()) {
		return denied("Use an API key with the scope " + string(c.route.access.Scope) + ".")
	}
	if c.route.access.All && c.organization() == "" {
		return nil
	}
	exists, newest, err := a.config.Commands.OrganizationExists(ctx, c.organization())
	c.newest = newest
	if err == nil && !exists {
		err = domain.Refuse(domain.CodeNotFound, "No such organization", "Look the organization up in the list of organizations.")
	}
	return err
}

func (a *API) authorizeMember(ctx context.Context, c *call) (err error) {
	if !c.route.read() {
		return nil // the aggregate decides
	}
	access := c.route.access
	if access.All && c.organization() == "" {
		return denied("Name an organization in which your role allows " + string(access.Permission) + ", or use an API key with the scope " + string(access.Scope) + ".")
	}
	if access.Self && string(c.member()) == c.caller.Actor.ID {
		c.membership, err = a.config.Commands.AuthorizeMember(ctx, c.caller.Actor, c.organization())
		return err
	}
	if access.Own {
		c.membership, err = a.config.Commands.AuthorizeMember(ctx, c.caller.Actor, c.organization())
		return err
	}
	c.membership, err = a.config.Commands.Authorize(ctx, c.caller.Actor, c.organization(), access.Permission)
	c.newest = c.membership.Expected
	return err
}

// basic reports whether the route accepts Basic credentials: only where a
// browser shows something to an operator.
func (r *route) basic() bool {
	return r.access.Kind == AccessOperator && r.method == http.MethodGet
}

func (r *route) read() bool { return r.method == http.MethodGet }

func denied(message string) error {
	return domain.Refuse(domain.CodePermissionDenied, "Permission denied", message)
}
