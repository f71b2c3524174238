package projections

import (
	"encoding/json"
	"unicode/utf8"

	"tenure/eventstore/codec"
)

// publicData is the JSON of an event without its secret fields: as it is in the
// log where that is the same, since the event is of the newest form and nothing
// in it may be sealed or secret.
func publicData(c *codec.Codec, e Event) []byte {
	name := e.Event.EventType()
	if e.Recorded != nil && e.Recorded.Type == name && len(c.PersonalFields(name)) == 0 {
		return e.Recorded.Data
	}
	data, err := c.Public(e.Event)
	if err != nil {
		panic(err) // the event is one that a codec has decoded before
	}
	return data
}

// appendOptional appends a member of an object after others, unless it is empty.
func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendString(b, value)
}

// appendString appends a JSON string.
func appendString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // strings can be marshaled
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
