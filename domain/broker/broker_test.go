package broker_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/broker"
	"tenure/domain/domaintest"
)

const name = domain.BrokerName("nats")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type decision = func(State) ([]domain.Event, error)

func pause(paused bool) decision {
	return domaintest.Always(func(s State) []domain.Event { return Pause(s, name, paused) })
}

func fail(version int, cause string) decision {
	return domaintest.Always(func(s State) []domain.Event { return Fail(s, name, version, cause, noon) })
}

func reach(version int, position uint64) decision {
	return domaintest.Always(func(s State) []domain.Event { return Reach(s, name, version, position) })
}

func TestTheLifeOfABroker(t *testing.T) {
	is := is.New(t)
	e := domaintest.Given(t, Evolve)
	e.When(pause(false)).Then()
	e.When(reach(0, 0)).Then()
	e = e.When(reach(0, 7)).Then(Reached{Broker: name, Position: 7})
	e.When(reach(0, 7)).Then()
	e = e.When(pause(true)).Then(Paused{Broker: name})
	e.When(pause(true)).Then()
	e.When(reach(0, 9)).Then() // said by whoever has not learned of the change yet
	e.When(fail(0, "refused")).Then()
	e = e.When(pause(false)).Then(Resumed{Broker: name})
	is.Equal(e.State.Broker(name), Broker{Reached: 7, Version: 2})
	e = e.When(domaintest.Always(func(State) []domain.Event { return Replay(name, 3) })).Then(Replayed{Broker: name, After: 3})
	is.Equal(e.State.Broker(name), Broker{Reached: 3, Replays: 1, Version: 3})
	is.Equal(e.State.Broker("other"), Broker{})
}

// An outage is two events, however long it takes.
func TestAnOutage(t *testing.T) {
	is := is.New(t)
	e := domaintest.Given(t, Evolve, Reached{Broker: name, Position: 7})
	e = e.When(fail(0, "unreachable")).Then(Failed{Broker: name, Cause: "unreachable", Since: noon})
	e.When(fail(0, "unreachable")).Then()
	e = e.When(fail(0, "refused")).Then(Failed{Broker: name, Cause: "refused", Since: noon})
	is.Equal(*e.State.Broker(name).Failing, Failing{Cause: "refused", Since: noon})
	is.True(Evolve(e.State, Paused{Broker: name}).Broker(name).Failing == nil)
	e = e.When(reach(0, 7)).Then(Reached{Broker: name, Position: 7}) // it goes on
	is.Equal(e.State.Broker(name), Broker{Reached: 7})
}
