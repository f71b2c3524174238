package acceptance

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestCrash_KilledUnderLoad kills the server at random moments while many
// clients give commands, and starts it again at once. Nothing that was
// acknowledged is lost, nothing is half done for good, and the views say what
// the log says.
func TestCrash_KilledUnderLoad(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, startMailServer(t, false).option(), withFlags("--log-level", "info"))
		c := s.newCrowd(t, 24, 6)
		ledger := &acknowledged{}
		c.after = func(org, name string, r response) { ledger.note(t, name, r) }
		rng := rand.New(rand.NewPCG(*seed, 1))
		stop := c.keepRioting(t)
		for range *kills {
			s.works(t) // nodes that share stores wait for the leases of the dead
			time.Sleep(time.Duration(200+rng.IntN(1500)) * time.Millisecond)
			s.kill(t)
			s.run(t)
		}
		eventually(t, "each command was served", func() bool { return c.hasDone("invite", "accept", "change", "remove") })
		stop()

		c.checkAll(t)
		ledger.check(t, c)
		c.settled(t)
		before := c.snapshots(t)
		s.rebuild(t)
		is.New(t).Equal(c.snapshots(t), before)
		t.Logf("killed %d times, seed %d: %d acknowledged events are in the log; served %s", *kills, *seed, len(ledger.events), c.summary())
	})
}

// works waits until the server, as it was started last, applies the log and runs
// the processes.
func (s *server) works(t *testing.T) {
	t.Helper()
	if s.stores.redis == nil {
		return
	}
	eventually(t, "the server has the leases", func() bool {
		said := string(s.stderr.bytes()[s.began:])
		return strings.Contains(said, `"lease taken","lease":"views"`) && strings.Contains(said, `"lease taken","lease":"processes"`)
	})
}

// keepRioting has everybody do random things until the answer is called, or the
// test ends.
func (c *crowd) keepRioting(t *testing.T) (stop func()) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	for i, p := range c.people {
		wg.Go(func() {
			r := &rioter{crowd: c, person: p, index: i, rng: rand.New(rand.NewPCG(c.seed, uint64(i)))}
			for {
				select {
				case <-over:
					return
				default:
					r.act(t)
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		close(over)
		wg.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// acknowledged collects the events of receipts.
type acknowledged struct {
	expected []string // codes of 500 and above that a client can use, besides those of any server
	mu       sync.Mutex
	events   []acknowledgedEvent
}

// acknowledgedEvent is the last event of a receipt, where the receipt says.
type acknowledgedEvent struct {
	typ, org string
	data     string
	position uint64
}

// note remembers what was acknowledged. While the server is down there is no
// answer, or half of one; any other answer is one that a client can use.
func (a *acknowledged) note(t *testing.T, name string, r response) {
	if r.err != nil {
		return
	}
	if !r.done() {
		if r.code() == "" || (r.status >= 500 && r.code() != "busy" && r.code() != "view_behind" && !slices.Contains(a.expected, r.code())) {
			t.Errorf("%s: %v", name, r)
		}
		return
	}
	var done receipt
	if json.Unmarshal(r.body, &done) != nil || len(done.Events) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range done.Events {
		org, _ := e.Data["organization_id"].(string)
		data, _ := json.Marshal(e.Data)
		a.events = append(a.events, acknowledgedEvent{typ: e.Type, org: org, data: string(data), position: r.position()})
	}
}

// check finds every acknowledged event in the histories.
func (a *acknowledged) check(t *testing.T, c *crowd) {
	t.Helper()
	found := make(map[string]bool)
	for _, org := range c.orgs {
		for _, e := range all[entryDoc](t, c.operator(), orgPath(org, "history")+"?limit=200") {
			data, _ := json.Marshal(e.Data)
			found[e.Type+string(data)] = true
			if _, err := strconv.ParseUint(e.Position, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	lost := 0
	for _, e := range a.events {
		if !found[e.typ+e.data] {
			lost++
			t.Errorf("acknowledged at %d and lost: %s %s", e.position, e.typ, e.data)
		}
	}
	if len(a.events) < 50 {
		t.Errorf("only %d events were acknowledged", len(a.events))
	}
}

// settled checks that no process is stuck.
func (c *crowd) settled(t *testing.T) {
	t.Helper()
	stuck := ""
	defer func() {
		if t.Failed() && stuck != "" {
			t.Logf("the process %s is stuck", stuck)
		}
	}()
	eventuallyIn(t, time.Minute, "every process has got to the end of the log", func() bool {
		head := c.everything(t)
		stuck = stuckProcess(string(ok(t, c.operator().get("/metrics")).body), head)
		return stuck == ""
	})
}

// TestCrash_SecondStart kills the server while it starts.
func TestCrash_WhileStarting(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.prepare(t)
		rng := rand.New(rand.NewPCG(*seed, 2))
		for range 8 {
			go func() {
				time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
				for s.signalled(syscall.SIGKILL) != nil {
					time.Sleep(time.Millisecond)
				}
			}()
			s.launch() // it listens, or dies before
			s.waitExit(t)
		}
		s.run(t)
		is.New(t).True(s.key.Load() != nil) // shown until it is valid
		c := s.newCast(t)
		ok(t, s.operator().get("/v1/operator/api-keys"))
		c.restart(t)
		if entries, err := os.ReadDir(s.data); err != nil || len(entries) > 13 { // log, views, keys and what SQLite has beside them
			t.Errorf("the folder holds %d files: %v", len(entries), err)
		}
	})
}

// TestCrash_StoresKilled kills, under load, what the server keeps its log and its
// views in, and starts it again.
func TestCrash_StoresKilled(t *testing.T) {
	on(t, func(t *testing.T, b backend) {
		s := b.start(t, withOwnRedis(), expecting(outages...), startMailServer(t, false).option(), withFlags("--log-level", "info"))
		c := s.newCrowd(t, 16, 4)
		ledger := &acknowledged{expected: outages}
		c.after = func(org, name string, r response) { ledger.note(t, name, r) }
		rng := rand.New(rand.NewPCG(*seed, 4))
		pause := func() { time.Sleep(time.Duration(500+rng.IntN(1000)) * time.Millisecond) }
		stop := c.keepRioting(t)
		for range 2 {
			pause()
			s.stores.redis.restart(t)
			pause()
			if s.stores.events != nil {
				s.stores.events.kill(t)
				s.stores.events.run(t)
			}
		}
		pause()
		s.works(t)
		stop()

		eventually(t, "the server is ready", func() bool { return s.anonymous().get("/readyz").done() })
		c.checkAll(t)
		ledger.check(t, c)
		c.settled(t)
		before := c.snapshots(t)
		s.rebuild(t)
		is.New(t).Equal(c.snapshots(t), before)
		t.Logf("seed %d: %d acknowledged events are in the log; served %s", *seed, len(ledger.events), c.summary())
	}, onRedis, onCluster)
}
