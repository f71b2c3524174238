package throttle

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Redis is the Limiter that nodes share. Of each key it holds when the events so
// far will have been worked off, by the clock of Redis, until then.
//
// While Redis does not answer, each node counts for itself: to let everybody
// guess, or nobody sign in, would be worse.
type Redis struct {
	client goredis.UniversalClient
	prefix string
	alone  Limiter
	now    func() time.Time
	logger *slog.Logger
	away   atomic.Int64 // until when Redis is not asked, as it did not answer; Unix nanoseconds
}

// Redis has redisPatience to answer, since somebody waits to sign in. When it has
// not, it is left alone for redisPause.
const (
	redisPatience = 300 * time.Millisecond
	redisPause    = time.Second
)

// NewRedis makes a Redis whose keys begin with prefix; alone is the limiter for
// when Redis is away.
func NewRedis(client goredis.UniversalClient, prefix string, alone Limiter, now func() time.Time, logger *slog.Logger) *Redis {
	return &Redis{client: client, prefix: prefix + "rate:", alone: alone, now: now, logger: logger}
}

// Both scripts count in microseconds.
var (
	allow = goredis.NewScript(`
local t = redis.call("TIME")
local now = t[1] * 1000000 + t[2]
local done = math.max(tonumber(redis.call("GET", KEYS[1]) or "0"), now) + tonumber(ARGV[1])
local wait = done - now - tonumber(ARGV[2])
if wait > 0 then return wait end
redis.call("SET", KEYS[1], string.format("%.0f", done), "PX", math.ceil((done - now) / 1000))
return 0`)

	giveBack = goredis.NewScript(`
local done = redis.call("GET", KEYS[1])
if not done then return 0 end
redis.call("SET", KEYS[1], string.format("%.0f", tonumber(done) - tonumber(ARGV[1])), "KEEPTTL")
return 1`)
)

// Allow implements Limiter.
func (r *Redis) Allow(ctx context.Context, key string, rate Rate) (time.Duration, bool) {
	if rate.Events <= 0 {
		return 0, true
	}
	var wait int64
	if !r.ask(ctx, func(ctx context.Context) (err error) {
		wait, err = allow.Run(ctx, r.client, []string{r.prefix + key}, rate.interval().Microseconds(), rate.Per.Microseconds()).Int64()
		return err
	}) {
		return r.alone.Allow(ctx, key, rate)
	}
	return time.Duration(wait) * time.Microsecond, wait <= 0
}

// Return implements Limiter.
func (r *Redis) Return(ctx context.Context, key string, rate Rate) {
	if rate.Events <= 0 {
		return
	}
	if !r.ask(ctx, func(ctx context.Context) error {
		return giveBack.Run(ctx, r.client, []string{r.prefix + key}, rate.interval().Microseconds()).Err()
	}) {
		r.alone.Return(ctx, key, rate)
	}
}

// ask reports whether Redis has answered in time.
func (r *Redis) ask(ctx context.Context, question func(context.Context) error) bool {
	if r.now().UnixNano() < r.away.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	err := question(ctx)
	if err == nil {
		return true
	}
	r.away.Store(r.now().Add(redisPause).UnixNano())
	r.logger.Warn("rates are counted by this node alone", "error", err)
	return false
}
