package esdb_test

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/matryer/is"
	"google.golang.org/grpc"

	"tenure/eventstore"
	"tenure/eventstore/esdb"
)

// connect is a client of a server that does what the adapter would not.
func connect(t *testing.T, url string) *client.Client {
	t.Helper()
	config, err := client.ParseConnectionString(url)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = client.NoopLogging()
	c, err := client.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func foreign(kind string, n int) []client.EventData {
	list := make([]client.EventData, n)
	for i := range list {
		list[i] = client.EventData{EventID: uuid.New(), EventType: kind, ContentType: client.ContentTypeJson, Data: []byte(`{}`)}
	}
	return list
}

// TestSystemEvents has more events of the server's own than a page holds,
// before, between and after those of a writer: nobody sees them.
func TestSystemEvents(t *testing.T) {
	is := is.New(t)
	server, ctx := serve(t), patient(t)
	store, other := open(t, server.URL(), esdb.Options{}), connect(t, server.URL())
	noise := func() {
		for range 4 {
			_, err := other.AppendToStream(ctx, "$noise", client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, foreign("$noise", 400)...)
			is.NoErr(err)
		}
	}
	noise()
	head, err := store.Head(ctx)
	is.NoErr(err)
	is.Equal(head, eventstore.Position(0))
	page, err := store.ReadAll(ctx, 0, 10, eventstore.Filter{})
	is.NoErr(err)
	is.True(page.Head && page.Position == 0 && len(page.Events) == 0)

	first, err := store.Append(ctx, "s", eventstore.NoStream(), several(1))
	is.NoErr(err)
	noise()
	second, err := store.Append(ctx, "s", eventstore.Exactly(0), several(1))
	is.NoErr(err)
	noise()
	head, err = store.Head(ctx)
	is.NoErr(err)
	is.Equal(head, second.Position)
	for _, c := range []struct {
		after eventstore.Position
		want  []eventstore.Position
	}{{0, []eventstore.Position{first.Position, second.Position}}, {first.Position, []eventstore.Position{second.Position}}, {second.Position, nil}} {
		var got []eventstore.Position
		for page := (eventstore.Page{Position: c.after}); !page.Head; {
			page, err = store.ReadAll(ctx, page.Position, 10, eventstore.Filter{})
			is.NoErr(err)
			for _, e := range page.Events {
				got = append(got, e.Position)
			}
		}
		is.Equal(got, c.want)
	}
	sub, err := store.Subscribe(ctx, first.Position, eventstore.Filter{})
	is.NoErr(err)
	page, err = sub.Next(ctx, 10)
	is.NoErr(err)
	is.Equal(page.Position, second.Position)
}

// TestDeletedStreams reads and writes what somebody deleted by other means.
func TestDeletedStreams(t *testing.T) {
	is := is.New(t)
	server, ctx := serve(t), patient(t)
	store, other := open(t, server.URL(), esdb.Options{}), connect(t, server.URL())
	for _, stream := range []string{"hidden", "ended"} {
		_, err := store.Append(ctx, stream, eventstore.NoStream(), several(3))
		is.NoErr(err)
	}
	_, err := other.DeleteStream(ctx, "hidden", client.DeleteStreamOptions{ExpectedRevision: client.Revision(2)})
	is.NoErr(err)
	_, err = other.TombstoneStream(ctx, "ended", client.TombstoneStreamOptions{ExpectedRevision: client.Revision(2)})
	is.NoErr(err)

	_, err = store.ReadStream(ctx, "hidden", 0, 10)
	is.True(errors.Is(err, eventstore.ErrStreamNotFound))
	_, err = store.ReadStream(ctx, "ended", 0, 10)
	is.True(err != nil && !errors.Is(err, eventstore.ErrStreamNotFound)) // it was there, and something is wrong
	_, err = store.Append(ctx, "ended", eventstore.NoStream(), several(1))
	var conflict *eventstore.ConflictError
	is.True(err != nil && !errors.As(err, &conflict))
	page, err := store.ReadAll(ctx, 0, 100, eventstore.Filter{})
	is.NoErr(err)
	is.Equal(len(page.Events), 6) // the log has what was appended
}

// TestServerRefusals looks at what the server says to an append that the
// adapter would not send: an answer, not a broken connection.
func TestServerRefusals(t *testing.T) {
	is := is.New(t)
	server, ctx := serve(t), patient(t)
	other := connect(t, server.URL())
	none := client.AppendToStreamOptions{ExpectedRevision: client.NoStream{}}
	large := foreign("test.happened.v1", 2)
	large[0].Data, large[1].Data = bytes.Repeat([]byte("x"), 1<<19), bytes.Repeat([]byte("x"), 1<<19)
	_, err := other.AppendToStream(ctx, "s", none, large...)
	is.True(err != nil)
	twice := foreign("test.happened.v1", 1)
	_, err = other.AppendToStream(ctx, "s", none, twice[0], twice[0])
	is.True(err != nil)
	_, err = other.AppendToStream(ctx, "s", client.AppendToStreamOptions{ExpectedRevision: client.StreamExists{}}, twice...)
	is.True(err != nil)
	written, err := other.AppendToStream(ctx, "s", none, twice...)
	is.NoErr(err)
	read, err := other.ReadAll(ctx, client.ReadAllOptions{From: client.Position{Commit: written.CommitPosition - 1, Prepare: written.CommitPosition - 1}}, 10)
	is.NoErr(err)
	defer read.Close()
	_, err = read.Recv()
	is.True(err != nil) // nothing is at that position
}

// TestLowLimit appends to a server whose operator set a lower limit than ours:
// the error names the reason, and the store goes on.
func TestLowLimit(t *testing.T) {
	is := is.New(t)
	server, ctx := serve(t), patient(t)
	server.LimitAppends(1000)
	store := open(t, server.URL(), esdb.Options{})
	for n := 1; n <= 512; n *= 8 {
		large := several(n)
		large[0].Data = bytes.Repeat([]byte(" "), 2000)
		_, err := store.Append(ctx, "s", eventstore.NoStream(), large)
		is.True(err != nil)
		is.True(errors.Is(err, eventstore.ErrInvalidAppend) || strings.Contains(err.Error(), "MaxAppendSize"))
	}
	_, err := store.Append(ctx, "s", eventstore.NoStream(), several(1))
	is.NoErr(err)
}

// TestFilteredSubscription pins why the adapter does without: the checkpoint at
// the end of what there is has, as its commit position, that of the event which
// comes next, and whoever keeps only that misses the event.
func TestFilteredSubscription(t *testing.T) {
	is := is.New(t)
	server, ctx := serve(t), patient(t)
	store, other := open(t, server.URL(), esdb.Options{}), connect(t, server.URL())
	last, err := store.Append(ctx, "s", eventstore.NoStream(), several(5))
	is.NoErr(err)
	options := client.SubscribeToAllOptions{
		From: client.Start{}, MaxSearchWindow: 1, CheckpointInterval: 4,
		Filter: &client.SubscriptionFilter{Type: client.EventFilterType, Prefixes: []string{"other."}},
	}
	sub, err := other.SubscribeToAll(ctx, options)
	is.NoErr(err)
	defer func() { is.NoErr(sub.Close()) }()
	var checkpoint client.Position
	for {
		e := sub.Recv()
		is.True(e.SubscriptionDropped == nil && e.EventAppeared == nil)
		if e.CaughtUp != nil {
			break
		}
		checkpoint = *e.CheckPointReached
	}
	is.True(checkpoint.Commit > uint64(last.Position) && checkpoint.Prepare == 0)
	next, err := store.Append(ctx, "s", eventstore.Exactly(4), several(1))
	is.NoErr(err)
	is.Equal(uint64(next.Position), checkpoint.Commit)

	written, err := other.AppendToStream(ctx, "t", client.AppendToStreamOptions{ExpectedRevision: client.NoStream{}}, foreign("other.happened.v1", 1)...)
	is.NoErr(err)
	e := sub.Recv()
	for e.CheckPointReached != nil {
		e = sub.Recv()
	}
	is.Equal(e.EventAppeared.OriginalEvent().Position.Commit, written.CommitPosition)
}

// TestFollower talks to a node of a cluster that is not the leader: everything
// happens on the leader, whose answers are never old.
func TestFollower(t *testing.T) {
	is := is.New(t)
	follower, leader, ctx := serve(t), serve(t), patient(t)
	follower.Follow(leader)
	onLeader := open(t, leader.URL(), esdb.Options{})
	_, err := onLeader.Append(ctx, "s", eventstore.NoStream(), several(1))
	is.NoErr(err)
	for name, call := range map[string]func(eventstore.Store) error{
		"Append": func(s eventstore.Store) error {
			_, err := s.Append(ctx, "t", eventstore.NoStream(), several(1))
			return err
		},
		"ReadStream": func(s eventstore.Store) error { _, err := s.ReadStream(ctx, "s", 0, 1); return err },
		"Head": func(s eventstore.Store) error {
			head, err := s.Head(ctx)
			if err == nil && head == 0 {
				err = errors.New("the log is empty")
			}
			return err
		},
		"Subscribe": func(s eventstore.Store) error {
			sub, err := s.Subscribe(ctx, 0, eventstore.Filter{})
			if err == nil {
				_, err = sub.Next(ctx, 1)
			}
			return err
		},
	} {
		if err := call(open(t, follower.URL(), esdb.Options{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = onLeader.ReadStream(ctx, "t", 0, 1)
	is.NoErr(err)
}

// babbler answers reads with a message that the client does not know.
type babbler struct {
	streams.UnimplementedStreamsServer
}

func (babbler) Read(_ *streams.ReadReq, call streams.Streams_ReadServer) error {
	return call.Send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: 7}})
}

// TestUnknownMessage makes the client panic.
func TestUnknownMessage(t *testing.T) {
	is := is.New(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	server := grpc.NewServer()
	defer server.Stop()
	streams.RegisterStreamsServer(server, babbler{})
	go func() { _ = server.Serve(listener) }()
	store := open(t, "esdb://"+listener.Addr().String()+"?tls=false", esdb.Options{})
	_, err = store.Head(patient(t))
	is.True(err != nil)
	_, err = store.ReadStream(patient(t), "s", 0, 1)
	is.True(err != nil)
	_, err = store.Append(patient(t), "s", eventstore.NoStream(), several(1))
	is.True(err != nil) // the server cannot
}
