package codec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tenure/domain"
)

// Field is a field of an event that holds personal data.
type Field struct {
	Name    string // in JSON
	Subject string // the JSON name of the field, in the same event, that says whose data it is
	Secret  bool   // a secret's hash: leaves the log in no feed, history or export
}

// PersonalFields lists the fields with personal data of the event with that
// wire name, in the order of its struct; nil when there are none, or the wire
// name is not that of a current form. Do not change the result.
func (c *Codec) PersonalFields(wireName string) []Field { return c.events[wireName].personal }

// Public is the JSON of an event without its secret fields: what of it may leave
// the log. It fails with ErrUnknownEvent.
func (c *Codec) Public(e domain.Event) (json.RawMessage, error) {
	row, ok := c.events[e.EventType()]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownEvent, e.EventType())
	}
	data, err := json.Marshal(e)
	if err != nil || !slices.ContainsFunc(row.personal, func(f Field) bool { return f.Secret }) {
		return data, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	for _, field := range row.personal {
		if field.Secret {
			delete(object, field.Name)
		}
	}
	return json.Marshal(object)
}

// entry is one row of the registry.
type entry struct {
	name     string
	decode   func(data []byte) (domain.Event, error)
	personal []Field
	form     reflect.Type
}

// upcast turns the raw JSON of an older form into that of the next one.
type upcast struct {
	from, to string
	change   func(json.RawMessage) (json.RawMessage, error)
}

// event is the row of one type of events, which has to be a plain struct.
func event[E domain.Event]() entry {
	var zero E
	form := reflect.TypeFor[E]()
	return entry{
		name:     zero.EventType(),
		form:     form,
		personal: personalFields(form),
		decode: func(data []byte) (domain.Event, error) {
			var e E
			if err := unmarshal(data, &e); err != nil {
				return nil, err
			}
			return e, nil
		},
	}
}

// personalFields reads the tags of a struct, once.
func personalFields(form reflect.Type) []Field {
	var fields []Field
	for field := range form.Fields() {
		if subject, ok := field.Tag.Lookup("personal"); ok {
			fields = append(fields, Field{Name: jsonName(field), Subject: subject, Secret: field.Tag.Get("secret") == "true"})
		}
	}
	return fields
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// build checks that every wire name is there once, and that every chain of
// upcasts ends in a current form.
func build(events []entry, ups []upcast) (*Codec, error) {
	c := &Codec{events: map[string]entry{}, upcasts: map[string]upcast{}}
	for _, e := range events {
		if _, twice := c.events[e.name]; twice {
			return nil, fmt.Errorf("codec: %s is registered twice", e.name)
		}
		e.personal = slices.Clip(e.personal)
		c.events[e.name] = e
	}
	for _, up := range ups {
		if _, twice := c.upcasts[up.from]; twice {
			return nil, fmt.Errorf("codec: two upcasts from %s", up.from)
		}
		if _, current := c.events[up.from]; current {
			return nil, fmt.Errorf("codec: an upcast from %s, which is current", up.from)
		}
		c.upcasts[up.from] = up
	}
	for _, up := range ups {
		name := up.to
		for range ups {
			if next, older := c.upcasts[name]; older {
				name = next.to
			}
		}
		if _, current := c.events[name]; !current {
			return nil, fmt.Errorf("codec: the upcast from %s leads nowhere", up.from)
		}
	}
	return c, nil
}
