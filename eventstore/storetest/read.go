package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"tenure/eventstore"
)

func readStreamTests() []test {
	return []test{
		{"pages from every revision", readStreamPages},
		{"past the end there is nothing", readStreamPastEnd},
		{"a stream without events is not found", readStreamNotFound},
		{"a limit below one is refused", readLimits},
		{"a long stream, among others, after a restart", readStreamLong},
		{"a context that ends in the middle is an error", readStreamContext},
	}
}

func readAllTests() []test {
	return []test{
		{"an empty log", readAllEmpty},
		{"everything once, in order, at every page size", readAllPages},
		{"strictly after a position", readAllAfter},
		{"after the end there is nothing", readAllPastEnd},
		{"the filter leaves out other types", readAllFilter},
		{"the page's position moves past what was left out", readAllFilteredPosition},
		{"old events and new ones after a restart", readAllRestart},
		{"a context that ends in the middle is an error", readAllContext},
		{"the head is the newest event", readHead},
	}
}

func readStreamPages(f *fixture) {
	list := several(7)
	f.append("s", eventstore.NoStream(), list...)
	for range 2 {
		for from := range 7 {
			for limit := 1; limit <= 9; limit++ {
				page, err := f.store.ReadStream(f.ctx, "s", eventstore.Revision(from), limit)
				f.NoErr(err)
				f.Equal(ids(page), idsOf(list[from:min(7, from+limit)]))
			}
		}
		f.restart()
	}
}

func readStreamPastEnd(f *fixture) {
	f.append("s", eventstore.NoStream(), several(3)...)
	for range 2 {
		for _, from := range []eventstore.Revision{3, 4, 1000, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
			page, err := f.store.ReadStream(f.ctx, "s", from, 10)
			f.NoErr(err)
			f.Equal(len(page), 0)
		}
		f.restart()
	}
	f.append("s", eventstore.Exactly(2), several(1)...)
	page, err := f.store.ReadStream(f.ctx, "s", 3, 10)
	f.NoErr(err)
	f.Equal(len(page), 1) // what was news is found
}

func readStreamNotFound(f *fixture) {
	f.append("s", eventstore.NoStream(), several(1)...)
	for _, name := range []string{"t", "S", "s ", "", "$settings", "\xff", strings.Repeat("n", 1000)} {
		for _, from := range []eventstore.Revision{0, 5, math.MaxUint64} {
			_, err := f.store.ReadStream(f.ctx, name, from, 10)
			f.True(errors.Is(err, eventstore.ErrStreamNotFound))
		}
	}
	f.append("t", eventstore.NoStream(), several(1)...)
	f.Equal(len(f.stream("t")), 1)
}

func readLimits(f *fixture) {
	f.append("s", eventstore.NoStream(), several(1)...)
	sub := f.subscribe(0, everything())
	for _, limit := range []int{0, -1} {
		_, err := f.store.ReadStream(f.ctx, "s", 0, limit)
		f.True(err != nil)
		_, err = f.store.ReadAll(f.ctx, 0, limit, everything())
		f.True(err != nil)
		_, err = sub.Next(f.ctx, limit)
		f.True(err != nil)
	}
	page, err := f.store.ReadStream(f.ctx, "s", 0, math.MaxInt)
	f.NoErr(err)
	f.Equal(len(page), 1)
	f.Equal(len(f.log(0, math.MaxInt, everything())), 1)
}

func readStreamLong(f *fixture) {
	list := fill(f, "long", 1200)
	f.Equal(ids(f.stream("long")), idsOf(list))
	f.restart()
	more := several(300)
	f.append("long", eventstore.Exactly(1199), more...)
	list = append(list, more...)
	f.Equal(ids(f.stream("long")), idsOf(list))
	for range 50 {
		from := rand.IntN(len(list))
		limit := 1 + rand.IntN(400)
		page, err := f.store.ReadStream(f.ctx, "long", eventstore.Revision(from), limit)
		f.NoErr(err)
		f.Equal(ids(page), idsOf(list[from:min(len(list), from+limit)]))
	}
}

// readStreamContext ends the context at some moment of the read: then the
// answer is whole or an error, never a part that looks like the end.
func readStreamContext(f *fixture) {
	const size = 3000
	fill(f, "s", size)
	f.restart()
	midway(f, func(ctx context.Context) error {
		page, err := f.store.ReadStream(ctx, "s", 0, size+1)
		if err == nil && len(page) != size {
			f.Fatalf("%d events of %d, and no error", len(page), size)
		}
		return err
	})
}

func readAllContext(f *fixture) {
	fill(f, "s", 3000)
	head := f.head()
	f.restart()
	midway(f, func(ctx context.Context) error {
		page, err := f.store.ReadAll(ctx, 0, 4000, everything())
		if err == nil && page.Head && (len(page.Events) < 3000 || page.Position < head) {
			f.Fatalf("%d events up to %d are called the head", len(page.Events), page.Position)
		}
		return err
	})
}

