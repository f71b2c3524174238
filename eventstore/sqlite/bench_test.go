package sqlite_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"tenure/eventstore"
	log "tenure/eventstore/sqlite"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// sample is an event of the usual size.
func sample(n uint64) eventstore.Event {
	e := eventstore.Event{Type: "organization.member_joined.v1", Data: make([]byte, 320), Metadata: make([]byte, 180)}
	binary.BigEndian.PutUint64(e.ID[:], n+1)
	for i := range e.Data {
		e.Data[i] = 'd'
	}
	return e
}

func openBench(b *testing.B) *log.Store {
	b.Helper()
	s, err := log.Open(filepath.Join(b.TempDir(), "log.db"), log.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkAppend appends single events, each writer to a stream of its own;
// compare with BenchmarkRawInsert.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() { appendMany(b, s, w, writers) })
			}
			wg.Wait()
		})
	}
}

func appendMany(b *testing.B, s *log.Store, w, writers int) {
	ctx, stream, expected := context.Background(), fmt.Sprintf("organization-%036d", w), eventstore.NoStream()
	batch := []eventstore.Event{sample(0)}
	for i := w; i < b.N; i += writers {
		binary.BigEndian.PutUint64(batch[0].ID[:], uint64(i)+1)
		result, err := s.Append(ctx, stream, expected, batch)
		if err != nil {
			b.Error(err)
			return
		}
		expected = eventstore.Exactly(result.LastRevision)
	}
}

// BenchmarkScan reads the whole log from the file, per event.
func BenchmarkScan(b *testing.B) {
	const streams, each = 500, 100
	s := openBench(b)
	var wg sync.WaitGroup
	for w := range streams {
		wg.Go(func() { appendSeveral(b, s, fmt.Sprintf("organization-%036d", w), each) })
	}
	wg.Wait()
	b.ReportAllocs()
	b.ResetTimer()
	page := eventstore.Page{}
	for n := 0; n < b.N; n += len(page.Events) {
		if page.Head {
			page = eventstore.Page{}
		}
		var err error
		if page, err = s.ReadAll(b.Context(), page.Position, min(512, b.N-n), eventstore.Filter{}); err != nil {
			b.Fatal(err)
		}
	}
}

func appendSeveral(b *testing.B, s *log.Store, stream string, n int) {
	events := make([]eventstore.Event, n)
	for i := range events {
		events[i] = sample(uint64(i))
	}
	if _, err := s.Append(b.Context(), stream, eventstore.NoStream(), events); err != nil {
		b.Error(err)
	}
}

// BenchmarkReadStreamNothingNew is what an aggregate costs that is in memory
// already and asks for news.
func BenchmarkReadStreamNothingNew(b *testing.B) {
	s := openBench(b)
	appendSeveral(b, s, "organization-1", 10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if events, err := s.ReadStream(b.Context(), "organization-1", 10, 100); err != nil || len(events) > 0 {
				b.Errorf("%d events, %v", len(events), err)
			}
		}
	})
}

// BenchmarkReadStream reads a stream of 50 events from the file, per stream.
func BenchmarkReadStream(b *testing.B) {
	const streams = 400
	s := openBench(b)
	for w := range streams {
		appendSeveral(b, s, fmt.Sprintf("organization-%036d", w), 50)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		events, err := s.ReadStream(b.Context(), fmt.Sprintf("organization-%036d", n%100), 0, 100)
		if err != nil || len(events) != 50 {
			b.Fatal(len(events), err)
		}
	}
}

// BenchmarkSubscribe follows the log while 64 writers append, per event.
func BenchmarkSubscribe(b *testing.B) {
	s := openBench(b)
	sub, err := s.Subscribe(b.Context(), 0, eventstore.Filter{})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for w := range 64 {
		go appendMany(b, s, w, 64)
	}
	for n := 0; n < b.N; {
		page, err := sub.Next(b.Context(), 512)
		if err != nil {
			b.Fatal(err)
		}
		n += len(page.Events)
	}
}

// BenchmarkRawInsert is what the driver can do: the same rows in one
// transaction, with the plain index that a log would have without us.
func BenchmarkRawInsert(b *testing.B) {
	conn, err := sqlite.OpenConn(filepath.Join(b.TempDir(), "raw.db"), sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for _, q := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -65536",
		"CREATE TABLE events (position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, revision INTEGER NOT NULL, id BLOB NOT NULL," +
			" type INTEGER NOT NULL, data BLOB NOT NULL, metadata BLOB NOT NULL, recorded_at INTEGER NOT NULL)",
		"CREATE UNIQUE INDEX revisions ON events (stream, revision)",
	} {
		if err := sqlitex.ExecuteTransient(conn, q, nil); err != nil {
			b.Fatal(err)
		}
	}
	insert := conn.Prep("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
	e := sample(0)
	b.ResetTimer()
	end := sqlitex.Transaction(conn)
	for i := range b.N {
		binary.BigEndian.PutUint64(e.ID[:], uint64(i)+1)
		insert.BindInt64(1, int64(i)+1)
		insert.BindInt64(2, int64(i%64)+1)
		insert.BindInt64(3, int64(i/64))
		insert.BindBytes(4, e.ID[:])
		insert.BindInt64(5, 1)
		insert.BindBytes(6, e.Data)
		insert.BindBytes(7, e.Metadata)
		insert.BindInt64(8, 1_700_000_000_000_000_000)
		if _, err := insert.Step(); err != nil {
			b.Fatal(err)
		}
		if err := insert.Reset(); err != nil {
			b.Fatal(err)
		}
	}
	end(&err)
	if err != nil {
		b.Fatal(err)
	}
}
