package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/google/uuid"

	"tenure/eventstore"
)

// An export is a text of JSON lines: a header, one line for each event in the
// order of the log, and a trailer. Every line is exactly what this program
// writes of what it says, so that no byte can be another.

// The forms of exports.
const (
	exportLog          = "tenure-log-v1"
	exportOrganization = "tenure-organization-v1"
)

// maxLine is more than the longest event takes.
const maxLine = 16 << 20

// header is the first line.
type header struct {
	Export       string `json:"export"`
	Organization string `json:"organization,omitempty"`
	Origin       string `json:"origin"`
	Size         uint64 `json:"size"` // of the tree
}

// line is an event. Data and metadata are texts, or in base64 where they are none.
type line struct {
	Leaf        *uint64 `json:"leaf,omitempty"` // nil for the ledger's own
	Hash        *Hash   `json:"hash,omitempty"` // of the leaf
	Stream      string  `json:"stream"`
	Revision    uint64  `json:"revision"`
	ID          string  `json:"id"`
	Type        string  `json:"type"`
	Data        *string `json:"data,omitempty"`
	DataB64     []byte  `json:"data_base64,omitempty"`
	Metadata    *string `json:"metadata,omitempty"`
	MetadataB64 []byte  `json:"metadata_base64,omitempty"`
	Proof       []Hash  `json:"proof,omitempty"` // that the leaf is in the tree, where not all leaves are there
}

// trailer is the last line.
type trailer struct {
	Checkpoint string `json:"checkpoint"` // the newest, with its cosignatures
	Events     uint64 `json:"events"`     // lines between the first and this one
	SHA256     string `json:"sha256"`     // of all lines before and the checkpoint, in hexadecimal
}

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

func encodeLine(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b) // ends with a line feed
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

var errLine = errors.New("the line is not as an export has it")

// decodeLine reads a line and sees that it is what encodeLine makes of it.
func decodeLine(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(v) != nil {
		return errLine
	}
	again, err := encodeLine(v)
	if err != nil || !bytes.Equal(again, text) {
		return errLine
	}
	return nil
}

func newLine(e *eventstore.Recorded) line {
	l := line{Stream: e.Stream, Revision: uint64(e.Revision), ID: uuid.UUID(e.ID).String(), Type: e.Type}
	l.Data, l.DataB64 = textOrBytes(e.Data)
	l.Metadata, l.MetadataB64 = textOrBytes(e.Metadata)
	return l
}

func textOrBytes(raw []byte) (*string, []byte) {
	if !utf8.Valid(raw) {
		return nil, raw
	}
	text := string(raw)
	return &text, nil
}

// event is what the line is about.
func (l *line) event() (*eventstore.Recorded, error) {
	id, err := uuid.Parse(l.ID)
	if err != nil || id.String() != l.ID || (l.Data == nil) != (l.DataB64 != nil) || (l.Metadata == nil) != (l.MetadataB64 != nil) ||
		utf8.Valid(l.DataB64) && l.DataB64 != nil || utf8.Valid(l.MetadataB64) && l.MetadataB64 != nil {
		return nil, errLine
	}
	e := &eventstore.Recorded{
		Event:  eventstore.Event{ID: eventstore.ID(id), Type: l.Type, Data: l.DataB64, Metadata: l.MetadataB64},
		Stream: l.Stream, Revision: eventstore.Revision(l.Revision),
	}
	if l.Data != nil {
		e.Data = []byte(*l.Data)
	}
	if l.Metadata != nil {
		e.Metadata = []byte(*l.Metadata)
	}
	if (l.Leaf != nil) != IsLeaf(e) || (l.Hash != nil) != IsLeaf(e) {
		return nil, errLine
	}
	return e, nil
}
