package redistest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Cluster is a Redis Cluster of three masters.
type Cluster struct {
	Nodes []*Server
}

const (
	slots   = 16384
	masters = 3
)

// StartCluster starts a cluster and waits until every node says that it is whole.
// Further arguments are those of redis-server's command line.
func StartCluster(folder string, args ...string) (*Cluster, error) {
	c := &Cluster{}
	for range masters {
		node, err := Start(folder, append([]string{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "1000"}, args...)...)
		if err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		c.Nodes = append(c.Nodes, node)
	}
	if err := errors.Join(c.join(context.Background()), c.Await()); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// URL is where clients find the cluster.
func (c *Cluster) URL() string {
	others := url.Values{}
	for _, node := range c.Nodes[1:] {
		others.Add("addr", node.Addr())
	}
	return c.Nodes[0].URL() + "?" + others.Encode()
}

// Await waits until every node says that the cluster is whole.
func (c *Cluster) Await() error {
	for _, node := range c.Nodes {
		client := node.Client()
		defer client.Close()
		if err := await(func(ctx context.Context) error {
			info, err := client.ClusterInfo(ctx).Result()
			if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_size:"+strconv.Itoa(masters))) {
				err = fmt.Errorf("cluster is not whole:\n%s", info)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends all nodes at once.
func (c *Cluster) Stop() (err error) {
	for _, node := range c.Nodes {
		err = errors.Join(err, node.Kill())
	}
	return err
}

// join gives each node its part of the slots and lets the first one meet the others.
func (c *Cluster) join(ctx context.Context) error {
	first := c.Nodes[0].Client()
	defer first.Close()
	for i, node := range c.Nodes {
		client := node.Client()
		defer client.Close()
		err := errors.Join(
			client.ClusterAddSlotsRange(ctx, i*slots/masters, (i+1)*slots/masters-1).Err(),
			client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(),
		)
		if err == nil && i > 0 {
			err = first.ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(node.port)).Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Sentinel is a master with a replica, and a Sentinel that watches them.
type Sentinel struct {
	Master, Replica, Watch *Server
}

// MasterName is what the Sentinel calls the master.
const MasterName = "tenure"

// StartSentinel starts the three and waits until the replica follows and the
// Sentinel knows of it.
func StartSentinel(folder string) (*Sentinel, error) {
	s := &Sentinel{}
	if err := s.start(folder); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// URL is where clients find the master through the Sentinel.
func (s *Sentinel) URL() string {
	return "redis://" + s.Watch.Addr() + "?master_name=" + MasterName
}

// Failover kills the master and waits until the Sentinel names the replica.
func (s *Sentinel) Failover() error {
	client := s.Watch.Client()
	defer client.Close()
	if err := s.Master.Kill(); err != nil {
		return err
	}
	return await(func(ctx context.Context) error {
		master, err := client.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).StringSlice()
		if err == nil && (len(master) != 2 || master[1] != strconv.Itoa(s.Replica.port)) {
			err = fmt.Errorf("the master is %v", master)
		}
		if err != nil {
			return err
		}
		return s.Replica.expect(ctx, "role:master")
	})
}

// Stop ends all of them at once.
func (s *Sentinel) Stop() (err error) {
	for _, server := range []*Server{s.Watch, s.Replica, s.Master} {
		if server != nil {
			err = errors.Join(err, server.Kill())
		}
	}
	return err
}

func (s *Sentinel) start(folder string) (err error) {
	if s.Master, err = Start(folder); err != nil {
		return err
	}
	if s.Replica, err = Start(folder, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.Master.port)); err != nil {
		return err
	}
	if err := await(func(ctx context.Context) error { return s.Replica.expect(ctx, "master_link_status:up") }); err != nil {
		return err
	}
	config := filepath.Join(folder, "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 1\nsentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 3000\n",
		MasterName, s.Master.port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	if s.Watch, err = startOne(folder, config, "--sentinel"); err != nil {
		return err
	}
	client := s.Watch.Client()
	defer client.Close()
	return await(func(ctx context.Context) error {
		replicas, err := client.Do(ctx, "SENTINEL", "REPLICAS", MasterName).Slice()
		if err == nil && len(replicas) != 1 {
			err = fmt.Errorf("the Sentinel knows of %d replicas", len(replicas))
		}
		return err
	})
}

func (s *Server) expect(ctx context.Context, line string) error {
	client := s.Client()
	defer client.Close()
	info, err := client.Info(ctx, "replication").Result()
	if err == nil && !strings.Contains(info, line) {
		err = fmt.Errorf("no %s in:\n%s", line, info)
	}
	return err
}
