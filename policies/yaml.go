package policies

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The bounds of a document: the time that the YAML parser takes grows with the
// square of both.
const (
	maxDocumentBytes = 64 << 10
	maxNesting       = 32
)

// source is a YAML document as plain values, with the place of each.
type source struct {
	value    any
	settings map[string]place // where a setting's name stands
	values   map[string]place // where a value begins
}

type place struct{ line, column int }

// path leads from the document to a value: names of settings and indexes.
type path []string

func (p path) down(step string) path { return append(p[:len(p):len(p)], step) }

func (p path) index(i int) path { return p.down(strconv.Itoa(i)) }

// key tells paths apart; names of settings may contain what String writes.
func (p path) key() string { return strings.Join(p, "\x00") }

func (p path) String() string {
	var b strings.Builder
	for i, step := range p {
		switch _, err := strconv.Atoi(step); {
		case err == nil:
			b.WriteString("[" + step + "]")
		case i > 0:
			b.WriteString("." + step)
		default:
			b.WriteString(step)
		}
	}
	return b.String()
}

// at makes a problem about the value at p.
func (s source) at(p path, message string) Problem { return problem(s.values[p.key()], p, message) }

// atSetting makes a problem about the setting named by the last step of p.
func (s source) atSetting(p path, message string) Problem {
	return problem(s.settings[p.key()], p, message)
}

func problem(at place, p path, message string) Problem {
	return Problem{Line: at.line, Column: at.column, Path: p.String(), Message: message}
}

// byteOrderMark is what some editors put before a text.
const byteOrderMark = "\ufeff"

// read parses YAML and refuses what a policy has no use for: several documents,
// aliases, tags, settings named twice. The source has no values when the
// document could not be read at all.
func read(document []byte) (source, []Problem) {
	document = bytes.TrimPrefix(document, []byte(byteOrderMark))
	if wrong := checkBounds(document); wrong != nil {
		return source{}, []Problem{*wrong}
	}
	file, err := parser.ParseBytes(document, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return source{}, []Problem{syntaxProblem(err)}
	}
	if !single(file.Docs) {
		return source{}, []Problem{problem(surplus(file.Docs), nil, "Write exactly one YAML document, without directives, into a file.")}
	}
	r := reader{source: source{settings: make(map[string]place), values: make(map[string]place)}}
	r.source.value = r.read(file.Docs[0].Body, nil)
	return r.source, r.problems
}

func single(all []*ast.DocumentNode) bool { return len(all) == 1 && isDocument(all[0]) }

func isDocument(d *ast.DocumentNode) bool {
	return d.Body != nil && d.Body.Type() != ast.DirectiveType
}

// surplus is where the second document begins, or the file where it begins with
// none.
func surplus(all []*ast.DocumentNode) place {
	if len(all) > 1 && isDocument(all[0]) {
		return placeOf(all[1].Start)
	}
	return place{1, 1}
}

func checkBounds(document []byte) *Problem {
	if len(document) > maxDocumentBytes {
		return &Problem{Message: fmt.Sprintf("Shorten the document to at most %d bytes.", maxDocumentBytes)}
	}
	depth, at := 0, place{1, 0}
	for i := 0; i < len(document); {
		c, size := utf8.DecodeRune(document[i:])
		at.column++
		i += size
		switch {
		case c == utf8.RuneError && size == 1 || c == 0:
			wrong := problem(at, nil, "Write the document in UTF-8.")
			return &wrong
		case c == '\n':
			at = place{at.line + 1, 0}
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth = max(0, depth-1)
		}
		if depth > maxNesting {
			wrong := problem(at, nil, "Close the brackets; too many are open at once.")
			return &wrong
		}
	}
	return nil
}

func syntaxProblem(err error) Problem {
	var syntax yaml.Error
	if !errors.As(err, &syntax) || syntax.GetToken() == nil {
		return Problem{Message: "Write valid YAML."}
	}
	return problem(placeOf(syntax.GetToken()), nil, "Write valid YAML: "+syntax.GetMessage()+".")
}

type reader struct {
	source   source
	problems []Problem
}

func (r *reader) read(n ast.Node, p path) any {
	r.source.values[p.key()] = placeOf(firstToken(n))
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.mapping(n, p)
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for i, item := range n.Values {
			list[i] = r.read(item, p.index(i))
		}
		return list
	case *ast.StringNode:
		if n.Token.Type == token.StringType && wholeNumber.MatchString(n.Value) {
			return largeNumber(n.Value)
		}
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode:
		if n.Value != nil {
			return n.Value
		}
	case *ast.FloatNode:
		return n.Value
	case *ast.BoolNode:
		return n.Value
	case *ast.NullNode:
		return nil
	}
	r.problems = append(r.problems, r.source.at(p, "Write the value out: anchors, aliases, tags and infinite numbers are not read."))
	return nil
}

func (r *reader) mapping(n *ast.MappingNode, p path) any {
	settings := make(map[string]any, len(n.Values))
	for _, entry := range n.Values {
		name, ok := entry.Key.(*ast.StringNode)
		if !ok {
			at := problem(placeOf(entry.Key.GetToken()), p, "Name a setting in plain text, followed by a colon and its value; merges are not read.")
			r.problems = append(r.problems, at)
			continue
		}
		here := p.down(name.Value)
		if _, twice := settings[name.Value]; twice {
			at := problem(placeOf(name.Token), here, fmt.Sprintf("Name the setting %q once.", name.Value))
			r.problems = append(r.problems, at)
			continue
		}
		r.source.settings[here.key()] = placeOf(name.Token)
		settings[name.Value] = r.read(entry.Value, here)
	}
	return settings
}

// wholeNumber is how whole numbers are written. Those that are larger than any that
// Go has come from the parser as text.
var wholeNumber = regexp.MustCompile(`^[-+]?[0-9]+$`)

// largeNumber is near enough to such a number to be too large for every setting.
func largeNumber(text string) float64 {
	number, _ := strconv.ParseFloat(text, 64) // infinite, with an error, for hundreds of digits
	return min(max(number, -math.MaxFloat64), math.MaxFloat64)
}

// firstToken is where a value begins: a mapping's own token is its first colon.
func firstToken(n ast.Node) *token.Token {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		return m.Values[0].Key.GetToken()
	}
	return n.GetToken()
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}
