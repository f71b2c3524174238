package acceptance

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsBroker is a NATS server with JetStream.
type natsBroker struct {
	t       *testing.T
	options natsserver.Options
	running *natsserver.Server
}

const brokerPassword = "not to be told"

func startNATS(t *testing.T) *natsBroker {
	t.Helper()
	n := &natsBroker{t: t, options: natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, Username: "tenure", Password: brokerPassword,
	}}
	n.start()
	t.Cleanup(n.stop)
	return n
}

func (n *natsBroker) start() {
	n.t.Helper()
	options := n.options
	running, err := natsserver.NewServer(&options)
	if err != nil {
		n.t.Fatal(err)
	}
	running.Start()
	if !running.ReadyForConnections(time.Minute) {
		n.t.Fatal("nats is not ready")
	}
	n.running, n.options.Port = running, options.Port
}

func (n *natsBroker) stop() {
	n.running.Shutdown()
	n.running.WaitForShutdown()
}

// target is what --publish is given.
func (n *natsBroker) target() string {
	return strings.Replace(n.running.ClientURL(), "://", "://tenure:"+strings.ReplaceAll(brokerPassword, " ", "%20")+"@", 1) + "/tenure"
}

// published is everything in the stream.
func (n *natsBroker) published() (events []eventDoc, messages []jetstream.Msg) {
	n.t.Helper()
	check := func(err error) {
		n.t.Helper()
		if err != nil {
			n.t.Fatal(err)
		}
	}
	conn, err := nats.Connect(n.running.ClientURL(), nats.UserInfo("tenure", brokerPassword))
	check(err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stream, err := js.Stream(ctx, "tenure")
	if err != nil {
		return nil, nil // not made yet
	}
	left := int(stream.CachedInfo().State.Msgs)
	consumer, err := js.OrderedConsumer(ctx, "tenure", jetstream.OrderedConsumerConfig{})
	check(err)
	for left > 0 {
		batch, err := consumer.Fetch(left, jetstream.FetchMaxWait(10*time.Second))
		check(err)
		for m := range batch.Messages() {
			var e eventDoc
			check(json.Unmarshal(m.Data(), &e))
			events, messages = append(events, e), append(messages, m)
			left--
		}
		check(batch.Error())
	}
	return events, messages
}

type brokerDoc struct {
	Broker   string `json:"broker"`
	Address  string `json:"address"`
	Personal bool   `json:"personal"`
	Paused   bool   `json:"paused"`
	Position string `json:"position"`
	Lag      int    `json:"lag"`
	Failing  *struct {
		Cause string `json:"cause"`
	} `json:"failing"`
}

func (s *server) broker(t *testing.T) brokerDoc {
	t.Helper()
	return decoded[brokerDoc](t, s.operator().get("/v1/brokers/nats"))
}

func (s *server) brokerMetric(t *testing.T, name string) string {
	t.Helper()
	return metric(string(ok(t, s.operator().get("/metrics", anyPosition)).body), "tenure_broker_"+name+`{broker="nats"}`)
}

func TestX9_Brokers(t *testing.T) {
	onBothLogs(t, func(t *testing.T, b backend) {
		is := is.New(t)
		n := startNATS(t)
		s := b.start(t, withFlags("--publish", n.target(), "--public-url", feedURL))
		s.issued.add(brokerPassword)
		owner := s.signUp(t, "Owner")
		org := decoded[receipt](t, owner.activate(unique("Acme"))).OrganizationID
		pipeline := s.follower(t, "events.read")
		rename := func() {
			name, key := unique("Acme"), unique("key")
			eventually(t, "it is renamed", func() bool { return owner.rename(org, name, idempotencyKey(key)).done() })
		}
		complete := func() []eventDoc {
			t.Helper()
			want, _ := pipeline.feed(t, "")
			eventuallyIn(t, time.Minute, "everything has arrived", func() bool { events, _ := n.published(); return len(events) >= len(want) })
			events, messages := n.published()
			is.Equal(eventIDs(events), eventIDs(want)) // in order, nothing left out, nothing twice
			gapless(t, events)
			for i, m := range messages {
				is.Equal(m.Subject(), "tenure."+events[i].Organization+"."+events[i].Type)
				is.Equal(m.Headers().Get(nats.MsgIdHdr), events[i].ID)
				is.Equal(m.Headers().Get("content-type"), "application/cloudevents+json; charset=utf-8")
				is.True(!strings.Contains(string(m.Data()), owner.Email) && !strings.Contains(string(m.Data()), owner.Name))
			}
			return want
		}

		// The server is killed while events flow, and so is the broker.
		for i := range 4 {
			for range 5 {
				rename()
			}
			switch i {
			case 0, 2:
				s.kill(t)
				s.run(t)
			case 1:
				n.stop()
				rename() // which a broker that is away does not hinder
				n.start()
			}
		}
		complete()
		shown := s.broker(t)
		is.Equal(shown.Broker, "nats")
		is.Equal(shown.Address, n.running.ClientURL()+"/tenure")
		is.True(!shown.Personal && !shown.Paused && shown.Failing == nil)

		// One that is away is shown, and keeps nobody from anything.
		n.stop()
		rename()
		eventually(t, "attempts fail", func() bool { return s.brokerMetric(t, "failing") == "1" })
		s.shiftClock(t, time.Minute)
		eventually(t, "it is shown", func() bool { f := s.broker(t).Failing; return f != nil && f.Cause == "unreachable" })
		is.True(s.broker(t).Lag > 0)
		ok(t, s.anonymous().get("/readyz"))
		is.True(s.brokerMetric(t, "lag") != "0")
		n.start()
		complete()
		eventually(t, "it is well again", func() bool { return s.broker(t).Failing == nil })

		// Paused, and begun again. A replay has the same ids, and the stream knows them.
		ok(t, s.operator().patch("/v1/brokers/nats", map[string]any{"paused": true}, dryRun))
		is.True(!s.broker(t).Paused)
		paused := s.operator().patch("/v1/brokers/nats", map[string]any{"paused": true, "reason": "It moves."}, idempotencyKey("pause"))
		ok(t, paused)
		is.True(s.broker(t).Paused)
		rename()
		s.restart(t)
		is.True(s.broker(t).Paused)
		ok(t, s.operator().patch("/v1/brokers/nats", map[string]any{"paused": false}))
		again := s.operator().patch("/v1/brokers/nats", map[string]any{"paused": true, "reason": "It moves."}, idempotencyKey("pause"))
		is.Equal(string(ok(t, again).body), string(paused.body))
		is.True(!s.broker(t).Paused)
		complete()
		ok(t, s.operator().post("/v1/brokers/nats/replay", map[string]any{"cursor": ""}))
		eventually(t, "it is at the end again", func() bool { return s.broker(t).Lag == 0 })
		want := complete()
		ok(t, s.operator().post("/v1/brokers/nats/replay", map[string]any{"cursor": want[0].Cursor}))
		refused(t, s.operator().post("/v1/brokers/nats/replay", map[string]any{"cursor": "x"}), 422, "invalid")
		refused(t, s.operator().get("/v1/brokers/other"), 404, "not_found")
		refused(t, s.operator().patch("/v1/brokers/other", map[string]any{"paused": true}), 404, "not_found")
		refused(t, owner.get("/v1/brokers"), 403, "permission_denied")
		is.True(!s.stderr.contains(brokerPassword) && !s.stderr.contains("not%20to"))
	})
}

// Another node goes on with the publishing of one that dies.
func TestX9_BrokersOnEveryNode(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		is := is.New(t)
		n := startNATS(t)
		d := b.startNodes(t, 2, startMailServer(t, false), withFlags("--publish", n.target()))
		owner := d.signUp(t, "Owner")
		org := decoded[receipt](t, owner.activate(unique("Acme"))).OrganizationID
		for i := range 2 {
			ok(t, owner.rename(org, unique("Acme")))
			d.nodes[i].kill(t) // one of them is the one that publishes
			ok(t, owner.at(d.nodes[1-i]).rename(org, unique("Acme")))
			eventually(t, "it arrives from the other node", func() bool { events, _ := n.published(); return len(events) == 2*i+3 })
			d.nodes[i].run(t)
		}
		want, _ := d.follower(t, "events.read").feed(t, "")
		events, _ := n.published()
		is.Equal(eventIDs(events), eventIDs(want))
	})
}

// The routes about brokers of the page for pipelines work when they are pasted.
func TestTheBrokerOfThePageForPipelinesWorks(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		page, err := os.ReadFile("../docs/pipelines.md")
		is.NoErr(err)
		block := regexp.MustCompile("(?s)```sh broker\n(.*?)```").FindStringSubmatch(string(page))
		is.Equal(len(block), 2)
		s := b.start(t, withFlags("--publish", startNATS(t).target()))
		shell := exec.Command("bash", "-euo", "pipefail", "-c", block[1])
		shell.Env = append(os.Environ(), "T="+*s.url.Load(), "OPERATOR_KEY="+*s.key.Load())
		shell.Stderr = os.Stderr
		out, err := shell.Output()
		is.NoErr(err)
		shows(t, string(out), `"broker":"nats"`, `"type":"broker.paused.v1"`, `"type":"broker.resumed.v1"`, `"type":"broker.replayed.v1"`)
	})
}
