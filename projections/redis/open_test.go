package redis_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/projections"
	"tenure/projections/redis"
	"tenure/projections/redis/redistest"
)

func TestOpenRefuses(t *testing.T) {
	refuses := func(url string, want error, words string) {
		t.Helper()
		is := is.New(t)
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, err := redis.Open(short, url, redis.Options{})
		is.True(err != nil)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
	refuses("", redis.ErrURL, "redis://")
	refuses("http://localhost:6379", redis.ErrURL, "redis://")
	refuses("redis://me:hunter2@local host:6379", redis.ErrURL, "redis://")
	refuses("redis://me:hunter2@localhost:x", redis.ErrURL, "redis://")
	refuses("redis://localhost:6379?max_retrys=1", redis.ErrURL, "max_retrys")
	refuses(cluster.URL()+"&read_only=true", redis.ErrURL, "masters")
	refuses("redis://localhost:1?master_name=x&replica_only=true", redis.ErrURL, "masters")
	refuses(cluster.Nodes[0].URL()+"/3", redis.ErrURL, "database")
	refuses("redis://127.0.0.1:1?max_retries=-1", redis.ErrUnavailable, "see that it runs")
	refuses("redis://127.0.0.1:1?addr=127.0.0.1:2&max_retries=-1", redis.ErrUnavailable, "see that it runs")
	refuses("redis://me:hunter2@"+single.Addr(), redis.ErrDenied, "user and a password")

	is := is.New(t)
	_, err := redis.Open(ctx, single.URL(), redis.Options{Prefix: "a{b}"})
	is.True(err != nil)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = redis.Open(ended, single.URL(), redis.Options{})
	is.True(errors.Is(err, context.Canceled))
}

func TestOpenRefusesANewerLayout(t *testing.T) {
	is := is.New(t)
	prefix := place(t)
	client := single.Client()
	defer client.Close()
	is.NoErr(client.Set(ctx, prefix+"{0}:format", "1000", 0).Err())
	_, err := redis.Open(ctx, single.URL(), redis.Options{Prefix: prefix})
	is.True(errors.Is(err, redis.ErrNewer))
}

func TestOneAddressOfAClusterIsEnough(t *testing.T) {
	is := is.New(t)
	prefix := place(t)
	s := open(t, cluster.Nodes[2].URL(), prefix)
	defer s.Close()
	is.NoErr(s.Apply(ctx, batch(1, change("a", 0, 1, "1"), change("b", 0, 1, "1"), change("c", 0, 1, "1"))))
	at, err := s.Positions(ctx, view, []string{"a", "b", "c"})
	is.NoErr(err)
	is.Equal(at, []eventstore.Position{1, 1, 1})
}

func TestOpenWarnsOfEvictionAndFullMemoryIsAnError(t *testing.T) {
	is := is.New(t)
	server, err := redistest.Start(t.TempDir(), "--maxmemory-policy", "allkeys-lru")
	is.NoErr(err)
	defer func() { is.NoErr(server.Kill()) }()
	var log bytes.Buffer
	s, err := redis.Open(ctx, server.URL(), redis.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	is.NoErr(err)
	defer s.Close()
	is.True(strings.Contains(log.String(), "maxmemory-policy noeviction"))

	is.NoErr(s.Apply(ctx, batch(1, change("a", 0, 1, "1"))))
	client := server.Client()
	defer client.Close()
	is.NoErr(client.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
	is.NoErr(client.ConfigSet(ctx, "maxmemory", "1").Err())
	is.True(errors.Is(s.Apply(ctx, batch(2, change("a", 1, 2, "2"))), redis.ErrFull))
	rows, _, err := s.Range(ctx, view, projections.RangeQuery{Partition: "a", Index: "i", Limit: 1})
	is.NoErr(err) // what is there can be read
	is.Equal(string(rows[0].Body), "1")
}
