package acceptance

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/matryer/is"
)

// What people can do in an organization of the moderated policy.

// school is an organization of the moderated policy with one member of each role.
type school struct {
	*server
	org                        string
	admin, author, participant *person
}

func (s *server) newSchool(t *testing.T) *school {
	t.Helper()
	c := &school{server: s, admin: s.signUp(t, "Admin"), author: s.signUp(t, "Author"), participant: s.signUp(t, "Participant")}
	c.org = s.found(t, c.admin, "moderated")
	ok(t, c.admin.add(c.org, c.author.Email, "", "author"))
	ok(t, c.admin.add(c.org, c.participant.Email, "", "participant"))
	return c
}

// found makes an organization under a policy.
func (s *server) found(t *testing.T, by *person, policy string) string {
	t.Helper()
	return decoded[receipt](t, by.foundAs(policy, unique("Founded"))).OrganizationID
}

func (c client) foundAs(policy, name string, extras ...extra) response {
	return c.post("/v1/organizations", map[string]any{"name": name, "policy": policy, "username": "founder"}, extras...)
}

// add makes somebody a member; without a password one who has an account.
func (c client) add(org, email, password, role string, extras ...extra) response {
	body := map[string]any{"email": email, "roles": []string{role}}
	if password != "" {
		body["password"], body["display_name"] = password, "Added"
	}
	return c.post(orgPath(org, "members"), body, extras...)
}

func (c client) suspend(org string, who *person, extras ...extra) response {
	return c.post(orgPath(org, "members", who.AccountID, "suspend"), map[string]any{"reason": "On leave."}, extras...)
}

func (c client) reactivate(org string, who *person, extras ...extra) response {
	return c.post(orgPath(org, "members", who.AccountID, "reactivate"), map[string]any{}, extras...)
}

func (c client) resetMember(org string, who *person, extras ...extra) response {
	return c.post(orgPath(org, "members", who.AccountID, "reset-password"), map[string]any{}, extras...)
}

func (c client) askToJoin(org string, extras ...extra) response {
	return c.post(orgPath(org, "join-requests"), map[string]any{"reason": "I teach here."}, extras...)
}

func (c client) withdraw(org string, extras ...extra) response {
	return c.delete(orgPath(org, "join-requests", "current"), extras...)
}

func (c client) decide(org string, body map[string]any, extras ...extra) response {
	return c.post(orgPath(org, "join-requests", "decide"), body, extras...)
}

func (c client) autoActivate(org string, on bool, extras ...extra) response {
	return c.put(orgPath(org, "auto-activation"), map[string]any{"auto_activation": on}, extras...)
}

// each decides on several people, one by one.
func each(verb string, people ...*person) map[string]any {
	var decisions []map[string]any
	for _, p := range people {
		decisions = append(decisions, map[string]any{"account_id": p.AccountID, "decision": verb})
	}
	return map[string]any{"decisions": decisions}
}

// outcomes are what became of each decision, "approved" or the like, or the code
// of its problem.
func outcomes(t *testing.T, r response) []string {
	t.Helper()
	var all []string
	for _, result := range decoded[struct {
		Results []struct {
			Outcome string
			Problem struct{ Code, Title, Detail string }
		}
	}](t, r).Results {
		switch {
		case result.Outcome != "refused":
			all = append(all, result.Outcome)
		case result.Problem.Title == "" || result.Problem.Detail == "":
			t.Fatalf("the problem is not complete: %s", r)
		default:
			all = append(all, result.Problem.Code)
		}
	}
	return all
}

// statusOf is where somebody stands, as the lists of members show it.
func (c *school) statusOf(t *testing.T, who *person) string {
	t.Helper()
	for _, status := range []string{"active", "suspended", "pending", "removed"} {
		if _, listed := find(c.admin.members(t, c.org, "?status="+status), func(m memberDoc) bool { return m.AccountID == who.AccountID }); listed {
			is.New(t).Equal(c.admin.member(t, c.org, who).Status, status)
			return status
		}
	}
	return "none"
}

// statusAtHome is where somebody stands, as their own list of organizations shows it.
func statusAtHome(t *testing.T, who *person, org string) string {
	t.Helper()
	type standing struct {
		OrganizationID string `json:"organization_id"`
		Status         string `json:"status"`
	}
	mine, _ := find(all[standing](t, who.client, "/v1/me/organizations"), func(m standing) bool { return m.OrganizationID == org })
	return mine.Status
}

// askers are people who have asked to join.
func (c *school) askers(t *testing.T, n int) []*person {
	t.Helper()
	people := make([]*person, n)
	for i := range people {
		people[i] = c.signUp(t, "Asker")
		ok(t, people[i].askToJoin(c.org))
	}
	return people
}

func (c *school) emails(t *testing.T, path string) []string {
	t.Helper()
	var emails []string
	for _, m := range all[memberDoc](t, c.admin.client, path) {
		emails = append(emails, m.Email)
	}
	slices.Sort(emails)
	return emails
}

// moderation is the part of the story in which people ask and are looked after.
func (s *story) moderation() []command {
	moderator, asker, other, third := s.removed, s.newcomer, s.viewer, s.user
	added := &person{client: s.anonymous(), Email: unique("added") + "@example.com"}
	var org string
	return []command{
		{"found", func(x ...extra) response { return moderator.foundAs("moderated", "The Academy", x...) }, func(r response) {
			org = decoded[receipt](s.t, r).OrganizationID
		}},
		{"ask to join", func(x ...extra) response { return asker.askToJoin(org, x...) }, nil},
		{"withdraw", func(x ...extra) response { return asker.withdraw(org, x...) }, nil},
		{"ask again", func(x ...extra) response { return asker.askToJoin(org, x...) }, nil},
		{"another asks", func(x ...extra) response { return other.askToJoin(org, x...) }, nil},
		{"decide", func(x ...extra) response { return moderator.decide(org, each("approve", asker, third), x...) }, nil},
		{"decide on all", func(x ...extra) response { return moderator.decide(org, map[string]any{"all": "reject"}, x...) }, nil},
		{"have requests approved by themselves", func(x ...extra) response { return moderator.autoActivate(org, true, x...) }, nil},
		{"join at once", func(x ...extra) response { return third.askToJoin(org, x...) }, nil},
		{"make an author", func(x ...extra) response { return moderator.changeRole(org, third, "author", x...) }, nil},
		{"suspend", func(x ...extra) response { return moderator.suspend(org, third, x...) }, nil},
		{"reactivate", func(x ...extra) response { return moderator.reactivate(org, third, x...) }, nil},
		{"add a member who has an account", func(x ...extra) response { return moderator.add(org, other.Email, "", "participant", x...) }, nil},
		{"add a member who has none", func(x ...extra) response { return moderator.add(org, added.Email, "sesame", "participant", x...) }, func(r response) {
			added.AccountID = decoded[receipt](s.t, r).AccountID
		}},
		{"reset a password", func(x ...extra) response { return moderator.resetMember(org, added, x...) }, nil},
	}
}

// fileHolds reports whether a file in the folder, if it is there, holds the text.
func fileHolds(t *testing.T, folder, name, text string) bool {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Contains(content, []byte(text))
}
