package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

// redis is a Redis: one process, or a cluster of three.
type redis struct {
	nodes  []*redisNode
	client goredis.UniversalClient
}

type redisNode struct {
	folder string
	port   int
	args   []string
	*process
}

// shared are the Redis servers of the whole run, started when a test first asks.
var shared [2]struct {
	once  sync.Once
	redis *redis
	err   error
}

func sharedRedis(t *testing.T, kind viewsIn) *redis {
	t.Helper()
	s := &shared[kind-inRedis]
	s.once.Do(func() {
		s.redis, s.err = newRedis(filepath.Join(programs.folder, fmt.Sprint("redis-", kind)), kind, "--appendonly", "no")
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.redis
}

func stopSharedRedis() {
	for i := range shared {
		if shared[i].redis != nil {
			shared[i].redis.stop()
		}
	}
}

// startRedis starts a Redis of the test's own, which appends what is written to
// a file.
func startRedis(t *testing.T, folder string, kind viewsIn) *redis {
	t.Helper()
	x, err := newRedis(folder, kind, "--appendonly", "yes", "--appendfsync", "everysec")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.stop)
	return x
}

func newRedis(folder string, kind viewsIn, args ...string) (x *redis, err error) {
	x = &redis{}
	defer func() {
		if err != nil {
			x.stop()
		}
	}()
	count := 1
	if kind == inCluster {
		count = 3
		args = append(args, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000")
	}
	for range count {
		node := &redisNode{args: append([]string{"--save", ""}, args...)}
		x.nodes = append(x.nodes, node)
		if err := node.startAnywhere(folder); err != nil {
			return x, err
		}
	}
	if kind == inCluster {
		err = x.cluster()
	}
	x.client = goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: x.addresses(), IsClusterMode: kind == inCluster, MaxRetries: 8})
	return x, err
}

// startAnywhere starts a node on a port that is free: now, and maybe a moment
// later. A cluster's node takes the one 10,000 above as well.
func (n *redisNode) startAnywhere(folder string) (err error) {
	for range 10 {
		l, failed := net.Listen("tcp", "127.0.0.1:0")
		if failed != nil {
			return failed
		}
		n.port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		if n.port >= 55_000 {
			continue
		}
		n.folder = filepath.Join(folder, strconv.Itoa(n.port))
		if err = os.MkdirAll(n.folder, 0o700); err == nil {
			err = n.run()
		}
		if err == nil {
			return nil
		}
	}
	return errors.Join(errors.New("starting redis-server, which make tools installs"), err)
}

func (n *redisNode) run() (err error) {
	n.process, _, err = startProcess("Ready to accept connections", "redis-server",
		append(n.args[:len(n.args):len(n.args)], "--port", strconv.Itoa(n.port), "--bind", "127.0.0.1", "--dir", n.folder)...)
	return err
}

func (n *redisNode) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) }

// cluster makes a cluster of the nodes, and waits until all of them know it.
func (x *redis) cluster() error {
	args := append([]string{"--cluster", "create"}, x.addresses()...)
	if out, err := exec.Command("redis-cli", append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		return fmt.Errorf("redis-cli: %w\n%s", err, out)
	}
	return x.awaitCluster()
}

func (x *redis) awaitCluster() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, n := range x.nodes {
		client := goredis.NewClient(&goredis.Options{Addr: n.address()})
		defer client.Close()
		for info := ""; !strings.Contains(info, "cluster_state:ok"); {
			var err error
			if info, err = client.ClusterInfo(ctx).Result(); ctx.Err() != nil {
				return fmt.Errorf("the cluster is not whole: %w\n%s", err, info)
			}
		}
	}
	return nil
}

func (x *redis) addresses() []string {
	all := make([]string, len(x.nodes))
	for i, n := range x.nodes {
		all[i] = n.address()
	}
	return all
}

// url names one node; a client finds the others.
func (x *redis) url() string { return "redis://" + x.nodes[0].address() }

func (x *redis) stop() {
	if x.client != nil {
		x.client.Close()
	}
	for _, n := range x.nodes {
		if n.process != nil {
			n.end(syscall.SIGKILL)
		}
	}
}

// restart kills all nodes and starts them again with what is on disk.
func (x *redis) restart(t *testing.T) {
	t.Helper()
	x.again(t, func(*redisNode) error { return nil })
}

// restartEmpty kills all nodes and starts them again with nothing.
func (x *redis) restartEmpty(t *testing.T) {
	t.Helper()
	x.again(t, func(n *redisNode) error { return os.RemoveAll(filepath.Join(n.folder, "appendonlydir")) })
}

func (x *redis) again(t *testing.T, between func(*redisNode) error) {
	t.Helper()
	for _, n := range x.nodes {
		if err := errors.Join(n.end(syscall.SIGKILL), between(n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range x.nodes {
		if err := n.run(); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.nodes) > 1 {
		if err := x.awaitCluster(); err != nil {
			t.Fatal(err)
		}
	}
}

// each runs something on every node.
func (x *redis) each(t *testing.T, run func(ctx context.Context, node *goredis.Client) error) {
	t.Helper()
	var err error
	switch client := x.client.(type) {
	case *goredis.ClusterClient:
		err = client.ForEachMaster(patient(t), run)
	case *goredis.Client:
		err = run(patient(t), client)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (x *redis) configure(t *testing.T, name, value string) {
	t.Helper()
	x.each(t, func(ctx context.Context, node *goredis.Client) error { return node.ConfigSet(ctx, name, value).Err() })
}

// forget deletes all keys with a prefix.
func (x *redis) forget(t *testing.T, prefix string) {
	t.Helper()
	x.keys(t, prefix, func(ctx context.Context, node *goredis.Client, key string) error { return node.Unlink(ctx, key).Err() })
}

// dump is what all keys with a prefix hold.
func (x *redis) dump(t *testing.T, prefix string) []byte {
	t.Helper()
	var mu sync.Mutex
	var text bytes.Buffer
	x.keys(t, prefix, func(ctx context.Context, node *goredis.Client, key string) error {
		kind, err := node.Type(ctx, key).Result()
		if err != nil || kind == "none" { // it has expired
			return err
		}
		read := map[string][]any{"hash": {"HGETALL", key}, "zset": {"ZRANGE", key, 0, -1}, "string": {"GET", key}}[kind]
		held, err := node.Do(ctx, read...).Result()
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(&text, key, held)
		return err
	})
	return text.Bytes()
}

// keys runs something for each key with a prefix.
func (x *redis) keys(t *testing.T, prefix string, run func(ctx context.Context, node *goredis.Client, key string) error) {
	t.Helper()
	x.each(t, func(ctx context.Context, node *goredis.Client) error {
		found := node.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		for found.Next(ctx) {
			if err := run(ctx, node, found.Val()); err != nil {
				return err
			}
		}
		return found.Err()
	})
}
