package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"tenure/eventstore"
)

func concurrentTests() []test {
	return []test{
		{"one writer wins each revision", concurrentOneStream},
		{"appends and reads of one stream are linearizable", concurrentLinearizable},
		{"subscribers see everything once while many write", concurrentSubscribers},
		{"conflicts hurt nobody else", concurrentConflicts},
		{"readers see whole batches", concurrentBatches},
		{"every reader sees what was answered, and none sees ahead of the log", concurrentReaders},
	}
}

func stream(n int) string { return fmt.Sprintf("stream-%d", n) }

// concurrentOneStream lets writers fight for one stream; each decides again
// after a conflict, on what the conflict names.
func concurrentOneStream(f *fixture) {
	const writers, wins = 8, 25
	winners := make([]map[eventstore.Revision]eventstore.ID, writers)
	var wg sync.WaitGroup
	for w := range writers {
		winners[w] = map[eventstore.Revision]eventstore.ID{}
		wg.Go(func() {
			expected := eventstore.NoStream()
			for len(winners[w]) < wins {
				list := several(1)
				result, err := f.store.Append(f.ctx, "s", expected, list)
				var conflict *eventstore.ConflictError
				switch {
				case errors.As(err, &conflict):
					expected = conflict.Actual
				case err != nil:
					f.Errorf("Append: %v", err)
					return
				default:
					winners[w][result.LastRevision] = list[0].ID
					expected = eventstore.Exactly(result.LastRevision)
				}
			}
		})
	}
	wg.Wait()
	recorded := f.stream("s")
	f.Equal(len(recorded), writers*wins)
	for _, won := range winners {
		f.Equal(len(won), wins)
		for revision, id := range won {
			f.Equal(recorded[revision].ID, id)
		}
	}
}

// concurrentSubscribers compares what subscribers from several positions see
// with the log as it is at the end.
func concurrentSubscribers(f *fixture) {
	const streams, each = 12, 60
	type seen struct {
		after  eventstore.Position
		filter eventstore.Filter
		sub    eventstore.Subscription
		events []eventstore.Recorded
	}
	first := f.append("begin", eventstore.NoStream(), events("even.begin.v1", "odd.begin.v1")...)
	all := make([]*seen, 6)
	for i := range all {
		all[i] = &seen{after: eventstore.Position(i%2) * first.Position}
		if i%3 == 2 {
			all[i].filter.TypePrefixes = []string{"even."}
		}
		all[i].sub = f.subscribe(all[i].after, all[i].filter)
	}
	var writers, readers sync.WaitGroup
	for w := range streams {
		writers.Go(func() { writeMany(f, w, each) })
	}
	var until atomic.Uint64
	until.Store(^uint64(0))
	for i, s := range all {
		readers.Go(func() {
			for at := s.after; uint64(at) < until.Load(); {
				page, err := s.sub.Next(f.ctx, 1+i*20)
				if err != nil {
					f.Errorf("Next: %v", err)
					return
				}
				at = page.Position
				s.events = append(s.events, page.Events...)
			}
		})
	}
	writers.Wait()
	last := f.append("end", eventstore.NoStream(), events("even.end.v1")...)
	until.Store(uint64(last.Position))
	f.append("after the end", eventstore.NoStream(), events("even.after.v1")...)
	readers.Wait()
	for i, s := range all {
		got := slices.DeleteFunc(s.events, func(e eventstore.Recorded) bool { return e.Position > last.Position })
		want := slices.DeleteFunc(f.log(s.after, 500, s.filter), func(e eventstore.Recorded) bool { return e.Position > last.Position })
		if !slices.Equal(ids(got), ids(want)) {
			f.Errorf("subscriber %d saw %d events, the log has %d, or in another order", i, len(got), len(want))
		}
		if len(s.filter.TypePrefixes) == 0 {
			checkContiguous(f, got)
		}
	}
}

