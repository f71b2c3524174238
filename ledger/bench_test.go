package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"tenure/eventstore"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/ledger"
)

// BenchmarkTree is how fast a stored tree grows, in leaves a second.
func BenchmarkTree(b *testing.B) {
	w := newWorld(b)
	tree := ledger.NewTree(w.views)
	page := eventstore.Page{}
	for range 1000 {
		page.Events = append(page.Events, eventstore.Recorded{
			Event:  eventstore.Event{Type: "organization.roles_changed.v1", Data: make([]byte, 300), Metadata: make([]byte, 300)},
			Stream: "organization-0192d2a1-7f5e-7c3a-9a41-4f6f0b1c2d3e",
		})
	}
	position, leaves := eventstore.Position(0), 0
	for b.Loop() {
		for i := range page.Events {
			position++
			page.Events[i].Position = position
		}
		page.Position = position
		if err := tree.Grow(ctx, page); err != nil {
			b.Fatal(err)
		}
		leaves += len(page.Events)
	}
	b.ReportMetric(float64(leaves)/b.Elapsed().Seconds(), "leaves/s")
}

// BenchmarkProof is what one proof costs, in trees of several sizes.
func BenchmarkProof(b *testing.B) {
	for _, size := range []uint64{1_000, 100_000} {
		w := newWorld(b)
		tree, position := ledger.NewTree(w.views), eventstore.Position(0)
		for range size / 1000 {
			page := eventstore.Page{}
			for range 1000 {
				position++
				page.Events = append(page.Events, eventstore.Recorded{Stream: "s", Position: position})
			}
			page.Position = position
			if err := tree.Grow(ctx, page); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for i := uint64(0); b.Loop(); i += 7919 {
				if _, err := tree.Inclusion(ctx, i%size, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExport is how fast a log is exported and verified, in events a second;
// compare with scan, which reads the log and does nothing.
func BenchmarkExport(b *testing.B) {
	w := newWorld(b)
	const events, streams = 1 << 16, 1 << 8
	batch := make([]eventstore.Event, events/streams)
	for s := range streams {
		for i := range batch {
			batch[i] = eventstore.Event{
				ID: eventstore.ID(uuid.New()), Type: "organization.roles_changed.v1",
				Data:     fmt.Appendf(nil, `{"organization_id":"%s","account_id":"%s","before":["USER"],"after":["VIEWER"]}`, uuid.New(), uuid.New()),
				Metadata: fmt.Appendf(nil, `{"actor":{"kind":"account","id":"%s"},"at":"2031-03-03T12:00:00.123456789Z","correlation":"%s"}`, uuid.New(), uuid.New()),
			}
		}
		if _, err := w.log.Append(ctx, fmt.Sprintf("organization-%036d", s), eventstore.NoStream(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.ledger.Once(ctx); err != nil {
		b.Fatal(err)
	}
	report := func(b *testing.B, run func(log *logsqlite.Snapshot) error) {
		for b.Loop() {
			log, err := logsqlite.OpenSnapshot(w.file("log.db"))
			if err != nil {
				b.Fatal(err)
			}
			if err := errors.Join(run(log), log.Close()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("scan", func(b *testing.B) {
		report(b, func(log *logsqlite.Snapshot) (err error) {
			for page := (eventstore.Page{}); !page.Head && err == nil; {
				page, err = log.ReadAll(ctx, page.Position, 1000, eventstore.Filter{})
			}
			return err
		})
	})
	for _, format := range formats {
		var file bytes.Buffer
		b.Run(string(format), func(b *testing.B) {
			report(b, func(log *logsqlite.Snapshot) error {
				file.Reset()
				_, err := ledger.Export(ctx, log, &file, ledger.ExportOptions{Format: format})
				return err
			})
		})
		b.Run(string(format)+" verified", func(b *testing.B) {
			report(b, func(*logsqlite.Snapshot) error {
				r, err := ledger.VerifyExport(bytes.NewReader(file.Bytes()), ledger.Options{})
				if err == nil && !r.OK {
					err = errors.New("the export is not verified")
				}
				return err
			})
		})
	}
}
