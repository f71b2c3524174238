package redis_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/projections"
	"tenure/projections/redis"
	"tenure/projections/redis/redistest"
)

// forgetful are the arguments of a server that keeps only what save has saved.
var forgetful = []string{"--appendonly", "no"}

// A server that lost its last writes has a checkpoint of before them, and a
// projector that knows more than it does not move that checkpoint over them.
func TestACheckpointDoesNotPassOverWhatAServerLost(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	server, err := redistest.Start(t.TempDir(), forgetful...)
	is.NoErr(err)
	defer func() { is.NoErr(server.Kill()) }()
	s := open(t, server.URL(), "")
	defer s.Close()

	is.NoErr(s.Apply(ctx, batch(1, change("a", 0, 1, "1"), change("b", 0, 1, "1"))))
	save(t, server)
	is.NoErr(s.Apply(ctx, batch(2, change("a", 1, 2, "2"))))
	is.NoErr(server.Kill())
	is.NoErr(server.Restart())

	is.True(errors.Is(eventually(func() error { return s.Apply(ctx, batch(3, change("b", 1, 3, "3"))) }), projections.ErrSuperseded))
	p, err := s.Checkpoint(ctx, view)
	is.NoErr(err)
	is.Equal(p, eventstore.Position(1))
	at, err := s.Positions(ctx, view, []string{"a", "b"})
	is.NoErr(err)
	is.Equal(at, []eventstore.Position{1, 3})
	is.NoErr(s.Apply(ctx, batch(3, change("a", 1, 2, "2")))) // starting anew, it goes on
}

func TestACheckpointDoesNotPassOverAnEmptiedServer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	server, err := redistest.Start(t.TempDir())
	is.NoErr(err)
	defer func() { is.NoErr(server.Kill()) }()
	s := open(t, server.URL(), "")
	defer s.Close()
	is.NoErr(s.Apply(ctx, batch(0, change("a", 0, 1, "1"))))
	is.NoErr(server.Flush(ctx)) // before there is any checkpoint
	is.True(errors.Is(s.Apply(ctx, batch(2, change("b", 0, 2, "2"))), projections.ErrSuperseded))

	is.NoErr(s.Apply(ctx, batch(2, change("a", 0, 1, "1"))))
	is.NoErr(server.Kill())
	is.NoErr(server.Empty())
	is.NoErr(server.Restart())
	is.True(errors.Is(eventually(func() error { return s.Apply(ctx, batch(3)) }), projections.ErrSuperseded))
	p, err := s.Checkpoint(ctx, view)
	is.NoErr(err)
	is.Equal(p, eventstore.Position(0))
	newest, err := s.Newest(ctx)
	is.NoErr(err)
	is.Equal(newest, eventstore.Position(3)) // announced with what was refused
}

// Of a cluster one server loses its last writes; the others do not.
func TestAViewIsAsFarAsTheShardThatLostMost(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	cluster, err := redistest.StartCluster(t.TempDir(), forgetful...)
	is.NoErr(err)
	defer func() { is.NoErr(cluster.Stop()) }()
	s := open(t, cluster.URL(), "")
	defer s.Close()
	partitions := make([]string, 100)
	apply := func(from, to eventstore.Position) error {
		var changes []projections.Change
		for i := range partitions {
			partitions[i] = orgName(int64(i))
			changes = append(changes, change(partitions[i], from, to, "1"))
		}
		return s.Apply(ctx, batch(to, changes...))
	}
	is.NoErr(apply(0, 5))
	save(t, cluster.Nodes...)
	is.NoErr(apply(5, 9))
	is.NoErr(cluster.Nodes[1].Kill())

	// While it is away, what needs it fails and does not hang.
	patient, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err = s.Positions(patient, view, partitions)
	is.True(errors.Is(err, redis.ErrUnavailable))
	_, err = s.Checkpoint(patient, view)
	is.True(errors.Is(err, redis.ErrUnavailable))

	is.NoErr(cluster.Nodes[1].Restart())
	is.NoErr(cluster.Await())
	is.True(errors.Is(eventually(func() error { return s.Apply(ctx, batch(10)) }), projections.ErrSuperseded))
	p, err := s.Checkpoint(ctx, view)
	is.NoErr(err)
	is.Equal(p, eventstore.Position(5))
	at, err := s.Positions(ctx, view, partitions)
	is.NoErr(err)
	behind := 0
	for i, partition := range partitions {
		if at[i] == 5 {
			behind++
			is.NoErr(s.Apply(ctx, batch(0, change(partition, 5, 9, "1"))))
		}
	}
	is.True(behind > 0 && behind < len(partitions))
	is.NoErr(s.Apply(ctx, batch(10)))
	p, err = s.Checkpoint(ctx, view)
	is.NoErr(err)
	is.Equal(p, eventstore.Position(10))
}

