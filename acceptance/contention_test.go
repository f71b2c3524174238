package acceptance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestConcurrency_WhatOneMayHave has 64 clients at three nodes want what one may
// have: exclusive roles in several organizations (M9), seats (S9), the names of
// organizations (O1) and usernames (O3). At no event in the log does anybody have
// what another one has, and in the end nothing is held by nobody.
func TestConcurrency_WhatOneMayHave(t *testing.T) {
	onManyNodesInTurn(t, func(t *testing.T, b backend) { contend(t, b, nil) })
}

// TestNodes_WhatOneMayHaveWhileNodesAreKilled is the same while one node after
// another is killed and comes back.
func TestNodes_WhatOneMayHaveWhileNodesAreKilled(t *testing.T) {
	onManyNodesInTurn(t, func(t *testing.T, b backend) {
		contend(t, b, func(d *deployment, over <-chan struct{}) {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				case <-time.After(700 * time.Millisecond):
				}
				node := d.nodes[i%len(d.nodes)]
				d.kill(t, node)
				if err := node.launch(); err != nil {
					t.Errorf("starting a node again: %v\n%s", err, node.stderr.tail())
					return
				}
			}
		})
	})
}

// contention is a crowd that wants the same things.
type contention struct {
	*crowd
	schools []string  // moderated organizations, each of the person with the same index
	wanted  []*person // participants of all schools
	seated  string    // an organization with seats
	boss    *person   // its administrator

	links sync.Map // index of a person → token of the newest invitation to the seats

	naming sync.Mutex
	named  []founding // by names that all want
}

type founding struct {
	org string
	by  *person
}

const (
	schoolCount   = 4
	wantedCount   = 6
	nameCount     = 8
	usernameCount = 6
	rounds        = 25 // of every client
)

func contend(t *testing.T, b backend, meanwhile func(*deployment, <-chan struct{})) {
	d := b.startNodes(t, 3, startMailServer(t, false), withFlags("--log-level", "info"))
	c := &contention{crowd: d.newCrowd(t, crowdSize, 2)}
	c.prepare(t)

	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if meanwhile != nil {
			meanwhile(d, over)
		}
	}()
	rioters := make([]*rioter, len(c.people))
	for i, p := range c.people {
		rioters[i] = &rioter{crowd: c.crowd, person: p, index: i, rng: rand.New(rand.NewPCG(c.seed, uint64(i)))}
	}
	tried := []string{"role", "found", "rename", "give a name up", "invite", "take a seat", "leave a seat",
		"role: role_exclusive", "found: organization_name_taken", "rename: organization_name_taken", "invite: username_taken", "take a seat: seats_full"}
	for range 5 { // whoever is unlucky goes on
		c.each(func(i int, _ *person) {
			for range rounds {
				c.want(t, rioters[i])
			}
		})
		if c.hasDone(tried...) {
			break
		}
	}
	close(over)
	<-ended
	c.mustHaveDone(t, tried...)

	d.everything(t)
	for _, n := range d.nodes {
		n.shiftClock(t, 11*time.Minute) // until whatever a killed command has left is settled
	}
	c.settledReservations(t)
	d.settled(t)
	h := c.replayed(t)
	c.nothingLeaks(t, h)
	c.whatIsFreeIsGiven(t, h)

	d.everything(t)
	fresh := b.fresh(t, d, d.mailbox.(*mailServer))
	fresh.everything(t)
	for _, org := range slices.Sorted(maps.Keys(h.orgs)) {
		is.New(t).Equal(snapshotOf(t, fresh.operator(), org), snapshotOf(t, d.operator(), org))
	}
	t.Logf("seed %d: %d events replayed; %d commands were sent again after no answer; %s", *seed, h.events, d.again.Load(), c.summary())
}

