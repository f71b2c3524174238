package esdbtest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"tenure/eventstore"
)

// positionStep lies between the positions of two events, as clients see them:
// nobody may compute the next one.
const positionStep = 64

const pageEvents = 512

func outward(p eventstore.Position) uint64 { return uint64(p) * positionStep }

// Read implements streams.StreamsServer.
func (s *streamsService) Read(request *streams.ReadReq, call streams.Streams_ReadServer) error {
	o := request.GetOptions()
	s.server.wait(call.Context())
	_, subscribe := o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	backwards := o.GetReadDirection() == streams.ReadReq_Options_Backwards
	var err error
	switch {
	case o.GetUuidOption() == nil:
		err = status.Error(codes.InvalidArgument, "`uuidOption` is a required argument")
	case subscribe && o.GetAll() != nil && !backwards:
		err = s.subscribe(o, call)
	case subscribe || o.GetFilter() != nil:
		err = status.Error(codes.Unimplemented, "not by this test server")
	case o.GetAll() != nil && backwards:
		err = s.readAllBackwards(o, call)
	case o.GetAll() != nil:
		err = s.readAllForwards(o, call)
	case backwards:
		err = s.readStreamBackwards(o, call)
	default:
		err = s.readStreamForwards(o, call)
	}
	return withTrailer(call, err)
}

// open looks whether a stream can be read, and answers the first revision that
// is not hidden; ok is false when the client was told that there is no stream.
func (s *streamsService) open(o *streams.ReadReq_Options_StreamOptions, call streams.Streams_ReadServer) (stream string, first uint64, ok bool, err error) {
	stream = stored(string(o.GetStreamIdentifier().GetStreamName()))
	c := s.names.cutoff(stream)
	if c.tombstone {
		return stream, 0, false, &deletedError{shown(stream)}
	}
	events, err := s.log.ReadStream(call.Context(), stream, eventstore.Revision(c.before), 1)
	if errors.Is(err, eventstore.ErrStreamNotFound) || (err == nil && len(events) == 0) {
		return stream, 0, false, call.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
			StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: o.GetStreamIdentifier()},
		}})
	}
	return stream, c.before, err == nil, err
}

func (s *streamsService) readStreamForwards(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	stream, from, ok, err := s.open(o.GetStream(), call)
	if err != nil || !ok {
		return err
	}
	switch revision := o.GetStream().GetRevision(); {
	case revision == math.MaxUint64 || o.GetStream().GetEnd() != nil:
		return nil // there is nothing after the end
	case revision > math.MaxInt64:
		return status.Error(codes.Unknown, "Specified argument was out of the range of valid values.")
	default:
		from = max(from, revision)
	}
	for left := o.GetCount(); left > 0; {
		limit := int(min(left, pageEvents))
		events, err := s.log.ReadStream(call.Context(), stream, eventstore.Revision(from), limit)
		if err != nil {
			return err
		}
		if err := sendAll(call, events); err != nil || len(events) < limit {
			return err
		}
		from, left = from+uint64(len(events)), left-uint64(len(events))
	}
	return nil
}

func (s *streamsService) readStreamBackwards(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	stream, first, ok, err := s.open(o.GetStream(), call)
	if err != nil || !ok {
		return err
	}
	end, err := s.end(call.Context(), stream)
	if err != nil {
		return err
	}
	last, _ := end.Last()
	if _, given := o.GetStream().GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_Revision); given {
		last = min(last, eventstore.Revision(o.GetStream().GetRevision()))
	} else if o.GetStream().GetStart() != nil {
		last = 0
	}
	for next, left := uint64(last)+1, o.GetCount(); next > first && left > 0; {
		n := min(left, pageEvents, next-first)
		events, err := s.log.ReadStream(call.Context(), stream, eventstore.Revision(next-n), int(n))
		if err != nil {
			return err
		}
		slices.Reverse(events)
		if err := sendAll(call, events); err != nil {
			return err
		}
		next, left = next-n, left-n
	}
	return nil
}

// startingAt is the position after which to read in order to begin with the
// event at the asked position.
func (s *streamsService) startingAt(ctx context.Context, o *streams.ReadReq_Options_AllOptions) (eventstore.Position, error) {
	head, err := s.log.Head(ctx)
	if err != nil || o.GetEnd() != nil {
		return head, err
	}
	commit := o.GetPosition().GetCommitPosition()
	switch {
	case commit > outward(head):
		return eventstore.Position(commit/positionStep) - 1, nil
	case commit%positionStep != 0:
		return 0, status.Error(codes.InvalidArgument, "Trying to read from an invalid position.")
	}
	return eventstore.Position(max(commit/positionStep, 1) - 1), nil
}

func (s *streamsService) readAllForwards(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	after, err := s.startingAt(call.Context(), o.GetAll())
	if err != nil {
		return err
	}
	page := eventstore.Page{Position: after}
	for left := o.GetCount(); left > 0 && !page.Head; left -= uint64(len(page.Events)) {
		if page, err = s.log.ReadAll(call.Context(), page.Position, int(min(left, pageEvents)), eventstore.Filter{}); err != nil {
			return err
		}
		if err := sendAll(call, page.Events); err != nil {
			return err
		}
	}
	return nil
}

func (s *streamsService) readAllBackwards(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	last, err := s.startingAt(call.Context(), o.GetAll()) // strictly before the asked position
	if err != nil {
		return err
	}
	for left := o.GetCount(); left > 0 && last > 0; {
		// At most one event has each position of the log below.
		n := eventstore.Position(min(left, pageEvents, uint64(last)))
		page, err := s.log.ReadAll(call.Context(), last-n, int(n), eventstore.Filter{})
		if err != nil {
			return err
		}
		events := slices.DeleteFunc(slices.Clone(page.Events), func(e eventstore.Recorded) bool { return e.Position > last })
		slices.Reverse(events)
		if err := sendAll(call, events); err != nil {
			return err
		}
		last, left = last-n, left-uint64(len(events))
	}
	return nil
}

func sendAll(call streams.Streams_ReadServer, events []eventstore.Recorded) error {
	for i := range events {
		if err := call.Send(outwardEvent(&events[i])); err != nil {
			return err
		}
	}
	return nil
}

func outwardEvent(e *eventstore.Recorded) *streams.ReadResp {
	position, revision := outward(e.Position), uint64(e.Revision)
	if shown(e.Type) == typeTombstone {
		revision = math.MaxInt64
	}
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               outwardID(e.ID),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(shown(e.Stream))},
			StreamRevision:   revision,
			CommitPosition:   position, PreparePosition: position,
			Metadata: map[string]string{
				"type": shown(e.Type), "content-type": "application/json",
				"created": strconv.FormatInt(e.RecordedAt.UnixNano()/100, 10),
			},
			Data: e.Data, CustomMetadata: e.Metadata,
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
	}}}
}
