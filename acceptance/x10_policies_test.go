package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// club is a policy like the built-in ownership, with other names for the roles.
// Its second version knows no FAN, and lets a PLAYER read the members.
func club(t *testing.T, version int) string {
	t.Helper()
	text := strings.NewReplacer("name: ownership", "name: club", "version: 1", fmt.Sprint("version: ", version),
		"OWNER", "CHAIR", "ADMIN", "BOARD", "USER", "PLAYER", "VIEWER", "FAN").Replace(policyText(t, "ownership"))
	if version == 1 {
		return text
	}
	text = strings.ReplaceAll(text, "FAN", "GUEST")
	before, after, found := strings.Cut(text, "- name: PLAYER")
	if !found {
		t.Fatal("nobody plays")
	}
	return before + "- name: PLAYER" + strings.Replace(after, "      - organization.read\n", "      - organization.read\n      - members.read\n", 1)
}

var toClub = obj{"OWNER": []string{"CHAIR"}, "ADMIN": []string{"BOARD"}, "USER": []string{"PLAYER"}, "VIEWER": []string{"FAN"}}

const policiesPath = "/v1/operator/policies"

// publish sends a document as it is.
func (c client) publish(document string, extras ...extra) response {
	return c.send("POST", policiesPath, []byte(document), append([]extra{header("Content-Type", "application/yaml")}, extras...)...)
}

// moveTo puts an organization under a policy; version 0 is the newest.
func (c client) moveTo(org, policy string, version int, roles obj, extras ...extra) response {
	return c.put("/v1/operator/organizations/"+org+"/policy", obj{"policy": policy, "version": version, "roles": roles, "reason": "As agreed."}, extras...)
}

type policyDoc struct {
	Policy  string `json:"policy"`
	Version int    `json:"version"`
	BuiltIn bool   `json:"built_in"`
	Roles   []struct {
		Role        string   `json:"role"`
		Permissions []string `json:"permissions"`
		Owner       bool     `json:"owner"`
	} `json:"roles"`
}

// policyOf is the policy that an organization is under.
func (c client) policyOf(t *testing.T, org string) string {
	t.Helper()
	p := decoded[policyDoc](t, c.get(orgPath(org, "policy")))
	return fmt.Sprintf("%s@%d", p.Policy, p.Version)
}

func TestX10_PoliciesArePublished(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		operator := s.operator()
		listed := func(t *testing.T) []string {
			t.Helper()
			var found []string
			for _, p := range all[policyDoc](t, operator, policiesPath) {
				found = append(found, fmt.Sprintf("%s@%d %v", p.Policy, p.Version, p.BuiltIn))
			}
			return found
		}
		builtin := listed(t)
		is.New(t).Equal(len(builtin), len(builtinPolicies(t)))

		t.Run("what is wrong is told with its place", func(t *testing.T) {
			is := is.New(t)
			wrong := strings.Replace(strings.Replace(club(t, 1), "grants: [BOARD, PLAYER, FAN]", "grants: [BOARD, PLAYR, FAN]", 1), "lifetime: 7 days", "lifetime: a week", 1)
			r := operator.publish(wrong)
			refused(t, r, 422, "invalid")
			told := decodedProblems(t, r)
			is.Equal(len(told), 2)
			is.True(strings.Contains(told[0], `roles[0].grants[1]: Name a role of this policy; "PLAYR" is none. Did you mean "PLAYER"?`))
			line := 1 + strings.Count(wrong[:strings.Index(wrong, "PLAYR")], "\n")
			is.True(strings.HasPrefix(told[0], fmt.Sprintf("line %d, column ", line)))
			is.True(strings.Contains(told[1], "invitations.lifetime: "))
			refused(t, operator.publish("name: ["), 422, "invalid")
			refused(t, operator.publish(""), 400, "malformed")
			refused(t, operator.publish("\xff"), 400, "malformed")
			refused(t, operator.publish(club(t, 1), header("Content-Type", "application/xml")), 415, "unsupported_media_type")
			is.Equal(listed(t), builtin)
		})

		t.Run("a version is published once, and never changes", func(t *testing.T) {
			is := is.New(t)
			refused(t, operator.publish(policyText(t, "ownership")), 409, "policy_built_in")
			refused(t, operator.publish(club(t, 2)), 409, "policy_version") // there is no version 1
			before := s.everything(t)
			dry := decoded[receipt](t, operator.publish(club(t, 1), dryRun))
			is.Equal(dry.types(), "policy.published")
			is.Equal(s.everything(t), before)
			r := ok(t, operator.publish(club(t, 1)))
			is.Equal(r.status, 201)
			is.Equal(r.header.Get("Location"), policiesPath+"/club/1")
			is.Equal(decoded[receipt](t, r).types(), "policy.published")
			again := ok(t, operator.publish(club(t, 1)))
			is.Equal(decoded[receipt](t, again).types(), "")
			refused(t, operator.publish(club(t, 1)+"# changed\n"), 409, "policy_version")
			ok(t, operator.post(policiesPath, obj{"document": club(t, 2), "reason": "Players know one another."}))
			is.Equal(string(ok(t, operator.get(policiesPath+"/club/1")).body), club(t, 1))
			is.Equal(string(ok(t, operator.get(policiesPath+"/seats/1")).body), policyText(t, "seats"))
			for _, path := range []string{"/club/3", "/club/0", "/club/x", "/nobody/1", "/ownership/2"} {
				refused(t, operator.get(policiesPath+path), 404, "not_found")
			}
			is.True(strings.Contains(strings.Join(listed(t), " "), "club@2 false club@1 false"))
		})

		t.Run("and organizations are founded under it, also after a restart", func(t *testing.T) {
			is := is.New(t)
			ada := s.signUp(t, "Ada")
			first := ada.found(t, "club")
			s.restart(t)
			second := ada.found(t, "club")
			for _, org := range []string{first, second} {
				is.Equal(ada.policyOf(t, org), "club@2")
				is.Equal(ada.organization(t, org).YourRoles, []string{"CHAIR"})
				is.True(s.operator().may(t, org, ada.AccountID, "members.invite"))
			}
			refused(t, ada.foundAs("choir", unique("Choir")), 422, "invalid")
		})
	})
}

