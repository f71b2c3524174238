package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math/bits"
	"unicode/utf8"

	"tenure/eventstore"
)

// lineDecoder reads lines that are as appendLine makes them, quickly and into
// memory that it uses again.
type lineDecoder struct {
	rest  []byte            // of the line
	room  []byte            // for what the events hold
	again []byte            // the line as it is written
	names map[string]string // of streams and types
}

// begin makes room for the events of so many bytes of text.
func (d *lineDecoder) begin(size int) {
	if cap(d.room) < size {
		d.room = make([]byte, 0, size)
	}
	d.room = d.room[:0]
	if d.names == nil || len(d.names) > mostNames {
		d.names = make(map[string]string)
	}
}

// mostNames is how many names are remembered.
const mostNames = 100_000

// leafBegins is what the line of a leaf begins with, and that of no other event.
const leafBegins = `{"leaf":`

// decode reads a line into an entry; false says that it did not, for whatever
// reason. It trusts nothing that it reads: what it has read is right if it is
// written as that line.
func (d *lineDecoder) decode(line []byte, e *entry) bool {
	d.rest = line
	if !d.read(e) {
		return false
	}
	d.again = appendLine(d.again[:0], e)
	return bytes.Equal(d.again, line)
}

func (d *lineDecoder) read(e *entry) (ok bool) {
	if d.skip(leafBegins) {
		e.leaf = d.number()
		if !d.skip(`,"hash":"`) || !d.hash(&e.hash) || !d.skip(`","position":`) {
			return false
		}
	} else if !d.skip(`{"position":`) {
		return false
	}
	e.Position = eventstore.Position(d.number())
	if !d.skip(`,"stream":`) {
		return false
	}
	if e.Stream, ok = d.name(); !ok || !d.skip(`,"revision":`) {
		return false
	}
	e.Revision = eventstore.Revision(d.number())
	if !d.skip(`,"id":"`) || !d.id(&e.ID) || !d.skip(`","type":`) {
		return false
	}
	if e.Type, ok = d.name(); !ok {
		return false
	}
	if e.Data, ok = d.bytes(`,"data":`, `,"data_base64":"`); !ok {
		return false
	}
	if e.Metadata, ok = d.bytes(`,"metadata":`, `,"metadata_base64":"`); !ok {
		return false
	}
	for before := `,"proof":["`; d.skip(before); before = `,"` {
		var h Hash
		if !d.hash(&h) || !d.skip(`"`) {
			return false
		}
		e.proof = append(e.proof, h)
	}
	if len(e.proof) > 0 && !d.skip(`]`) {
		return false
	}
	return d.skip("}\n") && len(d.rest) == 0
}

func (d *lineDecoder) skip(text string) bool {
	if len(d.rest) < len(text) || string(d.rest[:len(text)]) != text {
		return false
	}
	d.rest = d.rest[len(text):]
	return true
}

// number reads digits; of too many it makes some other number.
func (d *lineDecoder) number() (n uint64) {
	for len(d.rest) > 0 && d.rest[0]-'0' < 10 {
		n = n*10 + uint64(d.rest[0]-'0')
		d.rest = d.rest[1:]
	}
	return n
}

func (d *lineDecoder) hash(h *Hash) bool {
	const digits = (HashSize + 2) / 3 * 4
	if len(d.rest) < digits {
		return false
	}
	var room [digits / 4 * 3]byte
	n, err := base64.StdEncoding.Decode(room[:], d.rest[:digits])
	if n != HashSize || err != nil {
		return false
	}
	copy(h[:], room[:])
	d.rest = d.rest[digits:]
	return true
}

func (d *lineDecoder) id(id *eventstore.ID) bool {
	const digits = 36
	if len(d.rest) < digits {
		return false
	}
	text, at := d.rest[:digits], 0
	for _, group := range [...]int{4, 2, 2, 2, 6} {
		if _, err := hex.Decode(id[at:], text[:2*group]); err != nil {
			return false
		}
		at += group
		text = text[min(2*group+1, len(text)):] // with the dash
	}
	d.rest = d.rest[digits:]
	return true
}

// name reads a text of which there are few.
func (d *lineDecoder) name() (string, bool) {
	from := len(d.room)
	text, ok := d.text()
	d.room = d.room[:from]
	if !ok || !utf8.Valid(text) {
		return "", false
	}
	name, known := d.names[string(text)]
	if !known {
		name = string(text)
		d.names[name] = name
	}
	return name, true
}

// bytes reads what stands there as a text or in base64.
func (d *lineDecoder) bytes(text, encoded string) ([]byte, bool) {
	if d.skip(text) {
		return d.text()
	}
	if !d.skip(encoded) {
		return nil, false
	}
	end := bytes.IndexByte(d.rest, '"')
	if end < 0 {
		return nil, false
	}
	from := len(d.room)
	raw, err := base64.StdEncoding.AppendDecode(d.room, d.rest[:end])
	if err != nil {
		return nil, false
	}
	d.room, d.rest = raw, d.rest[end+1:]
	return raw[from:len(raw):len(raw)], true
}

// text reads a JSON string into the room, where it takes no more than in the line.
func (d *lineDecoder) text() ([]byte, bool) {
	if !d.skip(`"`) {
		return nil, false
	}
	s, from, i := d.rest, len(d.room), 0
	to := d.room
	for {
		for len(s)-i >= 8 {
			special := specials(eightOf(s, i))
			n := bits.TrailingZeros64(special) / 8
			to = append(to, s[i:i+n]...)
			if i += n; n < 8 {
				break
			}
		}
		if i >= len(s) {
			return nil, false
		}
		c := s[i]
		if i++; c == '"' {
			d.room, d.rest = to, s[i:]
			return to[from:len(to):len(to)], true
		}
		if c < ' ' || i == len(s) {
			return nil, false
		}
		if c == '\\' {
			switch c = s[i]; c {
			case '"', '\\':
				i++
			case 'n':
				c = '\n'
				i++
			case 'u':
				var two [2]byte
				if len(s)-i < 5 {
					return nil, false
				}
				if _, err := hex.Decode(two[:], s[i+1:i+5]); err != nil || two[0] != 0 {
					return nil, false
				}
				c = two[1]
				i += 5
			default:
				return nil, false
			}
		}
		to = append(to, c)
	}
}
