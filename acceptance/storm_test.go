package acceptance

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// outages are what nodes answer while the log or Redis is away.
var outages = []string{"log_unavailable", "views_unavailable"}

// TestNodes_Storm has many clients give commands to three nodes, of which one
// after another is killed and started again. Meanwhile the log cuts its
// connections, refuses them for two seconds, and Redis loses all that it held.
// Nothing that was acknowledged is lost, nothing is half done for good, every
// mail leaves, and the views say what the log says.
func TestNodes_Storm(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		mails := startMailServer(t, false)
		d := b.startNodes(t, 3, mails, withOwnRedis(), expecting(outages...), withFlags("--log-level", "info"))
		c := d.newCrowd(t, 16, 6)
		ledger := &acknowledged{expected: outages}
		c.after = func(org, name string, r response) { ledger.note(t, name, r) }
		stop := c.keepRioting(t)
		w := &weather{deployment: d, rng: rand.New(rand.NewPCG(*seed, 3))}
		w.storm(t, *storm)
		eventually(t, "each command was served", func() bool { return c.hasDone("invite", "accept", "change", "remove") })
		stop()
		d.endClaims(t)

		d.settled(t)
		c.checkAll(t)
		ledger.check(t, c)
		again := d.retrySome(t, w.rng, 150)
		d.everyInvitationHasItsMail(t, c)
		d.settled(t)
		shown := c.snapshots(t)
		var fresh *server
		d.stores.events.mayOnlyMail(t, "to start processes over", func() {
			fresh = b.fresh(t, d, mails)
			fresh.everything(t)
		})
		var whole strings.Builder
		for _, org := range c.orgs {
			whole.WriteString(snapshotOf(t, fresh.operator(), org))
		}
		is.New(t).Equal(whole.String(), shown)
		copies := mails.checkOnce(t, w.excuses)

		t.Logf("seed %d: %d kills of nodes, %d cuts of the log's connections; %d acknowledged events are in the log, %d commands were sent again after no answer, %d retried later; %d mails, %d of them twice; served %s",
			*seed, len(w.kills), len(w.cuts), len(ledger.events), d.again.Load(), again, mails.total, copies, c.summary())
		for _, lease := range []string{"views", "processes"} {
			t.Logf("take-over of %s after its node was killed: %v", lease, w.takeovers(lease))
		}
	})
}

// weather is what happens to a deployment, and when.
type weather struct {
	*deployment
	rng   *rand.Rand
	kills []kill
	cuts  []time.Time // of connections to the log
}

type kill struct {
	at   time.Time
	node *server
}

// storm kills a node every two seconds or so, of which half have a lease, and has
// the other things happen in between.
func (w *weather) storm(t *testing.T, d time.Duration) {
	t.Helper()
	began := time.Now()
	part := func(share float64) time.Time { return began.Add(time.Duration(share * float64(d))) }
	cut := func() {
		w.cuts = append(w.cuts, time.Now())
		is.New(t).NoErr(w.stores.events.cut())
	}
	plan := []struct {
		at time.Time
		do func()
	}{
		{part(0.1), cut},
		{part(0.2), cut},
		{part(0.3), func() {
			w.cuts = append(w.cuts, time.Now())
			is.New(t).NoErr(w.stores.events.refuse(func() { time.Sleep(2 * time.Second) }))
		}},
		{part(0.5), func() { w.stores.redis.restartEmpty(t) }},
		{part(0.7), cut},
		{part(0.9), cut},
	}
	for time.Since(began) < d || len(plan) > 0 {
		if len(plan) > 0 && time.Now().After(plan[0].at) {
			plan[0].do()
			plan = plan[1:]
		}
		node := w.nodes[w.rng.IntN(len(w.nodes))]
		if w.rng.IntN(2) == 0 {
			node = w.holder(t, []string{"views", "processes"}[w.rng.IntN(2)])
		}
		w.kills = append(w.kills, kill{time.Now(), node})
		w.kill(t, node)
		time.Sleep(time.Duration(w.rng.IntN(1000)) * time.Millisecond)
		if err := node.launch(); err != nil {
			t.Fatalf("starting a node again: %v\n%s", err, node.stderr.tail())
		}
		time.Sleep(time.Duration(500+w.rng.IntN(2000)) * time.Millisecond)
	}
}

// excuses reports whether the node that sent a mail could have failed to record
// that: it was killed then, or the log was cut off.
func (w *weather) excuses(sent time.Time) bool {
	near := func(at time.Time) bool { return at.After(sent.Add(-time.Second)) && at.Before(sent.Add(5*time.Second)) }
	for _, k := range w.kills {
		if near(k.at) && holderAt(w.nodes, "processes", sent) == k.node {
			return true
		}
	}
	for _, at := range w.cuts {
		if near(at) {
			return true
		}
	}
	return false
}

// holderAt is the node that had taken a lease last before.
func holderAt(nodes []*server, lease string, at time.Time) (holder *server) {
	for _, taken := range takings(nodes, lease) {
		if !taken.at.After(at) {
			holder = taken.node
		}
	}
	return holder
}

// takeovers is how long after each kill of the node that had a lease a node had
// it again.
func (w *weather) takeovers(lease string) (all []time.Duration) {
	taken := takings(w.nodes, lease)
	for _, k := range w.kills {
		if holderAt(w.nodes, lease, k.at) != k.node {
			continue
		}
		for _, next := range taken {
			if next.at.After(k.at) {
				all = append(all, next.at.Sub(k.at).Round(10*time.Millisecond))
				break
			}
		}
	}
	return all
}

// retrySome sends commands that were served again, and compares the answers.
func (d *deployment) retrySome(t *testing.T, rng *rand.Rand, most int) int {
	t.Helper()
	all := d.sent.served()
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(most, len(all))]
	d.stores.events.mayOnlyMail(t, "to send commands again", func() {
		for _, c := range all {
			again := c.client.sendTo(d.pick(), c.method, c.path, c.payload, c.extras...)
			sameAnswer(t, c.method+" "+c.path, c.answer, again)
		}
		d.everything(t)
	})
	return len(all)
}

// everyInvitationHasItsMail checks that each open invitation has a link that
// works in a mail that has arrived.
func (d *deployment) everyInvitationHasItsMail(t *testing.T, c *crowd) {
	t.Helper()
	for _, org := range c.orgs {
		for _, i := range all[invitationDoc](t, d.operator(), orgPath(org, "invitations")+"?status=pending&limit=200") {
			eventually(t, "the mail of the invitation "+i.InvitationID, func() bool {
				for _, m := range d.mailsTo(i.Email, invitePage) {
					if r := d.anonymous().lookup(m.token(invitePage)); r.done() && decoded[invitationDoc](t, r).InvitationID == i.InvitationID {
						return true
					}
				}
				return false
			})
		}
	}
}