// midway calls read with contexts that end before it, and while it runs.
func midway(f *fixture, read func(ctx context.Context) error) {
	f.Helper()
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	f.True(errors.Is(read(ended), context.Canceled))
	for range 40 {
		ctx, cancel := context.WithTimeout(f.ctx, time.Duration(rand.Int64N(int64(8*time.Millisecond))))
		if err := read(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			f.Fatalf("the error is not that of the context: %v", err)
		}
		cancel()
	}
	f.NoErr(read(f.ctx))
}

func readAllEmpty(f *fixture) {
	page, err := f.store.ReadAll(f.ctx, 0, 10, everything())
	f.NoErr(err)
	f.Equal(len(page.Events), 0)
	f.Equal(page.Position, eventstore.Position(0))
	f.True(page.Head)
	f.Equal(f.head(), eventstore.Position(0))
}

func readAllPages(f *fixture) {
	list := mixed(f, 40)
	for _, limit := range []int{1, 2, 3, 7, 39, 40, 41, 1000} {
		f.Equal(ids(f.log(0, limit, everything())), idsOf(list))
	}
}

func readAllAfter(f *fixture) {
	list := mixed(f, 12)
	for range 2 {
		for i, e := range f.log(0, 100, everything()) {
			f.Equal(ids(f.log(e.Position, 5, everything())), idsOf(list[i+1:]))
		}
		f.restart()
	}
}

func readAllPastEnd(f *fixture) {
	mixed(f, 3)
	for _, after := range []eventstore.Position{f.head(), f.head() + 1000} {
		page, err := f.store.ReadAll(f.ctx, after, 10, everything())
		f.NoErr(err)
		f.Equal(len(page.Events), 0)
		f.Equal(page.Position, after)
		f.True(page.Head)
	}
}

func readAllFilter(f *fixture) {
	list := events("a.one.v1", "a.two.v1", "ab.one.v1", "b.one.v1", "a.one.v2", "c.one.v1")
	f.append("s", eventstore.NoStream(), list...)
	for range 2 {
		for _, c := range []struct {
			prefixes []string
			want     []eventstore.Event
		}{
			{nil, list},
			{[]string{""}, list},
			{[]string{"a."}, []eventstore.Event{list[0], list[1], list[4]}},
			{[]string{"a"}, []eventstore.Event{list[0], list[1], list[2], list[4]}},
			{[]string{"b.", "c.one.v1"}, []eventstore.Event{list[3], list[5]}},
			{[]string{"a.one.v1", "a."}, []eventstore.Event{list[0], list[1], list[4]}},
			{[]string{"c.one.v1x", "A.", "one"}, nil},
		} {
			filter := eventstore.Filter{TypePrefixes: c.prefixes}
			for _, limit := range []int{1, 2, 10} {
				f.Equal(ids(f.log(0, limit, filter)), idsOf(c.want))
			}
		}
		f.restart()
	}
}

func readAllFilteredPosition(f *fixture) {
	f.append("s", eventstore.NoStream(), events("a.one.v1", "b.one.v1", "b.two.v1")...)
	for range 2 {
		page := eventstore.Page{}
		for !page.Head {
			before := page.Position
			var err error
			page, err = f.store.ReadAll(f.ctx, before, 10, eventstore.Filter{TypePrefixes: []string{"a."}})
			f.NoErr(err)
		}
		f.Equal(page.Position, f.head()) // not that of a.one.v1
		f.restart()
	}
}

func readAllRestart(f *fixture) {
	list := mixed(f, 300)
	f.restart()
	list = append(list, mixed(f, 200)...)
	f.Equal(ids(f.log(0, 33, everything())), idsOf(list))
	f.Equal(ids(f.log(0, 1000, everything())), idsOf(list))
}

func readHead(f *fixture) {
	for i := range 5 {
		result := f.append(fmt.Sprintf("s%d", i), eventstore.NoStream(), several(1+i)...)
		f.Equal(f.head(), result.Position)
	}
	head := f.head()
	f.restart()
	f.Equal(f.head(), head)
}

// fill appends n events to a new stream, with events of others between them.
func fill(f *fixture, stream string, n int) []eventstore.Event {
	f.Helper()
	list, expected := several(n), eventstore.NoStream()
	for start := 0; start < n; start += 400 {
		result := f.append(stream, expected, list[start:min(n, start+400)]...)
		expected = eventstore.Exactly(result.LastRevision)
		f.append(fmt.Sprintf("%s-%d", stream, start), eventstore.NoStream(), several(3)...)
	}
	return list
}

// mixed appends n events to several new streams, and answers them in the order
// of the log.
func mixed(f *fixture, n int) []eventstore.Event {
	f.Helper()
	list, ends := several(n), map[string]eventstore.Expected{}
	base := f.head()
	for i := range list {
		stream := fmt.Sprintf("mixed-%d-%d", base, i%7)
		expected, ok := ends[stream]
		if !ok {
			expected = eventstore.NoStream()
		}
		result := f.append(stream, expected, list[i])
		ends[stream] = eventstore.Exactly(result.LastRevision)
	}
	return list
}
