package projections

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"tenure/domain"
)

// A cursor is where a page has ended, in base64url: a version, the first bytes
// of the query's hash, and the place of the last row. It says nothing that the
// page does not.
const (
	cursorVersion  = 1
	cursorHash     = 8
	maxCursorBytes = 4096
)

var cursorEncoding = base64.RawURLEncoding.Strict()

func makeCursor(query string, last Place) string {
	raw := make([]byte, 0, 1+cursorHash+binary.MaxVarintLen64+len(last.Sort)+len(last.ID))
	raw = append(raw, cursorVersion)
	hash := sha256.Sum256([]byte(query))
	raw = append(raw, hash[:cursorHash]...)
	raw = binary.AppendUvarint(raw, uint64(len(last.Sort)))
	raw = append(raw, last.Sort...)
	raw = append(raw, last.ID...)
	return cursorEncoding.EncodeToString(raw)
}

// parseCursor is strict: what it accepts, makeCursor makes of the answer.
func parseCursor(query, text string) (Place, error) {
	refused := domain.Invalid("cursor", "Use the next_cursor of the page before, with the same query, or leave it out.")
	if len(text) > maxCursorBytes {
		return Place{}, refused
	}
	raw, err := cursorEncoding.DecodeString(text)
	if err != nil || len(raw) < 1+cursorHash || raw[0] != cursorVersion {
		return Place{}, refused
	}
	hash := sha256.Sum256([]byte(query))
	if string(raw[1:1+cursorHash]) != string(hash[:cursorHash]) {
		return Place{}, refused
	}
	raw = raw[1+cursorHash:]
	length, n := binary.Uvarint(raw)
	if n <= 0 || length >= uint64(len(raw)-n) { // at least one byte is left for the id
		return Place{}, refused
	}
	place := Place{Sort: string(raw[n : n+int(length)]), ID: string(raw[n+int(length):])}
	if makeCursor(query, place) != text { // the decoder ignores line breaks, and lengths have long forms
		return Place{}, refused
	}
	return place, nil
}
