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

// Refusals collects examples of refused decisions of one package.
type Refusals[S any] struct {
	t      *testing.T
	evolve func(S, domain.Event) S
	shown  map[string]bool
}

// NewRefusals begins a collection.
func NewRefusals[S any](t *testing.T, evolve func(S, domain.Event) S) Refusals[S] {
	return Refusals[S]{t: t, evolve: evolve, shown: make(map[string]bool)}
}

// Refused runs one example: after the events that were given, the function
// named decision is refused with the code, because of what is said in a few words.
func (r Refusals[S]) Refused(decision string, code domain.Code, because string, given []domain.Event, when func(S) ([]domain.Event, error)) {
	r.shown[decision+" fails with "+string(code)] = true
	r.t.Run(fmt.Sprintf("%s/%s/%s", decision, code, because), func(t *testing.T) {
		Given(t, r.evolve, given...).When(when).Refused(code)
	})
}

// Complete expects that the examples are what the doc comments of the package
// in the working directory promise: one for every "Code…" that the comment of
// an exported function names, and for no other.
func (r Refusals[S]) Complete() {
	r.t.Helper()
	promised := promises(r.t)
	for _, promise := range slices.Sorted(maps.Keys(promised)) {
		if !r.shown[promise] {
			r.t.Errorf("no example: %s", promise)
		}
	}
	for _, example := range slices.Sorted(maps.Keys(r.shown)) {
		if !promised[example] {
			r.t.Errorf("not in the doc comment: %s", example)
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
