package throttle_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/httpapi/throttle"
)

func TestAllowsABurstAndThenTheRate(t *testing.T) {
	is := is.New(t)
	ctx, now := context.Background(), time.Unix(1_900_000_000, 0)
	m := throttle.NewMemory(10, func() time.Time { return now })
	rate := throttle.Rate{Events: 3, Per: 3 * time.Minute}
	for range 3 {
		_, ok := m.Allow(ctx, "a", rate)
		is.True(ok)
	}
	wait, ok := m.Allow(ctx, "a", rate)
	is.True(!ok)
	is.Equal(wait, time.Minute)
	_, ok = m.Allow(ctx, "b", rate)
	is.True(ok) // another key has its own count

	now = now.Add(wait)
	_, ok = m.Allow(ctx, "a", rate)
	is.True(ok)
	_, ok = m.Allow(ctx, "a", rate)
	is.True(!ok)
}

func TestReturnTakesBackOne(t *testing.T) {
	is := is.New(t)
	ctx, now := context.Background(), time.Unix(1_900_000_000, 0)
	m := throttle.NewMemory(10, func() time.Time { return now })
	rate := throttle.Rate{Events: 2, Per: time.Minute}
	for range 100 {
		_, ok := m.Allow(ctx, "a", rate)
		is.True(ok)
		m.Return(ctx, "a", rate)
	}
	m.Allow(ctx, "a", rate)
	m.Allow(ctx, "a", rate)
	m.Return(ctx, "a", rate)
	_, ok := m.Allow(ctx, "a", rate)
	is.True(ok)
	_, ok = m.Allow(ctx, "a", rate)
	is.True(!ok) // one was taken back, not both
}

func TestZeroRateIsNoLimit(t *testing.T) {
	is := is.New(t)
	m := throttle.NewMemory(1, time.Now)
	for range 1000 {
		_, ok := m.Allow(context.Background(), "a", throttle.Rate{})
		is.True(ok)
	}
}

// Over any stretch of time no more is allowed than the burst and what the rate
// gives for the stretch.
func TestNeverMoreThanTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_900_000_000, 0)
		start := now
		m := throttle.NewMemory(4, func() time.Time { return now })
		rate := throttle.Rate{Events: rapid.IntRange(1, 5).Draw(t, "events"), Per: time.Minute}
		allowed := 0
		for range rapid.IntRange(1, 60).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			wait, ok := m.Allow(context.Background(), "k", rate)
			if ok {
				allowed++
			} else if wait <= 0 || wait > rate.Per {
				t.Fatalf("refused for %v", wait)
			}
		}
		limit := rate.Events + int(now.Sub(start)/(rate.Per/time.Duration(rate.Events)))
		if allowed > limit {
			t.Fatalf("allowed %d of %d", allowed, limit)
		}
	})
}

func BenchmarkAllow(b *testing.B) {
	m := throttle.NewMemory(1000, time.Now)
	keys := make([]string, 100)
	for i := range keys {
		keys[i] = fmt.Sprint("key ", i)
	}
	for i := 0; b.Loop(); i++ {
		m.Allow(context.Background(), keys[i%len(keys)], throttle.Rate{Events: 100, Per: time.Minute})
	}
}
