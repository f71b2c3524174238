package policies

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed policy.schema.json
var schemaDocument []byte

// schema is policy.schema.json, compiled for checking, and as it stands for the
// names and descriptions in it. It never changes.
type schema struct {
	compiled *jsonschema.Schema
	document any
}

const schemaURL = "policy.schema.json"

var loadSchema = sync.OnceValue(func() schema {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaDocument))
	if err != nil {
		panic(err) // compiled in, and ruled out by the tests
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaURL, document); err != nil {
		panic(err)
	}
	return schema{compiled: c.MustCompile(schemaURL), document: document}
})

// checkSchema lists everything in which a document is not of the schema's form.
func checkSchema(src source) []Problem {
	s := loadSchema()
	err := s.compiled.Validate(src.value)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil
	}
	return s.problems(src, invalid)
}

// problems words one violation and those that caused it. A choice of schemas is
// worded as a whole; its causes say only why each choice did not fit.
func (s schema) problems(src source, e *jsonschema.ValidationError) []Problem {
	if _, choice := e.ErrorKind.(*kind.AnyOf); !choice && len(e.Causes) > 0 {
		var all []Problem
		for _, cause := range e.Causes {
			all = append(all, s.problems(src, cause)...)
		}
		return all
	}
	at, rule := path(e.InstanceLocation), s.rule(e.SchemaURL)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		return s.unknown(src, at, rule, k.Properties)
	case *kind.Required:
		return s.missing(src, at, rule, k.Missing)
	case *kind.UniqueItems:
		return []Problem{src.at(at.index(k.Duplicates[1]), "Leave this out; it stands in the list already.")}
	case *kind.AnyOf:
		return []Problem{src.at(at, "Give "+rule.description()+"."+didYouMean(fmt.Sprint(src.find(at)), rule.choices()))}
	}
	return []Problem{src.at(at, s.wording(e.ErrorKind, rule))}
}

func (s schema) unknown(src source, at path, rule rule, names []string) []Problem {
	var all []Problem
	for _, name := range names {
		all = append(all, src.atSetting(at.down(name),
			fmt.Sprintf("Remove %q; there is no such setting here.%s", name, didYouMean(name, slices.Sorted(maps.Keys(rule.properties()))))))
	}
	return all
}

func (s schema) missing(src source, at path, rule rule, names []string) []Problem {
	var all []Problem
	for _, name := range names {
		all = append(all, src.at(at, fmt.Sprintf("Add %q: %s.", name, s.resolve(rule.properties()[name]).description())))
	}
	return all
}

func (s schema) wording(k jsonschema.ErrorKind, rule rule) string {
	advice := "Give " + rule.description() + "."
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("%s This is %s.", advice, typeName(k.Got))
	case *kind.Maximum:
		return fmt.Sprintf("%s This number is too large; the largest is %s.", advice, k.Want.RatString())
	case *kind.Minimum, *kind.Pattern:
		return advice
	case *kind.MinLength, *kind.MinItems:
		return advice + " This is empty."
	case *kind.MaxLength:
		return fmt.Sprintf("%s This is longer than %d characters.", advice, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("%s These are more than %d.", advice, k.Want)
	}
	return advice + " " + k.LocalizedString(message.NewPrinter(language.English))
}

// rule is the part of the schema that a value has to fit.
type rule map[string]any

func (r rule) description() string {
	text, _ := r["description"].(string)
	return text
}

func (r rule) properties() map[string]any {
	all, _ := r["properties"].(map[string]any)
	return all
}

// choices lists the names of a choice between fixed names and a pattern.
func (r rule) choices() []string {
	var names []string
	options, _ := r["anyOf"].([]any)
	for _, option := range options {
		fixed, _ := option.(map[string]any)["enum"].([]any)
		for _, name := range fixed {
			names = append(names, fmt.Sprint(name))
		}
	}
	return names
}

// rule finds the part of the schema that a location such as
// "policy.schema.json#/$defs/role" names.
func (s schema) rule(location string) rule {
	_, pointer, _ := strings.Cut(location, "#")
	part := s.document
	for step := range strings.SplitSeq(strings.Trim(pointer, "/"), "/") {
		if inner, ok := part.(map[string]any); ok && step != "" {
			part = inner[step]
		}
	}
	return s.resolve(part)
}

func (s schema) resolve(part any) rule {
	r, _ := part.(map[string]any)
	if ref, ok := r["$ref"].(string); ok {
		return s.rule(ref)
	}
	return r
}

func typeName(name string) string {
	switch name {
	case "string":
		return "text"
	case "array":
		return "a list"
	case "object":
		return "a group of settings"
	case "boolean":
		return "true or false"
	case "null":
		return "empty"
	}
	return "a number"
}

// find is the value at p, nil where there is none.
func (s source) find(p path) any {
	value := s.value
	for _, step := range p {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}
