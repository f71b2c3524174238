package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/projections"
	"tenure/projections/redis"
	"tenure/projections/redis/redistest"
)

const view = "test.v1"

var ctx = context.Background()

func TestForgottenScriptsAreSentAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		is := is.New(t)
		s := open(t, url, place(t))
		defer s.Close()
		var changes []projections.Change
		for i := range 20 {
			changes = append(changes, change(fmt.Sprint(i), 0, 1, "1"))
		}
		forgetScripts(t)
		is.NoErr(s.Apply(ctx, batch(1, changes...)))
		forgetScripts(t)
		is.NoErr(s.SaveCheckpoint(ctx, "consumer", 1))
		forgetScripts(t)
		p, err := s.Checkpoint(ctx, view)
		is.NoErr(err)
		is.Equal(p, eventstore.Position(1))
		forgetScripts(t)
		is.True(errors.Is(s.Apply(ctx, batch(2, change("7", 0, 2, "2"))), projections.ErrSuperseded))
	})
}

func TestPositionsUseAll64Bits(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		is := is.New(t)
		s := open(t, url, place(t))
		defer s.Close()
		const even = eventstore.Position(1 << 53) // a double cannot tell it from the next
		is.NoErr(s.Apply(ctx, batch(even+1, change("a", 0, even+1, "1"))))
		is.True(errors.Is(s.Apply(ctx, batch(even+2, change("a", even, even+2, "2"))), projections.ErrSuperseded))
		is.NoErr(s.Apply(ctx, batch(math.MaxUint64-1, change("a", even+1, math.MaxUint64, "3"))))
		is.NoErr(s.Apply(ctx, batch(even)))
		at, err := s.Positions(ctx, view, []string{"a"})
		is.NoErr(err)
		is.Equal(at[0], eventstore.Position(math.MaxUint64))
		p, err := s.Checkpoint(ctx, view)
		is.NoErr(err)
		is.Equal(p, eventstore.Position(math.MaxUint64-1))
		newest, err := s.Newest(ctx)
		is.NoErr(err)
		is.Equal(newest, eventstore.Position(math.MaxUint64))
		is.NoErr(s.SaveCheckpoint(ctx, "consumer", 9))
		is.NoErr(s.SaveCheckpoint(ctx, "consumer", 10)) // longer, and a smaller text
		p, err = s.Checkpoint(ctx, "consumer")
		is.NoErr(err)
		is.Equal(p, eventstore.Position(10))
	})
}

func TestAChangeOf20000DocumentsIsOneStep(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		is := is.New(t)
		s := open(t, url, place(t))
		defer s.Close()
		const documents = 20_000
		c := projections.Change{Partition: "a", To: 1}
		back := projections.Change{Partition: "a", From: 1, To: 2}
		var keys []projections.Key
		for i := range documents {
			id := fmt.Sprintf("%05d", i)
			c.Puts = append(c.Puts, projections.Document{ID: id, Body: []byte(id)})
			c.Added = append(c.Added, entry("i", id, id), entry("j", "x", id))
			back.Deletes = append(back.Deletes, id)
			back.Removed = append(back.Removed, entry("i", id, id), entry("j", "x", id))
			keys = append(keys, projections.Key{Partition: "a", ID: id})
		}
		is.NoErr(s.Apply(ctx, batch(1, c)))
		for _, index := range []string{"", "i", "j"} {
			rows, _, err := s.Range(ctx, view, projections.RangeQuery{Partition: "a", Index: index, Limit: documents + 1, Descending: true})
			is.NoErr(err)
			is.Equal(len(rows), documents)
			is.Equal(string(rows[0].Body), "19999")
			is.Equal(string(rows[documents-1].Body), "00000")
		}
		bodies, err := s.Documents(ctx, view, keys)
		is.NoErr(err)
		for i, body := range bodies {
			is.Equal(string(body), keys[i].ID)
		}
		is.NoErr(s.Apply(ctx, batch(2, back)))
		for _, index := range []string{"", "i", "j"} {
			rows, _, err := s.Range(ctx, view, projections.RangeQuery{Partition: "a", Index: index, Limit: 1})
			is.NoErr(err)
			is.Equal(len(rows), 0)
		}
	})
}

