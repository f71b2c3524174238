package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/transparency-dev/merkle/rfc6962"

	"tenure/commands"
	"tenure/eventstore"
)

// HashSize is the size of all hashes: SHA-256.
const HashSize = 32

// Hash is that of a leaf or a node.
type Hash [HashSize]byte

// leafVersion begins every leaf. Another encoding would have another one.
const leafVersion = "tenure leaf v1\n"

// EncodeLeaf is what is hashed of an event, and never changes:
//
//	"tenure leaf v1\n"
//	revision   8 bytes, big-endian
//	event id   16 bytes
//	stream     its length in 4 bytes, big-endian, and its bytes
//	type       the same
//	data       the same, as the log holds it
//	metadata   the same, as the log holds it
//
// The position is left out: stores number events each in their own way, and the
// index of the leaf says more. So is the time at which the store recorded it.
func EncodeLeaf(e *eventstore.Recorded) []byte { return appendLeaf(nil, e) }

func appendLeaf(b []byte, e *eventstore.Recorded) []byte {
	b = slices.Grow(b, len(leafVersion)+8+16+4*4+len(e.Stream)+len(e.Type)+len(e.Data)+len(e.Metadata))
	b = append(b, leafVersion...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Revision))
	b = append(b, e.ID[:]...)
	for _, field := range []string{e.Stream, e.Type} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	for _, field := range [][]byte{e.Data, e.Metadata} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	return b
}

// LeafHash is the hash of an event's leaf (RFC 6962, 2.1): it is hashed after a
// byte that no node begins with.
func LeafHash(e *eventstore.Recorded) Hash {
	var room [1024]byte // most events need no more
	hash, _ := hashLeaf(room[:0], e)
	return hash
}

// hashLeaf is LeafHash with memory, for who hashes many.
func hashLeaf(room []byte, e *eventstore.Recorded) (Hash, []byte) {
	room = appendLeaf(append(room[:0], rfc6962.RFC6962LeafHashPrefix), e)
	return sha256.Sum256(room), room
}

// IsLeaf reports whether the event is a leaf of the tree: all are but the
// ledger's own. An event of another type in the ledger's stream is one as well,
// or somebody could put into that stream what nothing proves.
func IsLeaf(e *eventstore.Recorded) bool {
	return e.Stream != commands.LedgerStream || !strings.HasPrefix(e.Type, ownTypes)
}

// ownTypes is what the types of the ledger's own events begin with.
const ownTypes = "ledger."
