package codec

import (
	"bytes"
	"context"

	"tenure/eventstore"
)

// Prefetch has the keys in memory that a stretch of the log needs, after at most
// one look into the keyring, so that decoding it costs no way there and back for
// each event. It looks at events without decoding them: what it misses, Decode
// finds by itself.
func (c *Codec) Prefetch(ctx context.Context, events []eventstore.Recorded) error {
	if c.keys == nil {
		return nil
	}
	var subjects []string
	for i := range events {
		r := &events[i]
		names := c.events[r.Type].subjects
		if older, ok := c.upcasts[r.Type]; ok {
			names = older.subjects()
		}
		if bytes.Contains(r.Data, []byte(sealedPrefix)) {
			subjects = appendTexts(subjects, r.Data, names)
		}
		if bytes.Contains(r.Metadata, []byte(sealedPrefix)) {
			if found := len(subjects); len(names) > 0 {
				if subjects = appendTexts(subjects, r.Data, names); len(subjects) > found {
					continue
				}
			}
			subjects = appendTexts(subjects, r.Metadata, []string{`"id":"`}) // the actor's
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	if err := c.keys.Prefetch(ctx, subjects); err != nil {
		return unavailable(err)
	}
	return nil
}

// Sealed reports whether anything in an event is sealed.
func Sealed(r eventstore.Recorded) bool {
	return bytes.Contains(r.Data, []byte(sealedPrefix)) || bytes.Contains(r.Metadata, []byte(sealedPrefix))
}

// appendTexts finds texts by what stands before them. A quote inside a JSON text
// is escaped, so that none is taken for the beginning of a member.
func appendTexts(found []string, data []byte, begins []string) []string {
	for _, begin := range begins {
		at := bytes.Index(data, []byte(begin))
		if at < 0 {
			continue
		}
		text := data[at+len(begin):]
		if end := bytes.IndexByte(text, '"'); end > 0 {
			found = append(found, string(text[:end]))
		}
	}
	return found
}
