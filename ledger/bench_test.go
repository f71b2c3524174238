package ledger_test

import (
	"fmt"
	"testing"

	"tenure/eventstore"
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
