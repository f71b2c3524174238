package relay

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

const jsonSchemaDialect = "https://json-schema.org/draft/2020-12/schema"

// Types lists the types of the events in the feed, sorted.
func (f *Feed) Types() []string { return f.render.types() }

// Schema is the JSON Schema of the data of a type of events; ok is false for a
// type that is not in the feed. The schema says of every field with personal
// data whose it is, and lets it be missing; fields may be added to a type, so it
// lets others be there.
func (f *Feed) Schema(eventType string) (schema []byte, ok bool, err error) {
	shown, ok := f.render.forms[eventType]
	if !ok {
		return nil, false, nil
	}
	document, err := shown.document()
	if err != nil {
		return nil, false, err
	}
	document["$schema"] = jsonSchemaDialect
	document["$id"] = f.render.schemaURL(eventType)
	document["title"] = eventType
	document["description"] = shown.says
	schema, err = json.Marshal(document)
	return schema, true, err
}

// document is the schema as JSON is decoded.
func (f *form) document() (map[string]any, error) {
	registry := huma.NewMapRegistry("#/$defs/", huma.DefaultSchemaNamer)
	schema := huma.SchemaFromType(registry, f.event)
	mark(registry, schema, f.event)
	open(schema)
	if property := schema.Properties["withheld"]; f.guarded && property != nil {
		property.Description = "The values are left out: it takes a permission to read them, or the scope events.read_personal."
	}
	for inner := range maps.Values(registry.Map()) {
		open(inner)
	}
	document, err := asJSON(schema)
	if err != nil || len(registry.Map()) == 0 {
		return document, err
	}
	document["$defs"] = registry.Map()
	return asJSON(document)
}

// mark says of the fields of a struct, and of those in its lists, what is personal data,
// and leaves out what is secret.
func mark(registry huma.Registry, schema *huma.Schema, of reflect.Type) {
	for i := range of.NumField() {
		field := of.Field(i)
		name := jsonName(field)
		if element, ok := listOf(field); ok {
			if inner := registry.Map()[huma.DefaultSchemaNamer(element, element.Name())]; inner != nil {
				mark(registry, inner, element)
			}
		}
		if field.Tag.Get("secret") != "" {
			delete(schema.Properties, name)
		}
		subject, personal := field.Tag.Lookup("personal")
		if !personal {
			continue
		}
		schema.Required = slices.DeleteFunc(schema.Required, func(required string) bool { return required == name })
		if property := schema.Properties[name]; property != nil {
			property.Description = "Personal data of the " + subject + "; only in what keys with the scope events.read_personal are given."
		}
	}
}

// open lets an object have fields that the schema does not name.
func open(s *huma.Schema) {
	if s.Type == huma.TypeObject && reflect.DeepEqual(s.AdditionalProperties, false) {
		s.AdditionalProperties = nil
	}
}

func asJSON(v any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("relay: schema: %w", err)
	}
	var document map[string]any
	err = json.Unmarshal(text, &document)
	return document, err
}
