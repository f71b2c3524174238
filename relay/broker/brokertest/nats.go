package brokertest

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NATSServer is a server with JetStream in this process.
type NATSServer struct {
	t        testing.TB
	proxy    *proxy
	topic    string
	options  server.Options
	running  *server.Server
	next     uint64 // the sequence in the stream that is read next
	received []Received
}

// NATS starts a server. Options may be changed before it starts.
func NATS(t testing.TB, topic string, change ...func(*server.Options)) *NATSServer {
	t.Helper()
	n := &NATSServer{t: t, proxy: newProxy(t), topic: topic, next: 1}
	n.options = server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	for _, c := range change {
		c(&n.options)
	}
	n.Start()
	t.Cleanup(func() {
		if n.running != nil {
			n.Stop()
		}
	})
	return n
}

// Start implements Broker.
func (n *NATSServer) Start() {
	n.t.Helper()
	options := n.options
	running, err := server.NewServer(&options)
	must(n.t, "nats", err)
	running.Start()
	if !running.ReadyForConnections(patience) {
		n.t.Fatal("brokertest: nats is not ready")
	}
	n.running = running
	n.proxy.connectTo(running.Addr().(*net.TCPAddr).String())
}

// SetMaxPayload says how large messages may be when the server starts again.
func (n *NATSServer) SetMaxPayload(bytes int32) { n.options.MaxPayload = bytes }

// Stop implements Broker.
func (n *NATSServer) Stop() {
	n.proxy.connectTo("")
	n.running.Shutdown()
	n.running.WaitForShutdown()
	n.running = nil
}

// Target implements Broker.
func (n *NATSServer) Target() string { return "nats://" + n.proxy.addr() + "/" + n.topic }

// Addr is the server's own address, past the proxy.
func (n *NATSServer) Addr() string { return n.running.Addr().String() }

// Cut implements Broker.
func (n *NATSServer) Cut() { n.proxy.cut() }

// Received implements Broker.
func (n *NATSServer) Received() []Received {
	n.t.Helper()
	conn, err := nats.Connect("nats://"+n.Addr(), nats.UserInfo(n.options.Username, n.options.Password))
	must(n.t, "nats", err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	must(n.t, "nats", err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	name, err := js.StreamNameBySubject(ctx, n.topic+".>")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	must(n.t, "nats", err)
	stream, err := js.Stream(ctx, name)
	must(n.t, "nats", err)
	last := stream.CachedInfo().State.LastSeq
	if n.next > last {
		return n.received
	}
	consumer, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: n.next})
	must(n.t, "nats", err)
	for n.next <= last {
		batch, err := consumer.Fetch(int(min(last-n.next+1, 5000)), jetstream.FetchMaxWait(10*time.Second))
		must(n.t, "nats", err)
		for m := range batch.Messages() {
			h := m.Headers()
			n.received = append(n.received, Received{
				ID: h.Get("ce-id"), Type: h.Get("ce-type"), Organization: h.Get("ce-organization"), Key: h.Get(nats.MsgIdHdr),
				ContentType: h.Get("content-type"), Body: m.Data(),
			})
			n.next++
		}
		must(n.t, "nats", batch.Error())
	}
	return n.received
}
