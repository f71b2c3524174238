package acceptance

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// deployment is several nodes on the same stores. As a server it stands for all
// of them: each request goes to a node that is up, as through a proxy, and a
// command is sent again, under the same key, until a node has answered it.
type deployment struct {
	*server
	nodes []*server
	sent  sentCommands
	again atomic.Int64 // times that a command was sent again, because there was no answer or one that says "later"
}

// startNodes starts nodes that send their mails to one mail server.
func (b backend) startNodes(t *testing.T, count int, mails *mailServer, options ...option) *deployment {
	t.Helper()
	common := append([]option{mails.option(), withFlags("--public-url", "http://members.example.test")}, options...)
	d := &deployment{}
	for i := range count {
		own := append(common[:len(common):len(common)], withFlags("--node", fmt.Sprint("node-", i)))
		if i > 0 {
			own = append(own, withStores(d.nodes[0].stores))
		}
		d.nodes = append(d.nodes, b.prepare(t, own...))
	}
	first := d.nodes[0]
	first.run(t)
	for _, n := range d.nodes[1:] {
		n.key.Store(first.key.Load())
		n.run(t)
	}
	d.server = &server{http: newHTTPClient(), mailbox: mails, stores: first.stores, through: d, expected: first.expected}
	d.key.Store(first.key.Load())
	t.Cleanup(func() {
		if n := d.failures.Load(); n > 0 {
			t.Errorf("the nodes answered %d times with 5xx, such as %s", n, *d.failed.Load())
		}
	})
	return d
}

// at is somebody who talks to one node only.
func (c client) at(node *server) client { return client{server: node, token: c.token} }

// send implements client.send for all nodes.
func (d *deployment) send(c client, method, path string, payload []byte, extras []extra) response {
	if method == http.MethodGet {
		return c.sendTo(d.pick(), method, path, payload, extras...)
	}
	keyed := append([]extra{idempotencyKey(unique("sent"))}, extras...)
	for until := time.Now().Add(time.Minute); ; {
		r := c.sendTo(d.pick(), method, path, payload, keyed...)
		if r.err == nil && r.status < 500 || time.Now().After(until) {
			d.sent.note(sentCommand{c, method, path, payload, keyed, r})
			return r
		}
		d.again.Add(1)
		time.Sleep(time.Duration(10+rand.IntN(90)) * time.Millisecond)
	}
}

// pick is the address of a node that is up, or was until now.
func (d *deployment) pick() string {
	for {
		if url := d.nodes[rand.IntN(len(d.nodes))].url.Load(); url != nil {
			return *url
		}
		time.Sleep(time.Millisecond)
	}
}

// kill ends a node at once.
func (d *deployment) kill(t *testing.T, node *server) {
	t.Helper()
	node.url.Store(nil) // its port may be another's soon
	node.kill(t)
}

// holder is the node that has a lease, as far as the nodes have said.
func (d *deployment) holder(t *testing.T, lease string) *server {
	t.Helper()
	var holder *server
	eventually(t, "a node has the lease "+lease, func() bool {
		if taken := takings(d.nodes, lease); len(taken) > 0 {
			holder = taken[len(taken)-1].node
		}
		return holder != nil
	})
	return holder
}

// endClaims moves the clocks of all nodes to where the claims of dead nodes on
// mails have ended, and waits until these are sent: every two seconds the nodes
// look at what others have claimed.
func (d *deployment) endClaims(t *testing.T) {
	t.Helper()
	for _, n := range d.nodes {
		n.shiftClock(t, 3*time.Minute)
	}
	d.unchangedFor(t, 3*time.Second)
}

// settled waits until the node that runs the processes is at the end of the log.
func (d *deployment) settled(t *testing.T) {
	t.Helper()
	eventuallyIn(t, time.Minute, "every process has got to the end of the log", func() bool {
		head := d.everything(t)
		for _, n := range d.nodes {
			if stuckProcess(string(ok(t, n.operator().get("/metrics", anyPosition)).body), head) == "" {
				return true
			}
		}
		return false
	})
}

// sentCommand is a command and its answer.
type sentCommand struct {
	client       client
	method, path string
	payload      []byte
	extras       []extra
	answer       response
}

type sentCommands struct {
	mu  sync.Mutex
	all []sentCommand
}

func (l *sentCommands) note(c sentCommand) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, c)
}

// served are those that were done.
func (l *sentCommands) served() []sentCommand {
	l.mu.Lock()
	defer l.mu.Unlock()
	var done []sentCommand
	for _, c := range l.all {
		if c.answer.done() && !strings.HasSuffix(c.path, "/lookup") { // which changes nothing, and says what is now
			done = append(done, c)
		}
	}
	return done
}

// fresh starts a node whose views are made from the log alone, beside the others.
func (b backend) fresh(t *testing.T, d *deployment, mails *mailServer) *server {
	t.Helper()
	other := *d.stores
	other.prefix = unique("test") + ":"
	if other.redis != nil {
		t.Cleanup(func() { other.redis.forget(t, other.prefix) })
	}
	n := b.prepare(t, withStores(&other), mails.option(), withFlags("--node", "fresh"))
	n.key.Store(d.key.Load())
	n.run(t)
	return n
}

