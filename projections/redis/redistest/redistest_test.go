package redistest_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/projections/redis/redistest"
)

func TestAServerKeepsWhatItHasOverARestart(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, err := redistest.Start(t.TempDir(), "--appendfsync", "always")
	is.NoErr(err)
	defer func() { is.NoErr(s.Kill()) }()
	client := s.Client()
	defer client.Close()
	is.NoErr(client.Set(t.Context(), "a", "1", 0).Err())
	is.NoErr(s.Kill())
	is.True(client.Get(t.Context(), "a").Err() != nil)
	is.NoErr(s.Restart())
	is.Equal(client.Get(t.Context(), "a").Val(), "1")
	is.NoErr(s.Stop())
	is.NoErr(s.Empty())
	is.NoErr(s.Restart())
	is.Equal(client.Exists(t.Context(), "a").Val(), int64(0))
}

func TestAClusterIsWholeAgainAfterANodeWasKilled(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c, err := redistest.StartCluster(t.TempDir())
	is.NoErr(err)
	defer func() { is.NoErr(c.Stop()) }()
	is.NoErr(c.Nodes[1].Kill())
	is.NoErr(c.Nodes[1].Restart())
	is.NoErr(c.Await())
}

func TestASentinelPromotesTheReplica(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, err := redistest.StartSentinel(t.TempDir())
	is.NoErr(err)
	defer func() { is.NoErr(s.Stop()) }()
	is.NoErr(s.Failover())
}
