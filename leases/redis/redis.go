// Package redis keeps leases in Redis.
//
// A lease is a key with a time to live that names its holder. The holder renews
// it a few times in that time, and stops its work when it has not managed to by
// the end of it. What happens when something ends:
//
//   - The holder dies: the key expires, and another node takes the lease within
//     the time to live and one attempt.
//   - The holder hangs: the same; when it goes on, its own clock says that the
//     lease is over before it asks Redis.
//   - The holder ends in order: it deletes the key, and another one takes the
//     lease at its next attempt.
//   - Redis is away: the work stops after the time to live, and goes on with
//     whoever gets the lease first when Redis is back.
//   - Redis is emptied: another node may take the lease at once; the holder
//     notices when it renews. Two nodes work for that long, see package leases.
package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tenure/leases"
)

// Options are the settings of a Keeper; the zero value of each is a default.
type Options struct {
	Prefix string        // of the keys; default "tenure:"
	Node   string        // this node's name, for people who look into Redis
	TTL    time.Duration // how long a lease outlives its holder; default 3 seconds
	Logger *slog.Logger  // gets a line when a lease comes and goes; default slog.Default()
	// Observe is called when a lease comes and goes.
	Observe func(name string, held bool)
}

// Keeper implements leases.Keeper.
type Keeper struct {
	client  goredis.UniversalClient
	options Options
}

var _ leases.Keeper = (*Keeper)(nil)

// New makes a Keeper.
func New(client goredis.UniversalClient, o Options) *Keeper {
	o.Prefix = cmp.Or(o.Prefix, "tenure:")
	o.TTL = cmp.Or(o.TTL, 3*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Observe == nil {
		o.Observe = func(string, bool) {}
	}
	return &Keeper{client: client, options: o}
}

// renewals is how often a lease is renewed, and asked for, in its time to live.
const renewals = 6

var (
	renew = goredis.NewScript(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("PEXPIRE", KEYS[1], ARGV[2])`)

	release = goredis.NewScript(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1])`)
)

// Hold implements leases.Keeper.
func (k *Keeper) Hold(ctx context.Context, name string, work func(context.Context) error) error {
	l := &lease{Keeper: k, name: name, key: k.options.Prefix + "lease:" + name}
	failing := false
	for ctx.Err() == nil {
		held, err := l.take(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			k.options.Logger.Error("lease cannot be asked for", "lease", name, "error", err)
		}
		failing = err != nil
		if held {
			if lost, err := l.run(ctx, work); !lost {
				return err
			}
			continue
		}
		sleep(ctx, l.beat())
	}
	return ctx.Err()
}

// lease is one that this node wants.
type lease struct {
	*Keeper
	name, key string
	holder    string    // this holding of it: the node and something that is never used again
	until     time.Time // by this node's clock
}

func (l *lease) take(ctx context.Context) (bool, error) {
	asked := time.Now()
	holder := l.options.Node + " " + rand.Text()
	ctx, cancel := context.WithTimeout(ctx, l.options.TTL/2)
	defer cancel()
	err := l.client.SetArgs(ctx, l.key, holder, goredis.SetArgs{Mode: "NX", TTL: l.options.TTL}).Err()
	if errors.Is(err, goredis.Nil) {
		return false, nil
	}
	l.holder, l.until = holder, asked.Add(l.options.TTL)
	return err == nil, err
}

// run runs the work until it returns, or the lease may be lost.
func (l *lease) run(ctx context.Context, work func(context.Context) error) (lost bool, err error) {
	l.options.Logger.Info("lease taken", "lease", l.name, "node", l.options.Node)
	l.options.Observe(l.name, true)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	for working := true; working; {
		select {
		case err = <-done:
			working = false
		case <-time.After(min(l.beat(), time.Until(l.until))):
			if lost = lost || !l.keep(ctx); lost {
				cancel() // and wait for the work to end
			}
		}
	}
	cancel()
	l.options.Observe(l.name, false)
	if lost {
		l.options.Logger.Warn("lease lost", "lease", l.name, "node", l.options.Node)
		return true, nil
	}
	// Given up also when ctx has ended.
	give, end := context.WithTimeout(context.WithoutCancel(ctx), l.options.TTL/2)
	defer end()
	_ = release.Run(give, l.client, []string{l.key}, l.holder).Err()
	return false, err
}

// keep renews the lease, and reports whether it is still held for sure.
func (l *lease) keep(ctx context.Context) bool {
	asked := time.Now()
	if !asked.Before(l.until) {
		return false
	}
	ctx, cancel := context.WithDeadline(ctx, l.until)
	defer cancel()
	renewed, err := renew.Run(ctx, l.client, []string{l.key}, l.holder, l.options.TTL.Milliseconds()).Int()
	switch {
	case err == nil && renewed == 0:
		return false
	case err == nil:
		l.until = asked.Add(l.options.TTL)
	}
	return time.Now().Before(l.until)
}

// beat is the time to the next attempt, a little different each time so that
// nodes do not ask at once.
func (l *lease) beat() time.Duration {
	beat := l.options.TTL / renewals
	return beat - beat/8 + mathrand.N(beat/4)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
