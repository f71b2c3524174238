package acceptance

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// builtinPolicies are the names of the documents that are compiled in.
func builtinPolicies(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../policies/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no policies: %v", err)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".yaml")
	}
	return names
}

// policyText is the document of a built-in policy.
func policyText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../policies/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// found founds an organization under a policy.
func (p *person) found(t *testing.T, policy string) string {
	t.Helper()
	r := p.post("/v1/organizations", map[string]any{"name": unique("Org"), "username": "founder", "policy": policy})
	return decoded[receipt](t, r).OrganizationID
}

// inviteTo invites to any number of roles.
func (c client) inviteTo(org string, p *person, roles []string, extras ...extra) response {
	return c.inviteWith(org, map[string]any{"email": p.Email, "username": p.Name, "roles": append([]string{}, roles...)}, extras...)
}

// hire makes the person, who has no account yet, a member with the roles.
func (c client) hire(t *testing.T, org string, p *person, roles ...string) *person {
	t.Helper()
	ok(t, c.inviteTo(org, p, roles))
	joined := decoded[receipt](t, p.acceptNew(c.server.invitationTo(t, p.Email)))
	p.enter(*joined.Session)
	return p
}

func (c client) setRoles(org string, who *person, roles []string, extras ...extra) response {
	return c.put(orgPath(org, "members", who.AccountID, "roles"), map[string]any{"roles": append([]string{}, roles...)}, extras...)
}

// limitsDoc is what GET …/limits answers with.
type limitsDoc struct {
	Seats           int `json:"seats"`
	Taken           int `json:"taken"`
	OpenInvitations int `json:"open_invitations"`
}

func (c client) limits(t *testing.T, org string, extras ...extra) limitsDoc {
	t.Helper()
	return decoded[limitsDoc](t, c.get(orgPath(org, "limits"), extras...))
}

func (c client) setSeats(org string, seats int, extras ...extra) response {
	return c.patch("/v1/operator/organizations/"+org, map[string]any{"seats": seats}, extras...)
}

// linkOf is the link in the answer to an invitation.
func linkOf(t *testing.T, r response) string {
	t.Helper()
	return decoded[struct {
		Link string `json:"link"`
	}](t, r).Link
}

// tokenOf is the token of a link, which is remembered as a secret.
func (s *server) tokenOf(t *testing.T, link string) string {
	t.Helper()
	before, token, found := strings.Cut(link, "#token=")
	if !found || before != *s.url.Load()+invitePage {
		t.Fatalf("no link to pass on: %q", link)
	}
	s.issued.add(token)
	return token
}

// mailedTo is the token of the link in the mail to somebody who was invited.
func (s *server) mailedTo(t *testing.T, p *person, invited response) string {
	t.Helper()
	ok(t, invited)
	return s.invitationTo(t, p.Email)
}

// permissions are those that the one who asks has in the organization.
func (c client) permissions(t *testing.T, org string) []string {
	t.Helper()
	p := c.organization(t, org).YourPermissions
	slices.Sort(p)
	return p
}

// isGone ends the test unless the organization does not exist for the person.
func isGone(t *testing.T, p *person, org string) {
	t.Helper()
	for _, path := range []string{"", "members", "limits", "history", "invitations"} {
		refused(t, p.get(strings.TrimSuffix(orgPath(org, path), "/"), anyPosition), http.StatusNotFound, "not_found")
	}
}
