package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
	goredis "github.com/redis/go-redis/v9"

	"tenure/keyring"
	"tenure/keyring/keyringtest"
	"tenure/keyring/redis"
	viewredis "tenure/projections/redis"
	"tenure/projections/redis/redistest"
)

var (
	ctx     = context.Background()
	single  *redistest.Server
	cluster *redistest.Cluster
)

func TestMain(m *testing.M) {
	goredis.SetLogger(silent{}) // tests make connections fail
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	folder, err := os.MkdirTemp("", "tenure-keys-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if single, err = redistest.Start(folder, "--appendfsync", "always"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, single.Kill()) }()
	if cluster, err = redistest.StartCluster(folder); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	return m.Run(), nil
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func client(t *testing.T, url string) goredis.UniversalClient {
	t.Helper()
	c, err := viewredis.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContract(t *testing.T) {
	for name, url := range map[string]string{"single": single.URL(), "cluster": cluster.URL()} {
		t.Run(name, func(t *testing.T) {
			keyringtest.Run(t, func(t *testing.T, place string) keyring.Store {
				s, err := redis.Open(ctx, client(t, url), redis.Options{Prefix: "[t]*?" + place + ":", MayMake: true})
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

func TestOpen(t *testing.T) {
	is := is.New(t)
	_, err := redis.Open(ctx, client(t, single.URL()), redis.Options{Prefix: "nothing:"})
	is.True(errors.Is(err, keyring.ErrNoStore))

	own, err := redistest.Start(t.TempDir())
	is.NoErr(err)
	defer own.Kill()
	var said bytes.Buffer
	o := redis.Options{MayMake: true, Logger: slog.New(slog.NewTextHandler(&said, nil))}
	s, err := redis.Open(ctx, client(t, own.URL()), o)
	is.NoErr(err)
	is.NoErr(s.Close())
	is.True(strings.Contains(said.String(), "appendfsync=everysec"))

	plain := own.Client()
	defer plain.Close()
	is.NoErr(plain.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err())
	_, err = redis.Open(ctx, client(t, own.URL()), o)
	is.True(errors.Is(err, redis.ErrEvicts))
	is.NoErr(plain.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())

	s, err = redis.Open(ctx, client(t, own.URL()), o)
	is.NoErr(err)
	defer s.Close()
	is.NoErr(own.Kill())
	_, err = s.Find(ctx, []string{"a"})
	is.True(errors.Is(err, keyring.ErrUnavailable))
	is.NoErr(own.Restart())
	_, err = s.Find(ctx, []string{"a"})
	is.NoErr(err)
}

// TestAnEmptiedStoreTakesNoKeys has Redis lose what it had under a server: with
// another first key for somebody who had one, what the log holds of them would
// be lost also when the keys are restored.
func TestAnEmptiedStoreTakesNoKeys(t *testing.T) {
	is := is.New(t)
	own, err := redistest.Start(t.TempDir(), "--appendfsync", "always")
	is.NoErr(err)
	defer own.Kill()
	s, err := redis.Open(ctx, client(t, own.URL()), redis.Options{MayMake: true})
	is.NoErr(err)
	defer s.Close()
	key := keyring.Wrapped{Subject: "a", Generation: 1, Master: "c0ffee00", Text: []byte("one")}
	_, err = s.Add(ctx, []keyring.Wrapped{key})
	is.NoErr(err)
	is.NoErr(own.Flush(ctx))
	key.Text = []byte("another")
	_, err = s.Add(ctx, []keyring.Wrapped{key})
	is.True(errors.Is(err, keyring.ErrNoStore))
}
