// Package projectionstest pins what every projections.Storage does, and what
// the read models answer on top of it. An adapter's test calls Storage and
// ReadModels with a way to open it.
package projectionstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/projections"
)

// Open opens the storage that belongs to a place: the same place again gives
// the same contents, once the storage before is closed. It fails the test if
// that is not possible.
type Open func(t testing.TB, place string) projections.Storage

const view = "test.v1"

// Storage runs the contract suite. places makes a new place that is gone after
// the test.
func Storage(t *testing.T, open Open, places func(t testing.TB) string) {
	ctx := context.Background()
	fresh := func(t *testing.T) projections.Storage {
		s := open(t, places(t))
		t.Cleanup(func() { is.New(t).NoErr(s.Close()) })
		return s
	}

	t.Run("documents are found by key, and absent ones are nil", func(t *testing.T) {
		is := is.New(t)
		s := fresh(t)
		is.NoErr(s.Apply(ctx, batch(1, change("a", 0, 1, put("1", `{"n":1}`), put("2", `{"n":2}`)), change("b", 0, 1, put("1", `{"n":3}`)))))
		got, err := s.Documents(ctx, view, []projections.Key{{Partition: "b", ID: "1"}, {Partition: "a", ID: "x"}, {Partition: "a", ID: "2"}, {Partition: "c", ID: "1"}, {Partition: "a", ID: "1"}})
		is.NoErr(err)
		is.Equal(texts(got), []string{`{"n":3}`, "", `{"n":2}`, "", `{"n":1}`})
		is.True(got[1] == nil)
		got, err = s.Documents(ctx, "other.v1", []projections.Key{{Partition: "a", ID: "1"}})
		is.NoErr(err)
		is.True(got[0] == nil) // a view has its own documents
	})

	t.Run("a change replaces and deletes documents and entries", func(t *testing.T) {
		is := is.New(t)
		s := fresh(t)
		is.NoErr(s.Apply(ctx, batch(1, change("a", 0, 1, put("1", "1"), put("2", "2"), add("i", "x", "1"), add("i", "y", "2")))))
		is.NoErr(s.Apply(ctx, batch(2, change("a", 1, 2, put("1", "one"), del("2"), remove("i", "y", "2"), remove("i", "x", "1"), add("i", "z", "1")))))
		is.Equal(list(t, s, projections.RangeQuery{Partition: "a", Index: "i", Limit: 10}), []string{"z/1=one"})
		is.Equal(list(t, s, projections.RangeQuery{Partition: "a", Limit: 10}), []string{"/1=one"})
		// Adding and removing what is so already is no error.
		is.NoErr(s.Apply(ctx, batch(3, change("a", 2, 3, add("i", "z", "1"), remove("i", "none", "1"), del("2")))))
		is.Equal(list(t, s, projections.RangeQuery{Partition: "a", Index: "i", Limit: 10}), []string{"z/1=one"})
	})

	t.Run("positions belong to partitions", func(t *testing.T) {
		is := is.New(t)
		s := fresh(t)
		is.NoErr(s.Apply(ctx, batch(7, change("a", 0, 5), change("b", 0, 7))))
		at, err := s.Positions(ctx, view, []string{"b", "never", "a"})
		is.NoErr(err)
		is.Equal(at, []eventstore.Position{7, 0, 5})
		is.NoErr(s.Apply(ctx, batch(9, change("a", 5, 9))))
		at, err = s.Positions(ctx, view, []string{"a", "b"})
		is.NoErr(err)
		is.Equal(at, []eventstore.Position{9, 7})
	})

	t.Run("a change from another position is superseded and does nothing", func(t *testing.T) {
		is := is.New(t)
		s := fresh(t)
		is.NoErr(s.Apply(ctx, batch(5, change("a", 0, 5, put("1", "1"), add("i", "x", "1")))))
		for _, from := range []eventstore.Position{0, 4, 6} {
			err := s.Apply(ctx, batch(9, change("a", from, 9, put("1", "2"), del("2"), remove("i", "x", "1"), add("i", "y", "1"))))
			is.True(errors.Is(err, projections.ErrSuperseded))
		}
		is.True(errors.Is(s.Apply(ctx, batch(9, change("new", 3, 9, put("1", "2")))), projections.ErrSuperseded))
		is.Equal(list(t, s, projections.RangeQuery{Partition: "a", Index: "i", Limit: 10}), []string{"x/1=1"})
		at, err := s.Positions(ctx, view, []string{"a", "new"})
		is.NoErr(err)
		is.Equal(at, []eventstore.Position{5, 0})
		p, err := s.Checkpoint(ctx, view)
		is.NoErr(err)
		is.Equal(p, eventstore.Position(5))
		is.NoErr(s.Apply(ctx, batch(9, change("a", 5, 9, put("1", "2"))))) // and it goes on
	})

	t.Run("of two projectors with the same change one is superseded", func(t *testing.T) {
		is := is.New(t)
		s := fresh(t)
		const rounds, racers = 50, 4
		for round := range eventstore.Position(rounds) {
			var wg sync.WaitGroup
			results := make([]error, racers)
			for i := range results {
				wg.Go(func() {
					results[i] = s.Apply(ctx, batch(round+1, change("a", round, round+1, put("winner", fmt.Sprint(i)))))
				})
			}
			wg.Wait()
			winner := slices.Index(results, nil)
			is.True(winner >= 0)
			for i, err := range results {
				is.True(i == winner || errors.Is(err, projections.ErrSuperseded))
			}
			is.Equal(list(t, s, projections.RangeQuery{Partition: "a", Limit: 10}), []string{fmt.Sprintf("/winner=%d", winner)})
			at, err := s.Positions(ctx, view, []string{"a"})
			is.NoErr(err)
			is.Equal(at[0], round+1)
		}
	})

	t.Run("checkpoints never go back", func(t *testing.T) {
		is := is.New(t)
		s := fresh(t)
		check := func(name string, want eventstore.Position) {
			t.Helper()
			p, err := s.Checkpoint(ctx, name)
			is.NoErr(err)
			is.Equal(p, want)
		}
		check("consumer", 0)
		is.NoErr(s.SaveCheckpoint(ctx, "consumer", 8))
		is.NoErr(s.SaveCheckpoint(ctx, "consumer", 6))
		check("consumer", 8)
		is.NoErr(s.Apply(ctx, batch(20)))
		is.NoErr(s.Apply(ctx, batch(10)))
		check(view, 20)
		check("consumer", 8)
	})

	t.Run("drop removes all of a view and nothing else", func(t *testing.T) {
		is := is.New(t)
		s := fresh(t)
		other := projections.Batch{View: "other.v1", Checkpoint: 3, Changes: []projections.Change{change("a", 0, 3, put("1", "o"), add("i", "x", "1"))}}
		is.NoErr(s.Apply(ctx, append(batch(3, change("a", 0, 3, put("1", "1"), add("i", "x", "1"))), other)))
		is.NoErr(s.Drop(ctx, view))
		is.Equal(len(list(t, s, projections.RangeQuery{Partition: "a", Index: "i", Limit: 10})), 0)
		is.Equal(len(list(t, s, projections.RangeQuery{Partition: "a", Limit: 10})), 0)
		at, err := s.Positions(ctx, view, []string{"a"})
		is.NoErr(err)
		is.Equal(at[0], eventstore.Position(0))
		p, err := s.Checkpoint(ctx, view)
		is.NoErr(err)
		is.Equal(p, eventstore.Position(0))
		rows, _, err := s.Range(ctx, "other.v1", projections.RangeQuery{Partition: "a", Index: "i", Limit: 10})
		is.NoErr(err)
		is.Equal(show(rows), []string{"x/1=o"})
		is.NoErr(s.Apply(ctx, batch(1, change("a", 0, 1, put("1", "again"))))) // and it can be built again
		is.NoErr(s.Drop(ctx, "never.v1"))
	})

	t.Run("everything is there after a restart", func(t *testing.T) {
		is := is.New(t)
		place := places(t)
		s := open(t, place)
		is.NoErr(s.Apply(ctx, batch(4, change("a", 0, 3, put("1", "1"), add("i", "x", "1")))))
		is.NoErr(s.SaveCheckpoint(ctx, "consumer", 2))
		is.NoErr(s.Close())
		s = open(t, place)
		defer s.Close()
		is.Equal(list(t, s, projections.RangeQuery{Partition: "a", Index: "i", Limit: 10}), []string{"x/1=1"})
		at, err := s.Positions(ctx, view, []string{"a"})
		is.NoErr(err)
		is.Equal(at[0], eventstore.Position(3))
		for name, want := range map[string]eventstore.Position{view: 4, "consumer": 2} {
			p, err := s.Checkpoint(ctx, name)
			is.NoErr(err)
			is.Equal(p, want)
		}
		is.True(errors.Is(s.Apply(ctx, batch(9, change("a", 0, 9))), projections.ErrSuperseded))
		is.NoErr(s.Apply(ctx, batch(9, change("a", 3, 9))))
	})

	t.Run("a context that has ended stops every call", func(t *testing.T) {
		is := is.New(t)
		s := fresh(t)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err := s.Documents(ended, view, []projections.Key{{Partition: "a", ID: "1"}})
		is.True(errors.Is(err, context.Canceled))
		_, _, err = s.Range(ended, view, projections.RangeQuery{Partition: "a", Limit: 1})
		is.True(errors.Is(err, context.Canceled))
		is.True(errors.Is(s.Apply(ended, batch(1, change("a", 0, 1))), context.Canceled))
		at, err := s.Positions(ctx, view, []string{"a"})
		is.NoErr(err)
		is.Equal(at[0], eventstore.Position(0))
	})

	t.Run("a reader sees a partition before or after a change, never between", func(t *testing.T) {
		readersSeeWholeChanges(t, fresh(t))
	})
	t.Run("ranges are what sorting in memory gives", func(t *testing.T) {
		rangesEqualSorting(t, fresh(t))
	})
}

