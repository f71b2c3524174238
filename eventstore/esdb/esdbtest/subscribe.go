package esdbtest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"tenure/eventstore"
)

// subscribe sends the log after a position, for as long as the client is there.
func (s *streamsService) subscribe(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	after, err := s.startingAt(call.Context(), o.GetAll())
	if err != nil {
		return err
	}
	if p := o.GetAll().GetPosition(); p != nil && p.PreparePosition >= p.CommitPosition && p.CommitPosition > 0 {
		after++ // strictly after the event there
	}
	filter, err := newFilter(o.GetFilter())
	if err != nil {
		return err
	}
	f := &feed{call: call, filter: filter}
	if err := call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}}); err != nil {
		return err
	}
	page := eventstore.Page{Position: after}
	for !page.Head {
		if page, err = s.log.ReadAll(call.Context(), page.Position, pageEvents, eventstore.Filter{}); err != nil {
			return err
		}
		if err := f.send(page.Events); err != nil {
			return err
		}
	}
	if err := f.caughtUp(page.Position); err != nil {
		return err
	}
	news, err := s.log.Subscribe(call.Context(), page.Position, eventstore.Filter{})
	if err != nil {
		return err
	}
	defer func() { _ = news.Close() }()
	for {
		if page, err = news.Next(call.Context(), pageEvents); err != nil {
			return err
		}
		if err := f.send(page.Events); err != nil {
			return err
		}
	}
}

// feed is what one subscription is sent.
type feed struct {
	call       streams.Streams_ReadServer
	filter     filter
	considered uint32 // events since the last checkpoint
}

func (f *feed) send(events []eventstore.Recorded) error {
	for i := range events {
		e := &events[i]
		if f.filter.matches(e) {
			if err := f.call.Send(outwardEvent(e)); err != nil {
				return err
			}
		}
		if f.considered++; f.filter.interval > 0 && f.considered >= f.filter.interval {
			f.considered = 0
			if err := f.checkpoint(outward(e.Position), outward(e.Position)); err != nil {
				return err
			}
		}
	}
	return nil
}

// caughtUp says that there is nothing more at the moment. The checkpoint that a real
// server sends here has the place where the next event will be as its commit
// position, and zero as its prepare position.
func (f *feed) caughtUp(at eventstore.Position) error {
	if f.filter.interval > 0 {
		if err := f.checkpoint(outward(at+1), 0); err != nil {
			return err
		}
	}
	return f.call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

func (f *feed) checkpoint(commit, prepare uint64) error {
	return f.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: commit, PreparePosition: prepare},
	}})
}

// filter says what a subscription is sent; interval 0 is without checkpoints.
type filter struct {
	matches  func(e *eventstore.Recorded) bool
	interval uint32
}

func newFilter(o *streams.ReadReq_Options_FilterOptions) (filter, error) {
	if o == nil {
		return filter{matches: func(*eventstore.Recorded) bool { return true }}, nil
	}
	window := uint32(32)
	if _, limited := o.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); limited {
		window = max(o.GetMax(), 1)
	}
	f := filter{interval: max(o.GetCheckpointIntervalMultiplier(), 1) * window}
	expression, name := o.GetEventType(), func(e *eventstore.Recorded) string { return shown(e.Type) }
	if expression == nil {
		expression, name = o.GetStreamIdentifier(), func(e *eventstore.Recorded) string { return shown(e.Stream) }
	}
	if pattern := expression.GetRegex(); pattern != "" {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return f, status.Error(codes.InvalidArgument, err.Error())
		}
		f.matches = func(e *eventstore.Recorded) bool { return compiled.MatchString(name(e)) }
		return f, nil
	}
	f.matches = func(e *eventstore.Recorded) bool {
		return slices.ContainsFunc(expression.GetPrefix(), func(prefix string) bool { return strings.HasPrefix(name(e), prefix) })
	}
	return f, nil
}
