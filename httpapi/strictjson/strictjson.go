// Package strictjson reads a JSON document and refuses what encoding/json lets
// pass: names given twice, names that nobody asked for, text after the document,
// invalid UTF-8 and zero bytes. Two readers of one document that differ on such
// points are how a check in front of a program is led astray.
package strictjson

import (
	"bytes"
	"encoding/json"
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
	r := reader{body}
	v, err := r.value("", shape, 0)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, &Error{Message: "Send a JSON object."}
	}
	return object, nil
}

// reader reads from the front of a document that json.Valid has passed: what
// may stand where is settled.
type reader struct{ rest []byte }

// next is the first byte that is no space.
func (r *reader) next() byte {
	for r.rest[0] <= ' ' {
		r.rest = r.rest[1:]
	}
	return r.rest[0]
}

// skip is next without what separates values and names.
func (r *reader) skip() byte {
	for {
		switch c := r.next(); c {
		case ',', ':':
			r.rest = r.rest[1:]
		default:
			return c
		}
	}
}

func (r *reader) value(at string, shape *Shape, depth int) (any, error) {
	if depth > maxDepth {
		return nil, &Error{Field: printable(at), Message: "Nest less deeply."}
	}
	switch c := r.skip(); c {
	case '{':
		return r.object(at, shape, depth)
	case '[':
		return r.list(at, shape, depth)
	case '"':
		text, err := r.text(at)
		return text, err
	case 't', 'f', 'n':
		word := map[byte]string{'t': "true", 'f': "false", 'n': "null"}[c]
		r.rest = r.rest[len(word):]
		if c == 'n' {
			return nil, nil
		}
		return c == 't', nil
	}
	end := bytes.IndexFunc(r.rest, func(c rune) bool { return !strings.ContainsRune("+-.0123456789Ee", c) })
	if end < 0 {
		end = len(r.rest)
	}
	number := json.Number(r.rest[:end])
	r.rest = r.rest[end:]
	return number, nil
}

func (r *reader) object(at string, shape *Shape, depth int) (any, error) {
	object := make(map[string]any)
	r.rest = r.rest[1:]
	for r.skip() != '}' {
		name, err := r.text(at)
		if err != nil {
			return nil, err
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
	r.rest = r.rest[1:]
	return object, nil
}

func (r *reader) list(at string, shape *Shape, depth int) (any, error) {
	list := []any{}
	var inner *Shape
	if shape != nil {
		inner = shape.Items
	}
	r.rest = r.rest[1:]
	for r.skip() != ']' {
		v, err := r.value(at+"["+strconv.Itoa(len(list))+"]", inner, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	r.rest = r.rest[1:]
	return list, nil
}

// text reads a string.
func (r *reader) text(at string) (string, error) {
	end := 1
	for escaped := false; r.rest[end] != '"' || escaped; end++ {
		escaped = r.rest[end] == '\\' && !escaped
	}
	quoted := r.rest[:end+1]
	r.rest = r.rest[end+1:]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1:end]), nil
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return "", &Error{Field: printable(at), Message: "Send well-formed JSON."}
	}
	return text, checkText(at, text)
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
