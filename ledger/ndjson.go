package ledger

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/google/uuid"

	"tenure/eventstore"
)

// maxLine is more than the longest event takes.
const maxLine = 16 << 20

// line is how an event stands in NDJSON. Data and metadata are texts, or in
// base64 where they are none.
type line struct {
	Leaf        *uint64  `json:"leaf"` // nil for the ledger's own
	Hash        *Hash    `json:"hash"` // of the leaf
	Position    uint64   `json:"position"`
	Stream      string   `json:"stream"`
	Revision    uint64   `json:"revision"`
	ID          string   `json:"id"`
	Type        string   `json:"type"`
	Data        *string  `json:"data"`
	DataB64     []byte   `json:"data_base64"`
	Metadata    *string  `json:"metadata"`
	MetadataB64 []byte   `json:"metadata_base64"`
	Proof       []string `json:"proof"`
}

var errLine = errors.New("the event does not stand there as an export has it")

// decodeLine reads a line and sees that it is what appendLine makes of it.
func decodeLine(text []byte) (*entry, error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&l) != nil {
		return nil, errLine
	}
	e := &entry{Recorded: &eventstore.Recorded{
		Event:  eventstore.Event{Type: l.Type, Data: l.DataB64, Metadata: l.MetadataB64},
		Stream: l.Stream, Revision: eventstore.Revision(l.Revision), Position: eventstore.Position(l.Position),
	}}
	id, err := uuid.Parse(l.ID)
	if err != nil {
		return e, errLine
	}
	e.ID = eventstore.ID(id)
	if l.Data != nil {
		e.Data = []byte(*l.Data)
	}
	if l.Metadata != nil {
		e.Metadata = []byte(*l.Metadata)
	}
	for _, p := range l.Proof {
		h, err := ParseHash(p)
		if err != nil {
			return e, errLine
		}
		e.proof = append(e.proof, h)
	}
	if IsLeaf(e.Recorded) {
		if l.Leaf == nil || l.Hash == nil {
			return e, errLine
		}
		e.leaf, e.hash = *l.Leaf, *l.Hash
	}
	if !bytes.Equal(appendLine(make([]byte, 0, len(text)), e), text) {
		return e, errLine
	}
	return e, nil
}

// appendLine appends the line of an event.
func appendLine(b []byte, e *entry) []byte {
	b = append(b, '{')
	if IsLeaf(e.Recorded) {
		b = strconv.AppendUint(append(b, `"leaf":`...), e.leaf, 10)
		b = base64.StdEncoding.AppendEncode(append(b, `,"hash":"`...), e.hash[:])
		b = append(b, `",`...)
	}
	b = strconv.AppendUint(append(b, `"position":`...), uint64(e.Position), 10)
	b = appendText(append(b, `,"stream":`...), e.Stream)
	b = strconv.AppendUint(append(b, `,"revision":`...), uint64(e.Revision), 10)
	b = appendUUID(append(b, `,"id":"`...), e.ID)
	b = appendText(append(b, `","type":`...), e.Type)
	b = appendBytes(b, "data", e.Data)
	b = appendBytes(b, "metadata", e.Metadata)
	for i := range e.proof {
		b = append(b, `,`...)
		if i == 0 {
			b = append(b, `"proof":[`...)
		}
		b = append(base64.StdEncoding.AppendEncode(append(b, '"'), e.proof[i][:]), '"')
	}
	if len(e.proof) > 0 {
		b = append(b, ']')
	}
	return append(b, "}\n"...)
}