func TestAFailoverStartsTheProjectorAgain(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	sentinel, err := redistest.StartSentinel(t.TempDir())
	is.NoErr(err)
	defer func() { is.NoErr(sentinel.Stop()) }()
	s := open(t, sentinel.URL(), "")
	defer s.Close()
	is.NoErr(s.Apply(ctx, batch(1, change("a", 0, 1, "1"))))
	is.NoErr(sentinel.Failover())
	// The replica may lack the last writes: nobody can tell, so it starts again.
	is.True(errors.Is(eventually(func() error { return s.Apply(ctx, batch(2)) }), projections.ErrSuperseded))
	at, err := s.Positions(ctx, view, []string{"a"})
	is.NoErr(err)
	is.NoErr(s.Apply(ctx, batch(3, change("a", at[0], 3, "3"))))
	p, err := s.Checkpoint(ctx, view)
	is.NoErr(err)
	is.Equal(p, eventstore.Position(3))
}

// A projector that has nothing to do sees that the views are gone, and makes
// them again.
func TestAnIdleProjectorMakesAgainWhatWasLost(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	server, err := redistest.Start(t.TempDir(), forgetful...)
	is.NoErr(err)
	defer func() { is.NoErr(server.Kill()) }()
	s := open(t, server.URL(), "")
	defer s.Close()
	log, err := logsqlite.Open(filepath.Join(t.TempDir(), "log.db"), logsqlite.Options{})
	is.NoErr(err)
	defer log.Close()

	p := projections.NewProjector(log, codec.New().Decode, s, projections.Views(), projections.Options{
		Logger: slog.New(slog.DiscardHandler), RetryAfter: 10 * time.Millisecond,
	})
	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { is.True(errors.Is(p.Run(running), context.Canceled)) })
	defer wg.Wait()
	defer stop()

	const org, account = domain.OrganizationID("0198c0de-0000-7000-8000-000000000001"), domain.AccountID("0198c0de-0000-7000-8000-000000000002")
	event, err := codec.New().Encode(eventstore.ID(uuid.New()), organization.Activated{
		OrganizationID: org, Name: "Acme", Policy: "ownership", PolicyVersion: 1,
		AccountID: account, Email: "ada@example.com", Username: "ada", DisplayName: "Ada", Roles: []domain.Role{"OWNER"},
	}, codec.Metadata{Actor: domain.Public(), OccurredAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	is.NoErr(err)
	appended, err := log.Append(ctx, "organization-"+string(org), eventstore.NoStream(), []eventstore.Event{event})
	is.NoErr(err)
	is.NoErr(p.Wait(ctx, appended.Position))
	reader := projections.NewReader(s, 0)
	_, err = reader.Member(ctx, org, account)
	is.NoErr(err)

	is.NoErr(server.Kill())
	is.NoErr(server.Restart())
	is.NoErr(eventually(func() error {
		_, err := reader.Member(ctx, org, account)
		return err
	}, domain.CodeNotFound))
}

// eventually calls again while Redis is not available, or the answer is one of
// the codes.
func eventually(call func() error, codes ...domain.Code) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := call()
		again := errors.Is(err, redis.ErrUnavailable)
		if refused, ok := errors.AsType[*domain.Error](err); ok {
			for _, code := range codes {
				again = again || refused.Code == code
			}
		}
		if !again || time.Since(began) > time.Minute {
			return err
		}
	}
}

func save(t *testing.T, servers ...*redistest.Server) {
	is := is.New(t)
	for _, server := range servers {
		client := server.Client()
		is.NoErr(client.Save(ctx).Err())
		is.NoErr(client.Close())
	}
}
