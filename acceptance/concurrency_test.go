package acceptance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

const crowdSize = 64

// TestConcurrency_RandomCommands has many clients do everything at once against
// a server that is built with the race detector.
func TestConcurrency_RandomCommands(t *testing.T) {
	t.Parallel()
	for name, organizations := range map[string]int{"in one organization": 1, "in 100 organizations": 100} {
		t.Run(name, func(t *testing.T) {
			onEveryBackendInTurn(t, func(t *testing.T, b backend) {
				s := b.start(t, withProgram(programs.race.binary(t)), startMailServer(t, false).option())
				c := s.newCrowd(t, crowdSize, organizations)
				for range 5 { // a busy machine takes longer
					if c.riot(t, *riots); c.hasDone("invite", "accept", "resend", "revoke") {
						break
					}
				}
				t.Logf("seed %d: %s", *seed, c.summary())
				c.mustHaveDone(t, "invite", "accept", "resend", "revoke")
				c.checkAll(t)
				before := c.snapshots(t)
				s.rebuild(t)
				is.New(t).Equal(c.snapshots(t), before)
			})
		})
	}
}

// crowd are people who share organizations.
type crowd struct {
	*server
	people []*person
	orgs   []string
	mine   map[*person][]string // those that somebody has founded
	seed   uint64

	mu    sync.Mutex
	did   map[string]int
	after func(org string, name string, r response) // called for every answer; may be nil
}

// newCrowd makes the people and their organizations.
func (s *server) newCrowd(t *testing.T, people, organizations int) *crowd {
	t.Helper()
	c := &crowd{server: s, seed: *seed, did: make(map[string]int), mine: make(map[*person][]string)}
	for range people {
		c.people = append(c.people, s.newPerson("Crowd"))
	}
	c.each(func(_ int, p *person) { p.requestAccount() })
	for _, p := range c.people {
		p.enter(decoded[session](t, p.verify(s.tokenTo(t, p.Email, verifyPage, 1))))
	}
	c.orgs = make([]string, organizations)
	var next atomic.Int64
	c.each(func(_ int, p *person) {
		for i := next.Add(1) - 1; i < int64(organizations); i = next.Add(1) - 1 {
			r := p.activate(unique("Riot"))
			c.orgs[i], _ = strings.CutPrefix(r.header.Get("Location"), "/v1/organizations/")
			c.mu.Lock()
			c.mine[p] = append(c.mine[p], c.orgs[i])
			c.mu.Unlock()
		}
	})
	if slices.Contains(c.orgs, "") {
		t.Fatal("an organization was not activated")
	}
	return c
}

// each runs something for all people at the same time.
func (c *crowd) each(run func(i int, p *person)) {
	runs := make([]func(), len(c.people))
	for i, p := range c.people {
		runs[i] = func() { run(i, p) }
	}
	together(runs...)
}

// riot has everybody do random things for a while.
func (c *crowd) riot(t *testing.T, d time.Duration) {
	t.Helper()
	until := time.Now().Add(d)
	c.each(func(i int, p *person) {
		r := &rioter{crowd: c, person: p, index: i, rng: rand.New(rand.NewPCG(c.seed, uint64(i)))}
		for time.Now().Before(until) {
			r.act(t)
		}
	})
}

// rioter is one person of the crowd while it riots.
type rioter struct {
	crowd  *crowd
	person *person
	index  int
	rng    *rand.Rand
}

// act does one thing, of which most are refused.
func (r *rioter) act(t *testing.T) {
	org, other := r.org(), r.crowd.people[(r.index+r.rng.IntN(8))%len(r.crowd.people)]
	role := []string{"USER", "ADMIN", "VIEWER", "ADMIN"}[r.rng.IntN(4)]
	p := r.person
	switch n := r.rng.IntN(100); {
	case n < 25:
		r.note(t, org, "invite", p.invite(org, other.Email, other.Name, role))
	case n < 55:
		r.useLink(t)
	case n < 65:
		r.note(t, org, "change", p.changeRole(org, other, role))
	case n < 72:
		r.note(t, org, "remove", p.remove(org, other))
	case n < 84:
		r.handleInvitation(t, org)
	case n < 90:
		r.note(t, org, "request transfer", p.requestTransfer(org, other))
	case n < 92:
		r.note(t, org, "cancel", p.cancelTransfer(org))
	case n < 94:
		r.note(t, org, "rename", p.rename(org, unique("Riot")))
	default:
		r.note(t, org, "list", p.get(orgPath(org, "members")+"?limit=5"))
	}
}

