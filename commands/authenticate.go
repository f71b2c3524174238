package commands

import (
	"context"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/eventstore"
)

// Caller is who presents a valid session or API key.
type Caller struct {
	Actor     domain.Actor
	Account   account.State    // of a session
	SessionID domain.SessionID // of a session
	Key       apikey.State     // of an API key

	Expected eventstore.Expected // the account's stream, of a session
}

// Authenticate answers with whom a session token or API key belongs to. It
// rests on the log itself, so that a session or key that has ended is refused
// at once. It fails with CodeNotSignedIn.
func (c *Commands) Authenticate(ctx context.Context, secret string) (Caller, error) {
	kind := token.Session
	if token.Is(token.APIKey, secret) {
		kind = token.APIKey
	}
	t, err := c.Keys.Read(kind, secret)
	if err != nil {
		return Caller{}, notSignedIn()
	}
	if kind == token.APIKey {
		key, _, err := c.apiKeys.load(ctx, t.Subject)
		if err == nil && !key.Valid(c.Now()) {
			err = notSignedIn()
		}
		return Caller{Actor: domain.ByAPIKey(key.ID), Key: key}, err
	}
	s, expected, err := c.accounts.load(ctx, t.Subject)
	if err != nil {
		return Caller{}, err
	}
	if _, ok := s.Session(domain.SessionID(t.Detail), c.Now()); !ok {
		return Caller{}, notSignedIn()
	}
	return Caller{Actor: domain.ByAccount(s.ID), Account: s, SessionID: domain.SessionID(t.Detail), Expected: expected}, nil
}

// AuthenticateEnded is Authenticate for what may also be done with a session
// that has ended, which is to end it.
func (c *Commands) AuthenticateEnded(ctx context.Context, secret string) (Caller, error) {
	caller, refused := c.Authenticate(ctx, secret)
	t, err := c.Keys.Read(token.Session, secret)
	if refused == nil || !isRefusal(refused) || err != nil {
		return caller, refused
	}
	s, expected, err := c.accounts.load(ctx, t.Subject)
	if err == nil && !s.Exists() && !s.Erased() {
		err = refused
	}
	return Caller{Actor: domain.ByAccount(s.ID), Account: s, SessionID: domain.SessionID(t.Detail), Expected: expected}, err
}

// Membership is a member's standing in an organization.
type Membership struct {
	organization.Member
	Policy   *policy.Policy
	Expected eventstore.Expected // the stream that this rests on

	// NeverMoved says that the policy of the organization was never changed.
	NeverMoved bool
}

// Authorize answers with the actor's membership when it has the permission,
// for reads; commands decide that themselves. It fails with CodeNotFound and
// CodePermissionDenied.
func (c *Commands) Authorize(ctx context.Context, by domain.Actor, org domain.OrganizationID, permission domain.Permission) (Membership, error) {
	return c.membership(ctx, org, func(s organization.State, p *policy.Policy) (organization.Member, error) {
		return organization.Authorize(s, p, by, permission)
	})
}

// AuthorizeMember answers with the actor's membership, whatever it allows. It
// fails with CodeNotFound.
func (c *Commands) AuthorizeMember(ctx context.Context, by domain.Actor, org domain.OrganizationID) (Membership, error) {
	return c.membership(ctx, org, func(s organization.State, p *policy.Policy) (organization.Member, error) {
		m, err := organization.AuthorizeMember(s, by)
		return m, reword(p, err)
	})
}

func (c *Commands) membership(ctx context.Context, org domain.OrganizationID, authorize func(organization.State, *policy.Policy) (organization.Member, error)) (Membership, error) {
	s, expected, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return Membership{}, err
	}
	p, err := c.rules(s)
	if err != nil {
		return Membership{}, err
	}
	m, err := authorize(s, p)
	return Membership{Member: m, Policy: p, Expected: expected, NeverMoved: s.PolicyChanges == 0}, err
}

// OrganizationExists reports whether there is such an organization, and where its
// stream is, for operators, who are no members.
func (c *Commands) OrganizationExists(ctx context.Context, org domain.OrganizationID) (bool, eventstore.Expected, error) {
	s, expected, err := c.organizations.load(ctx, string(org))
	return s.Exists(), expected, err
}

// Rules is the policy that an organization is under.
func (c *Commands) Rules(ctx context.Context, org domain.OrganizationID) (*policy.Policy, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return nil, err
	}
	return c.rules(s)
}

func notSignedIn() error {
	return domain.Refuse(domain.CodeNotSignedIn, "Sign in first", "Send a session token or an API key in the header Authorization: Bearer ….")
}
