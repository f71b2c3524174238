package esdbtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"unicode/utf16"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"tenure/eventstore"
)

// maxAppendBytes is the default of a real server's MaxAppendSize.
const maxAppendBytes = 1 << 20

// streamsService answers the Streams calls.
type streamsService struct {
	streams.UnimplementedStreamsServer
	server *Server
	log    eventstore.Store
	names  *names
}

// expectation is what a request says of the stream, in any of the calls.
type expectation interface {
	GetRevision() uint64
	GetNoStream() *shared.Empty
	GetAny() *shared.Empty
	GetStreamExists() *shared.Empty
}

// Append implements streams.StreamsServer.
func (s *streamsService) Append(call streams.Streams_AppendServer) error {
	options, events, err := receiveAppend(call, int(s.server.limit.Load()))
	if err != nil {
		return err
	}
	stream := stored(string(options.GetStreamIdentifier().GetStreamName()))
	if options.ExpectedStreamRevision == nil {
		return status.Error(codes.InvalidArgument, "no expected stream revision")
	}
	if len(events) == 0 {
		return call.SendAndClose(nothingAppended())
	}
	_, exactly := options.ExpectedStreamRevision.(*streams.AppendReq_Options_Revision)
	result, err := s.append(call.Context(), stream, options, exactly, events)
	s.server.wait(call.Context())
	var conflict *eventstore.ConflictError
	switch {
	case errors.As(err, &conflict):
		return call.SendAndClose(wrongVersion(options, conflict.Actual))
	case err != nil:
		return withTrailer(call, err)
	}
	return call.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(result.LastRevision)},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: outward(result.Position), PreparePosition: outward(result.Position),
		}},
	}}})
}

// receiveAppend reads one append off the wire, of so many bytes at most.
func receiveAppend(call streams.Streams_AppendServer, limit int) (*streams.AppendReq_Options, []eventstore.Event, error) {
	request, err := call.Recv()
	if err != nil {
		return nil, nil, err
	}
	options, size := request.GetOptions(), 0
	if options == nil {
		return nil, nil, status.Error(codes.Unknown, "the first message has to be the options")
	}
	var events []eventstore.Event
	for {
		if request, err = call.Recv(); errors.Is(err, io.EOF) {
			return options, events, nil
		} else if err != nil {
			return nil, nil, err
		}
		m := request.GetProposedMessage()
		kind, typed := m.GetMetadata()["type"]
		if _, ok := m.GetMetadata()["content-type"]; !ok || !typed {
			return nil, nil, status.Error(codes.InvalidArgument, "required metadata property is missing")
		}
		size += len(m.GetData()) + len(m.GetCustomMetadata()) + 2*len(utf16.Encode([]rune(kind)))
		if size > limit {
			call.SetTrailer(metadata.Pairs("exception", "maximum-append-size-exceeded", "maximum-append-size", strconv.Itoa(limit)))
			return nil, nil, status.Errorf(codes.InvalidArgument, "Maximum Append Size of %d Exceeded.", limit)
		}
		events = append(events, eventstore.Event{ID: inwardID(m.GetId()), Type: stored(kind), Data: m.GetData(), Metadata: m.GetCustomMetadata()})
	}
}

// append appends as a request expects it. The log decides, but for what the
// port lacks: other expectations, and streams of which events are hidden.
func (s *streamsService) append(ctx context.Context, stream string, want expectation, exactly bool, events []eventstore.Event) (eventstore.Result, error) {
	for {
		expected, err := s.expected(ctx, stream, want, exactly)
		if err != nil {
			return eventstore.Result{}, err
		}
		result, err := s.log.Append(ctx, stream, expected, events)
		if errors.Is(err, eventstore.ErrInvalidAppend) {
			return result, status.Error(codes.InvalidArgument, err.Error())
		}
		if conflict := (*eventstore.ConflictError)(nil); errors.As(err, &conflict) && (want.GetAny() != nil || want.GetStreamExists() != nil) {
			continue // somebody was faster
		}
		if err == nil {
			for _, e := range events {
				s.names.learn(stream, e)
			}
		}
		return result, err
	}
}

// expected is a request's expectation in terms of the log.
func (s *streamsService) expected(ctx context.Context, stream string, want expectation, exactly bool) (eventstore.Expected, error) {
	c := s.names.cutoff(stream)
	if c.tombstone {
		return eventstore.Expected{}, &deletedError{shown(stream)}
	}
	revision := want.GetRevision()
	switch {
	case exactly && revision == math.MaxUint64: // a real server takes it for no stream
		exactly = false
	case exactly && revision > math.MaxInt64:
		return eventstore.Expected{}, status.Error(codes.Unknown, "Specified argument was out of the range of valid values.")
	case exactly:
		return eventstore.Exactly(eventstore.Revision(revision)), nil
	}
	anyRevision := want.GetAny() != nil || want.GetStreamExists() != nil
	if !anyRevision && c.before == 0 {
		return eventstore.NoStream(), nil
	}
	actual, err := s.end(ctx, stream)
	last, exists := actual.Last()
	hidden := exists && uint64(last) < c.before
	switch {
	case err != nil:
		return eventstore.Expected{}, err
	case want.GetStreamExists() != nil && (!exists || hidden):
		return eventstore.Expected{}, &eventstore.ConflictError{Stream: stream, Actual: actual}
	case !anyRevision && !hidden:
		return eventstore.NoStream(), nil
	}
	return actual, nil
}

