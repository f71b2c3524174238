package eventstore_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/matryer/is"
	"tenure/eventstore"
)

func event(id byte) eventstore.Event {
	return eventstore.Event{ID: eventstore.ID{id}, Type: "test.happened.v1", Data: []byte(`{}`), Metadata: []byte(`{}`)}
}

func many(n int) []eventstore.Event {
	list := make([]eventstore.Event, n)
	for i := range list {
		list[i] = event(0)
		list[i].ID = eventstore.ID{byte(i >> 8), byte(i), 1}
	}
	return list
}

func TestCheck(t *testing.T) {
	full := event(1)
	full.Data = make([]byte, eventstore.MaxAppendBytes-2*len(full.Type)-len(full.Metadata))
	over := full
	over.Metadata = append(over.Metadata, ' ')
	nameless, typeless := event(1), event(2)
	nameless.ID = eventstore.ID{}
	typeless.Type = ""
	system, garbled := event(1), event(1)
	system.Type, garbled.Type = "$metadata", "test.\xff"
	one, none := []eventstore.Event{event(1)}, eventstore.NoStream()
	for name, c := range map[string]struct {
		stream   string
		expected eventstore.Expected
		events   []eventstore.Event
		good     bool
	}{
		"one event":          {"s", none, one, true},
		"any revision":       {"s", eventstore.Exactly(math.MaxUint64 - 1), one, true},
		"no next revision":   {"s", eventstore.Exactly(math.MaxUint64), one, false},
		"the longest name":   {strings.Repeat("n", eventstore.MaxStreamBytes), none, one, true},
		"the most events":    {"s", none, many(eventstore.MaxBatchEvents), true},
		"the largest event":  {"s", none, []eventstore.Event{full}, true},
		"no name":            {"", none, one, false},
		"a name too long":    {strings.Repeat("n", eventstore.MaxStreamBytes+1), none, one, false},
		"no expectation":     {"s", eventstore.Expected{}, one, false},
		"no events":          {"s", none, nil, false},
		"too many events":    {"s", none, many(eventstore.MaxBatchEvents + 1), false},
		"an event too large": {"s", none, []eventstore.Event{over}, false},
		"events too large":   {"s", none, []eventstore.Event{full, event(2)}, false},
		"a system's stream":  {"$s", none, one, false},
		"a name not UTF-8":   {"s\xff", none, one, false},
		"a system's type":    {"s", none, []eventstore.Event{system}, false},
		"a type not UTF-8":   {"s", none, []eventstore.Event{garbled}, false},
		"no id":              {"s", none, []eventstore.Event{event(2), nameless}, false},
		"no type":            {"s", none, []eventstore.Event{typeless}, false},
		"an id twice":        {"s", none, []eventstore.Event{event(1), event(2), event(1)}, false},
	} {
		err := eventstore.Check(c.stream, c.expected, c.events)
		if (err == nil) != c.good || (err != nil && !errors.Is(err, eventstore.ErrInvalidAppend)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExpected(t *testing.T) {
	is := is.New(t)
	is.Equal(eventstore.NoStream().Next(), eventstore.Revision(0))
	is.Equal(eventstore.Exactly(0).Next(), eventstore.Revision(1))
	_, ok := eventstore.NoStream().Last()
	is.True(!ok)
	_, ok = eventstore.Expected{}.Last()
	is.True(!ok)
	last, ok := eventstore.Exactly(7).Last()
	is.Equal(last, eventstore.Revision(7))
	is.True(ok)
	is.True(eventstore.NoStream() != eventstore.Exactly(0))
	is.Equal(fmt.Sprint(eventstore.NoStream(), ", ", eventstore.Exactly(7), ", ", eventstore.Expected{}), "no stream, revision 7, unset")
}

func TestConflictError(t *testing.T) {
	is := is.New(t)
	var err error = &eventstore.ConflictError{Stream: "s", Expected: eventstore.NoStream(), Actual: eventstore.Exactly(3)}
	is.Equal(err.Error(), "eventstore: stream s: expected no stream, found revision 3")
}
