package acceptance

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/policies/matrix.md")

const matrixPage = "../docs/policies/matrix.md"

// TestMatrix_WhatEachRoleOpens compares docs/policies/matrix.md with what the
// running program answers: for every built-in policy, each of its roles calls
// every route of an organization as a dry run. Routes and policies that are new
// show in it by themselves, after make docs.
func TestMatrix_WhatEachRoleOpens(t *testing.T) {
	t.Parallel()
	b := onFiles // who may do what is not a matter of stores
	s := b.start(t, onboarding())
	var page strings.Builder
	page.WriteString(matrixHead)
	for _, name := range builtinPolicies(t) {
		page.WriteString(s.matrix(t, name))
	}
	written, err := os.ReadFile(matrixPage)
	if err == nil && string(written) == page.String() {
		return
	}
	if !*update {
		t.Fatalf("the program answers other than the page says (%v): look at the difference, then run make docs\n%s", err, difference(string(written), page.String()))
	}
	if err := os.WriteFile(matrixPage, []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const matrixHead = `# Who may call what

For each built-in policy: every route of an organization, and whether a member with the role (of the policy ` + "`capabilities`" + `: the
capability) gets past its permission check. *yes* does not mean that all is allowed: a guardrail can still refuse, such as a role that one may not give
or a member that one may not manage. *own* is for what is about the member alone. Routes that are not listed ask for no role: they are public, for
whoever holds a link, for every account, or for operators (see /docs of a server).

A test writes this page from what the running program answers (` + "`make docs`" + `) and fails when the two differ.
`

// holder is a member with a role.
type holder struct {
	role string
	who  *person
	may  []string
}

// matrix has the founder of an organization and a member of every role that can
// be given call each route.
func (s *server) matrix(t *testing.T, policy string) string {
	t.Helper()
	founder := s.signUp(t, "Founder")
	org := founder.space(t)
	personal := strings.Contains(policyText(t, policy), "\n  personal: true\n")
	if !personal {
		org = founder.found(t, policy)
	}
	holders := s.holders(t, founder, org, policy)
	ids := map[string]string{"org": org}
	if !personal {
		ids["invitation"] = decoded[receipt](t, founder.inviteTo(org, s.newPerson("Open"), lastRole(holders))).InvitationID
		if len(holders) < 2 {
			t.Fatalf("%s has no roles to speak of", policy)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n|", policy)
	for _, h := range holders {
		fmt.Fprintf(&b, " | %s", h.role)
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---", len(holders)) + "|\n")
	for _, o := range s.operations(t) {
		if o.access.Kind != "member" || personal && strings.Contains(o.path, "{invitation}") { // there is none
			continue
		}
		fmt.Fprintf(&b, "| `%s %s`", o.method, strings.TrimPrefix(o.path, "/v1/organizations"))
		for _, h := range holders {
			answer := s.opens(t, o, h, founder, ids)
			may := slices.Contains(h.may, o.access.Permission)
			if answer == "yes" && !may && (o.access.Own || o.access.Self) {
				answer = "own"
			}
			if may != (answer == "yes") && !eitherPermission[o.String()] {
				t.Errorf("%s for %s: %s, but that %s is among the permissions is %v", o, h.role, answer, o.access.Permission, may)
			}
			b.WriteString(" | " + answer)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// eitherPermission are the routes for which one of two permissions is enough,
// whichever part of the body it is for.
var eitherPermission = map[string]bool{"PATCH /v1/organizations/{org}/members/{user}": true}

// opens says whether a route lets the holder in, of somebody else and of
// themselves.
func (s *server) opens(t *testing.T, o operation, h holder, founder *person, ids map[string]string) string {
	t.Helper()
	about := func(p *person) string {
		ids["user"] = p.AccountID
		path := unknownParameter.ReplaceAllString(o.filled(ids), ids["org"])
		r := h.who.get(path)
		if !o.reads() {
			r = h.who.send(o.method, path, o.example, o.trial)
		}
		decision := decisionOf(r)
		if decision != "allowed" && decision != "denied" {
			t.Errorf("%s for %s: %s: %v", o, h.role, decision, r)
		}
		return decision
	}
	other := founder
	if h.who == founder {
		return map[string]string{"allowed": "yes", "denied": "–"}[about(founder)]
	}
	switch {
	case about(other) == "allowed":
		return "yes"
	case o.reads() && strings.Contains(o.path, "{user}") && about(h.who) == "allowed":
		return "own"
	}
	return "–"
}

var (
	unknownParameter = regexp.MustCompile(`\{\w+\}`)
	roleName         = regexp.MustCompile(`(?m)^  - name: (\S+)`)
)

// holders are one member for each role, in the order of the document, and one
// with none where the policy has such members.
func (s *server) holders(t *testing.T, founder *person, org, policy string) []holder {
	t.Helper()
	var all []holder
	text := policyText(t, policy)
	for _, found := range roleName.FindAllStringSubmatch(text, -1) {
		role := found[1]
		if founder.roleOf(t, org, founder) == role {
			all = append(all, holder{role: role, who: founder})
			continue
		}
		all = append(all, holder{role: role, who: founder.hire(t, org, s.newPerson("Holder"), role)})
	}
	if strings.Contains(text, "may_have_no_role: true") {
		all = append(all, holder{role: "none", who: founder.hire(t, org, s.newPerson("Holder"))})
	}
	for i := range all {
		all[i].may = all[i].who.permissions(t, org)
	}
	return all
}

// lastRole is the least of the roles, to invite to.
func lastRole(holders []holder) []string {
	if last := holders[len(holders)-1].role; last != "none" {
		return []string{last}
	}
	return nil
}

// difference lists the lines that only one of two texts has.
func difference(a, b string) string {
	var text strings.Builder
	have := func(in string) map[string]bool {
		lines := make(map[string]bool)
		for line := range strings.SplitSeq(in, "\n") {
			lines[line] = true
		}
		return lines
	}
	left, right := have(a), have(b)
	for line := range strings.SplitSeq(a, "\n") {
		if !right[line] {
			text.WriteString("- " + line + "\n")
		}
	}
	for line := range strings.SplitSeq(b, "\n") {
		if !left[line] {
			text.WriteString("+ " + line + "\n")
		}
	}
	return text.String()
}
