package throttle_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/httpapi/throttle"
	"tenure/projections/redis/redistest"
)

func TestRedisCountsForAllNodes(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	server, err := redistest.Start(t.TempDir())
	is.NoErr(err)
	defer server.Stop()
	logger := slog.New(slog.DiscardHandler)
	node := func() *throttle.Redis {
		client := server.Client()
		t.Cleanup(func() { client.Close() })
		return throttle.NewRedis(client, "test:", throttle.NewMemory(10, time.Now), time.Now, logger)
	}
	one, two := node(), node()
	rate := throttle.Rate{Events: 4, Per: time.Hour}
	for range 2 {
		for _, n := range []*throttle.Redis{one, two} {
			_, ok := n.Allow(ctx, "a", rate)
			is.True(ok)
		}
	}
	for _, n := range []*throttle.Redis{one, two} {
		wait, ok := n.Allow(ctx, "a", rate)
		is.True(!ok)
		is.True(wait > 10*time.Minute && wait <= 15*time.Minute) // one more for each quarter of the hour
	}
	one.Return(ctx, "a", rate)
	_, ok := two.Allow(ctx, "a", rate)
	is.True(ok)
	_, ok = two.Allow(ctx, "a", rate)
	is.True(!ok)
	_, ok = two.Allow(ctx, "b", rate)
	is.True(ok) // another key has its own count
	_, ok = two.Allow(ctx, "a", throttle.Rate{})
	is.True(ok) // no limit

	// While Redis is away each node counts for itself.
	is.NoErr(server.Kill())
	for range 4 {
		_, ok := one.Allow(ctx, "a", rate)
		is.True(ok)
	}
	_, ok = one.Allow(ctx, "a", rate)
	is.True(!ok)
}
