package brokertest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// KafkaCluster is a cluster of one broker, of the library that franz-go tests its
// client with: there is no server to be had that is one binary. It knows
// partitions, keys, and the sequence numbers of idempotent producers; it has no
// replicas.
type KafkaCluster struct {
	t       testing.TB
	proxy   *proxy
	topic   string
	folder  string
	cluster *kfake.Cluster
}

const partitions = 4

// Kafka starts a cluster that has the topic.
func Kafka(t testing.TB, topic string) *KafkaCluster {
	t.Helper()
	k := &KafkaCluster{t: t, proxy: newProxy(t), topic: topic, folder: t.TempDir()}
	k.Start()
	t.Cleanup(func() {
		if k.cluster != nil {
			k.Stop()
		}
	})
	return k
}

// Start implements Broker.
func (k *KafkaCluster) Start() {
	k.t.Helper()
	var behind string
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, k.topic), kfake.DataDir(k.folder),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			listener, err := net.Listen(network, "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			behind = listener.Addr().String()
			return advertised{listener, k.proxy.listener.Addr()}, nil
		}))
	must(k.t, "kafka", err)
	k.cluster = cluster
	k.proxy.connectTo(behind)
}

// advertised is a listener that clients are told to reach elsewhere.
type advertised struct {
	net.Listener
	at net.Addr
}

func (a advertised) Addr() net.Addr { return a.at }

// Stop implements Broker.
func (k *KafkaCluster) Stop() {
	k.proxy.connectTo("")
	k.cluster.Close()
	k.cluster = nil
}

// Target implements Broker.
func (k *KafkaCluster) Target() string { return "kafka://" + k.proxy.addr() + "/" + k.topic }

// Cut implements Broker.
func (k *KafkaCluster) Cut() { k.proxy.cut() }

// Received implements Broker.
func (k *KafkaCluster) Received() []Received {
	k.t.Helper()
	var left int64
	for p := range int32(partitions) {
		left += k.cluster.PartitionInfo(k.topic, p).HighWatermark
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(k.proxy.addr()), kgo.ConsumeTopics(k.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond))
	must(k.t, "kafka", err)
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all []Received
	for left > 0 {
		fetched := consumer.PollFetches(ctx)
		must(k.t, "kafka", fetched.Err())
		fetched.EachRecord(func(r *kgo.Record) {
			header := make(map[string]string)
			for _, h := range r.Headers {
				header[h.Key] = string(h.Value)
			}
			all = append(all, Received{
				ID: header["ce_id"], Type: header["ce_type"], Organization: header["ce_organization"], Key: string(r.Key),
				ContentType: header["content-type"], Body: r.Value,
			})
			left--
		})
	}
	return all
}
