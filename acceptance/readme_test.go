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
		out := tour(t, b, "../README.md")
		is.True(!strings.Contains(out, `"code":`)) // nothing was refused
		for _, wanted := range []string{
			`"type":"organization.activated.v1"`, `"username":"grace"`, `"dry_run":true`,
			`"type":"organization.ownership_transferred.v1"`, `"reason":"Ada will be on leave."`,
		} {
			is.True(strings.Contains(out, wanted)) // the tour shows wanted
		}
	})
}

// The tours of the policies' pages work as well.
func TestTheToursOfThePoliciesWork(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		out := tour(t, b, "../docs/policies/seats.md")
		is.Equal(strings.Count(out, `"code":`), 1) // Grace has to wait, once
		for _, wanted := range []string{
			`"code":"seats_full"`, `"type":"organization.seats_changed.v1"`, `"type":"organization.member_joined.v1"`, `{"seats":2,"taken":2,"open_invitations":0}`,
		} {
			is.True(strings.Contains(out, wanted)) // the tour shows wanted
		}
		out = tour(t, b, "../docs/policies/capabilities.md")
		is.True(!strings.Contains(out, `"code":`)) // nothing was refused
		for _, wanted := range []string{
			`"after":["MANAGE_ACCESS","MANAGE_SUBSCRIPTION"]`, `"roles":["ADMINISTRATE_ORGANIZATION"]`,
			`"effective_roles":["ADMINISTRATE_ORGANIZATION","MANAGE_ACCESS","MANAGE_PLATFORM_REGISTRATION","MANAGE_SUBSCRIPTION"]`,
		} {
			is.True(strings.Contains(out, wanted)) // the tour shows wanted
		}
	})
}

// tour runs the commands on a page against a server of their own, and answers
// with what they print.
func tour(t *testing.T, b backend, page string) string {
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
	s := b.start(t)
	url := *s.url.Load()
	commands := strings.ReplaceAll(script.String(), "T=http://127.0.0.1:8080\n", "T="+url+"\n")
	is.True(strings.Contains(commands, url))
	commands = strings.ReplaceAll(commands, "sleep 1\n", "sleep 3\n") // a machine that tests is busy
	shell := exec.Command("bash", "-c", commands)
	shell.Stdin = strings.NewReader(*s.key.Load() + "\n")
	shell.Stderr = os.Stderr
	out, err := shell.Output()
	is.NoErr(err)
	return string(out)
}
