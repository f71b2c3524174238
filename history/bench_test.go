package history_test

import (
	"fmt"
	"testing"

	"tenure/history"
)

// BenchmarkAsOf is the past of an organization with a number of events: folded
// for who asks first, folded on from an earlier past, and found again.
func BenchmarkAsOf(b *testing.B) {
	for _, size := range []int{10, 1000, 100_000} {
		w := newWorld(b, history.Options{})
		org := w.tellAll(1, 1, size)[0]
		events := w.logged()[org]
		last, before := history.Moment{Position: events[len(events)-1].Position}, history.Moment{Position: events[len(events)*9/10].Position}
		b.Run(fmt.Sprintf("%d events/first", size), func(b *testing.B) {
			for range b.N {
				_, err := history.New(w.commands, history.Options{}).At(b.Context(), org, last)
				w.is.NoErr(err)
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
		b.Run(fmt.Sprintf("%d events/on from nine tenths", size), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				h := history.New(w.commands, history.Options{})
				_, err := h.At(b.Context(), org, before)
				w.is.NoErr(err)
				b.StartTimer()
				_, err = h.At(b.Context(), org, last)
				w.is.NoErr(err)
			}
		})
		b.Run(fmt.Sprintf("%d events/again", size), func(b *testing.B) {
			for range b.N {
				_, err := w.history.At(b.Context(), org, last)
				w.is.NoErr(err)
			}
		})
	}
}
