package policies_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tenure/policies"
)

var update = flag.Bool("update", false, "write the tables of roles into docs/policies")

const (
	rolesBegin = "<!-- roles, written by make docs -->\n"
	rolesEnd   = "<!-- end of roles -->\n"
)

// TestPagesHaveTheRolesOfTheirPolicies compares the table on each policy's page
// with the policy.
func TestPagesHaveTheRolesOfTheirPolicies(t *testing.T) {
	catalogue := policies.Builtin()
	pages := 0
	for _, name := range catalogue.Names() {
		file := filepath.Join("../docs/policies", name+".md")
		text, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		pages++
		before, rest, found := strings.Cut(string(text), rolesBegin)
		written, after, foundEnd := strings.Cut(rest, rolesEnd)
		if !found || !foundEnd {
			t.Fatalf("%s lacks the marks around the table of roles", file)
		}
		p, _ := catalogue.Latest(name)
		table := policies.RoleTable(p)
		if written == table {
			continue
		}
		if !*update {
			t.Fatalf("the roles on %s are not those of the policy: run make docs\n--- written\n%s--- policy\n%s", file, written, table)
		}
		if err := os.WriteFile(file, []byte(before+rolesBegin+table+rolesEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if pages < 3 {
		t.Fatalf("only %d policies have a page", pages)
	}
}
