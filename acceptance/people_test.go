package acceptance

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tenure/oidc/oidctest"
)

// person has an account and is signed in.
type person struct {
	client
	Email     string
	Password  string
	Name      string
	AccountID string
	SessionID string
}

// session is the answer to signing in.
type session struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	AccountID string    `json:"account_id"`
	SessionID string    `json:"session_id"`
}

// receipt is the answer to a command.
type receipt struct {
	Events   []event `json:"events"`
	Revision *uint64 `json:"revision"`
	DryRun   bool    `json:"dry_run"`

	OrganizationID string   `json:"organization_id"`
	InvitationID   string   `json:"invitation_id"`
	TransferID     string   `json:"transfer_id"`
	AccountID      string   `json:"account_id"`
	APIKeyID       string   `json:"api_key_id"`
	Key            string   `json:"key"`
	WebhookID      string   `json:"webhook_id"`
	Secret         string   `json:"secret"`
	Session        *session `json:"session"`
}

type event struct {
	Type string         `json:"type"`
	Data map[string]any `json:"data"`
}

// types are those of the events, without their versions.
func (r receipt) types() string {
	names := make([]string, len(r.Events))
	for i, e := range r.Events {
		names[i] = e.Type[:strings.LastIndex(e.Type, ".v")]
	}
	return strings.Join(names, " ")
}

// the looks of documents.
type (
	organizationDoc struct {
		OrganizationID  string       `json:"organization_id"`
		Name            string       `json:"name"`
		Policy          string       `json:"policy"`
		Members         int          `json:"members"`
		YourRoles       []string     `json:"your_roles"`
		YourPermissions []string     `json:"your_permissions"`
		OpenInvitations int          `json:"open_invitations"`
		Transfer        *transferDoc `json:"ownership_transfer"`
	}
	transferDoc struct {
		TransferID string    `json:"transfer_id"`
		From       string    `json:"from"`
		To         string    `json:"to"`
		ExpiresAt  time.Time `json:"expires_at"`
	}
	memberDoc struct {
		AccountID    string   `json:"account_id"`
		Email        string   `json:"email"`
		Username     string   `json:"username"`
		DisplayName  string   `json:"display_name"`
		Roles        []string `json:"roles"`
		Status       string   `json:"status"`
		InvitationID string   `json:"invitation_id"`
		Effective    []string `json:"effective_roles"`
	}
	invitationDoc struct {
		InvitationID string    `json:"invitation_id"`
		Email        string    `json:"email"`
		Username     string    `json:"username"`
		Provider     string    `json:"provider"`
		Roles        []string  `json:"roles"`
		Status       string    `json:"status"`
		Generation   int       `json:"generation"`
		ExpiresAt    time.Time `json:"expires_at"`
		IssuedAt     time.Time `json:"issued_at"`
	}
	membershipDoc struct {
		OrganizationID string   `json:"organization_id"`
		Name           string   `json:"name"`
		Roles          []string `json:"roles"`
	}
	entryDoc struct {
		Position    string         `json:"position"`
		Stream      string         `json:"stream"`
		Revision    uint64         `json:"revision"`
		Type        string         `json:"type"`
		At          time.Time      `json:"at"`
		Actor       actorDoc       `json:"actor"`
		Reason      string         `json:"reason"`
		CausedBy    string         `json:"caused_by"`
		Correlation string         `json:"correlation"`
		Data        map[string]any `json:"data"`
		Roles       *movedDoc      `json:"roles"`
	}
	movedDoc struct {
		Before []string `json:"before"`
		After  []string `json:"after"`
	}
	actorDoc struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
	}
)

const password = "correct horse battery"

// names makes names that no other test of the run has.
var names atomic.Uint64

func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, names.Add(1)) }

// newPerson is somebody who has no account yet.
func (s *server) newPerson(name string) *person {
	name = unique(name)
	return &person{client: s.anonymous(), Name: name, Email: strings.ToLower(name) + "@example.com", Password: password}
}

