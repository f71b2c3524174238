package storetest

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"tenure/eventstore"
)

// call is one call on the stream under test: an append of one event, or a read
// of everything.
type call struct {
	expected eventstore.Expected
	id       eventstore.ID
	read     bool
}

// answer is what the call answered.
type answer struct {
	actual eventstore.Expected // after a success where the event is, after a conflict where the stream is
	won    bool
	ids    []eventstore.ID
}

// concurrentLinearizable records what clients ask of a small stream, and when,
// and looks for an order of all calls in which every answer is right.
func concurrentLinearizable(f *fixture) {
	const clients, calls = 6, 25
	var wg sync.WaitGroup
	history := make([][]porcupine.Operation, clients)
	begin := time.Now()
	for client := range clients {
		wg.Go(func() {
			known := eventstore.NoStream()
			for n := range calls {
				in := call{read: n%3 == 2, expected: known, id: several(1)[0].ID}
				operation := porcupine.Operation{ClientId: client, Input: in, Call: int64(time.Since(begin))}
				out, err := in.do(f)
				operation.Return, operation.Output = int64(time.Since(begin)), out
				if err != nil {
					f.Errorf("call: %v", err)
					return
				}
				if known = out.actual; in.read {
					known = end(out.ids)
				}
				history[client] = append(history[client], operation)
			}
		})
	}
	wg.Wait()
	result := porcupine.CheckOperationsTimeout(streamModel(), slices.Concat(history...), patience)
	f.Equal(result, porcupine.Ok)
}

func (c call) do(f *fixture) (answer, error) {
	if c.read {
		found, err := f.store.ReadStream(f.ctx, "s", 0, 1000)
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			err = nil
		}
		return answer{ids: ids(found)}, err
	}
	e := eventstore.Event{ID: c.id, Type: "test.happened.v1", Data: []byte(`{}`), Metadata: []byte(`{}`)}
	result, err := f.store.Append(f.ctx, "s", c.expected, []eventstore.Event{e})
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		return answer{actual: conflict.Actual}, nil
	}
	return answer{actual: eventstore.Exactly(result.LastRevision), won: true}, err
}

// streamModel says what a stream answers when one call comes after the other.
func streamModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return []eventstore.ID{} },
		Step: func(state, input, output any) (bool, any) {
			events, in, out := state.([]eventstore.ID), input.(call), output.(answer)
			switch {
			case in.read:
				return slices.Equal(out.ids, events), events
			case in.expected != end(events):
				return !out.won && out.actual == end(events), events
			}
			after := append(slices.Clone(events), in.id)
			return out.won && out.actual == end(after), after
		},
		Equal: func(a, b any) bool { return slices.Equal(a.([]eventstore.ID), b.([]eventstore.ID)) },
	}
}

// end is what a writer that knows these events expects.
func end(events []eventstore.ID) eventstore.Expected {
	if len(events) == 0 {
		return eventstore.NoStream()
	}
	return eventstore.Exactly(eventstore.Revision(len(events) - 1))
}