func TestNodes_AreOne(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		mails := startMailServer(t, false)
		d := b.startNodes(t, 3, mails)
		c := d.newCast(t)

		t.Run("what was written at one is read at the others", func(t *testing.T) {
			is := is.New(t)
			for i := range 40 {
				role := []string{"VIEWER", "USER"}[i%2]
				writer, reader := d.nodes[i%3], d.nodes[(i+1+i%2)%3]
				written := ok(t, c.owner.at(writer).put(orgPath(c.org, "members", c.user.AccountID, "roles"), map[string]any{"roles": []string{role}}))
				seen := decoded[memberDoc](t, c.admin.at(reader).get(orgPath(c.org, "members", c.user.AccountID), atPosition(written.position())))
				is.Equal(seen.Roles, []string{role})
			}
		})

		t.Run("a session that ends at one has ended at the others", func(t *testing.T) {
			for i := range 10 {
				p := *c.user
				p.signIn(t)
				for _, n := range d.nodes {
					ok(t, p.at(n).get("/v1/me"))
				}
				ok(t, p.at(d.nodes[i%3]).delete("/v1/sessions/current"))
				for _, n := range d.nodes {
					refused(t, p.at(n).get("/v1/me"), 401, "not_signed_in")
				}
			}
		})

		t.Run("a key that is sent to all at the same time is one command", func(t *testing.T) {
			for range 15 {
				guest, key := unique("guest"), idempotencyKey(unique("key"))
				body := map[string]any{"email": guest + "@example.com", "username": guest, "roles": []string{"USER"}}
				answers := make([]response, 2*len(d.nodes))
				runs := make([]func(), len(answers))
				for i := range answers {
					runs[i] = func() {
						answers[i] = c.owner.at(d.nodes[i%len(d.nodes)]).post(orgPath(c.org, "invitations"), body, key)
					}
				}
				together(runs...)
				ok(t, answers[0])
				for _, r := range answers {
					sameAnswer(t, "invite", answers[0], r)
					d.note(r)
				}
				is.New(t).Equal(len(c.owner.invitations(t, c.org, "?q="+guest)), 1)
			}
		})

		t.Run("one that hangs does no harm, and the others take over", func(t *testing.T) {
			is := is.New(t)
			hung := d.holder(t, "views")
			before := len(takings(d.nodes, "views"))
			url := hung.url.Swap(nil)
			is.NoErr(hung.signalled(syscall.SIGSTOP))
			stopped := time.Now()
			guest := d.newPerson("Guest")
			ok(t, c.owner.invite(c.org, guest.Email, guest.Name, "USER"))
			eventually(t, "another node has taken over", func() bool { return len(takings(d.nodes, "views")) > before })
			is.Equal(len(c.owner.invitations(t, c.org, "?q="+guest.Name)), 1)
			for i := 0; time.Since(stopped) < 6*time.Second; i++ {
				role := []string{"VIEWER", "USER"}[i%2]
				ok(t, c.owner.changeRole(c.org, c.user, role))
				is.Equal(c.admin.roleOf(t, c.org, c.user), role)
			}
			is.NoErr(hung.signalled(syscall.SIGCONT))
			hung.url.Store(url)
			for i := range 50 {
				role := []string{"USER", "VIEWER"}[i%2]
				ok(t, c.owner.changeRole(c.org, c.user, role))
				is.Equal(c.admin.roleOf(t, c.org, c.user), role)
				shown := decoded[memberDoc](t, c.admin.at(hung).get(orgPath(c.org, "members", c.user.AccountID), atPosition(d.position.Load())))
				is.Equal(shown.Roles, []string{role})
			}
			ok(t, guest.acceptNew(d.invitationTo(t, guest.Email)))
		})

		t.Run("the views are those that the log makes", func(t *testing.T) {
			d.everything(t) // a mail that is being sent would be sent again once its claim is over
			d.endClaims(t)
			d.settled(t)
			checkInvariants(t, d.operator(), c.org)
			var fresh *server
			d.stores.events.mayOnlyMail(t, "to start processes over", func() {
				fresh = b.fresh(t, d, mails)
				fresh.everything(t)
			})
			is.New(t).Equal(snapshotOf(t, fresh.operator(), c.org), snapshotOf(t, d.operator(), c.org))
			mails.checkOnce(t, nil)
		})
	})
}

func TestNodes_CountAttemptsTogether(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		d := b.startNodes(t, 2, startMailServer(t, false), withFlags("--rate-limits", "on"))
		ada, bob := d.signUp(t, "Ada"), d.signUp(t, "Bob")
		guesses := func(p *person, nodes ...*server) int {
			for i := range 100 {
				body := map[string]any{"email": p.Email, "password": "not the password"}
				r := d.anonymous().at(nodes[i%len(nodes)]).post("/v1/sessions", body)
				if r.status == http.StatusTooManyRequests {
					return i
				}
				refused(t, r, 401, "credentials_wrong")
			}
			t.Fatal("nobody counts")
			return 0
		}
		alone := guesses(ada, d.nodes[0])
		both := guesses(bob, d.nodes...)
		if both > alone+2 { // some are allowed again after a while
			t.Errorf("%d attempts at one node, %d at two", alone, both)
		}
		for _, n := range d.nodes {
			refused(t, bob.at(n).post("/v1/sessions", map[string]any{"email": bob.Email, "password": bob.Password}), 429, "too_many_attempts")
		}
	})
}

// taking is a node's line that it has a lease.
type taking struct {
	at   time.Time
	node *server
}

// takings are all of a lease, the oldest first.
func takings(nodes []*server, lease string) []taking {
	var all []taking
	for _, n := range nodes {
		for _, line := range n.stderr.lines() {
			var said struct {
				Time       time.Time
				Msg, Lease string
			}
			if strings.Contains(line, "lease taken") && json.Unmarshal([]byte(line), &said) == nil && said.Msg == "lease taken" && said.Lease == lease {
				all = append(all, taking{said.Time, n})
			}
		}
	}
	slices.SortFunc(all, func(a, b taking) int { return a.at.Compare(b.at) })
	return all
}
