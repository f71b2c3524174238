package memory_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/projections"
	"tenure/projections/memory"
	"tenure/projections/projectionstest"
)

// kept are the storages of the tests' places: a storage in memory is there again
// for who still holds it.
var kept sync.Map

func open(_ testing.TB, place string) projections.Storage {
	storage, _ := kept.LoadOrStore(place, memory.New())
	return storage.(projections.Storage)
}

func places(t testing.TB) string {
	place := t.TempDir()
	t.Cleanup(func() { kept.Delete(place) })
	return place
}

func TestStorage(t *testing.T) { projectionstest.Storage(t, open, places) }

func TestReadModels(t *testing.T) {
	projectionstest.ReadModels(t, open, places, func(t testing.TB) eventstore.Store {
		log, err := logsqlite.Open(filepath.Join(t.TempDir(), "log.db"), logsqlite.Options{})
		is.New(t).NoErr(err)
		return log
	})
}

func TestACloneGoesItsOwnWay(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	put := func(s *memory.Storage, from eventstore.Position, body string) {
		is.NoErr(s.Apply(ctx, []projections.Batch{{View: "v", Checkpoint: from + 1, Changes: []projections.Change{{
			Partition: "p", From: from, To: from + 1, Puts: []projections.Document{{ID: "1", Body: []byte(body)}},
			Added: []projections.IndexEntry{{Entry: projections.Entry{Index: "i", Sort: body}, ID: "1"}},
		}}}}))
	}
	show := func(s *memory.Storage) (shown string) {
		rows, _, err := s.Range(ctx, "v", projections.RangeQuery{Partition: "p", Index: "i", Limit: 10})
		is.NoErr(err)
		for _, r := range rows {
			shown += r.Sort + "=" + string(r.Body) + " "
		}
		return shown
	}
	first := memory.New()
	put(first, 0, "a")
	second := first.Clone()
	size := first.Size()
	put(second, 1, "b")
	put(first, 1, "c")
	is.Equal(show(first), "a=c c=c ")
	is.Equal(show(second), "a=b b=b ")
	is.True(second.Size() > size)
	at, err := second.Checkpoint(ctx, "v")
	is.NoErr(err)
	is.Equal(at, eventstore.Position(2))
}
