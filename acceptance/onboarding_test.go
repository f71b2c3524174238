package acceptance

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/oidc/oidctest"
)

// onboarding starts the server so that whoever signs in is onboarded.
func onboarding() option { return withFlags("--onboarding", "capabilities") }

// the looks of documents that have to do with onboarding.
type (
	holdingDoc struct {
		organizationDoc
		EmailDomain string `json:"email_domain"`
		Personal    bool   `json:"personal"`
	}
	ownDoc struct {
		membershipDoc
		Policy   string `json:"policy"`
		Status   string `json:"status"`
		Personal bool   `json:"personal"`
	}
	meDoc struct {
		AccountID      string `json:"account_id"`
		OrganizationID string `json:"organization_id"`
		DisplayName    string `json:"display_name"`
	}
	bellDoc struct {
		JoinRequests int         `json:"join_requests"`
		Newest       []memberDoc `json:"newest"`
	}
)

// uniqueDomain is an e-mail domain that no other test of the run has.
func uniqueDomain() string { return unique("acme") + ".example" }

// personAt is somebody with an address of a domain who has no account yet.
func (s *server) personAt(domain, name string) *person {
	p := s.newPerson(name)
	p.Email = strings.ToLower(p.Name) + "@" + domain
	return p
}

// signUpAt makes an account with an address of a domain, and signs in.
func (s *server) signUpAt(t *testing.T, domain, name string) *person {
	t.Helper()
	p := s.personAt(domain, name)
	p.register(t)
	return p
}

// mine are the person's organizations, without the personal space.
func (p *person) mine(t *testing.T) (shared []ownDoc) {
	t.Helper()
	for _, o := range all[ownDoc](t, p.client, "/v1/me/organizations") {
		if !o.Personal {
			shared = append(shared, o)
		}
	}
	return shared
}

// only is the one organization that the person belongs to.
func (p *person) only(t *testing.T) string {
	t.Helper()
	mine := p.mine(t)
	if len(mine) != 1 {
		t.Fatalf("%s belongs to %d organizations, not to one", p.Name, len(mine))
	}
	return mine[0].OrganizationID
}

// space is the person's personal space; empty for none.
func (p *person) space(t *testing.T) string {
	t.Helper()
	o, _ := find(all[ownDoc](t, p.client, "/v1/me/organizations"), func(o ownDoc) bool { return o.Personal })
	return o.OrganizationID
}

func (p *person) me(t *testing.T) meDoc {
	t.Helper()
	return decoded[meDoc](t, p.get("/v1/me"))
}

// pendingIn lists the organizations that the person asks to join.
func (p *person) pendingIn(t *testing.T) []string {
	t.Helper()
	names := []string{}
	for _, o := range all[ownDoc](t, p.client, "/v1/me/join-requests") {
		names = append(names, o.Name)
	}
	return names
}

func (c client) holding(t *testing.T, org string) holdingDoc {
	t.Helper()
	return decoded[holdingDoc](t, c.get(orgPath(org)))
}

func (c client) bell(t *testing.T, org string) bellDoc {
	t.Helper()
	return decoded[bellDoc](t, c.get(orgPath(org, "notifications")))
}

func (c client) pending(t *testing.T, org string) (emails []string) {
	t.Helper()
	for _, m := range all[memberDoc](t, c, orgPath(org, "join-requests")) {
		emails = append(emails, m.Email)
	}
	return emails
}

func (c client) holdDomain(org string, extras ...extra) response {
	return c.put(orgPath(org, "email-domain"), map[string]any{}, extras...)
}

func (c client) giveUpDomain(org string, extras ...extra) response {
	return c.delete(orgPath(org, "email-domain"), extras...)
}

func (c client) workIn(org string, extras ...extra) response {
	return c.put("/v1/me/organization", map[string]any{"organization_id": org}, extras...)
}

// withOnboarding is onboarding for fates, which need no provider for it.
func withOnboarding(*testing.T) (*oidctest.Provider, option) { return nil, onboarding() }

// signingInFirst: whoever is the first of a domain to sign in has the organization
// in the end, without signing in again.
func signingInFirst(t *testing.T, c *cast) doing {
	domain := uniqueDomain()
	p := c.personAt(domain, "First")
	ok(t, p.requestAccount())
	token := c.tokenTo(t, p.Email, verifyPage, 1)
	return doing{
		give: func(x ...extra) response { return p.verify(token, x...) },
		finished: func() bool {
			found := all[holdingDoc](t, c.operator(), "/v1/operator/organizations?q="+domain)
			if len(found) != 1 {
				return false
			}
			p.signIn(t)
			is := is.New(t)
			is.Equal(found[0].EmailDomain, domain)
			is.Equal(p.only(t), found[0].OrganizationID)
			is.True(p.space(t) != "")
			return true
		},
	}
}

// givingUpDomain: another organization gets it.
func givingUpDomain(t *testing.T, c *cast) doing {
	domain := uniqueDomain()
	p := c.signUpAt(t, domain, "Boss")
	first, second := p.only(t), p.found(t, "capabilities")
	return doing{
		give: func(x ...extra) response { return p.giveUpDomain(first, x...) },
		finished: func() bool {
			return p.holdDomain(second).done() && p.holding(t, first).EmailDomain+p.holding(t, second).EmailDomain == domain
		},
	}
}

// TestC1_KilledWhileFounding is TestSteps for the steps that founding by signing in
// has in common with founding by hand.
func TestC1_KilledWhileFounding(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		for _, step := range []string{"activate: name reserved", "activate: organization activated"} {
			t.Run(step, func(t *testing.T) {
				t.Parallel()
				c := fate{options: withOnboarding}.start(t, b)
				d := signingInFirst(t, c)
				c.diesAt(t, step, func() { d.give() })
				eventually(t, "it is finished", d.finished)
				c.stillSound(t)
			})
		}
	})
}

// domains is the part of the story in which an organization holds an e-mail domain,
// and people pick where they work.
func (s *story) domains() []command {
	boss, name := s.newcomer, unique("Domain")
	var org string
	return []command{
		{"found with a domain", func(x ...extra) response { return boss.foundAs("capabilities", name, x...) }, func(r response) {
			done := decoded[receipt](s.t, r)
			is.New(s.t).Equal(done.types(), "organization.activated organization.email_domain_changed")
			org = done.OrganizationID
		}},
		{"give up the domain", func(x ...extra) response { return boss.giveUpDomain(org, x...) }, nil},
		{"hold the domain", func(x ...extra) response { return boss.holdDomain(org, x...) }, nil},
		{"give it up again", func(x ...extra) response { return boss.giveUpDomain(org, x...) }, nil},
		{"pick an organization", func(x ...extra) response { return boss.workIn(org, x...) }, nil},
		{"pick none", func(x ...extra) response { return boss.workIn("", x...) }, nil},
	}
}
