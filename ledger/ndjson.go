package ledger

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"

	"tenure/eventstore"
)

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
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')
	return hex.AppendEncode(b, id[10:])
}

func appendBytes(b []byte, name string, raw []byte) []byte {
	b = append(append(b, `,"`...), name...)
	if utf8.Valid(raw) {
		return appendText(append(b, `":`...), raw)
	}
	b = base64.StdEncoding.AppendEncode(append(b, `_base64":"`...), raw)
	return append(b, '"')
}

// appendText appends a JSON string. It goes eight bytes at a time: most texts are
// JSON themselves, and hold a quotation mark in every second eight.
func appendText[T string | []byte](b []byte, s T) []byte {
	const slack = 24 // beyond two bytes for each, as eights are written whole
	b = slices.Grow(append(b, '"'), 2*len(s)+slack)
	to, at, i := b[:cap(b)], len(b), 0
eights:
	for len(s)-i >= 8 {
		eight := eightOf(s, i)
		binary.LittleEndian.PutUint64(to[at:], eight)
		for special := specials(eight); special != 0; special &= special - 1 {
			bit := bits.TrailingZeros64(special) &^ 7
			n := bit / 8
			if c := byte(eight >> bit); c < ' ' {
				b = slices.Grow(appendControl(to[:at+n], c), 2*(len(s)-i)+slack)
				to, at, i = b[:cap(b)], len(b), i+n+1
				continue eights
			}
			to[at+n] = '\\'
			binary.LittleEndian.PutUint64(to[at+n+1:], eight>>bit)
			at++
		}
		at, i = at+8, i+8
	}
	b = to[:at]
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ':
			b = appendControl(b, c)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func appendControl(b []byte, c byte) []byte {
	if c == '\n' {
		return append(b, `\n`...)
	}
	return fmt.Appendf(b, `\u%04x`, c)
}

// eightOf are eight bytes, the first the lowest.
func eightOf[T string | []byte](s T, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// specials has the highest bit of each of eight bytes that does not stand for
// itself in a JSON string: quotation marks, backslashes, and what is below a
// space. No sum carries into the next byte, since each byte has seven bits first.
func specials(eight uint64) uint64 {
	const each = 0x0101010101010101
	seven := eight & (each * 0x7f)
	plain := ((seven ^ each*'"') + each*0x7f) & ((seven ^ each*'\\') + each*0x7f) & (seven + each*(0x80-' '))
	return ^(plain | eight) & (each * 0x80)
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
	if t.Revisions > 0 {
		b = strconv.AppendUint(append(b, `,"revisions":`...), t.Revisions, 10)
	}
	b = appendText(append(b, `,"sha256":`...), t.SHA256)
	if t.Pages != "" {
		b = appendText(append(b, `,"pages_sha256":`...), t.Pages)
	}
	if t.Signature != "" {
		b = appendText(append(b, `,"signature":`...), t.Signature)
	}
	return append(b, "}\n"...)
}

// ndjsonWriter writes an export as lines of JSON.
type ndjsonWriter struct{ to io.Writer }

func (w ndjsonWriter) begin(h header) error {
	_, err := w.to.Write(appendHeader(nil, h))
	return err
}

func (ndjsonWriter) prepare(entries []entry, before any) any {
	b, _ := before.([]byte)
	b = b[:0]
	for i := range entries {
		b = appendLine(b, &entries[i])
	}
	return b
}

func (w ndjsonWriter) write(prepared any) error {
	_, err := w.to.Write(prepared.([]byte))
	return err
}

func (w ndjsonWriter) end(_ header, seal func(pages string) (trailer, error)) error {
	t, err := seal("")
	if err != nil {
		return err
	}
	_, err = w.to.Write(appendTrailer(nil, t))
	return err
}
