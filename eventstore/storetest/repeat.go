package storetest

import (
	"slices"
	"sync"

	"tenure/eventstore"
)

func repeatTests() []test {
	return []test{
		{"the same append again answers as the first time", repeatSame},
		{"after others have appended", repeatLater},
		{"after a restart", repeatAfterRestart},
		{"a part of what is there", repeatPart},
		{"more than what is there is a conflict", repeatOverlap},
		{"other ids, or another order, are a conflict", repeatOthers},
		{"ids count, not payloads", repeatPayload},
		{"at the same time", repeatAtOnce},
	}
}

func repeatSame(f *fixture) {
	for i, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.Exactly(2), eventstore.Exactly(5)} {
		list := several(3)
		first := f.append("s", expected, list...)
		for range 2 {
			f.Equal(f.append("s", expected, list...), first)
		}
		f.Equal(len(f.stream("s")), 3*(i+1))
		f.Equal(f.head(), first.Position)
	}
}

func repeatLater(f *fixture) {
	first, second := several(2), several(3)
	one := f.append("s", eventstore.NoStream(), first...)
	f.append("other", eventstore.NoStream(), several(4)...)
	two := f.append("s", eventstore.Exactly(1), second...)
	f.append("s", eventstore.Exactly(4), several(700)[:500]...)
	head := f.head()
	f.Equal(f.append("s", eventstore.NoStream(), first...), one)
	f.Equal(f.append("s", eventstore.Exactly(1), second...), two)
	f.Equal(f.head(), head) // nothing was written
}

func repeatAfterRestart(f *fixture) {
	first, second := several(2), several(3)
	one := f.append("s", eventstore.NoStream(), first...)
	two := f.append("s", eventstore.Exactly(1), second...)
	f.restart()
	f.Equal(f.append("s", eventstore.NoStream(), first...), one)
	f.Equal(f.append("s", eventstore.Exactly(1), second...), two)
	f.Equal(len(f.stream("s")), 5)
}

func repeatPart(f *fixture) {
	list := several(4)
	f.append("s", eventstore.NoStream(), list...)
	recorded := f.stream("s")
	f.Equal(f.append("s", eventstore.NoStream(), list[:2]...), eventstore.Result{LastRevision: 1, Position: recorded[1].Position})
	f.Equal(f.append("s", eventstore.Exactly(0), list[1:3]...), eventstore.Result{LastRevision: 2, Position: recorded[2].Position})
	f.Equal(len(f.stream("s")), 4)
}

func repeatOverlap(f *fixture) {
	list := several(3)
	f.append("s", eventstore.NoStream(), list...)
	actual := eventstore.Exactly(2)
	f.conflict("s", eventstore.NoStream(), actual, append(slices.Clone(list), several(1)...)...)
	f.conflict("s", eventstore.Exactly(1), actual, list[2], several(1)[0])
	f.Equal(ids(f.stream("s")), idsOf(list))
}

func repeatOthers(f *fixture) {
	list := several(3)
	f.append("s", eventstore.NoStream(), list...)
	actual := eventstore.Exactly(2)
	f.conflict("s", eventstore.NoStream(), actual, list[1], list[0], list[2])
	f.conflict("s", eventstore.NoStream(), actual, list[0], list[1], several(1)[0])
	f.conflict("s", eventstore.NoStream(), actual, several(3)...)
	f.conflict("s", eventstore.Exactly(0), actual, list[0])
	f.Equal(ids(f.stream("s")), idsOf(list))
}

func repeatPayload(f *fixture) {
	list := several(1)
	first := f.append("s", eventstore.NoStream(), list...)
	other := slices.Clone(list)
	other[0].Data = []byte(`{"other":true}`)
	f.Equal(f.append("s", eventstore.NoStream(), other...), first)
	f.Equal(string(f.stream("s")[0].Data), string(list[0].Data))
}

// repeatAtOnce sends each append several times at once, as clients do whose
// answer got lost: all get the same answer, and the events are there once.
func repeatAtOnce(f *fixture) {
	expected := eventstore.NoStream()
	for range 25 {
		list := several(2)
		results := make([]eventstore.Result, 8)
		errs := make([]error, len(results))
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { results[i], errs[i] = f.store.Append(f.ctx, "s", expected, list) })
		}
		wg.Wait()
		for i := range results {
			f.NoErr(errs[i])
			f.Equal(results[i], results[0])
		}
		expected = eventstore.Exactly(results[0].LastRevision)
	}
	f.Equal(len(f.stream("s")), 50)
}
