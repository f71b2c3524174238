package esdb_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"

	"tenure/eventstore"
	"tenure/eventstore/esdb"
)

// openBench opens the server of TENURE_TEST_ESDB, or else a test server in this
// process, whose work is then part of what is measured.
func openBench(b *testing.B) *esdb.Store {
	b.Helper()
	url := os.Getenv("TENURE_TEST_ESDB")
	if url == "" {
		url = serve(b).URL()
	}
	return open(b, url, esdb.Options{})
}

// sample is an event of the usual size.
func sample() eventstore.Event {
	e := eventstore.Event{ID: eventstore.ID(uuid.New()), Type: "organization.member_joined.v1", Data: make([]byte, 320), Metadata: make([]byte, 180)}
	for i := range e.Data {
		e.Data[i] = 'd'
	}
	return e
}

// fill appends n events in large batches.
func fill(b *testing.B, s *esdb.Store, n int) {
	b.Helper()
	for stream := uuid.NewString(); n > 0; stream = uuid.NewString() {
		batch := make([]eventstore.Event, min(n, eventstore.MaxBatchEvents))
		for i := range batch {
			batch[i] = sample()
		}
		if _, err := s.Append(b.Context(), stream, eventstore.NoStream(), batch); err != nil {
			b.Fatal(err)
		}
		n -= len(batch)
	}
}

// BenchmarkAppend appends single events, each writer to a stream of its own.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b)
			if err := s.Health(b.Context()); err != nil { // connects
				b.Fatal(err)
			}
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() { appendMany(b, s, w, writers) })
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func appendMany(b *testing.B, s *esdb.Store, w, writers int) {
	stream, expected, batch := uuid.NewString(), eventstore.NoStream(), []eventstore.Event{sample()}
	for i := w; i < b.N; i += writers {
		binary.BigEndian.PutUint64(batch[0].ID[:], uint64(i)+1)
		result, err := s.Append(b.Context(), stream, expected, batch)
		if err != nil {
			b.Error(err)
			return
		}
		expected = eventstore.Exactly(result.LastRevision)
	}
}

// BenchmarkHead is what an answer to a command costs that changed nothing.
func BenchmarkHead(b *testing.B) {
	s := openBench(b)
	fill(b, s, 10)
	b.ResetTimer()
	for range b.N {
		if _, err := s.Head(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadAll reads the log page by page, per event.
func BenchmarkReadAll(b *testing.B) {
	s := openBench(b)
	start, err := s.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	fill(b, s, 50_000)
	b.ResetTimer()
	page := eventstore.Page{Position: start}
	for n := 0; n < b.N; n += len(page.Events) {
		if page.Head {
			page = eventstore.Page{Position: start}
		}
		if page, err = s.ReadAll(b.Context(), page.Position, 512, eventstore.Filter{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSubscribe follows the log while it grows in large batches, per event
// and subscriber.
func BenchmarkSubscribe(b *testing.B) {
	for _, subscribers := range []int{1, 8} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			s := openBench(b)
			start, err := s.Head(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			var readers sync.WaitGroup
			b.ResetTimer()
			for range subscribers {
				readers.Go(func() {
					sub, err := s.Subscribe(b.Context(), start, eventstore.Filter{})
					for n := 0; err == nil && n < b.N; {
						var page eventstore.Page
						page, err = sub.Next(b.Context(), 512)
						n += len(page.Events)
					}
					if err != nil {
						b.Error(err)
					}
				})
			}
			fill(b, s, b.N)
			readers.Wait()
			b.ReportMetric(float64(b.N*subscribers)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
