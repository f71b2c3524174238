package relay

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"tenure/eventstore"
)

// cursors make and read the texts of positions. A text is the position and a
// checksum that begins with the deployment, so that one that was damaged, or
// comes from elsewhere, is told apart from one that is to be served. That is no
// secret: whoever has the feed may read it from anywhere.
type cursors struct{ seed uint32 }

const cursorBytes = 8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newCursors(deployment [16]byte) cursors {
	return cursors{crc32.Checksum(deployment[:], castagnoli)}
}

func (c cursors) append(b []byte, p eventstore.Position) []byte {
	var raw [cursorBytes]byte
	binary.BigEndian.PutUint64(raw[:], uint64(p))
	binary.BigEndian.PutUint32(raw[8:], crc32.Update(c.seed, castagnoli, raw[:8]))
	return base64.RawURLEncoding.AppendEncode(b, raw[:])
}

// parse fails with ErrCursor.
func (c cursors) parse(text string) (eventstore.Position, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != cursorBytes || binary.BigEndian.Uint32(raw[8:]) != crc32.Update(c.seed, castagnoli, raw[:8]) {
		return 0, ErrCursor
	}
	return eventstore.Position(binary.BigEndian.Uint64(raw)), nil
}
