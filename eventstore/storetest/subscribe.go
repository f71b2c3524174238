package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tenure/eventstore"
)

func subscribeTests() []test {
	return []test{
		{"from the beginning, at every page size", subscribeAll},
		{"from the middle", subscribeMiddle},
		{"waits at the head for what comes", subscribeHead},
		{"says at the last event that this is the head", subscribeLast},
		{"the filter leaves out other types, and the position moves past them", subscribeFilter},
		{"goes on where another one stopped, after a restart", subscribeRestart},
		{"ends with the context of Next", subscribeNextContext},
		{"ends with the context of Subscribe", subscribeContext},
		{"ends when it is closed", subscribeClose},
		{"what is seen in the log is seen in its stream", subscribeConsistent},
	}
}

func closeTests() []test {
	return []test{
		{"every call fails afterwards", closeCalls},
		{"a blocked Next ends", closeNext},
		{"appends under way are answered, and the answer holds", closeAppends},
		{"closing twice does no harm", closeTwice},
	}
}

func subscribeAll(f *fixture) {
	list := mixed(f, 30)
	f.restart()
	list = append(list, mixed(f, 30)...)
	for _, limit := range []int{1, 4, 59, 60, 61, 1000} {
		sub := f.subscribe(0, everything())
		got, _ := f.follow(sub, 0, f.head(), limit)
		f.Equal(ids(got), idsOf(list))
		f.NoErr(sub.Close())
	}
}

func subscribeMiddle(f *fixture) {
	list := mixed(f, 10)
	for i, e := range f.log(0, 100, everything())[:9] {
		got, _ := f.follow(f.subscribe(e.Position, everything()), e.Position, f.head(), 4)
		f.Equal(ids(got), idsOf(list[i+1:]))
	}
}

func subscribeHead(f *fixture) {
	mixed(f, 5)
	head := f.head()
	sub := f.subscribe(head, everything())
	pages := make(chan eventstore.Page, 1)
	for range 3 {
		go func() {
			page, err := sub.Next(f.ctx, 10)
			if err != nil {
				f.Errorf("Next: %v", err)
			}
			pages <- page
		}()
		select {
		case <-pages:
			f.Fatal("Next answers when there is nothing new")
		case <-time.After(20 * time.Millisecond):
		}
		list := several(1)
		f.append(fmt.Sprintf("s-%x", list[0].ID), eventstore.NoStream(), list...)
		page := <-pages
		checkPage(f, head, 10, page)
		f.Equal(ids(page.Events), idsOf(list))
		head = page.Position
	}
}

// subscribeLast reads in pages of which the last one is full, or has nothing
// that the filter lets through.
func subscribeLast(f *fixture) {
	mixed(f, 12)
	f.restart()
	f.append("s", eventstore.NoStream(), events("other.happened.v1", "other.happened.v1")...)
	head := f.head()
	for _, limit := range []int{1, 2, 7, 14} {
		for _, filter := range []eventstore.Filter{everything(), {TypePrefixes: []string{"test."}}} {
			sub := f.subscribe(0, filter)
			page := eventstore.Page{}
			for page.Position < head {
				if page.Head {
					f.Fatalf("the head is %d, not %d", head, page.Position)
				}
				var err error
				page, err = sub.Next(f.ctx, limit)
				f.NoErr(err)
			}
			f.True(page.Head)
		}
	}
}

func subscribeFilter(f *fixture) {
	filter := eventstore.Filter{TypePrefixes: []string{"b."}}
	list := events("a.one.v1", "b.one.v1", "a.two.v1")
	f.append("s", eventstore.NoStream(), list...)
	sub := f.subscribe(0, filter)
	got, at := f.follow(sub, 0, f.head(), 10)
	f.Equal(ids(got), idsOf(list[1:2]))

	f.append("s", eventstore.Exactly(2), events("a.one.v1", "a.one.v1")...)
	got, at = f.follow(sub, at, f.head(), 10)
	f.Equal(len(got), 0) // only the position moved

	more := events("a.one.v1", "b.two.v1")
	f.append("s", eventstore.Exactly(4), more...)
	got, _ = f.follow(sub, at, f.head(), 10)
	f.Equal(ids(got), idsOf(more[1:]))
}

func subscribeRestart(f *fixture) {
	list := mixed(f, 20)
	page, err := f.subscribe(0, everything()).Next(f.ctx, 8)
	f.NoErr(err)
	seen := ids(page.Events)
	f.restart()
	list = append(list, mixed(f, 5)...)
	got, _ := f.follow(f.subscribe(page.Position, everything()), page.Position, f.head(), 8)
	f.Equal(append(seen, ids(got)...), idsOf(list))
}

