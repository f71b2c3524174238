package redis_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
	goredis "github.com/redis/go-redis/v9"

	"tenure/eventstore"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/projections"
	"tenure/projections/projectionstest"
	"tenure/projections/redis"
	"tenure/projections/redis/redistest"
)

// The servers that the tests share. Each test has a prefix of its own; one that
// stops a server or empties it starts one of its own.
var (
	single  *redistest.Server
	cluster *redistest.Cluster
)

// TestMain makes fewer random histories than usual: each opens many
// connections. The flag -rapid.checks asks for more.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	goredis.SetLogger(silent{}) // tests make connections fail
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	folder, err := os.MkdirTemp("", "tenure-redis-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if single, err = redistest.Start(folder); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, single.Kill()) }()
	if cluster, err = redistest.StartCluster(folder); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	return m.Run(), nil
}

func TestContract(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		projectionstest.Storage(t, opens(url), place)
	})
}

func TestContractOfRangesReadAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		projectionstest.Storage(t, func(t testing.TB, prefix string) projections.Storage {
			return redis.AtOnce{Storage: open(t, url, prefix)}
		}, place)
	})
}

func TestReadModels(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, url string) {
		projectionstest.ReadModels(t, opens(url), place, func(t testing.TB) eventstore.Store {
			log, err := logsqlite.Open(filepath.Join(t.TempDir(), "log.db"), logsqlite.Options{Readers: 1})
			is.New(t).NoErr(err)
			return log
		})
	})
}

// everywhere runs a test on one server and on a cluster.
func everywhere(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("single", func(t *testing.T) { test(t, single.URL()) })
	t.Run("cluster", func(t *testing.T) { test(t, cluster.URL()) })
}

// opens opens what has a prefix.
func opens(url string) projectionstest.Open {
	return func(t testing.TB, prefix string) projections.Storage { return open(t, url, prefix) }
}

func open(t testing.TB, url, prefix string) *redis.Storage {
	s, err := redis.Open(context.Background(), url, redis.Options{Prefix: prefix})
	is.New(t).NoErr(err)
	return s
}

var places atomic.Int64

// place is a prefix that no other test has. The keys go with the server.
func place(testing.TB) string { return fmt.Sprintf("test%d:", places.Add(1)) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
