package policies_test

import (
	"errors"
	"os"
	"testing"

	"tenure/policies"
)

// FuzzParse holds that a document is either a policy or an error that names at
// least one problem, and that nothing makes the reader panic.
func FuzzParse(f *testing.F) {
	ownership, err := os.ReadFile("ownership.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(ownership), small, owned, "", "a", "- 1", "a: [1", "{a: {b: c}}", "? a\n: b", "<<: {a: 1}", "a: &x 1\nb: *x", "a: !!str 1",
		"%YAML 1.2\n---\na: 1", "a: .inf", "a: 99999999999999999999999", "roles: [1, {}, []]", "ownership: ~", "\ufeffname: x", "a: |\n  b", "a: \"\\u0000\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := policies.Parse(document)
		if err == nil {
			if p.Name == "" || p.Version < 1 || len(p.Roles) == 0 || p.Invitations.Lifetime <= 0 && !p.Members.Personal {
				t.Fatalf("not a policy: %+v", p)
			}
			return
		}
		var wrong *policies.Error
		if !errors.As(err, &wrong) || len(wrong.Problems) == 0 || p != nil {
			t.Fatalf("not a policy error: %v", err)
		}
		for _, problem := range wrong.Problems {
			if problem.Message == "" || problem.Line < 0 || problem.Column < 0 {
				t.Fatalf("not a problem: %+v", problem)
			}
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"7 days", "24 hours", "1 day 12 hours", "52 weeks 1 day", "525600 minutes", "0 days", "-1 day", "4294967295 weeks", "1 hour 1 day"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := policies.ParseDuration(text)
		if err != nil {
			if d != 0 || err.Error() == "" {
				t.Fatalf("%q: %v, %v", text, d, err)
			}
			return
		}
		if d <= 0 || d > policies.MaxDuration {
			t.Fatalf("%q: %v", text, d)
		}
	})
}