// prepare founds the organizations, with everybody in them who is wanted.
func (c *contention) prepare(t *testing.T) {
	t.Helper()
	c.wanted, c.boss = c.people[schoolCount:schoolCount+wantedCount], c.people[schoolCount+wantedCount]
	c.seated = c.boss.found(t, "seats")
	for i := range schoolCount {
		c.schools = append(c.schools, c.server.found(t, c.people[i], "moderated"))
		for _, p := range c.wanted {
			ok(t, c.people[i].add(c.schools[i], p.Email, "", "participant"))
		}
	}
	c.each(func(i int, p *person) {
		if p != c.boss {
			c.offerSeat(t, i)
		}
	})
}

// offerSeat invites the person with an index to the seats.
func (c *contention) offerSeat(t *testing.T, i int) {
	p := c.people[i]
	r := c.boss.inviteTo(c.seated, p, []string{"Member"})
	if r.done() {
		_, token, _ := strings.Cut(linkOf(t, r), "#token=")
		c.server.issued.add(token)
		c.links.Store(i, token)
	}
}

// want has a client want one thing.
func (c *contention) want(t *testing.T, r *rioter) {
	switch n := r.rng.IntN(100); {
	case n < 45:
		c.wantRole(t, r)
	case n < 60:
		c.wantName(t, r)
	case n < 75:
		org := c.orgs[r.rng.IntN(len(c.orgs))]
		owner := c.founderOf(org)
		if r.rng.IntN(4) == 0 {
			owner.dropInvitation(t, c, org, r.rng)
			return
		}
		c.tell(t, "invite", owner.invite(org, unique("guest")+"@example.com", spelled(r.rng, "User", usernameCount), "USER"))
	default:
		c.wantSeat(t, r)
	}
}

// wantName has somebody found an organization by a name that all want, or has an
// organization take one or give its own up. There are fewer names than
// organizations, so that they must change hands.
func (c *contention) wantName(t *testing.T, r *rioter) {
	name := spelled(r.rng, "Contested", nameCount)
	if r.rng.IntN(3) == 0 {
		answer := r.person.foundAs("ownership", name)
		if c.tell(t, "found", answer) {
			c.naming.Lock()
			c.named = append(c.named, founding{decoded[receipt](t, answer).OrganizationID, r.person})
			c.naming.Unlock()
		}
		return
	}
	i := r.rng.IntN(schoolCount)
	named := founding{c.schools[i], c.people[i]}
	if c.naming.Lock(); len(c.named) > 0 && r.rng.IntN(2) == 0 {
		named = c.named[r.rng.IntN(len(c.named))]
	}
	c.naming.Unlock()
	if r.rng.IntN(3) == 0 {
		c.tell(t, "give a name up", named.by.rename(named.org, unique("Wanted by nobody")))
	} else {
		c.tell(t, "rename", named.by.rename(named.org, name))
	}
}

// wantRole has a school give a role to somebody, or take it away.
func (c *contention) wantRole(t *testing.T, r *rioter) {
	i := r.rng.IntN(schoolCount)
	org, admin, p := c.schools[i], c.people[i], c.wanted[r.rng.IntN(wantedCount)]
	role := []string{"author", "admin", "participant", "participant"}[r.rng.IntN(4)]
	switch n := r.rng.IntN(20); {
	case n < 14:
		c.tell(t, "role", admin.changeRole(org, p, role))
	case n < 15:
		c.tell(t, "remove", admin.remove(org, p))
	case n < 17:
		c.tell(t, "add", admin.add(org, p.Email, "", role))
	case n < 18:
		c.tell(t, "invite to a role", admin.invite(org, p.Email, "", role))
	case n < 19:
		c.tell(t, "suspend", admin.suspend(org, p))
	default:
		c.tell(t, "reactivate", admin.reactivate(org, p))
	}
	if mails := c.mailsTo(p.Email, invitePage); len(mails) > 0 && r.rng.IntN(3) == 0 {
		c.tell(t, "accept a role", p.accept(mails[len(mails)-1-r.rng.IntN(min(4, len(mails)))].token(invitePage)))
	}
}

