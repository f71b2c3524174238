// Package redis keeps the documents and indexes of views in Redis 7 or later:
// one server, a master found through Sentinel, or a cluster.
//
// A partition of a view is two keys: a hash of its documents, which holds its
// position under the empty field, and a sorted set of its index entries in the
// order of their bytes. The two lie in one slot, and a Lua script changes them
// in one step after it has seen that the position is where the change starts.
// A page of a list is one script too: one way to Redis and back, one instant.
//
// # What happens when something ends
//
// Every step below leaves partitions that are whole, each with the position up
// to which it is. Events come again from the view's checkpoint, and a partition
// skips what it has seen. So the question is only whether the checkpoint can be
// ahead of a partition, and it cannot:
//
//   - The process dies between two scripts of an Apply: some partitions are
//     ahead of the checkpoint, which is written after all of them.
//   - The process dies while it writes the checkpoint: each of the shards that
//     the keys are divided into holds one, and the earliest counts.
//   - Redis loses its last second (appendfsync everysec) or a failover loses
//     writes that the replica had not got: what is left is the beginning of what
//     was written on that server, and every shard's checkpoint is on the server
//     of its partitions. Shards that lost nothing are ahead and skip.
//   - The same while a projector runs, whose memory is now ahead of Redis: the
//     checkpoint is written only by a script that still finds the server's run
//     and the keys' mark that were there when the projector started. Otherwise
//     Apply fails with ErrSuperseded, as it does when the projector touches a
//     partition that was lost, and the projector starts from what is stored.
//     Watch finds the same when no events come. Until then, about a second,
//     lists lack what was lost.
//   - Redis is emptied or restored from a backup: the same. Positions are zero,
//     or those of the backup, and so are the checkpoints.
//   - Its scripts are forgotten: they are sent again, in the same call.
//   - Drop is cut short: the checkpoints go first and then whole partitions.
//   - An answer is lost on the way and the script sent again: the partition is
//     no longer at the position that it starts from; ErrSuperseded, as above.
//
// # Settings of Redis
//
// Reads go to masters only, as a replica may lag behind a position that was
// answered before. Keys must not be evicted: a partition would be gone while
// the checkpoint stays. Open warns of a policy that would do so.
//
// Most partitions of an account hold one document. With zset-max-listpack-value
// 256 and hash-max-listpack-value 1024 such a partition takes about 730 bytes
// instead of 1,900. A member of an organization takes about 2,300, of which the
// document is 325.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tenure/projections"
)

// Options are the settings of a Storage; the zero value of each is a default.
type Options struct {
	// Prefix is what all keys begin with, so that several installations can
	// share a Redis. Default "tenure:". It holds no braces.
	Prefix string
	// Logger gets a line about what Open finds wrong and can live with, and
	// when Redis may have lost something.
	// Default slog.Default().
	Logger *slog.Logger
}

// The errors of Open, and of everything else later.
var (
	// ErrURL says that Open was given a URL that it cannot use.
	ErrURL = errors.New("projections/redis: the URL cannot be used; give redis://[user:password@]host:port[/database], with ?addr=host:port for each further node of a cluster, or ?master_name=name for Sentinel; rediss:// is with TLS")
	// ErrUnavailable says that Redis does not answer, or not at the moment.
	ErrUnavailable = fmt.Errorf("%w: Redis does not answer; see that it runs, and that the address is right and can be reached", projections.ErrUnavailable)
	// ErrDenied says that Redis refuses the user, the password or a command.
	ErrDenied = errors.New("projections/redis: Redis refuses access; give a user and a password in the URL that may run scripts, INFO, SCAN, and what reads and writes keys")
	// ErrUnsupported says that Redis is too old.
	ErrUnsupported = errors.New("projections/redis: Redis 7.0 or later is needed")
	// ErrFull says that Redis has reached its maxmemory.
	ErrFull = errors.New("projections/redis: Redis is out of memory; raise its maxmemory")
	// ErrNewer says that a newer version of Tenure wrote the keys.
	ErrNewer = errors.New("projections/redis: the keys were written by a newer version; run that version, or give another prefix and the views are built again")
	// ErrCorrupt says that the keys are not as they were written.
	ErrCorrupt = errors.New("projections/redis: the keys are damaged or are not views; delete them, or give another prefix, and the views are built again")
	// ErrClosed says that the storage was closed.
	ErrClosed = errors.New("projections/redis: storage is closed")
)

// layout is the number of the layout of keys.
const layout = "1"

// Storage implements projections.Storage. A call ends at its context's deadline.
// One whose context is cancelled while Redis does not answer ends with the read
// time-out: 5 seconds, unless the URL has another read_timeout.
type Storage struct {
	client   goredis.UniversalClient
	keys     keys
	lineages lineages
	reads    together
	logger   *slog.Logger
}

var (
	_ projections.Storage = (*Storage)(nil)
	_ projections.Watcher = (*Storage)(nil)
)

// Open connects to the Redis that the URL names. The parameters of the URL are
// those of go-redis. A single address of a cluster finds its other nodes. It
// fails with ErrURL, ErrUnavailable, ErrDenied, ErrUnsupported and ErrNewer;
// nothing is changed then.
func Open(ctx context.Context, url string, o Options) (*Storage, error) {
	o.Prefix = cmp.Or(o.Prefix, "tenure:")
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("projections/redis: prefix %q: leave out the braces", o.Prefix)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	client, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	s := &Storage{client: client, keys: keys{o.Prefix}, logger: o.Logger}
	s.reads.send = s.send
	if err := s.inspect(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	if err := s.claim(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return s, nil
}

// Client is the connection, for what else a deployment keeps in the same Redis.
func (s *Storage) Client() goredis.UniversalClient { return s.client }

// Close ends the connections.
func (s *Storage) Close() error {
	if err := s.client.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return err
	}
	return nil
}

// claim notes the layout of the keys, or refuses those of another.
func (s *Storage) claim(ctx context.Context) error {
	note := goredis.NewStatusCmd(ctx, "set", s.keys.format(), layout, "nx")
	found := goredis.NewStringCmd(ctx, "get", s.keys.format())
	if err := s.run(ctx, note, found); err != nil {
		return err
	}
	if found.Val() != layout {
		return fmt.Errorf("%w (layout %q)", ErrNewer, found.Val())
	}
	return nil
}

// explain gives an error of Redis or of the way there its type.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var answered goredis.Error
	var network net.Error
	switch {
	case errors.Is(err, goredis.ErrClosed):
		return ErrClosed
	case goredis.IsOOMError(err):
		return fmt.Errorf("%w (%w)", ErrFull, err)
	case goredis.IsAuthError(err), goredis.IsPermissionError(err):
		return fmt.Errorf("%w (%w)", ErrDenied, err)
	case goredis.HasErrorPrefix(err, "WRONGTYPE"):
		return fmt.Errorf("%w (%w)", ErrCorrupt, err)
	case errors.As(err, &network) && network.Timeout() && expired(ctx):
		return context.DeadlineExceeded
	case errors.As(err, &answered) && !passing(err):
		return fmt.Errorf("projections/redis: %w", err)
	}
	return fmt.Errorf("%w (%w)", ErrUnavailable, err)
}

// passing reports whether Redis says that it cannot answer now.
func passing(err error) bool {
	for _, state := range []string{"LOADING", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPLICAS", "BUSY", "UNBLOCKED", "MOVED", "ASK", "max number of clients"} {
		if goredis.HasErrorPrefix(err, state) {
			return true
		}
	}
	return false
}

// expired reports whether the context's time is over: connections end then, and
// the context may not know yet.
func expired(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}