// readersSeeWholeChanges changes ten documents and their entries at once, many
// times, while others read.
func readersSeeWholeChanges(t *testing.T, s projections.Storage) {
	is := is.New(t)
	ctx := context.Background()
	const changes, documents = 200, 10
	apply := func(n eventstore.Position) error {
		var parts []func(*projections.Change)
		for d := range documents {
			id := fmt.Sprint(d)
			parts = append(parts, put(id, fmt.Sprint(n)), add("i", fmt.Sprintf("%05d", n), id), remove("i", fmt.Sprintf("%05d", n-1), id))
		}
		return s.Apply(ctx, batch(n, change("a", n-1, n, parts...)))
	}
	is.NoErr(apply(1))
	done := make(chan struct{})
	var wg sync.WaitGroup
	problems := make(chan error, 4)
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				before, err1 := s.Positions(ctx, view, []string{"a"})
				rows, at, err2 := s.Range(ctx, view, projections.RangeQuery{Partition: "a", Index: "i", Limit: 100})
				if err := errors.Join(err1, err2); err != nil {
					problems <- err
					return
				}
				for _, row := range rows {
					if row.Sort != rows[0].Sort || strings.TrimLeft(row.Sort, "0") != string(row.Body) || len(rows) != documents {
						problems <- fmt.Errorf("%d rows, of %s and %s=%s", len(rows), rows[0].Sort, row.Sort, row.Body)
						return
					}
				}
				if seen := rows[0].Sort; at < before[0] || seen < fmt.Sprintf("%05d", at) {
					problems <- fmt.Errorf("data of %s at position %d, and %d before", seen, at, before[0])
					return
				}
			}
		})
	}
	for n := eventstore.Position(2); n <= changes; n++ {
		is.NoErr(apply(n))
	}
	close(done)
	wg.Wait()
	close(problems)
	for err := range problems {
		t.Error(err)
	}
}

