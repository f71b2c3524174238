// Package esdbtest is test support: a server that speaks the EventStoreDB
// protocol over a log of eventstore/sqlite, so that tests reach the adapter
// through a real client and a real socket, and the contract suite sees one
// truth. It is no database to run anything on.
//
// It answers Streams.Read (streams and $all, both ways, subscriptions with and
// without a filter), Append, Delete and Tombstone, ServerFeatures and Gossip,
// and is as strict as a real server where a client could go wrong:
//
//   - positions are far apart, and one that no event has is refused;
//   - the log begins with events of the system's own;
//   - an append of more than 1 MiB is refused, and LimitAppends lowers that;
//   - a subscription's first message is a confirmation; one with a filter gets
//     checkpoints, and the one at the end of what there was lies before the
//     event that comes next;
//   - a server that Follow made a follower sends clients to its leader;
//   - a client that pings too often is sent away.
//
// It keeps an answer back until the events are on disk: killed at any point, it
// loses nothing that it has answered. It knows of users, $maxAge, $maxCount,
// BatchAppend and the HTTP interface nothing, and remembers no ids for appends
// that expect any revision.
package esdbtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"tenure/eventstore/sqlite"
)

// version is the server's version that clients are told.
const version = "24.10.4"

// Server is a running server.
type Server struct {
	address string
	log     *sqlite.Store
	names   *names
	rpc     *grpc.Server
	delay   atomic.Int64 // nanoseconds
	limit   atomic.Int64 // bytes of an append
	leader  atomic.Pointer[Server]

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	conns    map[net.Conn]struct{}
}

// Start serves the log at path, which it makes if there is none. An address
// with port 0 gets a free port.
func Start(address, path string) (*Server, error) {
	log, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	names, err := openNames(context.Background(), log)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	s := &Server{address: address, log: log, names: names, conns: map[net.Conn]struct{}{}}
	s.rpc = grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(100), // of one connection, as a real server has it
		grpc.StreamInterceptor(func(service any, call grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			if err := s.refer(call); err != nil {
				return err
			}
			return handle(service, call)
		}),
	)
	s.limit.Store(maxAppendBytes)
	streams.RegisterStreamsServer(s.rpc, &streamsService{server: s, log: log, names: names})
	serverfeatures.RegisterServerFeaturesServer(s.rpc, features{})
	gossip.RegisterGossipServer(s.rpc, members{server: s})
	if err := s.Accept(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return s, nil
}

// Address is where the server listens: host and port.
func (s *Server) Address() string { return s.address }

// URL is the connection string for a client.
func (s *Server) URL() string { return "esdb://" + s.address + "?tls=false" }

// Cut cuts all connections, in the middle of whatever they carry.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		cut(conn)
	}
}

// Refuse cuts all connections and refuses new ones until Accept.
func (s *Server) Refuse() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	err := s.listener.Close()
	s.listener = nil
	for conn := range s.conns {
		cut(conn)
	}
	return err
}

// Accept takes connections again, at the same address.
func (s *Server) Accept() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("eventstore/esdb/esdbtest: %w", err)
	}
	s.address, s.listener = listener.Addr().String(), listener
	go func() { _ = s.rpc.Serve(tracked{listener, s}) }() // ends with the listener
	return nil
}

// Delay makes every answer wait, after its work was done: what is cut meanwhile
// is in the log, and the client does not know.
func (s *Server) Delay(d time.Duration) { s.delay.Store(int64(d)) }

// LimitAppends makes the server take fewer bytes in one append than it does by
// default, as an operator may have set it.
func (s *Server) LimitAppends(bytes int) { s.limit.Store(int64(bytes)) }

// Follow makes the server one that is not the leader: it sends clients who ask
// for the leader to another server.
func (s *Server) Follow(leader *Server) { s.leader.Store(leader) }

func (s *Server) refer(call grpc.ServerStream) error {
	leader := s.leader.Load()
	asked, _ := metadata.FromIncomingContext(call.Context())
	if leader == nil || len(asked.Get("requires-leader")) == 0 {
		return nil
	}
	host, port, err := net.SplitHostPort(leader.Address())
	if err != nil {
		return err
	}
	call.SetTrailer(metadata.Pairs("exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", port))
	return status.Error(codes.NotFound, "Leader info available")
}

// wait waits as Delay says, or until the caller is gone.
func (s *Server) wait(ctx context.Context) {
	if d := time.Duration(s.delay.Load()); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// Close ends the server, and cuts all connections.
func (s *Server) Close() error {
	err := s.Refuse()
	s.rpc.Stop()
	return errors.Join(err, s.log.Close())
}

// tracked is a listener whose connections the server knows.
type tracked struct {
	net.Listener
	server *Server
}

func (t tracked) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := t.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != t.Listener { // Refuse came between
		cut(conn)
	}
	s.conns[conn] = struct{}{}
	return connection{conn, s}, nil
}

type connection struct {
	net.Conn
	server *Server
}

func (c connection) Close() error {
	c.server.mu.Lock()
	delete(c.server.conns, c.Conn)
	c.server.mu.Unlock()
	return c.Conn.Close()
}

// cut closes a connection so that the other side sees a reset.
func cut(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// features tells clients what they may call.
type features struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

func (features) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	answer := &serverfeatures.SupportedMethods{EventStoreServerVersion: version}
	for _, method := range []string{"read", "append", "delete", "tombstone"} {
		answer.Methods = append(answer.Methods, &serverfeatures.SupportedMethod{
			ServiceName: "event_store.client.streams.streams", MethodName: method,
		})
	}
	return answer, nil
}

// members is a cluster of this one node.
type members struct {
	gossip.UnimplementedGossipServer
	server *Server
}

func (m members) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	address, err := net.ResolveTCPAddr("tcp", m.server.Address())
	if err != nil {
		return nil, err
	}
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		State: gossip.MemberInfo_Leader, IsAlive: true,
		HttpEndPoint: &gossip.EndPoint{Address: address.IP.String(), Port: uint32(address.Port)},
	}}}, nil
}