// end is where a stream ends, hidden events included.
func (s *streamsService) end(ctx context.Context, stream string) (eventstore.Expected, error) {
	var failure error
	found := func(revision uint64) bool {
		events, err := s.log.ReadStream(ctx, stream, eventstore.Revision(revision), 1)
		failure = errors.Join(failure, err)
		return len(events) > 0
	}
	exists := found(0)
	if errors.Is(failure, eventstore.ErrStreamNotFound) {
		return eventstore.NoStream(), nil
	}
	beyond := uint64(1)
	for exists && failure == nil && found(beyond) {
		beyond *= 2
	}
	// The first revision that is not there lies in the upper half below beyond.
	next := sort.Search(int(beyond-beyond/2), func(i int) bool { return failure != nil || !found(beyond/2+1+uint64(i)) })
	return eventstore.Exactly(eventstore.Revision(beyond/2 + uint64(next))), failure
}

// Delete implements streams.StreamsServer: it hides all events so far.
func (s *streamsService) Delete(ctx context.Context, r *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := r.GetOptions()
	stream := stored(string(o.GetStreamIdentifier().GetStreamName()))
	_, exactly := o.GetExpectedStreamRevision().(*streams.DeleteReq_Options_Revision)
	last, err := s.deletable(ctx, stream, o, exactly)
	if err != nil {
		return nil, withTrailer(unary{ctx}, err)
	}
	anything := &streams.DeleteReq_Options{ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}}}
	result, err := s.append(ctx, stored("$$"+shown(stream)), anything, false, []eventstore.Event{hiding(uint64(last) + 1)})
	if err != nil {
		return nil, withTrailer(unary{ctx}, err)
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: outward(result.Position), PreparePosition: outward(result.Position),
	}}}, nil
}

// Tombstone implements streams.StreamsServer: it ends the stream for ever.
func (s *streamsService) Tombstone(ctx context.Context, r *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := r.GetOptions()
	stream := stored(string(o.GetStreamIdentifier().GetStreamName()))
	_, exactly := o.GetExpectedStreamRevision().(*streams.TombstoneReq_Options_Revision)
	if _, err := s.deletable(ctx, stream, o, exactly); err != nil {
		return nil, withTrailer(unary{ctx}, err)
	}
	result, err := s.append(ctx, stream, o, exactly, []eventstore.Event{systemEvent(typeTombstone, "")})
	if err != nil {
		return nil, withTrailer(unary{ctx}, err)
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: outward(result.Position), PreparePosition: outward(result.Position),
	}}}, nil
}

// deletable checks a deletion's expectation, and answers the last revision.
func (s *streamsService) deletable(ctx context.Context, stream string, want expectation, exactly bool) (eventstore.Revision, error) {
	if s.names.cutoff(stream).tombstone {
		return 0, &deletedError{shown(stream)}
	}
	actual, err := s.end(ctx, stream)
	if err != nil {
		return 0, err
	}
	last, exists := actual.Last()
	if !exists || want.GetNoStream() != nil || (exactly && uint64(last) != want.GetRevision()) {
		return 0, &eventstore.ConflictError{Stream: shown(stream), Actual: actual}
	}
	return last, nil
}

// deletedError says that a stream has a tombstone.
type deletedError struct{ stream string }

func (e *deletedError) Error() string { return "Event stream '" + e.stream + "' is deleted." }

// trailing is a call whose trailer can be set.
type trailing interface{ SetTrailer(metadata.MD) }

type unary struct{ ctx context.Context }

func (u unary) SetTrailer(md metadata.MD) { _ = grpc.SetTrailer(u.ctx, md) }

// withTrailer answers an error as a client knows it.
func withTrailer(call trailing, err error) error {
	var deleted *deletedError
	var conflict *eventstore.ConflictError
	switch {
	case errors.As(err, &deleted):
		call.SetTrailer(metadata.Pairs("exception", "stream-deleted", "stream-name", deleted.stream))
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.As(err, &conflict):
		call.SetTrailer(metadata.Pairs("exception", "wrong-expected-version", "stream-name", conflict.Stream))
		return status.Error(codes.FailedPrecondition, fmt.Sprintf("wrong expected version, the stream is at %s", conflict.Actual))
	case errors.Is(err, eventstore.ErrClosed):
		return status.Error(codes.Unavailable, "Server Is Not Ready")
	}
	return err
}

// wrongVersion is how an append, and no other call, answers a conflict.
func wrongVersion(want *streams.AppendReq_Options, actual eventstore.Expected) *streams.AppendResp {
	wrong := &streams.AppendResp_WrongExpectedVersion{}
	switch expected := want.ExpectedStreamRevision.(type) {
	case *streams.AppendReq_Options_Revision:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: expected.Revision}
	case *streams.AppendReq_Options_NoStream:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
	case *streams.AppendReq_Options_StreamExists:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
	}
	if last, exists := actual.Last(); exists {
		wrong.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(last)}
	} else {
		wrong.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wrong}}
}

func nothingAppended() *streams.AppendResp {
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}},
		PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
	}}}
}

func inwardID(id *shared.UUID) (made eventstore.ID) {
	if s := id.GetStructured(); s != nil {
		binary.BigEndian.PutUint64(made[:8], uint64(s.MostSignificantBits))
		binary.BigEndian.PutUint64(made[8:], uint64(s.LeastSignificantBits))
		return made
	}
	parsed, err := uuid.Parse(id.GetString_())
	if err != nil {
		return eventstore.ID{} // which the log refuses
	}
	return eventstore.ID(parsed)
}

func outwardID(id eventstore.ID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}
