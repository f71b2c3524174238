package acceptance

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/oidc/oidctest"
)

// TestSteps_KilledAtEveryStep has the program kill itself between the writes of
// each command, and looks at what is left: once without any help, and once with
// the client sending its request again. The steps are between writes to the log.
func TestSteps_KilledAtEveryStep(t *testing.T) {
	onBothLogs(t, func(t *testing.T, b backend) {
		for _, f := range fates() {
			t.Run(f.step, func(t *testing.T) {
				t.Parallel()
				t.Run("without help", func(t *testing.T) {
					c := f.start(t, b)
					d := f.prepare(t, c)
					c.diesAt(t, f.step, func() { d.give() })
					if d.alone != nil {
						d.alone()
					} else {
						eventually(t, "it is finished", d.finished)
					}
					c.stillSound(t)
				})
				if f.byProcess {
					return
				}
				t.Run("sent again", func(t *testing.T) {
					c := f.start(t, b)
					d := f.prepare(t, c)
					key := idempotencyKey(unique("key"))
					c.diesAt(t, f.step, func() { d.give(key) })
					first := ok(t, d.give(key))
					sameAnswer(t, f.step, first, d.give(key))
					eventually(t, "it is finished", d.finished)
					c.stillSound(t)
				})
			})
		}
	})
}

// TestSteps_NoneIsForgotten compares the fates with the steps in the source.
func TestSteps_NoneIsForgotten(t *testing.T) {
	t.Parallel()
	literal := regexp.MustCompile(`(?m)^\s*Step\w+\s+= "([^"]+)"`)
	var inSource, tested []string
	for _, file := range []string{"../commands/steps.go", "../processes/mailer.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range literal.FindAllStringSubmatch(string(text), -1) {
			inSource = append(inSource, found[1])
		}
	}
	for _, f := range fates() {
		tested = append(tested, f.step)
	}
	slices.Sort(inSource)
	slices.Sort(tested)
	is.New(t).Equal(tested, inSource)
	is.New(t).True(len(tested) >= 20)
}

// fate is what happens to the program at a step.
type fate struct {
	step      string
	prepare   func(t *testing.T, c *cast) doing
	byProcess bool // no request is under way that could be sent again
	options   func(*testing.T) (*oidctest.Provider, option)
}

// start starts a server for the fate.
func (f fate) start(t *testing.T, b backend) *cast {
	t.Helper()
	options := []option{withFlags("--session-lifetime", "1000h")}
	if f.options == nil {
		return b.start(t, options...).newCast(t)
	}
	acme, known := f.options(t)
	c := b.start(t, append(options, known)...).newCast(t)
	c.acme = acme
	return c
}

// doing is a request that the program is killed in.
type doing struct {
	give     func(x ...extra) response
	finished func() bool
	alone    func() // what happens without a retry, where that is something else
}

// diesAt runs something in which the program kills itself, and starts it again.
func (s *server) diesAt(t *testing.T, step string, run func()) {
	t.Helper()
	s.killAt(t, step)
	run()
	select {
	case <-s.exited:
	case <-time.After(20 * time.Second):
		t.Fatalf("the program did not get to the step %q", step)
	}
	if _, err := os.Stat(s.hook("kill")); err == nil {
		t.Fatal("the program ended on its own")
	}
	s.run(t)
}

// stillSound checks what must hold at any time, and that the views say what the
// log says.
func (c *cast) stillSound(t *testing.T) {
	t.Helper()
	checkInvariants(t, c.operator(), c.org)
	c.everything(t) // until nothing is on its way
	before := snapshotOf(t, c.operator(), c.org)
	c.rebuild(t)
	is.New(t).Equal(snapshotOf(t, c.operator(), c.org), before)
}

// checkInvariants checks what holds of an organization at any time.
func checkInvariants(t *testing.T, reader client, org string) {
	t.Helper()
	members := all[memberDoc](t, reader, orgPath(org, "members")+"?limit=200")
	invitations := all[invitationDoc](t, reader, orgPath(org, "invitations")+"?limit=200")
	owners := 0
	taken := make(map[string]string)
	take := func(kind, text, who string) {
		key := kind + strings.ToLower(text)
		if other, ok := taken[key]; ok {
			t.Errorf("%s and %s have the same %s in %s", other, who, kind, org)
		}
		taken[key] = who
	}
	joined := make(map[string]bool)
	for _, m := range members {
		take("e-mail ", m.Email, m.AccountID)
		take("username ", m.Username, m.AccountID)
		joined[m.InvitationID] = true
		if slices.Contains(m.Roles, "OWNER") {
			owners++
		}
		if len(m.Roles) != 1 || m.Status != "active" {
			t.Errorf("a member of %s is %+v", org, m)
		}
	}
	if owners != 1 {
		t.Errorf("%s has %d owners", org, owners)
	}
	pending := 0
	for _, i := range invitations {
		if i.Status == "pending" {
			pending++
			take("e-mail ", i.Email, i.InvitationID)
			take("username ", i.Username, i.InvitationID)
		}
	}
	doc := decoded[organizationDoc](t, reader.get(orgPath(org)))
	if doc.Members != len(members) {
		t.Errorf("%s counts %d members and lists %d", org, doc.Members, len(members))
	}
	if doc.OpenInvitations != pending {
		t.Errorf("%s counts %d open invitations and lists %d", org, doc.OpenInvitations, pending)
	}
	everAdmitted(t, reader, org, invitations)
}

// everAdmitted checks that every accepted invitation made a member, once.
func everAdmitted(t *testing.T, reader client, org string, invitations []invitationDoc) {
	t.Helper()
	admitted := make(map[string]int)
	for _, e := range all[entryDoc](t, reader, orgPath(org, "history")+"?limit=200&type=organization.member_joined") {
		admitted[e.Data["invitation_id"].(string)]++
	}
	for _, e := range all[entryDoc](t, reader, orgPath(org, "history")+"?limit=200&type=organization.invitation_closed") {
		if e.Data["outcome"] == "accepted" { // by an account that was a member already
			admitted[e.Data["invitation_id"].(string)]++
		}
	}
	for _, i := range invitations {
		want := 0
		if i.Status == "accepted" {
			want = 1
		}
		if admitted[i.InvitationID] != want {
			t.Errorf("the invitation %s is %s and has made %d members", i.InvitationID, i.Status, admitted[i.InvitationID])
		}
	}
}
