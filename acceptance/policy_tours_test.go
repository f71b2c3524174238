package acceptance

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// The tour of each policy's page works as that of the README does.
func TestTheToursOfThePoliciesWork(t *testing.T) {
	for page, wanted := range map[string][]string{
		"moderated": {
			`"your_status":"none"`, `"join_requests":1`, `"outcome":"approved"`, `"type":"organization.member_suspended.v1"`,
			`"status":"suspended"`, `"type":"organization.member_reactivated.v1"`, `"must_change_password":true`,
		},
	} {
		t.Run(page, func(t *testing.T) {
			onEveryBackend(t, func(t *testing.T, b backend) {
				is := is.New(t)
				text, err := os.ReadFile("../docs/policies/" + page + ".md")
				is.NoErr(err)
				s := b.start(t)
				var script strings.Builder
				script.WriteString("set -euo pipefail\nTOKEN=\n")
				for _, block := range regexp.MustCompile("(?s)```sh tour\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
					script.WriteString(block[1])
				}
				url := *s.url.Load()
				tour := strings.ReplaceAll(script.String(), "T=http://127.0.0.1:8080\n", "T="+url+"\n")
				is.True(strings.Contains(tour, url))
				tour = strings.ReplaceAll(tour, "sleep 1\n", "sleep 3\n") // a machine that tests is busy
				shell := exec.Command("bash", "-c", tour)
				shell.Stdin = strings.NewReader(*s.key.Load() + "\n")
				shell.Stderr = os.Stderr
				out, err := shell.Output()
				is.NoErr(err)
				is.True(!strings.Contains(string(out), `"code":`)) // nothing was refused
				for _, w := range wanted {
					if !strings.Contains(string(out), w) {
						t.Errorf("the tour does not show %s:\n%s", w, out)
					}
				}
			})
		})
	}
}
