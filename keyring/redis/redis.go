// Package redis keeps keys in Redis 7 or later: one server, a master found
// through Sentinel, or a cluster.
//
// A subject is one hash: a field for each generation, or a field that says that
// its keys were destroyed. Each change is one script on one hash.
//
// # Settings of Redis
//
// What is lost here is lost for good, and nobody can tell the loss of a key from
// an erasure but by the mark of the latter. So this Redis is none of the views',
// which may be emptied at any time, and
//
//   - writes to disk before it answers: appendonly yes, appendfsync always;
//   - evicts nothing: maxmemory-policy noeviction. Open refuses any other;
//   - is backed up, apart from the log;
//   - with replicas, has min-replicas-to-write 1: a failover can lose what the
//     replica had not got, which shows as keyring.ErrMissing for people who have
//     just come.
//
// A destroyed key stays in the append-only file and the snapshot until these are
// written anew. Destroy asks for that; what is left of it in between, and on the disk, is wrapped under
// the master key.
package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"tenure/keyring"
)

// Options are the settings of a Store; the zero value of each is a default.
type Options struct {
	// Prefix is what all keys in Redis begin with. Default "tenure-keys:".
	Prefix string
	// MayMake has a new store made where there is none.
	MayMake bool
	// Logger gets a line for each setting of Redis that puts keys at risk, and
	// where its files cannot be written anew.
	// Default slog.Default().
	Logger *slog.Logger
}

// ErrEvicts says that Redis would evict keys when its memory is full.
var ErrEvicts = errors.New("keyring/redis: this Redis evicts keys when its memory is full, and what they have sealed would be lost: set maxmemory-policy noeviction")

// Store implements keyring.Store.
type Store struct {
	client   goredis.UniversalClient
	prefix   string
	identity string
	logger   *slog.Logger
}

var _ keyring.Store = (*Store)(nil)

// Open takes over the client, also when it fails: with keyring.ErrNoStore where
// there is nothing and nothing may be made, ErrEvicts and keyring.ErrUnavailable.
func Open(ctx context.Context, client goredis.UniversalClient, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Store{client: client, logger: o.Logger, prefix: cmp.Or(o.Prefix, "tenure-keys:")}
	if err := errors.Join(s.inspect(ctx, o.Logger), s.claim(ctx, o.MayMake)); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return s, nil
}

// Identity implements keyring.Store.
func (s *Store) Identity(context.Context) (string, error) { return s.identity, nil }

// Close implements keyring.Store.
func (s *Store) Close() error { return s.client.Close() }

func (s *Store) claim(ctx context.Context, mayMake bool) (err error) {
	name := s.prefix + "identity"
	if mayMake {
		if err := s.client.SetNX(ctx, name, rand.Text(), 0).Err(); err != nil {
			return explain(ctx, err)
		}
	}
	s.identity, err = s.client.Get(ctx, name).Result()
	if errors.Is(err, goredis.Nil) {
		return fmt.Errorf("%w under the prefix %s", keyring.ErrNoStore, s.prefix)
	}
	return explain(ctx, err)
}

// inspect refuses servers that evict, and warns of those that forget.
func (s *Store) inspect(ctx context.Context, logger *slog.Logger) error {
	return s.eachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		info, err := node.Info(ctx).Result()
		if err != nil {
			return err
		}
		if policy := field(info, "maxmemory_policy"); policy != "noeviction" && policy != "" && !strings.HasPrefix(policy, "volatile-") {
			return fmt.Errorf("%w (it is %s)", ErrEvicts, policy)
		}
		warn := func(setting, value string) {
			logger.Warn("Redis may lose keys that it has acknowledged, and what they have sealed: set appendonly yes and appendfsync always",
				"server", node.Options().Addr, setting, value)
		}
		if field(info, "aof_enabled") != "1" {
			warn("appendonly", "no")
			return nil
		}
		// Not everybody may ask for this one.
		if found, err := node.ConfigGet(ctx, "appendfsync").Result(); err == nil && found["appendfsync"] != "always" {
			warn("appendfsync", found["appendfsync"])
		}
		return nil
	})
}

// eachMaster runs something on every server that keys are on.
func (s *Store) eachMaster(ctx context.Context, run func(context.Context, *goredis.Client) error) error {
	switch client := s.client.(type) {
	case *goredis.ClusterClient:
		var mu sync.Mutex // one after the other
		return explain(ctx, client.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			return run(ctx, node)
		}))
	case *goredis.Client:
		return explain(ctx, run(ctx, client))
	}
	return fmt.Errorf("keyring/redis: %T is no client of a whole deployment", s.client)
}

func (s *Store) key(subject string) string { return s.prefix + "of:" + subject }

// encode is how a field of a subject's hash holds a key.
func encode(w keyring.Wrapped) string { return w.Master + ":" + string(w.Text) }

// holding reads a subject's hash.
func holding(subject string, fields map[string]string) (h keyring.Holding, err error) {
	if fields[destroyed] != "" {
		return keyring.Holding{Destroyed: true}, nil
	}
	for name, value := range fields {
		generation, err := strconv.Atoi(name)
		master, text, ok := strings.Cut(value, ":")
		if err != nil || !ok {
			return keyring.Holding{}, fmt.Errorf("%w: subject %.64q", keyring.ErrDamaged, subject)
		}
		h.Keys = append(h.Keys, keyring.Wrapped{Subject: subject, Generation: generation, Master: master, Text: []byte(text)})
	}
	sortKeys(h.Keys)
	return h, nil
}

func explain(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, ErrEvicts), errors.Is(err, keyring.ErrNoStore), errors.Is(err, keyring.ErrDamaged):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case goredis.HasErrorPrefix(err, "WRONGTYPE"):
		return fmt.Errorf("%w (%w)", keyring.ErrDamaged, err)
	}
	if network := net.Error(nil); errors.As(err, &network) && network.Timeout() {
		if _, ok := ctx.Deadline(); ok {
			return fmt.Errorf("%w: keyring/redis: %w", keyring.ErrUnavailable, context.DeadlineExceeded)
		}
	}
	return fmt.Errorf("%w: keyring/redis: %w", keyring.ErrUnavailable, err)
}

// field is the value of a line of INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
