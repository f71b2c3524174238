package organization_test

import (
	"fmt"
	"testing"

	"tenure/domain"
	. "tenure/domain/organization"
)

// The cost of an event and of a decision must not grow with the organization.
var sizes = []int{10, 100_000}

func crowd(size int) []domain.Event {
	events := make([]domain.Event, 0, size)
	events = append(events, activated(ownership))
	for i := 1; i < size; i++ {
		events = append(events, joined(domain.AccountID(fmt.Sprintf("member-%d", i)), ownership.Roles[1+i%3].Name))
	}
	return events
}

func fold(events []domain.Event) State {
	var s State
	for _, e := range events {
		s = Evolve(s, e)
	}
	return s
}

func BenchmarkEvolveMemberJoined(b *testing.B) {
	for _, size := range sizes {
		s, e := fold(crowd(size)), joined("newcomer", "USER")
		b.Run(fmt.Sprintf("members=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Evolve(s, e)
			}
		})
	}
}

func BenchmarkChangeRoles(b *testing.B) {
	for _, size := range sizes {
		s := fold(crowd(size))
		b.Run(fmt.Sprintf("members=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if events, err := ChangeRoles(s, ownership, by(owner), "member-2", []domain.Role{"ADMIN"}); err != nil || len(events) != 1 {
					b.Fatal(events, err)
				}
			}
		})
	}
}

func BenchmarkFold(b *testing.B) {
	events := crowd(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if s := fold(events); s.ActiveMembers() != len(events) {
			b.Fatal(s.ActiveMembers())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}
