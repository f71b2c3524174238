// Package brokertest starts message brokers for tests: NATS by its library, a
// redis-server and a RabbitMQ as processes of their own, and a stand-in for
// Kafka. They listen on loopback, keep their files in a folder of the test's, and
// end with it.
//
// Publishers reach a broker through a proxy, which can cut connections; what has
// arrived is read past it.
package brokertest

import (
	"fmt"
	"testing"
	"time"
)

// Received is a message as a consumer gets it.
type Received struct {
	ID, Type, Organization string // as they stand beside the body
	Key                    string // by which the broker, or its consumers, know repeats or order
	ContentType            string
	Body                   []byte
}

// Broker is a running broker.
type Broker interface {
	// Target is what the setting publish is given, but for options.
	Target() string
	// Cut ends the connections of publishers.
	Cut()
	// Stop ends the broker, as a kill does where it is a process; Start starts it
	// again with what it has kept.
	Stop()
	Start()
	// Received is everything that has arrived, in the order in which consumers
	// get it. The broker has to run.
	Received() []Received
}

// Kinds are all kinds of brokers, by the scheme of their targets. Each starts one
// with a topic.
var Kinds = map[string]func(t testing.TB, topic string) Broker{
	"nats":  func(t testing.TB, topic string) Broker { return NATS(t, topic) },
	"redis": func(t testing.TB, topic string) Broker { return Redis(t, topic) },
	"amqp":  func(t testing.TB, topic string) Broker { return RabbitMQ(t, topic) },
	"kafka": func(t testing.TB, topic string) Broker { return Kafka(t, topic) },
}

// patience is how long a broker may take to start or to answer.
const patience = 60 * time.Second

// await tries until it works.
func await(t testing.TB, what string, try func() error) {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("brokertest: %s: %v", what, err)
		}
	}
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("brokertest: %s: %w", what, err))
	}
}
