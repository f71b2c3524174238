package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"tenure/eventstore"
)

func appendTests() []test {
	return []test{
		{"what no store accepts is refused and writes nothing", appendRefusals},
		{"the expectation decides", appendMatrix},
		{"revisions begin at 0 and have no gaps", appendRevisions},
		{"the result says where the last event is", appendResult},
		{"all events of a batch or none", appendAtomic},
		{"a stream has its events and no other's", appendStreams},
		{"bytes come back exactly", appendBytes},
		{"the largest batch, event and name", appendLargest},
		{"the caller may reuse its buffers", appendBuffers},
		{"a context that has ended", appendContext},
		{"the log lasts", appendLasts},
	}
}

func appendRefusals(f *fixture) {
	good := several(1)
	change := func(edit func(e *eventstore.Event)) []eventstore.Event {
		list := several(2)
		edit(&list[1])
		return list
	}
	for name, c := range map[string]struct {
		stream   string
		expected eventstore.Expected
		events   []eventstore.Event
	}{
		"no expectation":  {"s", eventstore.Expected{}, good},
		"no name":         {"", eventstore.NoStream(), good},
		"a name too long": {strings.Repeat("n", eventstore.MaxStreamBytes+1), eventstore.NoStream(), good},
		"no events":       {"s", eventstore.NoStream(), nil},
		"too many events": {"s", eventstore.NoStream(), several(eventstore.MaxBatchEvents + 1)},
		"no id":           {"s", eventstore.NoStream(), change(func(e *eventstore.Event) { e.ID = eventstore.ID{} })},
		"no type":         {"s", eventstore.NoStream(), change(func(e *eventstore.Event) { e.Type = "" })},
		"an id twice":     {"s", eventstore.NoStream(), append(good, good...)},
		"too large":       {"s", eventstore.NoStream(), change(func(e *eventstore.Event) { e.Data = make([]byte, eventstore.MaxAppendBytes) })},
		"no next":         {"s", eventstore.Exactly(math.MaxUint64), good},
		"a system's name": {"$s", eventstore.NoStream(), good},
		"a system's type": {"s", eventstore.NoStream(), change(func(e *eventstore.Event) { e.Type = "$test" })},
		"not UTF-8":       {"s\xff", eventstore.NoStream(), good},
	} {
		_, err := f.store.Append(f.ctx, c.stream, c.expected, c.events)
		if !errors.Is(err, eventstore.ErrInvalidAppend) {
			f.Errorf("%s: %v", name, err)
		}
	}
	f.Equal(f.head(), eventstore.Position(0))
}

func appendMatrix(f *fixture) {
	for _, size := range []int{0, 1, 3} {
		actual := eventstore.NoStream()
		if size > 0 {
			actual = eventstore.Exactly(eventstore.Revision(size - 1))
		}
		for i, expected := range []eventstore.Expected{
			eventstore.NoStream(), eventstore.Exactly(0), eventstore.Exactly(1), eventstore.Exactly(2), eventstore.Exactly(3),
			eventstore.Exactly(math.MaxInt64), eventstore.Exactly(math.MaxUint64 - 1),
		} {
			stream := fmt.Sprintf("size-%d-%d", size, i)
			if size > 0 {
				f.append(stream, eventstore.NoStream(), several(size)...)
			}
			if expected != actual {
				f.conflict(stream, expected, actual, several(2)...)
				continue
			}
			result := f.append(stream, expected, several(2)...)
			f.Equal(result.LastRevision, eventstore.Revision(size+1))
		}
	}
}

func appendRevisions(f *fixture) {
	expected := eventstore.NoStream()
	for n := range 12 {
		result := f.append("s", expected, several(1+n%3)...)
		expected = eventstore.Exactly(result.LastRevision)
	}
	for i, e := range f.stream("s") {
		f.Equal(e.Revision, eventstore.Revision(i))
		f.Equal(e.Stream, "s")
	}
}

func appendResult(f *fixture) {
	var last eventstore.Position
	for _, stream := range []string{"a", "b", "c"} {
		result := f.append(stream, eventstore.NoStream(), several(4)...)
		f.Equal(result.LastRevision, eventstore.Revision(3))
		recorded := f.stream(stream)
		f.Equal(recorded[3].Position, result.Position)
		f.True(recorded[0].Position > last) // later appends have higher positions
		f.Equal(f.head(), result.Position)
		last = result.Position
	}
}

