package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
	goredis "github.com/redis/go-redis/v9"

	"tenure/leases/redis"
)

// piped is a Redis that gives every lease and renews it, until it is away. It is
// there for the clock of the test, which a real server does not go by.
type piped struct {
	mu      sync.Mutex
	away    bool
	conns   []net.Conn
	renewed []time.Time // when the lease was renewed
}

var errAway = errors.New("redis is away")

func (p *piped) dial(context.Context, string, string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return nil, errAway
	}
	ours, theirs := net.Pipe()
	p.conns = append(p.conns, ours)
	go p.serve(ours)
	return theirs, nil
}

// serve reads commands in Redis's protocol: an array of texts with their lengths.
func (p *piped) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		var count int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &count); err != nil {
			return
		}
		words := make([]string, count)
		for i := range words {
			var size int
			if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
				return
			}
			text := make([]byte, size+2)
			if _, err := io.ReadFull(in, text); err != nil {
				return
			}
			words[i] = strings.ToLower(string(text[:size]))
		}
		answer := "+OK\r\n"
		switch words[0] {
		case "hello":
			answer = "-ERR unknown command\r\n"
		case "evalsha":
			answer = ":1\r\n"
			p.mu.Lock()
			p.renewed = append(p.renewed, time.Now())
			p.mu.Unlock()
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// leave cuts all connections, and takes no others.
func (p *piped) leave() (renewed []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	for _, conn := range p.conns {
		conn.Close()
	}
	return p.renewed
}

// The work ends when the lease does, by the node's own clock, and not at the next
// time that it would have been renewed.
func TestALeaseIsNotKeptPastItsEnd(t *testing.T) {
	for range 20 { // the times between renewals are drawn
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			const ttl = 3 * time.Second
			server := &piped{}
			client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:6379", Dialer: server.dial, MaxRetries: -1, DialerRetries: 1, Protocol: 2, DisableIdentity: true})
			keeper := redis.New(client, redis.Options{Node: "node", TTL: ttl, Logger: slog.New(slog.DiscardHandler)})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan time.Time, 1)
			done := make(chan error)
			go func() {
				done <- keeper.Hold(ctx, "views", func(ctx context.Context) error {
					<-ctx.Done()
					ended <- time.Now()
					return ctx.Err()
				})
			}()
			time.Sleep(5 * time.Second)
			renewed := server.leave()
			is.True(len(renewed) > 5)
			is.Equal(<-ended, renewed[len(renewed)-1].Add(ttl))
			cancel()
			is.True(errors.Is(<-done, context.Canceled))
			is.NoErr(client.Close())
		})
	}
}
