package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

const requestsPage = "/join-requests"

// society is an organization that people ask to join by their e-mail domain, with
// two administrators, on a server whose clock is stopped.
type society struct {
	*server
	org           string
	domain        string
	boss, another *person
	told          int // digests that each of the two should have
}

// onboarded has a server onboard whoever signs in.
func onboarded() option {
	return withFlags("--onboarding", "capabilities", "--session-lifetime", "2000h")
}

// inParis is a time of the wall clock there, such as "2027-03-29 09:00".
func inParis(t *testing.T, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

// newSociety is founded by whoever signs in first; the clock has been stopped.
func (s *server) newSociety(t *testing.T) *society {
	t.Helper()
	c := &society{server: s, domain: unique("society") + ".example"}
	c.boss = c.colleague(t, "Boss")
	for _, m := range all[struct {
		OrganizationID string `json:"organization_id"`
		Personal       bool   `json:"personal"`
	}](t, c.boss.client, "/v1/me/organizations") {
		if !m.Personal {
			c.org = m.OrganizationID
		}
	}
	c.another = c.colleague(t, "Another")
	ok(t, c.boss.decide(c.org, each("approve", c.another)))
	ok(t, c.boss.setRoles(c.org, c.another, []string{administrate}))
	return c
}

// colleague signs in with the domain, and is of its organization or waits to be.
// Where the clock was moved, a process is at that as soon as the request is.
func (c *society) colleague(t *testing.T, name string) *person {
	t.Helper()
	p := c.newPerson(name)
	p.Email = strings.ToLower(p.Name) + "@" + c.domain
	p.register(t)
	eventually(t, p.Email+" has been onboarded", func() bool {
		organizations := all[ownDoc](t, p.client, "/v1/me/organizations")
		_, joined := find(organizations, func(o ownDoc) bool { return !o.Personal })
		return joined || len(all[ownDoc](t, p.client, "/v1/me/join-requests")) > 0
	})
	return p
}

// stopClocks stops the clock of each node at a time.
func (c *society) stopClocks(t *testing.T, at time.Time) {
	t.Helper()
	nodes := []*server{c.server}
	if c.through != nil {
		nodes = c.through.nodes
	}
	for _, n := range nodes {
		n.stopClock(t, at)
	}
}

// digestsTo are those that a person has got, the oldest first.
func (c *society) digestsTo(t *testing.T, p *person) []mail {
	t.Helper()
	mails, err := c.mailbox.mails(p.Email)
	is.New(t).NoErr(err)
	var found []mail
	for _, m := range mails {
		if len(m.Links) > 0 && strings.HasSuffix(m.Links[0], requestsPage+"#organization="+c.org) {
			found = append(found, m)
		}
	}
	return found
}

// summaries are the digests in the history, the oldest first.
func (c *society) summaries(t *testing.T) []entryDoc {
	t.Helper()
	return all[entryDoc](t, c.operator(), orgPath(c.org, "history")+"?order=asc&type=organization.requests_summarized")
}

// mailComes waits for a mail that has nothing to do with digests, so that these
// have had the time to come as well.
func (c *society) mailComes(t *testing.T) {
	t.Helper()
	for range 2 {
		p := c.newPerson("Passer-by")
		ok(t, p.requestAccount())
		c.tokenTo(t, p.Email, verifyPage, 1)
	}
}

// digestComes waits until each administrator has got one more digest, and no
// other, which names the people and nobody else.
func (c *society) digestComes(t *testing.T, people ...*person) {
	t.Helper()
	c.told++
	for _, admin := range []*person{c.boss, c.another} {
		eventually(t, fmt.Sprintf("digest %d for %s", c.told, admin.Name), func() bool { return len(c.digestsTo(t, admin)) >= c.told })
	}
	c.noDigestComes(t)
	is := is.New(t)
	ids := make(map[string]bool)
	for _, admin := range []*person{c.boss, c.another} {
		m := c.digestsTo(t, admin)[c.told-1]
		ids[m.MessageID] = true
		is.Equal(strings.Count(m.Text, "@"+c.domain+"), since "), len(people))
		for _, p := range people {
			is.True(strings.Contains(m.Text, p.Name+" ("+p.Email+"), since "))
		}
	}
	is.Equal(len(ids), 2)
}

// noDigestComes checks that nobody has got more than they should have.
func (c *society) noDigestComes(t *testing.T) {
	t.Helper()
	c.mailComes(t)
	for _, admin := range []*person{c.boss, c.another} {
		is.New(t).Equal(len(c.digestsTo(t, admin)), c.told)
	}
}

func TestC8_WeeklyDigest(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.prepare(t, onboarded())
		s.stopClock(t, inParis(t, "2027-03-26 15:00"))
		s.run(t)
		c := s.newSociety(t)
		ann, bob := c.colleague(t, "Ann"), c.colleague(t, "Bob")

		t.Run("on the Monday after the clocks are set forward, at 09:00 in Paris", func(t *testing.T) {
			c.stopClocks(t, inParis(t, "2027-03-29 09:00").Add(-time.Second))
			c.noDigestComes(t)
			c.stopClocks(t, inParis(t, "2027-03-29 09:00"))
			c.digestComes(t, ann, bob)
			m := c.digestsTo(t, c.boss)[0]
			is := is.New(t)
			is.True(strings.HasPrefix(m.Subject, "2 people ask to join “"))
			is.True(strings.Contains(m.Text, "What to do next:"))
			is.True(strings.Index(m.Text, ann.Email) < strings.Index(m.Text, bob.Email)) // the longest waiting first
			page, _, _ := strings.Cut(strings.TrimPrefix(m.Links[0], *s.url.Load()), "#")
			ok(t, c.anonymous().get(page, anyPosition))
		})

		t.Run("once, whatever restarts", func(t *testing.T) {
			c.restart(t)
			c.noDigestComes(t)
			c.rebuild(t)
			c.noDigestComes(t)
		})

		t.Run("the next week again, of those not yet decided", func(t *testing.T) {
			ok(t, c.boss.decide(c.org, each("reject", bob)))
			c.stopClocks(t, inParis(t, "2027-04-05 09:00").Add(-time.Second))
			c.noDigestComes(t)
			c.stopClocks(t, inParis(t, "2027-04-05 09:00"))
			c.digestComes(t, ann)
		})

		t.Run("none when there are none", func(t *testing.T) {
			ok(t, c.boss.decide(c.org, each("approve", ann)))
			c.stopClocks(t, inParis(t, "2027-04-12 09:00"))
			eventually(t, "it is on record that nothing is open", func() bool { return len(c.summaries(t)) == 3 })
			is.New(t).Equal(c.summaries(t)[2].Data["recipients"], nil)
			c.noDigestComes(t)
		})

		t.Run("on the Monday after the clocks are set back", func(t *testing.T) {
			c.stopClocks(t, inParis(t, "2027-10-29 15:00"))
			c.boss.signIn(t) // the session is over since long
			carol := c.colleague(t, "Carol")
			c.stopClocks(t, inParis(t, "2027-11-01 09:00").Add(-time.Second))
			c.noDigestComes(t)
			c.stopClocks(t, inParis(t, "2027-11-01 09:00"))
			c.digestComes(t, carol)
		})

		t.Run("one after weeks of downtime, and then on Mondays again", func(t *testing.T) {
			dan := c.colleague(t, "Dan")
			waiting := all[memberDoc](t, c.boss.client, orgPath(c.org, "join-requests"))
			is.New(t).Equal(len(waiting), 2)
			ok(t, c.boss.decide(c.org, map[string]any{"decisions": []map[string]any{{"account_id": waiting[0].AccountID, "decision": "approve"}}}))
			c.stop(t)
			c.stopClocks(t, inParis(t, "2027-11-24 17:30")) // over the 8th, 15th and 22nd
			c.run(t)
			c.digestComes(t, dan)
			c.stopClocks(t, inParis(t, "2027-11-29 09:00"))
			c.digestComes(t, dan)
		})

		t.Run("an administrator who is none any more is not told", func(t *testing.T) {
			ok(t, c.boss.setRoles(c.org, c.another, nil))
			c.stopClocks(t, inParis(t, "2027-12-06 09:00"))
			eventually(t, "the digest for the other one", func() bool { return len(c.digestsTo(t, c.boss)) == c.told+1 })
			is.New(t).Equal(c.summaries(t)[len(c.summaries(t))-1].Data["recipients"], []any{c.boss.AccountID})
			c.mailComes(t)
			is.New(t).Equal(len(c.digestsTo(t, c.another)), c.told)
		})
	})
}

