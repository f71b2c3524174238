// Package strictjson reads a JSON document and refuses what encoding/json lets
// pass: names given twice, names that nobody asked for, text after the document,
// invalid UTF-8 and zero bytes. Two readers of one document that differ on such
// points are how a check in front of a program is led astray.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep objects and lists may be nested.
const maxDepth = 16

// Shape says which names an object may have. A nil Shape allows everything.
type Shape struct {
	Fields map[string]*Shape // of an object
	Items  *Shape            // of a list
}

// Error says what is wrong with a document.
type Error struct {
	Field   string // as in "roles[0]"; empty for the document as a whole
	Message string // what to do, one sentence
}

func (e *Error) Error() string { return "strictjson: " + e.Field + ": " + e.Message }

// Object reads a document that must be an object, and returns it with numbers
// as json.Number. It fails with an *Error.
func Object(body []byte, shape *Shape) (map[string]any, error) {
	if !utf8.Valid(body) {
		return nil, &Error{Message: "Send text in UTF-8."}
	}
	if !json.Valid(body) {
		return nil, &Error{Message: "Send one well-formed JSON object and nothing after it."}
	}
	r := reader{json.NewDecoder(bytes.NewReader(body))}
	r.UseNumber()
	v, err := r.value("", shape, 0)
	if err != nil {
		return nil, err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return nil, &Error{Message: "Send nothing after the JSON object."}
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, &Error{Message: "Send a JSON object."}
	}
	return object, nil
}

type reader struct{ *json.Decoder }

func (r reader) value(at string, shape *Shape, depth int) (any, error) {
	if depth > maxDepth {
		return nil, &Error{Field: at, Message: "Nest less deeply."}
	}
	t, err := r.Token()
	if err != nil {
		return nil, malformed(at)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return r.object(at, shape, depth)
		}
		return r.list(at, shape, depth)
	case string:
		return t, checkText(at, t)
	}
	return t, nil
}

func (r reader) object(at string, shape *Shape, depth int) (any, error) {
	object := make(map[string]any)
	for r.More() {
		t, err := r.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, malformed(at)
		}
		here := name
		if at != "" {
			here = at + "." + name
		}
		if _, twice := object[name]; twice {
			return nil, &Error{Field: printable(here), Message: "Give each name once."}
		}
		inner, known := shape.field(name)
		if !known {
			return nil, &Error{Field: printable(here), Message: "Leave this out; there is no such field here."}
		}
		if object[name], err = r.value(here, inner, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := r.Token()
	return object, orMalformed(at, err)
}

func (r reader) list(at string, shape *Shape, depth int) (any, error) {
	list := []any{}
	var inner *Shape
	if shape != nil {
		inner = shape.Items
	}
	for r.More() {
		v, err := r.value(at+"["+strconv.Itoa(len(list))+"]", inner, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := r.Token()
	return list, orMalformed(at, err)
}

func (s *Shape) field(name string) (*Shape, bool) {
	if s == nil || s.Fields == nil {
		return nil, true
	}
	inner, ok := s.Fields[name]
	return inner, ok
}

func checkText(at, text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return &Error{Field: printable(at), Message: "Leave out the zero character."}
	}
	return nil
}

func orMalformed(at string, err error) error {
	if err != nil {
		return malformed(at)
	}
	return nil
}

func malformed(at string) error {
	return &Error{Field: printable(at), Message: "Send well-formed JSON."}
}

// printable is a name as a refusal may repeat it.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return -1
	}, name)
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "")
	}
	return name
}
