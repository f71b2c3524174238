package codec_test

import (
	"testing"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

func typical() (domain.Event, codec.Metadata) {
	return organization.MemberJoined{
			OrganizationID: "0192d2a1-7f5e-7c3a-9a41-4f6f0b1c2d3e", AccountID: "0192d2a1-8000-7000-8000-000000000001",
			Email: "ada@example.com", Username: "ada", DisplayName: "Ada Lovelace", Roles: []domain.Role{"ADMIN", "BILLING"},
			InvitationID: "0192d2a1-8000-7000-8000-000000000002", InvitedBy: "0192d2a1-8000-7000-8000-000000000003",
		}, codec.Metadata{
			Actor:       domain.ByAccount("0192d2a1-8000-7000-8000-000000000001"),
			OccurredAt:  time.Date(2030, 1, 2, 3, 4, 5, 678901234, time.UTC),
			Correlation: "0192d2a1-8000-7000-8000-000000000009", CommandID: "5c1f7d0e-8a55-5c1b-9d4f-3f5ac0f0c0de",
			Fingerprint: "9b74c9897bac770ffc029102a200c5de", Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		}
}

func BenchmarkEncode(b *testing.B) {
	c := codec.New()
	e, m := typical()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Encode(eventstore.ID{1}, e, m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	c := codec.New()
	e, m := typical()
	encoded, err := c.Encode(eventstore.ID{1}, e, m)
	if err != nil {
		b.Fatal(err)
	}
	r := eventstore.Recorded{Event: encoded, Stream: "organization-1", Position: 1}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSealedEncode is BenchmarkEncode with three fields to seal, under a key
// that is in memory.
func BenchmarkSealedEncode(b *testing.B) {
	c := codec.NewSealing(newVault(b).Ring)
	e, m := typical()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Encode(eventstore.ID{1}, e, m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealedDecode(b *testing.B) {
	c := codec.NewSealing(newVault(b).Ring)
	e, m := typical()
	encoded, err := c.Encode(eventstore.ID{1}, e, m)
	if err != nil {
		b.Fatal(err)
	}
	r := eventstore.Recorded{Event: encoded, Stream: "organization-1", Position: 1}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(r); err != nil {
			b.Fatal(err)
		}
	}
}