func TestPartitionsHaveAnyName(t *testing.T) {
	names := []string{"", "a", "a:", ":a", "a:b", "{a}b", "{a}c", "}{", "{}", "a b", "a+b", "a%20b", "%", "%25", "é漢😀", "\xff\xfe", "\x00", "*", "a*", "[a-z]", `\`, "?", "\r\n", strings.Repeat("x", 1000)}
	everywhere(t, func(t *testing.T, url string) {
		is := is.New(t)
		s := open(t, url, place(t))
		defer s.Close()
		for i, a := range names {
			b := projections.Batch{View: a + ".v1", Checkpoint: 1}
			for j, partition := range names {
				b.Changes = append(b.Changes, change(partition, 0, eventstore.Position(j+1), fmt.Sprint(i, " ", j)))
			}
			is.NoErr(s.Apply(ctx, []projections.Batch{b}))
		}
		for i, a := range names {
			at, err := s.Positions(ctx, a+".v1", names)
			is.NoErr(err)
			for j, partition := range names {
				is.Equal(at[j], eventstore.Position(j+1))
				rows, _, err := s.Range(ctx, a+".v1", projections.RangeQuery{Partition: partition, Index: "i", Limit: 2})
				is.NoErr(err)
				is.Equal(len(rows), 1)
				is.Equal(string(rows[0].Body), fmt.Sprint(i, " ", j))
			}
		}
		// A view whose name looks like a pattern takes no other with it.
		is.NoErr(s.Drop(ctx, "*.v1"))
		for _, a := range names {
			at, err := s.Positions(ctx, a+".v1", []string{"a"})
			is.NoErr(err)
			is.Equal(at[0] == 0, a == "*")
		}
	})
}

func TestDropLeavesNoKeys(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		is := is.New(t)
		prefix := place(t) + "[x]*?:"
		s, other := open(t, url, prefix), open(t, url, strings.Replace(prefix, "*", "-", 1))
		defer s.Close()
		defer other.Close()
		var changes []projections.Change
		for i := range 3000 {
			changes = append(changes, change(fmt.Sprint("p", i), 0, 1, "1"))
		}
		is.NoErr(s.Apply(ctx, batch(1, changes...)))
		is.NoErr(other.Apply(ctx, batch(1, changes[0])))
		is.Equal(partitionKeys(t, prefix), 6000)
		is.NoErr(s.Drop(ctx, view))
		is.Equal(partitionKeys(t, prefix), 0)
		at, err := other.Positions(ctx, view, []string{"p0"})
		is.NoErr(err)
		is.Equal(at[0], eventstore.Position(1))
	})
}

// A range whose two steps fall on both sides of a change is read again in one.
func TestReadersOfABusyPartitionSeeWholeChanges(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		is := is.New(t)
		s := open(t, url, place(t))
		defer s.Close()
		const changes = 500
		var wg sync.WaitGroup
		written := make(chan struct{})
		wg.Go(func() {
			defer close(written)
			for n := range eventstore.Position(changes) {
				c := change("a", n, n+1, fmt.Sprint(n))
				c.Puts = append(c.Puts, projections.Document{ID: "other", Body: []byte(fmt.Sprint(n))})
				c.Added = append(c.Added, entry("i", "z", "other"))
				is.NoErr(s.Apply(ctx, batch(0, c)))
			}
		})
		for range 4 {
			wg.Go(func() {
				for reading := true; reading; {
					select {
					case <-written:
						reading = false
					default:
					}
					rows, _, err := s.Range(ctx, view, projections.RangeQuery{Partition: "a", Index: "i", Limit: 10})
					is.NoErr(err)
					is.True(len(rows) == 0 || len(rows) == 2 && bytes.Equal(rows[0].Body, rows[1].Body))
				}
			})
		}
		wg.Wait()
	})
}

func TestTwoProcessesRaceForAPartition(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		is := is.New(t)
		prefix := place(t)
		const rounds = 100
		var wg sync.WaitGroup
		won := make([]int, 2)
		for i := range won {
			s := open(t, url, prefix)
			defer s.Close()
			wg.Go(func() {
				for n := eventstore.Position(0); n < rounds; {
					switch err := s.Apply(ctx, batch(n+1, change("a", n, n+1, fmt.Sprint(n)))); {
					case err == nil:
						won[i]++
					case !errors.Is(err, projections.ErrSuperseded):
						t.Error(err)
						return
					}
					at, err := s.Positions(ctx, view, []string{"a"})
					is.NoErr(err)
					is.True(at[0] > n)
					n = at[0]
				}
			})
		}
		wg.Wait()
		is.Equal(won[0]+won[1], rounds)
	})
}

func TestWrongKeysAreDamage(t *testing.T) {
	is := is.New(t)
	prefix := place(t)
	s := open(t, single.URL(), prefix)
	defer s.Close()
	is.NoErr(s.Apply(ctx, batch(1, change("a", 0, 1, "1"))))
	client := single.Client()
	defer client.Close()
	keys, err := client.Keys(ctx, prefix+"{*}:d:*").Result()
	is.NoErr(err)
	is.Equal(len(keys), 1)
	is.NoErr(client.HDel(ctx, keys[0], "id").Err())
	_, _, err = s.Range(ctx, view, projections.RangeQuery{Partition: "a", Index: "i", Limit: 1})
	is.True(errors.Is(err, redis.ErrCorrupt))
	is.NoErr(client.Set(ctx, keys[0], "x", 0).Err())
	is.True(errors.Is(s.Apply(ctx, batch(2, change("a", 1, 2, "1"))), redis.ErrCorrupt))
}

func TestClosedStorageSaysSo(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		is := is.New(t)
		s := open(t, url, place(t))
		is.NoErr(s.Close())
		is.NoErr(s.Close())
		_, err := s.Checkpoint(ctx, view)
		is.True(errors.Is(err, redis.ErrClosed))
		is.True(errors.Is(s.SaveCheckpoint(ctx, "x", 1), redis.ErrClosed))
	})
}

func TestAContextEndsAWaitForRedis(t *testing.T) {
	is := is.New(t)
	server, err := redistest.Start(t.TempDir())
	is.NoErr(err)
	defer func() { is.NoErr(server.Kill()) }()
	s := open(t, server.URL()+"?read_timeout=300ms", "")
	defer s.Close()
	is.NoErr(server.Pause())
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	is.True(errors.Is(s.Apply(short, batch(1, change("a", 0, 1, "1"))), context.DeadlineExceeded))
	cancelled, cancel := context.WithCancel(ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = s.Positions(cancelled, view, []string{"a"})
	is.True(errors.Is(err, context.Canceled))
	is.NoErr(server.Resume())
	// Whether it was applied in the end or not, it goes on.
	at, err := s.Positions(ctx, view, []string{"a"})
	is.NoErr(err)
	is.NoErr(s.Apply(ctx, batch(2, change("a", at[0], 2, "2"))))
}

func forgetScripts(t *testing.T) {
	is := is.New(t)
	for _, server := range append(cluster.Nodes[:3:3], single) {
		client := server.Client()
		is.NoErr(client.ScriptFlush(ctx).Err())
		is.NoErr(client.Close())
	}
}

// partitionKeys counts the keys of documents and entries with a prefix.
func partitionKeys(t *testing.T, prefix string) (n int) {
	is := is.New(t)
	for _, server := range append(cluster.Nodes[:3:3], single) {
		client := server.Client()
		keys, err := client.Keys(ctx, "*").Result()
		is.NoErr(err)
		is.NoErr(client.Close())
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) && (strings.Contains(key, "}:d:") || strings.Contains(key, "}:e:")) {
				n++
			}
		}
	}
	return n
}

func batch(checkpoint eventstore.Position, changes ...projections.Change) []projections.Batch {
	return []projections.Batch{{View: view, Checkpoint: checkpoint, Changes: changes}}
}

// change puts one document with one entry.
func change(partition string, from, to eventstore.Position, body string) projections.Change {
	return projections.Change{
		Partition: partition, From: from, To: to,
		Puts: []projections.Document{{ID: "id", Body: []byte(body)}}, Added: []projections.IndexEntry{entry("i", "x", "id")},
	}
}

func entry(index, sort, id string) projections.IndexEntry {
	return projections.IndexEntry{Entry: projections.Entry{Index: index, Sort: sort}, ID: id}
}
