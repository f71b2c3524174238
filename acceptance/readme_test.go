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

// The tours of the policies' pages work as well.
func TestTheToursOfThePoliciesWork(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		b.start(t).tour(t, "../docs/policies/moderated.md",
			`"your_status":"none"`, `"join_requests":1`, `"outcome":"approved"`, `"type":"organization.member_suspended.v1"`,
			`"status":"suspended"`, `"type":"organization.member_reactivated.v1"`, `"must_change_password":true`,
		)
		b.start(t, onboarding()).tour(t, "../docs/policies/capabilities.md",
			`"name":"engines.example"`, `"personal":true`, `"status":"pending"`, `"join_requests":1`, `"outcome":"approved"`,
			`"after":["MANAGE_ACCESS","MANAGE_SUBSCRIPTION"]`, `"roles":["ADMINISTRATE_ORGANIZATION"]`,
			`"effective_roles":["ADMINISTRATE_ORGANIZATION","MANAGE_ACCESS","MANAGE_PLATFORM_REGISTRATION","MANAGE_SUBSCRIPTION"]`,
		)
		own := b.start(t).runTour(t, "../docs/policies/custom.md")
		is := is.New(t)
		is.Equal(strings.Count(own, `"code":`), 2) // a role that is none, and roles without a successor
		shows(t, own, `Name a role of this policy; \"PUPILS\" is none. Did you mean \"PUPIL\"?`, `"line":13,`, `"code":"role_unmapped"`,
			`"type":"organization.policy_changed.v1"`, `"roles":["TEACHER"]`, `"policy":"school","version":2`, `"reason":"Has become a school."`)
		out := b.start(t).runTour(t, "../docs/policies/seats.md")
		is.Equal(strings.Count(out, `"code":`), 1) // Grace has to wait, once
		shows(t, out, `"code":"seats_full"`, `"type":"organization.seats_changed.v1"`, `"type":"organization.member_joined.v1"`,
			`{"seats":2,"taken":2,"open_invitations":0}`)
	})
}

// tour runs the tour of a page. Nothing in it is refused, and it shows everything
// wanted.
func (s *server) tour(t *testing.T, page string, wanted ...string) {
	t.Helper()
	out := s.runTour(t, page)
	is.New(t).True(!strings.Contains(out, `"code":`)) // nothing was refused
	shows(t, out, wanted...)
}

func shows(t *testing.T, out string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(out, w) {
			t.Errorf("the tour does not show %s", w)
		}
	}
}

// runTour runs the blocks of a page that are marked as its tour, and answers with
// what they print.
func (s *server) runTour(t *testing.T, page string) string {
	t.Helper()
	is := is.New(t)
	text, err := os.ReadFile(page)
	is.NoErr(err)
	var script strings.Builder
	script.WriteString("set -euo pipefail\nTOKEN=\n" + atRest)
	blocks := regexp.MustCompile("(?s)```sh tour\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	is.True(len(blocks) >= 4)
	for _, block := range blocks {
		script.WriteString(block[1])
	}
	url := *s.url.Load()
	tour := strings.ReplaceAll(script.String(), "T=http://127.0.0.1:8080\n", "T="+url+"\n")
	is.True(strings.Contains(tour, url))
	shell := exec.Command("bash", "-c", tour)
	shell.Stdin = strings.NewReader(*s.key.Load() + "\n")
	shell.Stderr = os.Stderr
	out, err := shell.Output()
	is.NoErr(err)
	return string(out)
}

// atRest is what a reader waits a second for: the mails have left, and the views
// are at the end of the log. It stands in for sleep, on a machine that is busy.
const atRest = `sleep() {
  local was=none calm=0 now
  for try in {1..150}; do
    command sleep 0.2
    now=$(curl -sS -H "Authorization: Bearer $KEY" "$T/v1/operator/projections")
    if [[ $now = "$was" && $now =~ \"position\":\"([0-9]+)\",\"head\":\"([0-9]+)\" && ${BASH_REMATCH[1]} = "${BASH_REMATCH[2]}" ]]; then
      calm=$((calm + 1))
    else
      calm=0 was=$now
    fi
    if [ $calm = 4 ]; then return; fi
  done
  return 1
}
`
