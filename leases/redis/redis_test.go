package redis_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/matryer/is"

	"tenure/leases"
	"tenure/leases/redis"
	"tenure/projections/redis/redistest"
)

var server *redistest.Server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "tenure-leases-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		if server, err = redistest.Start(folder); err != nil {
			panic(err)
		}
		defer server.Stop()
		return m.Run()
	}())
}

// ttl is short, so that the tests need not wait long; nothing depends on it.
const ttl = 300 * time.Millisecond

func keeper(t *testing.T, node string) leases.Keeper {
	client := server.Client()
	t.Cleanup(func() { client.Close() })
	return redis.New(client, redis.Options{Prefix: t.Name() + ":", Node: node, TTL: ttl, Logger: slog.New(slog.DiscardHandler)})
}

func patience(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx, cancel
}

func TestOneOfManyHoldsALease(t *testing.T) {
	is := is.New(t)
	ctx, cancel := patience(t)
	var working, worst, turns atomic.Int32
	var nodes sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		k := keeper(t, name)
		nodes.Go(func() {
			turn, stop := context.WithCancel(ctx)
			defer stop()
			err := k.Hold(turn, "views", func(ctx context.Context) error {
				worst.Store(max(worst.Load(), working.Add(1)))
				defer working.Add(-1)
				turns.Add(1)
				time.Sleep(ttl) // longer than it lasts without being renewed, with what comes before
				stop()          // this node ends in order
				<-ctx.Done()
				return ctx.Err()
			})
			is.True(errors.Is(err, context.Canceled))
		})
	}
	nodes.Wait()
	cancel()
	is.Equal(worst.Load(), int32(1))
	is.Equal(turns.Load(), int32(4)) // each had it once: it was given up
}

func TestLeasesOfDifferentNamesAreIndependent(t *testing.T) {
	is := is.New(t)
	ctx, cancel := patience(t)
	both := make(chan struct{}, 2)
	var nodes sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		nodes.Go(func() {
			_ = keeper(t, "node").Hold(ctx, name, func(ctx context.Context) error {
				both <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			})
		})
	}
	<-both
	<-both
	cancel()
	nodes.Wait()
	is.True(true) // both were held at the same time
}

// A lease whose key is gone, as after Redis was emptied, may be somebody else's:
// the work stops, and somebody takes the lease again.
func TestTheWorkStopsWhenTheLeaseIsLost(t *testing.T) {
	is := is.New(t)
	ctx, cancel := patience(t)
	started, ended := make(chan struct{}, 10), make(chan struct{}, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = keeper(t, "node").Hold(ctx, "views", func(ctx context.Context) error {
			started <- struct{}{}
			<-ctx.Done()
			ended <- struct{}{}
			return ctx.Err()
		})
	}()
	<-started
	client := server.Client()
	defer client.Close()
	is.NoErr(client.Set(ctx, t.Name()+":lease:views", "somebody else", ttl).Err())
	<-ended
	<-started // once the other one is gone
	cancel()
	<-done
}

func TestTheWorkStopsWhileRedisIsAwayAndGoesOnAfter(t *testing.T) {
	is := is.New(t)
	ctx, cancel := patience(t)
	started, ended := make(chan struct{}, 10), make(chan struct{}, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = keeper(t, "node").Hold(ctx, "views", func(ctx context.Context) error {
			started <- struct{}{}
			<-ctx.Done()
			ended <- struct{}{}
			return ctx.Err()
		})
	}()
	<-started
	is.NoErr(server.Pause())
	<-ended
	is.NoErr(server.Resume())
	<-started
	cancel()
	<-done
}

func TestWorkThatFailsGivesTheLeaseUp(t *testing.T) {
	is := is.New(t)
	ctx, _ := patience(t)
	broken := errors.New("broken")
	k := keeper(t, "node")
	is.Equal(k.Hold(ctx, "views", func(context.Context) error { return broken }), broken)
	is.Equal(keeper(t, "other").Hold(ctx, "views", func(context.Context) error { return broken }), broken) // at once
	client := server.Client()
	defer client.Close()
	is.True(errors.Is(client.Get(ctx, t.Name()+":lease:views").Err(), goredis.Nil))
}

func TestAloneHoldsEverything(t *testing.T) {
	is := is.New(t)
	broken := errors.New("broken")
	is.Equal(leases.Alone{}.Hold(t.Context(), "views", func(context.Context) error { return broken }), broken)
}