func appendUUID(b []byte, id eventstore.ID) []byte {
	const digits = "0123456789abcdef"
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

func appendBytes(b []byte, name string, raw []byte) []byte {
	b = append(append(b, `,"`...), name...)
	if utf8.Valid(raw) {
		return appendText(append(b, `":`...), raw)
	}
	b = base64.StdEncoding.AppendEncode(append(b, `_base64":"`...), raw)
	return append(b, '"')
}

// mayStand says which bytes stand for themselves in a JSON string.
var mayStand = func() (may [256]bool) {
	for c := range may {
		may[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return may
}()

// appendText appends a JSON string.
func appendText[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if mayStand[c] {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

func appendHeader(b []byte, h header) []byte {
	b = appendText(append(b, `{"export":`...), h.Export)
	if h.Organization != "" {
		b = appendText(append(b, `,"organization":`...), h.Organization)
	}
	b = appendText(append(b, `,"origin":`...), h.Origin)
	return append(strconv.AppendUint(append(b, `,"size":`...), h.Size, 10), "}\n"...)
}

func appendTrailer(b []byte, t trailer) []byte {
	b = appendText(append(b, `{"checkpoint":`...), t.Checkpoint)
	b = strconv.AppendUint(append(b, `,"position":`...), uint64(t.Position), 10)
	b = strconv.AppendUint(append(b, `,"events":`...), t.Events, 10)
	b = appendText(append(b, `,"sha256":`...), t.SHA256)
	return append(b, "}\n"...)
}

// decodeFrame reads a header or a trailer that is as it was written.
func decodeFrame[T header | trailer](text []byte, write func([]byte, T) []byte) (*T, bool) {
	var v T
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&v) != nil || !bytes.Equal(write(nil, v), text) {
		return nil, false
	}
	return &v, true
}

// ndjsonWriter writes an export as lines of JSON.
type ndjsonWriter struct{ to io.Writer }

func (w ndjsonWriter) begin(h header) error {
	_, err := w.to.Write(appendHeader(nil, h))
	return err
}

func (ndjsonWriter) prepare(entries []entry) any {
	size := 0
	for i := range entries {
		size += 320 + len(entries[i].Stream) + (len(entries[i].Data)+len(entries[i].Metadata))*9/8 + 48*len(entries[i].proof)
	}
	b := make([]byte, 0, size)
	for i := range entries {
		b = appendLine(b, &entries[i])
	}
	return b
}

func (w ndjsonWriter) write(prepared any) error {
	_, err := w.to.Write(prepared.([]byte))
	return err
}

func (w ndjsonWriter) end(_ header, t trailer) error {
	_, err := w.to.Write(appendTrailer(nil, t))
	return err
}

// ndjsonReader reads an export of lines of JSON.
type ndjsonReader struct {
	file  io.ReadSeeker
	lines int
}

// frame implements exportReader.
func (r *ndjsonReader) frame() (h *header, t *trailer, events int, err error) {
	var first, last []byte
	err = r.each(func(number int, text []byte) error {
		if number == 1 {
			first = bytes.Clone(text)
		}
		last, r.lines = append(last[:0], text...), number
		return nil
	})
	if err != nil {
		return nil, nil, 0, err
	}
	h, _ = decodeFrame(first, appendHeader)
	if r.lines > 1 {
		t, _ = decodeFrame(last, appendTrailer)
	}
	return h, t, max(r.lines-2, 0), nil
}

// events implements exportReader.
func (r *ndjsonReader) events(visit func(e *entry, wrong error) error) error {
	return r.each(func(number int, text []byte) error {
		if number == 1 || number == r.lines {
			return nil
		}
		return visit(decodeLine(text))
	})
}

func (r *ndjsonReader) place(event int) (line, row int) { return event + 1, 0 }

// each hands over every line with its number, from 1.
func (r *ndjsonReader) each(visit func(number int, text []byte) error) error {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(r.file, 64<<10)
	var text []byte
	for number := 1; ; number++ {
		text = text[:0]
		for {
			part, err := in.ReadSlice('\n')
			text = append(text, part...)
			if err == nil || errors.Is(err, io.EOF) {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return err
			}
			if len(text) > maxLine {
				return fmt.Errorf("ledger: line %d is longer than any of an export", number)
			}
		}
		if len(text) == 0 {
			return nil
		}
		if err := visit(number, text); err != nil {
			return err
		}
	}
}
