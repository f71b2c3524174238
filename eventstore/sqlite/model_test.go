package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"pgregory.net/rapid"
	"tenure/eventstore"
	"tenure/eventstore/sqlite"
)

// TestModel compares a store that keeps very little in memory, and moves it out
// all the time, with a list.
func TestModel(t *testing.T) {
	folder := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := &model{I: is.New(rt), path: filepath.Join(folder, fmt.Sprintf("%d.db", runs)), options: sqlite.Options{
			StreamHeads:  rapid.IntRange(1, 4).Draw(rt, "heads"),
			RecentEvents: rapid.IntRange(1, 40).Draw(rt, "events"),
			RecentBytes:  rapid.IntRange(1, 4000).Draw(rt, "bytes"),
			Readers:      1,
		}}
		m.reopen(rt)
		defer func() { _ = m.store.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"append":      m.append,
			"repeat":      m.repeat,
			"read stream": m.readStream,
			"read all":    m.readAll,
			"reopen":      m.reopen,
			"check":       m.check,
		})
	})
}

type model struct {
	*is.I
	path    string
	options sqlite.Options
	store   *sqlite.Store
	log     []eventstore.Recorded
	ids     uint64
	batches []batch
}

// batch is an append that succeeded.
type batch struct {
	stream   string
	expected eventstore.Expected
	events   []eventstore.Event
	result   eventstore.Result
}

func (m *model) reopen(*rapid.T) {
	if m.store != nil {
		m.NoErr(m.store.Close())
	}
	var err error
	m.store, err = sqlite.Open(m.path, m.options)
	m.NoErr(err)
}

// check finds nothing, in the store and in the file beside it.
func (m *model) check(rt *rapid.T) {
	flaws, err := m.store.CheckBy(rt.Context(), rapid.IntRange(1, 50).Draw(rt, "at once"), func() {})
	m.NoErr(err)
	m.Equal(len(flaws), 0)
	snapshot, err := sqlite.OpenSnapshot(m.path)
	m.NoErr(err)
	flaws, err = snapshot.Check(rt.Context())
	m.NoErr(errors.Join(err, snapshot.Close()))
	m.Equal(len(flaws), 0)
}

func (m *model) append(rt *rapid.T) {
	stream := drawStream(rt)
	size := len(m.stream(stream))
	claim := max(0, size+rapid.SampledFrom([]int{0, 0, 0, 0, -1, 1}).Draw(rt, "claim"))
	events := make([]eventstore.Event, rapid.IntRange(1, 6).Draw(rt, "batch"))
	for i := range events {
		m.ids++
		events[i] = event(m.ids)
		events[i].Type = rapid.SampledFrom([]string{"a.x.v1", "a.y.v1", "b.x.v1"}).Draw(rt, "type")
		events[i].Data = []byte(strings.Repeat("d", rapid.IntRange(0, 300).Draw(rt, "data")))
	}
	b := batch{stream: stream, expected: ending(claim), events: events}
	var err error
	b.result, err = m.store.Append(rt.Context(), stream, b.expected, events)
	if claim != size {
		var conflict *eventstore.ConflictError
		m.True(errors.As(err, &conflict))
		m.Equal(conflict.Actual, ending(size))
		return
	}
	m.NoErr(err)
	for i, e := range events {
		m.log = append(m.log, eventstore.Recorded{
			Event: e, Stream: stream, Revision: eventstore.Revision(size + i),
			Position: b.result.Position - eventstore.Position(len(events)-1-i),
		})
	}
	m.batches = append(m.batches, b)
}

func (m *model) repeat(rt *rapid.T) {
	if len(m.batches) == 0 {
		return
	}
	b := rapid.SampledFrom(m.batches).Draw(rt, "batch")
	result, err := m.store.Append(rt.Context(), b.stream, b.expected, b.events)
	m.NoErr(err)
	m.Equal(result, b.result)
}

func (m *model) readStream(rt *rapid.T) {
	stream := drawStream(rt)
	want := m.stream(stream)
	from, limit := rapid.IntRange(0, len(want)+2).Draw(rt, "from"), rapid.IntRange(1, 50).Draw(rt, "limit")
	got, err := m.store.ReadStream(rt.Context(), stream, eventstore.Revision(from), limit)
	if len(want) == 0 {
		m.True(errors.Is(err, eventstore.ErrStreamNotFound))
		return
	}
	m.NoErr(err)
	start := min(from, len(want))
	m.same(got, want[start:min(len(want), start+limit)])
}

func (m *model) readAll(rt *rapid.T) {
	prefix := rapid.SampledFrom([]string{"", "a.", "b.x"}).Draw(rt, "prefix")
	limit := rapid.IntRange(1, 30).Draw(rt, "limit")
	page := eventstore.Page{}
	if len(m.log) > 0 {
		page.Position = rapid.SampledFrom(m.log).Draw(rt, "after").Position
	}
	want := slices.DeleteFunc(slices.Clone(m.log), func(e eventstore.Recorded) bool {
		return e.Position <= page.Position || !strings.HasPrefix(e.Type, prefix)
	})
	var got []eventstore.Recorded
	for !page.Head {
		var err error
		page, err = m.store.ReadAll(rt.Context(), page.Position, limit, eventstore.Filter{TypePrefixes: []string{prefix}})
		m.NoErr(err)
		got = append(got, page.Events...)
	}
	m.same(got, want)
}

func (m *model) stream(name string) []eventstore.Recorded {
	return slices.DeleteFunc(slices.Clone(m.log), func(e eventstore.Recorded) bool { return e.Stream != name })
}

func (m *model) same(got, want []eventstore.Recorded) {
	m.Equal(len(got), len(want))
	for i := range got {
		m.True(!got[i].RecordedAt.IsZero())
		got[i].RecordedAt = want[i].RecordedAt // the list has no clock
		m.Equal(got[i], want[i])
	}
}

func drawStream(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"one", "two", "three", "four", "five"}).Draw(rt, "stream")
}

// ending is what a writer expects that knows of n events.
func ending(n int) eventstore.Expected {
	if n == 0 {
		return eventstore.NoStream()
	}
	return eventstore.Exactly(eventstore.Revision(n - 1))
}
