package acceptance

import (
	"strings"
	"testing"
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
