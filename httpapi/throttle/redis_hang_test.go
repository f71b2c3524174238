package throttle_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	goredis "github.com/redis/go-redis/v9"

	"tenure/httpapi/throttle"
	"tenure/projections/redis/redistest"
)

// questions counts what is asked of Redis, and looks at how long each may take.
type questions struct {
	t     *testing.T
	asked atomic.Int32
}

func (q *questions) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (q *questions) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (q *questions) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") { // not what a new connection begins with
			q.asked.Add(1)
		}
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > throttle.RedisPatience {
			q.t.Errorf("%s may take until %v", cmd.Name(), end)
		}
		return next(ctx, cmd)
	}
}

// A Redis that takes connections and answers nothing holds one sign-in for as
// long as it is given to answer; those that come until it is asked again are not
// held at all.
func TestARedisThatHangsIsLeftAlone(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // that nothing comes near
	defer cancel()
	server, err := redistest.Start(t.TempDir())
	is.NoErr(err)
	defer server.Stop()
	// A client that waits for ever, unless it is told otherwise.
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr(), ReadTimeout: -1, WriteTimeout: -1, MaxRetries: -1, ContextTimeoutEnabled: true})
	defer client.Close()
	q := &questions{t: t}
	client.AddHook(q)
	clock := time.Unix(1_900_000_000, 0)
	now := func() time.Time { return clock }
	limiter := throttle.NewRedis(client, "test:", throttle.NewMemory(10, now), now, slog.New(slog.DiscardHandler))
	rate := throttle.Rate{Events: 5, Per: time.Hour}
	_, ok := limiter.Allow(ctx, "a", rate)
	is.True(ok)
	before := q.asked.Load()
	is.True(before > 0)

	is.NoErr(server.Pause())
	for range 5 { // counted by this node alone, from here on
		_, ok := limiter.Allow(ctx, "a", rate)
		is.True(ok)
	}
	_, ok = limiter.Allow(ctx, "a", rate)
	is.True(!ok)
	limiter.Return(ctx, "a", rate)
	is.Equal(q.asked.Load(), before+1)
	is.NoErr(ctx.Err())

	clock = clock.Add(throttle.RedisPause - 1)
	limiter.Allow(ctx, "b", rate)
	is.Equal(q.asked.Load(), before+1)
	clock = clock.Add(1)
	limiter.Allow(ctx, "b", rate)
	is.Equal(q.asked.Load(), before+2) // once more, and again in vain
	limiter.Allow(ctx, "b", rate)
	is.Equal(q.asked.Load(), before+2)

	is.NoErr(server.Resume())
	clock = clock.Add(throttle.RedisPause)
	for range 2 {
		_, ok := limiter.Allow(ctx, "c", rate)
		is.True(ok)
	}
	is.Equal(q.asked.Load(), before+4) // it answers, and is asked each time
}
