package domaintest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tenure/domain"
)

// Refusal is one example of a refused decision.
type Refusal[S any] struct {
	Decision string      // the name of the function that is refused
	Code     domain.Code // what it is refused with
	Because  string      // why, in a few words
	Given    []domain.Event
	When     func(S) ([]domain.Event, error)
}

// Refusals runs every example, and expects that together they are what the doc
// comments of the package in the working directory promise: an example for
// every "Code…" that a function's comment names, and for no other.
func Refusals[S any](t *testing.T, evolve func(S, domain.Event) S, examples []Refusal[S]) {
	t.Helper()
	shown := make(map[string]bool)
	for _, x := range examples {
		shown[x.Decision+" fails with "+string(x.Code)] = true
		t.Run(fmt.Sprintf("%s/%s/%s", x.Decision, x.Code, x.Because), func(t *testing.T) {
			Given(t, evolve, x.Given...).When(x.When).Refused(x.Code)
		})
	}
	promised := promises(t)
	for _, promise := range slices.Sorted(maps.Keys(promised)) {
		if !shown[promise] {
			t.Errorf("no example: %s", promise)
		}
	}
	for _, example := range slices.Sorted(maps.Keys(shown)) {
		if !promised[example] {
			t.Errorf("not in the doc comment: %s", example)
		}
	}
}

var (
	codeName = regexp.MustCompile(`\bCode[A-Z]\w*`)
	sameAs   = regexp.MustCompile(`fails\s+as\s+(\w+)\s+does`)
)

// promises reads the doc comments of the functions in the working directory,
// which is a folder below domain.
func promises(t *testing.T) map[string]bool {
	t.Helper()
	docs := docComments(t)
	codes := codeValues(t)
	promised := make(map[string]bool)
	for name := range docs {
		for text, seen := name, map[string]bool{}; !seen[text]; {
			seen[text] = true
			for _, code := range codeName.FindAllString(docs[text], -1) {
				value, ok := codes[code]
				if !ok {
					t.Fatalf("%s: no such code: %s", name, code)
				}
				promised[name+" fails with "+value] = true
			}
			if same := sameAs.FindStringSubmatch(docs[text]); same != nil {
				text = same[1]
			}
		}
	}
	return promised
}

func docComments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	docs := make(map[string]string)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() {
				docs[f.Name.Name] = f.Doc.Text()
			}
		}
	}
	return docs
}

// codeValues maps the constants of the codes to their values.
func codeValues(t *testing.T) map[string]string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "error.go"))
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	for _, m := range regexp.MustCompile(`(Code\w+)\s+Code = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		values[m[1]] = m[2]
	}
	return values
}

func list(events []domain.Event) string {
	if len(events) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "\n  %s %+v", e.EventType(), e)
	}
	return b.String()
}