// signUp makes an account with the link in the mail, and signs in.
func (s *server) signUp(t *testing.T, name string) *person {
	t.Helper()
	p := s.newPerson(name)
	p.register(t)
	return p
}

func (p *person) register(t *testing.T) {
	t.Helper()
	ok(t, p.requestAccount())
	p.enter(decoded[session](t, p.verify(p.server.tokenTo(t, p.Email, verifyPage, 1))))
}

func (p *person) requestAccount(extras ...extra) response {
	return p.server.anonymous().post("/v1/accounts", map[string]any{"email": p.Email, "display_name": p.Name, "password": p.Password}, extras...)
}

func (p *person) verify(token string, extras ...extra) response {
	return p.server.anonymous().post("/v1/accounts/verify", map[string]any{"token": token, "password": p.Password}, extras...)
}

// signIn starts another session and uses it from now on.
func (p *person) signIn(t *testing.T) {
	t.Helper()
	p.enter(decoded[session](t, p.requestSession()))
}

func (p *person) requestSession(extras ...extra) response {
	return p.server.anonymous().post("/v1/sessions", map[string]any{"email": p.Email, "password": p.Password}, extras...)
}

func (p *person) enter(s session) {
	p.token, p.AccountID, p.SessionID = s.Token, s.AccountID, s.SessionID
	p.server.issued.add(s.Token)
}

// together runs the functions at the same time.
func together(all ...func()) {
	var wg sync.WaitGroup
	for _, f := range all {
		wg.Go(f)
	}
	wg.Wait()
}

// cast is an organization with one member of each role, and people outside.
type cast struct {
	*server
	org                                           string
	name                                          string
	owner, admin, user, viewer, stranger, removed *person
	acme                                          *oidctest.Provider // nil unless the test has one
	pipeline                                      *client            // reads the whole feed; see feedOf
}

// newCast makes an organization with everybody in it; the removed one was a USER.
func (s *server) newCast(t *testing.T) *cast {
	t.Helper()
	c := &cast{server: s, name: unique("Acme")}
	c.owner, c.stranger = s.newPerson("Owner"), s.newPerson("Stranger")
	c.admin, c.user, c.viewer, c.removed = s.newPerson("Admin"), s.newPerson("User"), s.newPerson("Viewer"), s.newPerson("Removed")
	for _, p := range c.everybody() {
		ok(t, p.requestAccount())
	}
	for _, p := range c.everybody() {
		p.enter(decoded[session](t, p.verify(s.tokenTo(t, p.Email, verifyPage, 1))))
	}
	c.org = decoded[receipt](t, c.owner.activate(c.name)).OrganizationID
	joins := map[*person]string{c.admin: "ADMIN", c.user: "USER", c.viewer: "VIEWER", c.removed: "USER"}
	for p, role := range joins {
		ok(t, c.owner.invite(c.org, p.Email, p.Name, role))
	}
	for p := range joins {
		ok(t, p.accept(s.tokenTo(t, p.Email, invitePage, 1)))
	}
	ok(t, c.owner.remove(c.org, c.removed))
	return c
}

func (c *cast) everybody() []*person {
	return []*person{c.owner, c.admin, c.user, c.viewer, c.removed, c.stranger}
}

// join makes the person a member with the role.
func (c *cast) join(t *testing.T, p *person, role string) {
	t.Helper()
	before := len(c.mailsTo(p.Email, invitePage))
	ok(t, c.owner.invite(c.org, p.Email, p.Name, role))
	ok(t, p.accept(c.tokenTo(t, p.Email, invitePage, before+1)))
}

// newMember makes an account that is a member with the role.
func (c *cast) newMember(t *testing.T, role string) *person {
	t.Helper()
	p := c.signUp(t, "Member")
	c.join(t, p, role)
	return p
}
