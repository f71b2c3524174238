package ledger

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"tenure/eventstore"
)

// An export is a header, the events in the order of the log, and a trailer. Both
// formats hold the same: in NDJSON each is a line; in Parquet an event is a row,
// and header and trailer stand in the metadata of the file. Either is exactly
// what this program writes of what it says, so that no byte can be another.

// Format is the form of a file with an export.
type Format string

// The formats.
const (
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// What an export is of.
const (
	exportLog          = "tenure-log-v1"
	exportOrganization = "tenure-organization-v1"
)

// header begins an export.
type header struct {
	Export       string `json:"export"`
	Organization string `json:"organization,omitempty"`
	Origin       string `json:"origin"`
	Size         uint64 `json:"size"` // of the tree
}

func (h *header) known() bool {
	return (h.Export == exportLog || h.Export == exportOrganization) && (h.Export == exportOrganization) == (h.Organization != "")
}

// trailer ends an export.
type trailer struct {
	Checkpoint string              `json:"checkpoint"` // the newest, with its cosignatures
	Position   eventstore.Position `json:"position"`   // of the last event of the log that it covers
	Events     uint64              `json:"events"`     // between header and trailer
	// Revisions are the events of the organization's own stream, from revision 0 on;
	// zero in an export of the log.
	Revisions uint64 `json:"revisions,omitempty"`
	SHA256    string `json:"sha256"`                 // see checksum; in hexadecimal
	Pages     string `json:"pages_sha256,omitempty"` // of a Parquet file, of all before its footer
	Signature string `json:"signature,omitempty"`    // see endText; empty where nobody had the key
}

// entry is an event of an export.
type entry struct {
	*eventstore.Recorded        // its position is the file's word only; see Report
	leaf                 uint64 // of the tree; none of the ledger's own events is one
	hash                 Hash   // of the event as a leaf
	proof                []Hash // that the leaf is in the tree, where not all leaves are there
}

// checksum finds damage: it is of the header, of the hash and the position of
// every event, and of what the trailer says. Everything else in an export
// follows from these, since it is written in one way only.
type checksum struct{ hash.Hash }

func newChecksum(h header) checksum {
	c := checksum{sha256.New()}
	c.Write(appendHeader(nil, h))
	return c
}

func (c checksum) add(hash Hash, p eventstore.Position) { c.Write(appendSummed(nil, hash, p)) }

// appendSummed appends what the checksum is of in an event.
func appendSummed(b []byte, hash Hash, p eventstore.Position) []byte {
	return binary.BigEndian.AppendUint64(append(b, hash[:]...), uint64(p))
}

// seal is the trailer with the sum of everything.
func (c checksum) seal(t trailer) trailer {
	c.Write(binary.BigEndian.AppendUint64(nil, uint64(t.Position)))
	c.Write([]byte(t.Checkpoint))
	t.SHA256 = hex.EncodeToString(c.Sum(nil))
	return t
}

var (
	_ encoding.TextMarshaler   = Hash{}
	_ encoding.TextUnmarshaler = (*Hash)(nil)
)

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}
