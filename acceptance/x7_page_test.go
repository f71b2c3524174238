package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// The commands of the page about the ledger work when they are pasted.
func TestX7_ThePageOfTheLedgerWorks(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		page, err := os.ReadFile("../docs/ledger.md")
		is.NoErr(err)
		s := b.start(t)
		ada := s.signUp(t, "Ada")
		done := ada.activate(unique("Engines"))
		org := decoded[receipt](t, done).OrganizationID
		eventually(t, "it is signed", func() bool {
			return s.operator().get("/v1/ledger/proof/inclusion?position="+done.header.Get("Tenure-Position"), anyPosition).done()
		})
		script := ""
		for _, block := range regexp.MustCompile("(?s)```sh verify\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
			script += block[1]
		}
		shell := exec.Command("bash", "-euo", "pipefail", "-c", script)
		shell.Dir = t.TempDir()
		shell.Env = append(os.Environ(), "T="+*s.url.Load(), "KEY="+*s.key.Load(), "ORG="+org, "DATA="+s.data,
			"PATH="+filepath.Dir(programs.plain.binary(t))+":"+os.Getenv("PATH"))
		shell.Stderr = os.Stderr
		out, err := shell.Output()
		t.Logf("%s", out)
		is.NoErr(err)
		for _, wanted := range []string{`"verifier_key":"tenure/`, `"hashes":["`, "complete, unaltered and in order", "signatures: valid", `"scope": "organization"`, " is in the log of "} {
			is.True(strings.Contains(string(out), wanted)) // the answer shows wanted
		}
	})
}