// org is one of the person's own, or one of the neighbours', whom it has to do
// with.
func (r *rioter) org() string {
	founder := r.crowd.people[(r.index+r.rng.IntN(3)*r.rng.IntN(8))%len(r.crowd.people)]
	theirs := r.crowd.mine[founder]
	if len(theirs) == 0 {
		theirs = r.crowd.orgs
	}
	return theirs[r.rng.IntN(len(theirs))]
}

// useLink opens a link from one of the newest mails.
func (r *rioter) useLink(t *testing.T) {
	page := []string{invitePage, invitePage, transferPage}[r.rng.IntN(3)]
	mails := r.crowd.mailsTo(r.person.Email, page)
	if len(mails) == 0 {
		return
	}
	token := mails[len(mails)-1-r.rng.IntN(min(3, len(mails)))].token(page)
	switch {
	case page == transferPage:
		r.note(t, "", "confirm", r.crowd.anonymous().confirmTransfer(token))
	case r.rng.IntN(10) == 0:
		r.note(t, "", "decline", r.crowd.anonymous().decline(token))
	default:
		r.note(t, "", "accept", r.person.accept(token))
	}
}

// handleInvitation resends or revokes an open invitation.
func (r *rioter) handleInvitation(t *testing.T, org string) {
	answer := r.person.get(orgPath(org, "invitations")+"?status=pending&limit=10", anyPosition)
	if !answer.done() {
		return
	}
	list := decoded[page[invitationDoc]](t, answer).Items
	if len(list) == 0 {
		return
	}
	id := list[r.rng.IntN(len(list))].InvitationID
	if r.rng.IntN(2) == 0 {
		r.note(t, org, "resend", r.person.resend(org, id))
	} else {
		r.note(t, org, "revoke", r.person.revoke(org, id))
	}
}

// note counts what was served, and complains about what no client should see.
func (r *rioter) note(t *testing.T, org, name string, answer response) {
	c := r.crowd
	if c.after != nil {
		c.after(org, name, answer)
	} else if answer.err != nil || answer.status >= 500 || (!answer.done() && answer.code() == "") {
		t.Errorf("%s: %v", name, answer)
	}
	if answer.done() {
		c.mu.Lock()
		c.did[name]++
		c.mu.Unlock()
	}
}

func (c *crowd) summary() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.did)
}

func (c *crowd) hasDone(names ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(names, func(name string) bool { return c.did[name] == 0 })
}

func (c *crowd) mustHaveDone(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if c.did[name] == 0 {
			t.Errorf("%q was never served: the test shows nothing about it", name)
		}
	}
}

// checkAll waits until nothing is on its way and checks every organization.
func (c *crowd) checkAll(t *testing.T) {
	t.Helper()
	c.everything(t)
	eventually(t, "no invitation is half open", func() bool {
		for _, org := range c.orgs {
			doc := decoded[organizationDoc](t, c.operator().get(orgPath(org)))
			pending := all[invitationDoc](t, c.operator(), orgPath(org, "invitations")+"?status=pending&limit=200")
			if doc.OpenInvitations != len(pending) {
				return false
			}
		}
		return true
	})
	for _, org := range c.orgs {
		checkInvariants(t, c.operator(), org)
	}
}

// snapshots is everything that all organizations show.
func (c *crowd) snapshots(t *testing.T) string {
	t.Helper()
	c.everything(t)
	var whole strings.Builder
	for _, org := range c.orgs {
		whole.WriteString(snapshotOf(t, c.operator(), org))
	}
	return whole.String()
}
