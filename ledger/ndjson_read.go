package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"

	"tenure/eventstore"
)

// ndjsonReader reads an export of lines of JSON.
type ndjsonReader struct {
	file  io.ReadSeeker
	lines int
}

// frame implements exportReader.
func (r *ndjsonReader) frame() (h *header, t *trailer, events int, err error) {
	var first, last []byte
	blocks, err := r.blocks()
	if err != nil {
		return nil, nil, 0, err
	}
	for text := []byte(nil); ; {
		if text, err = blocks.next(text); err != nil {
			return nil, nil, 0, err
		} else if len(text) == 0 {
			break
		}
		if first == nil {
			first = bytes.Clone(text[:lineEnd(text)])
		}
		last = append(last[:0], text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]...)
	}
	r.lines = blocks.lines
	h, _ = decodeFrame(first, appendHeader)
	if r.lines > 1 {
		if t, _ = decodeFrame(last, appendTrailer); t != nil && t.Pages != "" {
			t = nil // which lines have none of
		}
	}
	return h, t, max(r.lines-2, 0), nil
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

// events implements exportReader.
func (r *ndjsonReader) events(which events, visit func(*readEvent)) error {
	blocks, err := r.blocks()
	if err != nil {
		return err
	}
	return inTurns(context.Background(), func(_ context.Context, w *lineWork) (more bool, err error) {
		w.number = blocks.lines
		w.text, err = blocks.next(w.text)
		return len(w.text) > 0, err
	}, func(w *lineWork) {
		w.read(which, r.lines)
	}, func(w *lineWork) error {
		for i := range w.events {
			visit(&w.events[i])
		}
		return nil
	})
}

func (r *ndjsonReader) place(event int) (line, row int) { return event + 1, 0 }

// lineWork are some lines of an export.
type lineWork struct {
	text     []byte
	number   int // of lines before these
	events   []readEvent
	recorded []eventstore.Recorded
	decoder  lineDecoder
	leaf     []byte // the one that is hashed
}

// read decodes and hashes the events. Of all the lines the first and the last are none.
func (w *lineWork) read(which events, lines int) {
	count := bytes.Count(w.text, []byte{'\n'}) + 1
	if cap(w.recorded) < count {
		w.recorded = make([]eventstore.Recorded, count)
	}
	w.decoder.begin(len(w.text))
	w.events = w.events[:0]
	number := w.number
	for text := w.text; len(text) > 0; {
		line := text[:lineEnd(text)]
		text = text[len(line):]
		if number++; number == 1 || number == lines || which == ownEvents && bytes.HasPrefix(line, []byte(leafBegins)) {
			continue
		}
		e := readEvent{number: number - 1, entry: entry{Recorded: &w.recorded[len(w.events)]}}
		if !w.decoder.decode(line, &e.entry) {
			var read *entry
			if read, e.wrong = decodeLine(line); read != nil {
				e.entry = *read
			} else {
				e.entry = entry{}
			}
		}
		if e.wrong == nil {
			e.computed, w.leaf = hashLeaf(w.leaf, e.Recorded)
		}
		w.events = append(w.events, e)
	}
}

// lineEnd is where the first line ends.
func lineEnd(text []byte) int {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}

// maxLine is more than the longest event takes.
const maxLine = 16 << 20

// blockBytes are read at once.
const blockBytes = 256 << 10

// lineBlocks reads a file in blocks of whole lines.
type lineBlocks struct {
	file  io.Reader
	left  int64  // bytes of the file
	lines int    // that were read
	rest  []byte // the beginning of the next one
}

func (r *ndjsonReader) blocks() (*lineBlocks, error) {
	size, err := r.file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.file.Seek(0, io.SeekStart)
	}
	return &lineBlocks{file: r.file, left: size}, err
}

// next reads a block, in the memory of another; at the end it is empty.
func (b *lineBlocks) next(text []byte) ([]byte, error) {
	for text = append(text[:0], b.rest...); ; {
		from, size := len(text), int(min(blockBytes, max(b.left, 0)+1)) // one more, to see the end
		text = slices.Grow(text, size)
		n, err := io.ReadFull(b.file, text[from:from+size])
		text, b.left = text[:from+n], b.left-int64(n)
		switch end := bytes.LastIndexByte(text[from:], '\n'); {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			b.rest = b.rest[:0]
			b.lines += bytes.Count(text, []byte{'\n'})
			if len(text) > 0 && text[len(text)-1] != '\n' {
				b.lines++
			}
			return text, nil
		case err != nil:
			return nil, err
		case end >= 0:
			end += from + 1
			b.rest = append(b.rest[:0], text[end:]...)
			b.lines += bytes.Count(text[:end], []byte{'\n'})
			return text[:end], nil
		case len(text) > maxLine:
			return nil, fmt.Errorf("ledger: line %d is longer than any of an export", b.lines+1)
		}
	}
}

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

// decodeLine reads a line, and sees that it is what appendLine makes of it, without
// trusting it at all. Of a line that is not it answers with what can be read.
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