func list(t *testing.T, s projections.Storage, q projections.RangeQuery) []string {
	t.Helper()
	rows, _, err := s.Range(context.Background(), view, q)
	is.New(t).NoErr(err)
	return show(rows)
}

func show(rows []projections.Row) []string {
	shown := make([]string, len(rows))
	for i, r := range rows {
		shown[i] = fmt.Sprintf("%s/%s=%s", r.Sort, r.ID, r.Body)
	}
	return shown
}

func texts(bodies [][]byte) []string {
	out := make([]string, len(bodies))
	for i, b := range bodies {
		out[i] = string(b)
	}
	return out
}

func batch(checkpoint eventstore.Position, changes ...projections.Change) []projections.Batch {
	return []projections.Batch{{View: view, Checkpoint: checkpoint, Changes: changes}}
}

func change(partition string, from, to eventstore.Position, parts ...func(*projections.Change)) projections.Change {
	c := projections.Change{Partition: partition, From: from, To: to}
	for _, part := range parts {
		part(&c)
	}
	return c
}

func put(id, body string) func(*projections.Change) {
	return func(c *projections.Change) {
		c.Puts = append(c.Puts, projections.Document{ID: id, Body: []byte(body)})
	}
}

func del(id string) func(*projections.Change) {
	return func(c *projections.Change) { c.Deletes = append(c.Deletes, id) }
}

func add(index, sort, id string) func(*projections.Change) {
	return func(c *projections.Change) {
		c.Added = append(c.Added, projections.IndexEntry{Entry: projections.Entry{Index: index, Sort: sort}, ID: id})
	}
}

func remove(index, sort, id string) func(*projections.Change) {
	return func(c *projections.Change) {
		c.Removed = append(c.Removed, projections.IndexEntry{Entry: projections.Entry{Index: index, Sort: sort}, ID: id})
	}
}
