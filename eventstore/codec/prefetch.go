package codec

import (
	"bytes"
	"context"
	"reflect"
	"strings"

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
		places := c.events[r.Type].subjects
		if older, ok := c.upcasts[r.Type]; ok {
			places = older.subjects()
		}
		if bytes.Contains(r.Data, []byte(sealedPrefix)) {
			for _, at := range places {
				subjects = appendTexts(subjects, r.Data, at.begin, at.many)
			}
		}
		if bytes.Contains(r.Metadata, []byte(sealedPrefix)) {
			found := len(subjects)
			for _, at := range places {
				if at.ofReason {
					subjects = appendTexts(subjects, r.Data, at.begin, false)
				}
			}
			if len(subjects) == found {
				subjects = appendTexts(subjects, r.Metadata, `"id":"`, false) // the actor's
			}
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

// appendTexts finds texts by what stands before them, the first or all. A quote
// inside a JSON text is escaped, so that none is taken for the beginning of a member.
func appendTexts(found []string, data []byte, begin string, all bool) []string {
	for {
		at := bytes.Index(data, []byte(begin))
		if at < 0 {
			return found
		}
		data = data[at+len(begin):]
		if end := bytes.IndexByte(data, '"'); end > 0 {
			found = append(found, string(data[:end]))
		}
		if !all {
			return found
		}
	}
}

// prefetchLists has the keys in memory of what is sealed in the lists of an event,
// after at most one look into the keyring.
func (c *Codec) prefetchLists(in sealedFields, v reflect.Value) error {
	if c.keys == nil || c.withholds {
		return nil
	}
	subjects := in.subjectsInLists(v, nil)
	if len(subjects) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	if err := c.keys.Prefetch(ctx, subjects); err != nil {
		return unavailable(err)
	}
	return nil
}

func (s sealedFields) subjectsInLists(v reflect.Value, found []string) []string {
	for _, list := range s.lists {
		field := v.Field(list.index)
		for i := range field.Len() {
			one := field.Index(i)
			for _, f := range list.of.fields {
				if text := f.text(one); text.IsValid() && strings.HasPrefix(text.String(), sealedPrefix) {
					found = append(found, f.whose(one))
				}
			}
			found = list.of.subjectsInLists(one, found)
		}
	}
	return found
}
