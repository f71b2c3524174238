package ledger_test

import (
	"encoding/hex"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/ledger"
)

// What stands here never changes: leaves and notes that were made once are
// compared for ever.

func goldenEvent() *eventstore.Recorded {
	return &eventstore.Recorded{
		Event: eventstore.Event{
			ID: eventstore.ID{0x01, 0x92, 0xd2, 0xa1, 0x7f, 0x5e, 0x7c, 0x3a, 0x9a, 0x41, 0x4f, 0x6f, 0x0b, 0x1c, 0x2d, 0x3e}, Type: "organization.renamed.v1",
			Data: []byte(`{"before":"Ä"}`), Metadata: []byte(`{"actor":{"kind":"public"}}`),
		},
		Stream: "organization-1", Revision: 0x0102, Position: 42,
	}
}

func TestLeafIsAsItEverWas(t *testing.T) {
	is := is.New(t)
	const want = "74656e757265206c6561662076310a" + // the version
		"0000000000000102" + // the revision
		"0192d2a17f5e7c3a9a414f6f0b1c2d3e" + // the id
		"0000000e6f7267616e697a6174696f6e2d31" + // the stream
		"000000176f7267616e697a6174696f6e2e72656e616d65642e7631" + // the type
		"0000000f7b226265666f7265223a22c384227d" + // the data
		"0000001b7b226163746f72223a7b226b696e64223a227075626c6963227d7d" // the metadata
	e := goldenEvent()
	is.Equal(hex.EncodeToString(ledger.EncodeLeaf(e)), want)
	is.Equal(ledger.LeafHash(e).String(), "xEpNWyCCmVYbLsk2W8xXIx65dqsBKDoo2Bjt6mQzfx0=")
	e.Position, e.RecordedAt = 1, e.RecordedAt.AddDate(1, 0, 0) // are the store's own
	is.Equal(hex.EncodeToString(ledger.EncodeLeaf(e)), want)
}

// TestLeavesAreUnambiguous moves a byte from each field to the next.
func TestLeavesAreUnambiguous(t *testing.T) {
	is := is.New(t)
	seen := map[ledger.Hash]bool{}
	for _, e := range []eventstore.Event{
		{Type: "ab", Data: []byte("cd"), Metadata: []byte("ef")}, {Type: "a", Data: []byte("bcd"), Metadata: []byte("ef")},
		{Type: "abc", Data: []byte("d"), Metadata: []byte("ef")}, {Type: "ab", Data: []byte("cde"), Metadata: []byte("f")},
		{Type: "ab", Data: []byte("cd"), Metadata: []byte("ef"), ID: eventstore.ID{1}},
	} {
		for _, stream := range []string{"s", "sa", ""} {
			for revision := range eventstore.Revision(3) {
				hash := ledger.LeafHash(&eventstore.Recorded{Event: e, Stream: stream, Revision: revision})
				is.True(!seen[hash])
				seen[hash] = true
			}
		}
	}
}

const (
	goldenKey  = "tenure/42e7948b-4890-8d4d-a867-e1feba4145b5+b531e467+AZZ7HPwnUfcY3AGGEcswywQ+yDMCeNSR4F0fvZUZkHNZ"
	goldenNote = "tenure/42e7948b-4890-8d4d-a867-e1feba4145b5\n1042\nxEpNWyCCmVYbLsk2W8xXIx65dqsBKDoo2Bjt6mQzfx0=\n\n" +
		"— tenure/42e7948b-4890-8d4d-a867-e1feba4145b5 tTHkZ224Kue9lMd8NMdAtZcSaBmMAwSa/6H8dAH9Ua/y8TrY35Mx0UjfMgM6LKYXxJNxUUzkStySLKD0GPBCV8juWwY=\n"
)

func TestNoteIsAsItEverWas(t *testing.T) {
	is := is.New(t)
	_, key := theKey(t)
	is.Equal(key.Verifier(), goldenKey)
	text, err := key.Sign(1042, ledger.LeafHash(goldenEvent()))
	is.NoErr(err)
	is.Equal(text, goldenNote)
	c, err := ledger.Verify(goldenNote, goldenKey)
	is.NoErr(err)
	is.Equal(c, ledger.Checkpoint{Origin: key.Origin(), Size: 1042, Root: ledger.LeafHash(goldenEvent())})
	unverified, err := ledger.ParseNote(goldenNote)
	is.NoErr(err)
	is.Equal(unverified, c)
}

// TestEveryByteOfANoteCounts changes each in turn.
func TestEveryByteOfANoteCounts(t *testing.T) {
	is := is.New(t)
	for i := range goldenNote {
		changed := []byte(goldenNote)
		changed[i] ^= 1
		_, err := ledger.Verify(string(changed), goldenKey)
		is.True(err != nil)
	}
}
