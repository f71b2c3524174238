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
		is := is.New(t)
		readme, err := os.ReadFile("../README.md")
		is.NoErr(err)
		var script strings.Builder
		script.WriteString("set -euo pipefail\nTOKEN=\n")
		blocks := regexp.MustCompile("(?s)```sh tour\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
		is.True(len(blocks) >= 4)
		for _, block := range blocks {
			script.WriteString(block[1])
		}
		s := b.start(t)
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
		for _, wanted := range []string{
			`"type":"organization.activated.v1"`, `"username":"grace"`, `"dry_run":true`,
			`"type":"organization.ownership_transferred.v1"`, `"reason":"Ada will be on leave."`,
		} {
			is.True(strings.Contains(string(out), wanted)) // the tour shows wanted
		}
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