func (c *contention) wantSeat(t *testing.T, r *rioter) {
	if r.rng.IntN(4) == 0 {
		i := r.rng.IntN(len(c.people))
		if left := c.boss.remove(c.seated, c.people[i]); c.tell(t, "leave a seat", left) {
			c.offerSeat(t, i)
		}
		return
	}
	if token, there := c.links.Load(r.index); there {
		c.tell(t, "take a seat", r.person.accept(token.(string)))
	}
}

// dropInvitation revokes an invitation, so that its username is free.
func (p *person) dropInvitation(t *testing.T, c *contention, org string, rng *rand.Rand) {
	answer := p.get(orgPath(org, "invitations")+"?status=pending&limit=20", anyPosition)
	if !answer.done() {
		return
	}
	if list := decoded[page[invitationDoc]](t, answer).Items; len(list) > 0 {
		c.tell(t, "revoke", p.revoke(org, list[rng.IntN(len(list))].InvitationID))
	}
}

func (c *contention) founderOf(org string) *person {
	for p, orgs := range c.mine {
		if slices.Contains(orgs, org) {
			return p
		}
	}
	return nil
}

// tell counts what was done, and what was refused by its code.
func (c *contention) tell(t *testing.T, name string, r response) (done bool) {
	if r.err != nil || r.status >= 500 || !r.done() && r.code() == "" {
		t.Errorf("%s: %v", name, r)
		return false
	}
	if !r.done() {
		name += ": " + r.code()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did[name]++
	return r.done()
}

// spelled is one of a few names, spelled in one of several ways.
func spelled(rng *rand.Rand, name string, count int) string {
	name = fmt.Sprint(name, rng.IntN(count))
	return []string{name, strings.ToUpper(name), " " + strings.ToLower(name) + " "}[rng.IntN(3)]
}

// whatIsFreeIsGiven checks that nobody but its holder keeps anything from others.
func (c *contention) whatIsFreeIsGiven(t *testing.T, h *held) {
	t.Helper()
	for i := range nameCount {
		name := fmt.Sprint("Contested", i)
		r := c.people[20].foundAs("ownership", name)
		if _, taken := h.names[folded(name)]; taken {
			refused(t, r, 409, "organization_name_taken")
		} else {
			h.orgs[decoded[receipt](t, r).OrganizationID] = &heldIn{}
		}
	}
	for _, org := range c.orgs {
		for i := range usernameCount {
			name := fmt.Sprint("User", i)
			r := c.founderOf(org).invite(org, unique("late")+"@example.com", name, "USER")
			if _, taken := h.orgs[org].taken["username "+folded(name)]; taken {
				refused(t, r, 409, "username_taken")
			} else {
				ok(t, r)
			}
		}
	}
	for _, p := range c.wanted {
		for i, org := range c.schools {
			member := h.orgs[org].members[p.AccountID]
			if holder := h.exclusive[p.AccountID]; holder == org || !member.present || member.suspended {
				continue
			} else if r := c.people[i].changeRole(org, p, "author"); holder != "" {
				refused(t, r, 409, "role_exclusive")
			} else {
				ok(t, r)
				h.exclusive[p.AccountID] = org
			}
		}
	}
	limits := c.boss.limits(t, c.seated)
	is.New(t).Equal(limits.Taken, len(all[memberDoc](t, c.boss.client, orgPath(c.seated, "members")+"?limit=200"))) // no seat is kept for nobody
	for i := range c.people {
		token, there := c.links.Load(i)
		if !there || h.orgs[c.seated].members[c.people[i].AccountID].present {
			continue
		}
		r := c.people[i].accept(token.(string))
		if limits.Taken < limits.Seats {
			ok(t, r)
			limits.Taken++
		} else {
			refused(t, r, 409, "seats_full")
		}
	}
}
