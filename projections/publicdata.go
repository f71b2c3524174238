package projections

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"tenure/domain"
)

// publicData answers with the JSON of events without their secret fields.
type publicData struct {
	types sync.Map // reflect.Type → eventFields
}

type eventFields struct {
	personal bool
	secret   []string // JSON names
}

// of takes the JSON as it is in the log where it is the same: the event is of
// the newest form, and nothing in it may be sealed or secret.
func (p *publicData) of(e Event) []byte {
	fields := p.fields(e.Event)
	if !fields.personal && len(fields.secret) == 0 && e.Recorded != nil && e.Recorded.Type == e.Event.EventType() {
		return e.Recorded.Data
	}
	data, err := json.Marshal(e.Event)
	if err != nil {
		panic(err) // the events are plain structs, which the codec has marshaled before
	}
	if len(fields.secret) == 0 {
		return data
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		panic(err)
	}
	for _, name := range fields.secret {
		delete(object, name)
	}
	if data, err = json.Marshal(object); err != nil {
		panic(err)
	}
	return data
}

func (p *publicData) fields(e domain.Event) eventFields {
	t := reflect.TypeOf(e)
	if known, ok := p.types.Load(t); ok {
		return known.(eventFields)
	}
	var found eventFields
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		if tag.Get("personal") != "" {
			found.personal = true
		}
		if tag.Get("secret") == "true" {
			name, _, _ := strings.Cut(tag.Get("json"), ",")
			found.secret = append(found.secret, name)
		}
	}
	p.types.Store(t, found)
	return found
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
