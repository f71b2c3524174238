package redis

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// Connect makes the client that a URL asks for, as Open does, for what is kept in
// another Redis than the views. It fails with ErrURL and ErrUnavailable.
func Connect(ctx context.Context, url string) (goredis.UniversalClient, error) {
	return connect(ctx, url)
}

// connect makes the client that the URL asks for.
func connect(ctx context.Context, text string) (goredis.UniversalClient, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, refused(err)
	}
	switch q := u.Query(); {
	case q.Has("master_name"):
		return connectSentinel(text)
	case q.Has("addr"):
		return connectCluster(text)
	}
	o, err := goredis.ParseURL(text)
	if err != nil {
		return nil, refused(err)
	}
	o.ContextTimeoutEnabled = true
	switch isCluster, err := inCluster(ctx, *o); {
	case err != nil:
		return nil, err
	case !isCluster:
		return goredis.NewClient(o), nil
	case o.DB != 0:
		return nil, refused(errors.New("a cluster has no database but 0"))
	}
	return connectCluster(text)
}

// inCluster asks a server whether it is a node of a cluster.
func inCluster(ctx context.Context, o goredis.Options) (bool, error) {
	o.DB = 0 // a node refuses any other
	client := goredis.NewClient(&o)
	info, err := client.Info(ctx, "cluster").Result()
	return field(info, "cluster_enabled") == "1", errors.Join(explain(ctx, err), client.Close())
}

func connectCluster(text string) (goredis.UniversalClient, error) {
	o, err := goredis.ParseClusterURL(text)
	if err != nil {
		return nil, refused(err)
	}
	if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
		return nil, refused(errReplicas)
	}
	o.ContextTimeoutEnabled = true
	return goredis.NewClusterClient(o), nil
}

func connectSentinel(text string) (goredis.UniversalClient, error) {
	o, err := goredis.ParseFailoverURL(text)
	if err != nil {
		return nil, refused(err)
	}
	if o.ReplicaOnly || o.RouteByLatency || o.RouteRandomly {
		return nil, refused(errReplicas)
	}
	o.ContextTimeoutEnabled = true
	return goredis.NewFailoverClient(o), nil
}

var errReplicas = errors.New("reads go to masters only")

// refused leaves out the URL itself: it can hold a password.
func refused(err error) error {
	if parse, ok := errors.AsType[*url.Error](err); ok {
		err = parse.Err
	}
	return fmt.Errorf("%w (%w)", ErrURL, err)
}

// inspect refuses servers that are too old and warns of those that forget.
func (s *Storage) inspect(ctx context.Context) error {
	nodes, err := s.masters(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		info, err := node.Info(ctx).Result()
		if err != nil {
			return explain(ctx, err)
		}
		version := field(info, "redis_version")
		major, _, _ := strings.Cut(version, ".")
		if n, err := strconv.Atoi(major); err != nil || n < 7 {
			return fmt.Errorf("%w (this is %q)", ErrUnsupported, version)
		}
		if policy := field(info, "maxmemory_policy"); strings.HasPrefix(policy, "allkeys-") {
			s.logger.Warn("Redis may evict keys of views when its memory is full, and lists would lack rows: set maxmemory-policy noeviction",
				"server", node.Options().Addr, "policy", policy)
		}
	}
	return nil
}

// masters are the servers that keys are on.
func (s *Storage) masters(ctx context.Context) (nodes []*goredis.Client, err error) {
	switch client := s.client.(type) {
	case *goredis.Client:
		return []*goredis.Client{client}, nil
	case *goredis.ClusterClient:
		var mu sync.Mutex
		err = client.ForEachMaster(ctx, func(_ context.Context, node *goredis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			nodes = append(nodes, node)
			return nil
		})
		return nodes, explain(ctx, err)
	}
	return nil, fmt.Errorf("projections/redis: %T is none of the clients that Open makes", s.client)
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
