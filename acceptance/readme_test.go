package acceptance

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// The tour of the README works when it is pasted, command by command, against a
// server that has just been started.
func TestTheTourOfTheREADMEWorks(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		b.start(t).tour(t, "../README.md",
			`"type":"organization.activated.v1"`, `"username":"grace"`, `"dry_run":true`,
			`"type":"organization.ownership_transferred.v1"`, `"reason":"Ada will be on leave."`,
		)
	})
}

// The permission check of the page for frontends works when it is pasted.
func TestTheCheckOfThePageForFrontendsWorks(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		page, err := os.ReadFile("../docs/frontends.md")
		is.NoErr(err)
		block := regexp.MustCompile("(?s)```sh check\n(.*?)```").FindStringSubmatch(string(page))
		is.Equal(len(block), 2)
		s := b.start(t)
		ada := s.signUp(t, "Ada")
		org := decoded[receipt](t, ada.activate(unique("Engines"))).OrganizationID
		shell := exec.Command("bash", "-euo", "pipefail", "-c", block[1])
		shell.Env = append(os.Environ(), "T="+*s.url.Load(), "KEY="+*s.key.Load(), "ORG="+org, "ACCOUNT="+ada.AccountID)
		shell.Stderr = os.Stderr
		out, err := shell.Output()
		is.NoErr(err)
		for _, wanted := range []string{`"decision":true`, `"type":"organization.activated.v1"`, `"granted_by":["OWNER","ADMIN"]`} {
			is.True(strings.Contains(string(out), wanted)) // the answer shows wanted
		}
	})
}
func TestTheTourOfThePolicyDelegatedWorks(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		b.start(t).tour(t, "../docs/policies/delegated.md",
			`"type":"organization.invitation_spaces_changed.v1"`, `"status":"invited"`, `"type":"organization.work_released.v1"`, `"cause":"space_lost"`,
			`"type":"organization.settings_changed.v1"`, `"reason":"Merged into another."`,
		)
	})
}

// tour runs the blocks of a page that are marked as its tour. Nothing in it is
// refused, and it shows everything wanted.
func (s *server) tour(t *testing.T, page string, wanted ...string) {
	t.Helper()
	is := is.New(t)
	text, err := os.ReadFile(page)
	is.NoErr(err)
	var script strings.Builder
	script.WriteString("set -euo pipefail\nTOKEN=\n")
	blocks := regexp.MustCompile("(?s)```sh tour\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	is.True(len(blocks) >= 4)
	for _, block := range blocks {
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
			t.Errorf("the tour does not show %s", w)
		}
	}
}