// decodedProblems are what a refusal says about a document, a line each.
func decodedProblems(t *testing.T, r response) []string {
	t.Helper()
	var told []string
	for _, e := range r.problem().Errors {
		told = append(told, fmt.Sprintf("line %d, column %d: %s: %s", e.Line, e.Column, e.Field, e.Message))
	}
	return told
}

func TestX10_FromTheCommandLine(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newCast(t)
		file := func(name, text string) string {
			path := filepath.Join(t.TempDir(), name)
			is.NoErr(os.WriteFile(path, []byte(text), 0o600))
			return path
		}
		env := []string{"TENURE_OPERATOR_KEY=" + *c.key.Load()}
		run := func(code int, args ...string) string {
			t.Helper()
			out, got := runProgram(t, env, append(args, "--url", *c.url.Load())...)
			if got != code {
				t.Fatalf("ended with %d: %s", got, out)
			}
			return out
		}
		wrong := file("wrong.yaml", strings.Replace(club(t, 1), "lifetime: 7 days", "lifetime: a week", 1))
		out := run(1, "policy", "publish", wrong)
		is.True(strings.Contains(out, "wrong.yaml: line ") && strings.Contains(out, "invitations.lifetime: "))
		is.True(strings.Contains(out, "problems: 1"))
		good := file("club.yaml", club(t, 1))
		is.True(strings.Contains(run(0, "policy", "publish", good), "policy club, version 1: published"))
		is.True(strings.Contains(run(0, "policy", "publish", good), "policy club, version 1: was published before"))
		next := file("next.yaml", club(t, 2))
		is.Equal(run(0, "policy", "show", "club"), club(t, 1))
		is.Equal(run(0, "policy", "show", "seats@1"), policyText(t, "seats"))
		is.True(strings.HasPrefix(run(0, "policy", "diff", "club", next), "from club, version 1, to club, version 2\n"))
		is.True(strings.Contains(run(1, "policy", "show", "choir"), "the deployment has capabilities, club, delegated"))
		is.True(strings.Contains(run(1, "policy", "show", "club@2"), "No such policy"))

		mapping := "OWNER=CHAIR,ADMIN=BOARD,USER=PLAYER,VIEWER=FAN"
		out = run(1, "policy", "move", c.org, "--to", "club", "--map", "OWNER=CHAIR")
		is.True(strings.Contains(out, "Say what these roles become, which members or open invitations have: ADMIN, USER, VIEWER."))
		out = run(0, "policy", "move", c.org, "--to", "club@1", "--map", mapping, "--no-role", "FAN", "--dry-run")
		is.True(strings.Contains(out, "no role becomes FAN"))
		is.True(strings.Contains(out, "from ownership@1 to club@1") && strings.Contains(out, "USER becomes PLAYER") && strings.Contains(out, "nothing was changed"))
		is.Equal(c.owner.policyOf(t, c.org), "ownership@1")
		out = run(0, "policy", "move", c.org, "--to", "club", "--map", mapping, "--reason", "As agreed.")
		is.True(strings.Contains(out, "USER becomes PLAYER") && !strings.Contains(out, "nothing was changed"))
		is.Equal(c.owner.policyOf(t, c.org), "club@1")
		is.True(strings.Contains(run(0, "policy", "move", c.org, "--to", "club"), "it is under that policy already"))
	})
}

// A policy that is published at one node serves at the others at once, and so
// does a move.
func TestX10_AtEveryNodeAtOnce(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		is := is.New(t)
		d := b.startNodes(t, 2, startMailServer(t, false))
		c := d.newCast(t)
		one, other := d.nodes[0], d.nodes[1]
		for version := 1; version <= 2; version++ {
			ok(t, c.operator().at(one).publish(club(t, version)))
			org := decoded[receipt](t, c.owner.at(other).foundAs("club", unique("Club"))).OrganizationID
			is.Equal(c.owner.at(one).policyOf(t, org), fmt.Sprint("club@", version))
		}
		is.True(c.operator().at(other).may(t, c.org, c.viewer.AccountID, "members.read"))
		ok(t, c.operator().at(one).moveTo(c.org, "club", 2, obj{"OWNER": []string{"CHAIR"}, "ADMIN": []string{"BOARD"}, "USER": []string{"PLAYER"}, "VIEWER": []string{"PLAYER"}}))
		is.True(c.operator().at(other).may(t, c.org, c.user.AccountID, "members.read")) // a PLAYER may
		refused(t, c.owner.at(other).changeRole(c.org, c.user, "ADMIN"), 422, "role_unknown")
		ok(t, c.owner.at(other).changeRole(c.org, c.user, "BOARD"))
		ok(t, c.operator().at(other).moveTo(c.org, "ownership", 0, obj{"CHAIR": []string{"OWNER"}, "BOARD": []string{"ADMIN"}, "PLAYER": []string{"USER"}}))
		is.True(!c.operator().at(one).may(t, c.org, c.viewer.AccountID, "members.read"))
		is.Equal(c.owner.roleOf(t, c.org, c.user), "ADMIN")
	})
}