// A node is killed that has just taken a mail of the digest, or handed it over.
func TestC8_KilledBetweenEventAndMail(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		for _, step := range []string{"mail: claimed", "mail: handed over", "mail: recorded"} {
			t.Run(step, func(t *testing.T) {
				t.Parallel()
				s := b.prepare(t, onboarded())
				s.stopClock(t, inParis(t, "2027-03-26 15:00"))
				s.run(t)
				c := s.newSociety(t)
				ann := c.colleague(t, "Ann")
				s.diesAt(t, step, func() { c.stopClocks(t, inParis(t, "2027-03-29 09:00")) })
				c.stopClocks(t, inParis(t, "2027-03-29 09:03")) // the claim of a dead node ends
				c.digestComes(t, ann)
				is.New(t).Equal(len(c.summaries(t)), 1)
			})
		}
	})
}

func TestC8_ThreeNodesSendOneDigest(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		mails := startMailServer(t, false)
		d := b.startNodes(t, 3, mails, onboarded())
		for _, n := range d.nodes {
			n.stopClock(t, inParis(t, "2027-10-29 15:00"))
		}
		c := d.newSociety(t)
		ann := c.colleague(t, "Ann")
		for week := range 2 {
			c.stopClocks(t, inParis(t, "2027-11-01 09:00").Add(time.Duration(week)*7*day))
			c.digestComes(t, ann)
		}
		d.kill(t, d.holder(t, "processes"))
		c.stopClocks(t, inParis(t, "2027-11-15 09:00"))
		c.digestComes(t, ann)
		is.New(t).Equal(len(c.summaries(t)), 3)
	})
}
