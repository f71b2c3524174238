package brokertest

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"tenure/projections/redis/redistest"
)

// RedisServer is a redis-server.
type RedisServer struct {
	t      testing.TB
	proxy  *proxy
	topic  string
	server *redistest.Server
}

// Redis starts a server.
func Redis(t testing.TB, topic string) *RedisServer {
	t.Helper()
	started, err := redistest.Start(t.TempDir())
	must(t, "redis", err)
	r := &RedisServer{t: t, proxy: newProxy(t), topic: topic, server: started}
	t.Cleanup(func() { must(t, "redis", started.Kill()) })
	r.proxy.connectTo(started.Addr())
	return r
}

// Start implements Broker.
func (r *RedisServer) Start() {
	r.t.Helper()
	must(r.t, "redis", r.server.Restart())
	r.proxy.connectTo(r.server.Addr())
}

// Stop implements Broker.
func (r *RedisServer) Stop() {
	r.t.Helper()
	r.proxy.connectTo("")
	must(r.t, "redis", r.server.Kill())
}

// Target implements Broker.
func (r *RedisServer) Target() string { return "redis://" + r.proxy.addr() + "/" + r.topic }

// Cut implements Broker.
func (r *RedisServer) Cut() { r.proxy.cut() }

// Received implements Broker.
func (r *RedisServer) Received() []Received { return r.ReceivedBy(r.topic) }

// ReceivedBy is what has arrived in another stream.
func (r *RedisServer) ReceivedBy(topic string) []Received {
	r.t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: r.server.Addr()})
	defer client.Close()
	entries, err := client.XRange(context.Background(), topic, "-", "+").Result()
	must(r.t, "redis", err)
	all := make([]Received, len(entries))
	for i, e := range entries {
		text := func(field string) string { s, _ := e.Values[field].(string); return s }
		all[i] = Received{
			ID: text("id"), Type: text("type"), Organization: text("organization"), Key: text("id"), ContentType: text("content-type"), Body: []byte(text("event")),
		}
	}
	return all
}
