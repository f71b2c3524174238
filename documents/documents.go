// Package documents words what is wrong with the YAML documents that operators
// write: policies, identity providers.
package documents

import (
	"fmt"
	"strings"
)

// Error says everything that is wrong with a document.
type Error struct {
	Problems []Problem // at least one, in the order of the document
}

// Problem is one thing that is wrong with a document.
type Problem struct {
	Line    int    // from 1; 0 when the problem has no place
	Column  int    // from 1
	Path    string // the setting, for example "roles[1].grants[0]"; empty for the document
	Message string // what to do
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// String is the problem on one line.
func (p Problem) String() string {
	var at string
	if p.Line > 0 {
		at = fmt.Sprintf("line %d, column %d: ", p.Line, p.Column)
	}
	if p.Path != "" {
		at += p.Path + ": "
	}
	return at + p.Message
}
