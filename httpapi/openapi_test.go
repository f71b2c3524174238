package httpapi_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/httpapi"
)

// methods of a path item; everything else in it is something else.
var methods = []string{"get", "put", "post", "delete", "patch", "head", "options", "trace"}

func TestOpenAPIDescribesEveryOperation(t *testing.T) {
	s := newStack(t)
	c := s.contract
	s.is.Equal(c.document["openapi"], "3.1.0")
	documented := 0
	ids := make(map[string]bool)
	for path, item := range c.document["paths"].(map[string]any) {
		for _, method := range methods {
			operation, ok := item.(map[string]any)[method].(map[string]any)
			if !ok {
				continue
			}
			documented++
			t.Run(method+" "+path, func(t *testing.T) {
				is := is.New(t)
				for _, name := range []string{"summary", "description", "operationId"} {
					is.True(operation[name].(string) != "")
				}
				is.True(!ids[operation["operationId"].(string)])
				ids[operation["operationId"].(string)] = true
				access := operation["x-tenure-access"].(map[string]any)
				is.True(access["kind"] != "")
				_, secured := operation["security"].([]any)
				is.True(secured)
				checkParameters(is, path, operation)
				checkRequest(is, c, pointer("paths", path, method), operation)
				checkResponses(is, c, pointer("paths", path, method), operation)
			})
		}
	}
	shown := 0
	for _, op := range s.api.Operations() {
		s.is.True(op.Access.Kind != "") // every operation says whom it is for
		if !op.Hidden {
			shown++
		}
	}
	s.is.Equal(documented, shown)
	s.is.True(documented > 35)
}

func checkParameters(is *is.I, path string, operation map[string]any) {
	is.Helper()
	named := make(map[string]bool)
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		p := p.(map[string]any)
		is.True(p["description"] != nil && p["description"] != "")
		is.True(p["schema"] != nil)
		named[p["in"].(string)+" "+p["name"].(string)] = true
	}
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			is.True(named["path "+strings.TrimSuffix(name, "}")])
		}
	}
}

func checkRequest(is *is.I, c *contract, at string, operation map[string]any) {
	is.Helper()
	request, ok := operation["requestBody"].(map[string]any)
	if !ok {
		return
	}
	media := request["content"].(map[string]any)["application/json"].(map[string]any)
	is.True(media["example"] != nil)
	is.Equal(c.validate(at+pointer("requestBody", "content", "application/json", "schema"), mustJSON(media["example"])), "")
}

// checkResponses wants one success with an example that fits, and a problem of
// each kind with its codes.
func checkResponses(is *is.I, c *contract, at string, operation map[string]any) {
	is.Helper()
	successes := 0
	for status, response := range operation["responses"].(map[string]any) {
		response := response.(map[string]any)
		is.True(response["description"] != "")
		number, err := strconv.Atoi(status)
		is.NoErr(err) // no default response
		if number < 400 && number != 304 {
			successes++
		}
		content, _ := response["content"].(map[string]any)
		if number >= 400 {
			is.True(content["application/problem+json"] != nil)
		}
		for kind, media := range content {
			media := media.(map[string]any)
			examples := []any{media["example"]}
			if list, ok := media["examples"].(map[string]any); ok {
				examples = examples[:0]
				for _, e := range list {
					examples = append(examples, e.(map[string]any)["value"])
				}
			}
			for _, example := range examples {
				is.True(example != nil)
				is.Equal(c.validate(at+pointer("responses", status, "content", kind, "schema"), mustJSON(example)), "")
			}
		}
	}
	is.True(successes >= 1)
	_, failures := operation["responses"].(map[string]any)["500"]
	is.True(failures)
}

func TestEveryReferenceInTheOpenAPIDocumentResolves(t *testing.T) {
	s := newStack(t)
	schemas := s.contract.document["components"].(map[string]any)["schemas"].(map[string]any)
	seen := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				seen++
				name, local := strings.CutPrefix(ref, "#/components/schemas/")
				s.is.True(local)
				s.is.True(schemas[name] != nil)
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(s.contract.document)
	s.is.True(seen > 50)
	for name := range schemas {
		_, err := s.contract.compiler.Compile(contractURL + "#" + pointer("components", "schemas", name))
		s.is.NoErr(err)
	}
	_, huma := schemas["ErrorModel"]
	s.is.True(!huma) // problems have one form
}

// Every code that package domain declares has a status.
func TestEveryCodeOfTheDomainHasAStatus(t *testing.T) {
	is := is.New(t)
	file, err := parser.ParseFile(token.NewFileSet(), "../domain/error.go", nil, 0)
	is.NoErr(err)
	statuses := httpapi.Statuses()
	checked := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		var code string
		is.NoErr(json.Unmarshal([]byte(spec.Values[0].(*ast.BasicLit).Value), &code))
		if status := statuses[code]; status < 400 || status > 499 {
			t.Errorf("%s (%s) has the status %d", spec.Names[0].Name, code, status)
		}
		checked++
		return true
	})
	is.True(checked > 30)
}
