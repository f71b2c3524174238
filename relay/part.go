package relay

import (
	"encoding/json"
	"reflect"
)

// part is a struct with some of the fields of another one, and which these are.
type part struct {
	kind   reflect.Type
	fields []partField
	whole  bool // they are all of them
}

// partField is a field of the whole; parts are what is shown of each in a list.
type partField struct {
	index int
	parts *part
}

// partOf is what of events, or of the structs in their lists, leaves the log: with
// the personal data or without. Secrets never do.
func partOf(of reflect.Type, personal bool) part {
	p := part{whole: true}
	var kept []reflect.StructField
	for i := range of.NumField() {
		field := of.Field(i)
		if _, tagged := field.Tag.Lookup("personal"); tagged && !personal || field.Tag.Get("secret") != "" {
			p.whole = false
			continue
		}
		shown := partField{index: i}
		if element, ok := listOf(field); ok {
			if parts := partOf(element, personal); !parts.whole {
				shown.parts, field.Type, p.whole = &parts, reflect.SliceOf(parts.kind), false
			}
		}
		field.Offset, field.Index = 0, nil
		kept, p.fields = append(kept, field), append(p.fields, shown)
	}
	p.kind = reflect.StructOf(kept)
	return p
}

// listOf is the struct that a field has a list of.
func listOf(field reflect.StructField) (reflect.Type, bool) {
	if field.Type.Kind() != reflect.Slice || field.Type.Elem().Kind() != reflect.Struct {
		return nil, false
	}
	return field.Type.Elem(), true
}

// of is the JSON of the part of an event.
func (p part) of(event reflect.Value) ([]byte, error) {
	shown := reflect.New(p.kind).Elem()
	p.fill(shown, event)
	return json.Marshal(shown.Addr().Interface())
}

func (p part) fill(shown, from reflect.Value) {
	for i, field := range p.fields {
		value := from.Field(field.index)
		if field.parts == nil {
			shown.Field(i).Set(value)
			continue
		}
		if value.IsNil() {
			continue
		}
		parts := reflect.MakeSlice(shown.Field(i).Type(), value.Len(), value.Len())
		for n := range value.Len() {
			field.parts.fill(parts.Index(n), value.Index(n))
		}
		shown.Field(i).Set(parts)
	}
}