// writeMany appends n events to the stream of writer w.
func writeMany(f *fixture, w, n int) {
	expected := eventstore.NoStream()
	kinds := []string{"even.happened.v1", "odd.happened.v1"}
	for i := range n {
		result, err := f.store.Append(f.ctx, stream(w), expected, events(kinds[i%2]))
		if err != nil {
			f.Errorf("Append: %v", err)
			return
		}
		expected = eventstore.Exactly(result.LastRevision)
	}
}

// checkContiguous checks that each stream's revisions come one by one.
func checkContiguous(f *fixture, recorded []eventstore.Recorded) {
	f.Helper()
	next, last := map[string]eventstore.Revision{}, eventstore.Position(0)
	for _, e := range recorded {
		if n, ok := next[e.Stream]; ok && e.Revision != n {
			f.Fatalf("stream %s: revision %d comes where %d is due", e.Stream, e.Revision, n)
		}
		if e.Position <= last {
			f.Fatalf("position %d comes after %d", e.Position, last)
		}
		next[e.Stream], last = e.Revision+1, e.Position
	}
}

// concurrentConflicts mixes appends that must fail with appends that must not.
func concurrentConflicts(f *fixture) {
	f.append("taken", eventstore.NoStream(), several(1)...)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() { writeMany(f, w, 30) })
		wg.Go(func() {
			for range 30 {
				_, err := f.store.Append(f.ctx, "taken", eventstore.NoStream(), several(1))
				var conflict *eventstore.ConflictError
				if !errors.As(err, &conflict) || conflict.Actual != eventstore.Exactly(0) {
					f.Errorf("Append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	f.Equal(len(f.stream("taken")), 1)
	f.Equal(len(f.log(0, 1000, everything())), 1+8*30)
}

// concurrentBatches reads a stream while batches are appended to it: the end
// is always the end of a batch.
func concurrentBatches(f *fixture) {
	const size, batches = 5, 60
	f.append("s", eventstore.NoStream(), several(size)...)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i < batches; i++ {
			if _, err := f.store.Append(f.ctx, "s", eventstore.Exactly(eventstore.Revision(i*size-1)), several(size)); err != nil {
				f.Errorf("Append: %v", err)
				return
			}
		}
	})
	for n := 0; n < size*batches; {
		found, err := f.store.ReadStream(f.ctx, "s", 0, size*batches+1)
		f.NoErr(err)
		if len(found)%size != 0 || len(found) < n {
			f.Fatalf("a reader sees %d events after %d, in batches of %d", len(found), n, size)
		}
		n = len(found)
	}
	wg.Wait()
}

// concurrentReaders lets writers look for each of their events at once, while
// readers read the same streams all the time, and compare them with the head.
func concurrentReaders(f *fixture) {
	const streams, each = 6, 80
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range streams {
		f.append(stream(w), eventstore.NoStream(), several(1)...)
		writers.Go(func() {
			for i := range each {
				list := several(1)
				result, err := f.store.Append(f.ctx, stream(w), eventstore.Exactly(eventstore.Revision(i)), list)
				if err != nil {
					f.Errorf("Append: %v", err)
					return
				}
				found, err := f.store.ReadStream(f.ctx, stream(w), result.LastRevision, 10)
				if err != nil || !slices.Equal(ids(found), idsOf(list)) {
					f.Errorf("a writer reads its event, and finds %d: %v", len(found), err)
				}
			}
		})
		readers.Go(func() {
			for seen := 1; ; {
				select {
				case <-done:
					return
				default:
				}
				found, err := f.store.ReadStream(f.ctx, stream(w), 0, each+2)
				if err != nil || len(found) < seen {
					f.Errorf("a reader finds %d events after %d: %v", len(found), seen, err)
					return
				}
				seen = len(found)
				if head, err := f.store.Head(f.ctx); err != nil || found[seen-1].Position > head {
					f.Errorf("a reader sees position %d before the head %d: %v", found[seen-1].Position, head, err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