func subscribeNextContext(f *fixture) {
	sub := f.subscribe(0, everything())
	ctx, cancel := context.WithTimeout(f.ctx, 10*time.Millisecond)
	defer cancel()
	_, err := sub.Next(ctx, 10)
	f.True(errors.Is(err, context.DeadlineExceeded))
}

func subscribeContext(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	sub, err := f.store.Subscribe(ctx, 0, everything())
	f.NoErr(err)
	defer sub.Close()
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = sub.Next(f.ctx, 10)
	f.True(errors.Is(err, context.Canceled))
	_, err = f.store.Subscribe(ctx, 0, everything())
	f.True(errors.Is(err, context.Canceled))
}

func subscribeClose(f *fixture) {
	mixed(f, 3)
	sub := f.subscribe(0, everything())
	_, err := sub.Next(f.ctx, 1)
	f.NoErr(err)
	f.NoErr(sub.Close())
	_, err = sub.Next(f.ctx, 1)
	f.True(errors.Is(err, eventstore.ErrClosed))
	f.Equal(len(f.log(0, 10, everything())), 3) // the store goes on
}

func subscribeConsistent(f *fixture) {
	sub := f.subscribe(0, everything())
	var wg sync.WaitGroup
	wg.Go(func() {
		expected := eventstore.NoStream()
		for range 100 {
			result, err := f.store.Append(f.ctx, "s", expected, several(1))
			if err != nil {
				f.Errorf("Append: %v", err)
				return
			}
			expected = eventstore.Exactly(result.LastRevision)
		}
	})
	defer wg.Wait()
	for seen, after := 0, eventstore.Position(0); seen < 100; {
		page, err := sub.Next(f.ctx, 10)
		f.NoErr(err)
		checkPage(f, after, 10, page)
		f.True(f.head() >= page.Position)
		for _, e := range page.Events {
			found, err := f.store.ReadStream(f.ctx, e.Stream, e.Revision, 1)
			f.NoErr(err)
			f.Equal(found, []eventstore.Recorded{e})
		}
		seen, after = seen+len(page.Events), page.Position
	}
}

func closeCalls(f *fixture) {
	f.append("s", eventstore.NoStream(), several(3)...)
	sub := f.subscribe(0, everything())
	f.NoErr(f.store.Close())
	_, err := f.store.Append(f.ctx, "s", eventstore.Exactly(2), several(1))
	f.True(errors.Is(err, eventstore.ErrClosed))
	for _, from := range []eventstore.Revision{0, 3} {
		_, err = f.store.ReadStream(f.ctx, "s", from, 1)
		f.True(errors.Is(err, eventstore.ErrClosed))
	}
	_, err = f.store.ReadAll(f.ctx, 0, 1, everything())
	f.True(errors.Is(err, eventstore.ErrClosed))
	_, err = f.store.Head(f.ctx)
	f.True(errors.Is(err, eventstore.ErrClosed))
	_, err = f.store.Subscribe(f.ctx, 0, everything())
	f.True(errors.Is(err, eventstore.ErrClosed))
	_, err = sub.Next(f.ctx, 1)
	f.True(errors.Is(err, eventstore.ErrClosed))
}

func closeNext(f *fixture) {
	errs := make(chan error, 3)
	for range cap(errs) {
		sub := f.subscribe(0, everything())
		go func() {
			_, err := sub.Next(f.ctx, 1)
			errs <- err
		}()
	}
	time.Sleep(10 * time.Millisecond)
	f.NoErr(f.store.Close())
	for range cap(errs) {
		f.True(errors.Is(<-errs, eventstore.ErrClosed))
	}
}

func closeAppends(f *fixture) {
	const writers = 16
	answered := make([][]eventstore.ID, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			expected := eventstore.NoStream()
			for {
				list := several(1)
				result, err := f.store.Append(f.ctx, stream(w), expected, list)
				if err != nil {
					if !errors.Is(err, eventstore.ErrClosed) {
						f.Errorf("Append: %v", err)
					}
					return
				}
				expected = eventstore.Exactly(result.LastRevision)
				answered[w] = append(answered[w], list[0].ID)
			}
		})
	}
	time.Sleep(30 * time.Millisecond)
	f.NoErr(f.store.Close())
	wg.Wait()
	f.store = f.open(f.T)
	for w := range writers {
		if len(answered[w]) > 0 {
			f.Equal(ids(f.stream(stream(w))), answered[w])
		}
	}
}

func closeTwice(f *fixture) {
	f.NoErr(f.store.Close())
	f.NoErr(f.store.Close())
}
