package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// tenure runs the program's command line inside the test.
func tenure(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	parser := newParser()
	parser.Stdout = &out
	parsed, err := parser.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	parsed.BindTo(t.Context(), (*context.Context)(nil))
	err = parsed.Run()
	return out.String(), err
}

func written(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../policies/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPolicyCheckListsEveryProblemWithItsLine(t *testing.T) {
	is := is.New(t)
	text := strings.Replace(document(t, "seats"), "name: seats", "name: chairs", 1)
	out, err := tenure(t, "policy", "check", written(t, "good.yaml", text))
	is.NoErr(err)
	is.True(strings.Contains(out, "good.yaml: policy chairs, version 1, roles: 2, no problems"))
	out, err = tenure(t, "policy", "check", written(t, "ours.yaml", document(t, "seats")))
	is.True(err != nil) // nobody can publish it
	is.True(strings.Contains(out, "ours.yaml: line 5, column 7: name: Choose another name; seats is one of Tenure's own policies"))

	wrong := strings.Replace(strings.Replace(text, "[Administrator, Member]", "[Administrator, Membr]", 1), "lifetime: 14 days", "lifetime: a fortnight", 1)
	out, err = tenure(t, "policy", "check", written(t, "wrong.yaml", wrong))
	is.True(err != nil) // main exits with 1
	is.True(strings.Contains(err.Error(), "problems: 2"))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	is.Equal(len(lines), 2)
	is.True(strings.Contains(lines[0], "wrong.yaml: line 13, column ") && strings.Contains(lines[0], `roles[0].grants[1]: Name a role of this policy; "Membr" is none. Did you mean "Member"?`))
	is.True(strings.Contains(lines[1], "invitations.lifetime: ") && strings.Contains(lines[1], "line "))

	_, err = tenure(t, "policy", "check", written(t, "none.yaml", "\t"))
	is.True(err != nil)
	_, err = tenure(t, "policy", "check", filepath.Join(t.TempDir(), "missing.yaml"))
	is.True(errors.Is(err, os.ErrNotExist))
}

func TestPolicyShowPrintsTheDocumentOrTheTable(t *testing.T) {
	is := is.New(t)
	for _, name := range []string{"seats", "seats@1", "../../policies/seats.yaml"} {
		out, err := tenure(t, "policy", "show", name)
		is.NoErr(err)
		is.Equal(out, document(t, "seats"))
	}
	out, err := tenure(t, "policy", "show", "seats", "--table")
	is.NoErr(err)
	is.True(strings.HasPrefix(out, "|  | Administrator | Member |\n|---|---|---|\n| `organization.read` | yes | yes |\n"))
	is.True(strings.Contains(out, "| `members.invite` | yes | – |\n"))
	is.True(strings.Contains(out, "| gives the roles | Administrator, Member | – |\n"))

	_, err = tenure(t, "policy", "show", "seatz")
	is.True(err != nil && strings.Contains(err.Error(), "one of capabilities, delegated, moderated, ownership, personal, seats"))
	_, err = tenure(t, "policy", "show", "seats@7")
	is.True(err != nil)
	_, err = tenure(t, "policy", "show", "seats@next")
	is.True(err != nil && strings.Contains(err.Error(), "seats@1"))
}

func TestPolicyDiffSaysWhatChanges(t *testing.T) {
	is := is.New(t)
	text := document(t, "seats")
	next := strings.NewReplacer("version: 1", "version: 2", "lifetime: 14 days", "lifetime: 3 days", "      - members.remove\n", "", "seats: 10", "seats: 25", "link_in_answer: true", "link_in_answer: false",
		"minimum_admins: 1", "minimum_admins: 1\n  own_roles_fixed: true").Replace(text)
	out, err := tenure(t, "policy", "diff", "seats", written(t, "next.yaml", next))
	is.NoErr(err)
	is.Equal(out, `from seats, version 1, to seats, version 2
~ roles.Administrator.permissions: -members.remove
+ members.own_roles_fixed: true
~ members.seats: 10 → 25
~ invitations.lifetime: 14 days → 3 days
- invitations.link_in_answer: true
`)

	out, err = tenure(t, "policy", "diff", "ownership", "ownership@1")
	is.NoErr(err)
	is.Equal(out, "from ownership, version 1, to ownership, version 1\nthe same settings\n")

	out, err = tenure(t, "policy", "diff", "seats", "ownership")
	is.NoErr(err)
	for _, wanted := range []string{
		"~ roles: +OWNER +ADMIN +USER +VIEWER -Administrator -Member\n", "- members.seats: 10\n", "+ ownership.candidates: ADMIN, USER\n",
		"+ ownership.transfer_lifetime: 1 day\n", "~ invitations.lifetime: 14 days → 7 days\n", "+ refusals.email_taken.title: Invite conflict\n",
	} {
		is.True(strings.Contains(out, wanted)) // the difference has wanted
	}
	_, err = tenure(t, "policy", "diff", "seats", "nothing")
	is.True(err != nil)
	_, err = tenure(t, "policy", "diff", "seats", written(t, "wrong.yaml", "name: x"))
	is.True(err != nil && strings.Contains(err.Error(), "line "))
}
