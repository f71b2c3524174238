package processes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"
	"github.com/nats-io/nats-server/v2/server"

	"tenure/domain"
	state "tenure/domain/broker"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/relay/broker"
	"tenure/relay/broker/brokertest"
)

// known is what the log knows of a broker.
func (p *outward) known(name string) state.Broker {
	p.t.Helper()
	s, err := p.commands.Brokers(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	return s.Broker(domain.BrokerName(name))
}

// A broker that is away holds up no other. The log says why, once for all nodes,
// until it goes on.
func TestABrokerThatIsAwayHoldsUpNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := newOutward(t)
	well, away := brokertest.NATS(t, "tenure"), brokertest.NATS(t, "tenure")
	away.Stop()
	p.grow(100, 5)
	n, other := p.publish(away.Target()+"?name=away"), p.publish(well.Target())
	p.arrived(other, "nats")
	p.check(well.Received())
	is.True(p.known("nats").Failing == nil)

	p.eventually("it fails", func() bool { return n.causeOf("away") == broker.CauseUnreachable })
	is.True(p.known("away").Failing == nil) // not for a moment's failure
	p.eventually("the log says so", func() bool {
		p.pass(time.Second)
		f := p.known("away").Failing
		return f != nil && f.Cause == broker.CauseUnreachable
	})
	is.Equal(len(p.find("broker.failed")), 1)
	n.stop()
	n = p.publish(away.Target() + "?name=away")
	is.True(p.known("away").Failing != nil) // also for the next node
	away.Start()
	p.arrived(n, "away")
	p.eventually("the log says that it goes on", func() bool { return p.known("away").Failing == nil })
	is.Equal(len(p.find("broker.failed")), 1)
	p.check(away.Received())
}

// growLarge appends an event of another organization that has so many bytes.
func (p *outward) growLarge(bytes int) {
	p.t.Helper()
	large := organization.Renamed{OrganizationID: domain.OrganizationID(uuid.NewString()), Before: "A name", After: domain.OrganizationName(strings.Repeat("x", bytes))}
	encoded, err := p.codec.Encode(eventstore.ID(uuid.New()), large, codec.Metadata{Actor: domain.ByProcess("test"), OccurredAt: p.now()})
	if err == nil {
		_, err = p.log.Append(p.ctx, "organization-"+string(large.OrganizationID), eventstore.NoStream(), []eventstore.Event{encoded})
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// An event that a broker does not take is not skipped: what follows it of its
// organization waits, until the broker takes it.
func TestAnEventThatIsTooLargeIsWaitedFor(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := newOutward(t)
	var limit int32 = 4000
	b := brokertest.NATS(t, "tenure", func(o *server.Options) { o.MaxPayload = limit })
	p.grow(10, 2)
	p.growLarge(5000)
	n := p.publish(b.Target())
	p.eventually("it is too large", func() bool {
		f := p.known("nats").Failing
		return f != nil && f.Cause == broker.CauseTooLarge
	})
	is.Equal(n.causeOf("nats"), broker.CauseTooLarge)
	is.Equal(len(b.Received()), 10) // of other organizations, each once
	b.Stop()
	b.SetMaxPayload(1 << 20)
	b.Start()
	p.arrived(n, "nats")
	is.Equal(p.check(b.Received()), 0)
}

func TestOperatorsPauseAndReplay(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p, b := newOutward(t), brokertest.Redis(t, "tenure")
	p.grow(20, 2)
	n := p.publish(b.Target() + "?max-length=1000")
	p.arrived(n, "redis")
	_, err := p.commands.PauseBroker(p.ctx, public(), "redis", true)
	is.NoErr(err)
	p.grow(20, 2)
	n.stop()
	n = p.publish(b.Target())
	is.Equal(len(b.Received()), 20)
	at, err := n.Position(p.ctx, "redis")
	is.NoErr(err)
	_, err = p.commands.PauseBroker(p.ctx, public(), "redis", false)
	is.NoErr(err)
	p.arrived(n, "redis")
	is.Equal(p.check(b.Received()), 0)

	_, err = p.commands.ReplayBroker(p.ctx, public(), "redis", at)
	is.NoErr(err)
	p.eventually("the later ones come again", func() bool { return len(b.Received()) == 60 })
	p.arrived(n, "redis")
	is.Equal(p.check(b.Received()), 20)
	is.Equal(ids(b.Received()[40:]), ids(b.Received()[20:40]))

	// A broker that begins at the end, and one type alone.
	late := p.publish(b.Target() + "2?name=late&from=head&type=organization.renamed")
	p.arrived(late, "late")
	p.grow(3, 2)
	p.grow(4, 4) // of which two are of another type
	p.arrived(late, "late")
	late.stop()
	late = p.publish(b.Target() + "2?name=late&from=head&type=organization.renamed")
	p.grow(1, 1)
	p.arrived(late, "late")
	count := 0
	for _, r := range b.ReceivedBy("tenure2") {
		is.Equal(r.Type, "organization.renamed.v1")
		count++
	}
	is.Equal(count, 6)
}

// ids are those of messages, sorted.
func ids(all []brokertest.Received) (sorted []string) {
	for _, r := range all {
		sorted = append(sorted, r.ID)
	}
	slices.Sort(sorted)
	return sorted
}

// Personal data leaves only where the setting says so.
func TestPersonalDataLeavesByDecisionAlone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p, b, open := newOutward(t), brokertest.NATS(t, "tenure"), brokertest.NATS(t, "open")
	p.grow(3, 3)
	plain, personal := p.publish(b.Target()), p.publish(open.Target()+"?name=open&personal=true")
	p.arrived(plain, "nats")
	p.arrived(personal, "open")
	is.Equal(len(b.Received()), 3)
	for _, r := range b.Received() {
		is.True(!strings.Contains(string(r.Body), "Grace") && !strings.Contains(string(r.Body), "grace@"))
	}
	is.Equal(len(open.Received()), 3)
	for _, r := range open.Received() {
		is.True(strings.Contains(string(r.Body), `"Grace Hopper"`) && strings.Contains(string(r.Body), `"grace@example.com"`))
	}
}

// What a broker refuses is told from what is away, and no password is told.
func TestABrokerThatRefuses(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := newOutward(t)
	b := brokertest.NATS(t, "tenure", func(o *server.Options) { o.Username, o.Password = "tenure", "right password" })
	p.grow(3, 3)
	as := func(user string) string { return strings.Replace(b.Target(), "://", "://"+user+"@", 1) }
	wrong := p.publish(as("tenure:wrong%20password"))
	p.eventually("it is refused", func() bool { return wrong.causeOf("nats") == broker.CauseRefused })
	is.True(!strings.Contains(wrong.Health().Statuses()["nats"].Err.Error(), "wrong"))
	wrong.stop()
	right := p.publish(as("tenure:right%20password"))
	p.arrived(right, "nats")
	p.check(b.Received())
}