func appendAtomic(f *fixture) {
	first := several(3)
	f.append("s", eventstore.NoStream(), first...)
	before := f.head()
	f.conflict("s", eventstore.NoStream(), eventstore.Exactly(2), several(5)...)
	f.conflict("s", eventstore.Exactly(7), eventstore.Exactly(2), several(5)...)
	f.conflict("other", eventstore.Exactly(0), eventstore.NoStream(), several(5)...)
	f.Equal(f.head(), before)
	f.Equal(ids(f.stream("s")), idsOf(first))
	_, err := f.store.ReadStream(f.ctx, "other", 0, 1)
	f.True(errors.Is(err, eventstore.ErrStreamNotFound)) // a refused append makes no stream
}

func appendStreams(f *fixture) {
	// One id may stand in two streams, and names differ in every byte.
	list := several(2)
	names := []string{"a", "A", "a ", "a-b", "a-b-c", "\u00e4", "a\u0308", "organization-1", "組織-🏢"}
	for _, name := range names {
		f.append(name, eventstore.NoStream(), list...)
	}
	for _, name := range names {
		recorded := f.stream(name)
		f.Equal(ids(recorded), idsOf(list))
		f.Equal(recorded[1].Stream, name)
	}
	f.Equal(len(f.log(0, 5, everything())), 2*len(names))
}

func appendBytes(f *fixture) {
	list := events("test.one.v1", "test.two.v1", "test.zwölf.v1")
	list[0].Data = []byte(`{ "b" : 1.0,  "a":"\u003c\u00e9é\ud83d\ude00😀\n",` + "\t" + `"a": null }`)
	list[1].Metadata = []byte(`{"actor":{"kind":"public"},"z":1e400, "list":[ ]}`)
	list[2].Data = fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("long ", 20_000))
	f.append("s", eventstore.NoStream(), list...)
	f.restart()
	for name, recorded := range map[string][]eventstore.Recorded{"stream": f.stream("s"), "log": f.log(0, 2, everything())} {
		f.Equal(len(recorded), len(list))
		for i, e := range recorded {
			if e.ID != list[i].ID || e.Type != list[i].Type || !bytes.Equal(e.Data, list[i].Data) || !bytes.Equal(e.Metadata, list[i].Metadata) {
				f.Errorf("%s: event %d came back changed", name, i)
			}
		}
	}
}

func appendLargest(f *fixture) {
	name := strings.Repeat("é", eventstore.MaxStreamBytes/2)
	f.append(name, eventstore.NoStream(), several(eventstore.MaxBatchEvents)...)
	f.Equal(len(f.stream(name)), eventstore.MaxBatchEvents)

	expected := eventstore.Exactly(eventstore.MaxBatchEvents - 1)
	for _, n := range []int{1, 3} { // alone, and together with others
		large := append(several(n-1), events("test.large.v1")...)
		last := &large[n-1]
		last.Data = []byte(`{"text":""}`)
		filler := eventstore.MaxAppendBytes
		for i := range large {
			filler -= large[i].Size()
		}
		last.Data = fmt.Appendf(nil, `{"text":"%s"}`, strings.Repeat("x", filler))
		result := f.append(name, expected, large...)
		recorded, err := f.store.ReadStream(f.ctx, name, result.LastRevision, 10)
		f.NoErr(err)
		f.Equal(len(recorded), 1)
		f.True(bytes.Equal(recorded[0].Data, last.Data))
		expected = eventstore.Exactly(result.LastRevision)
	}
}

func appendBuffers(f *fixture) {
	list := several(2)
	want := []string{string(list[0].Data), string(list[1].Metadata)}
	f.append("s", eventstore.NoStream(), list...)
	for i := range list {
		clear(list[i].Data)
		clear(list[i].Metadata)
		list[i] = eventstore.Event{}
	}
	recorded := f.stream("s")
	f.Equal([]string{string(recorded[0].Data), string(recorded[1].Metadata)}, want)
}

func appendContext(f *fixture) {
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	list := several(2)
	_, err := f.store.Append(ended, "s", eventstore.NoStream(), list)
	f.True(errors.Is(err, context.Canceled))
	// Whatever became of it: the same append again finds out.
	result := f.append("s", eventstore.NoStream(), list...)
	f.Equal(result.LastRevision, eventstore.Revision(1))
	f.Equal(ids(f.stream("s")), idsOf(list))
}

func appendLasts(f *fixture) {
	list := several(3)
	result := f.append("s", eventstore.NoStream(), list...)
	before := f.log(0, 10, everything())
	f.restart()
	f.Equal(f.head(), result.Position)
	f.Equal(f.log(0, 10, everything()), before)
	f.conflict("s", eventstore.NoStream(), eventstore.Exactly(2), several(1)...)
	next := f.append("s", eventstore.Exactly(2), several(1)...)
	f.Equal(next.LastRevision, eventstore.Revision(3))
	f.True(next.Position > result.Position)
}
