package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is the API's own OpenAPI document. Every answer that any test gets is
// held against it.
type contract struct {
	document map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema
}

const contractURL = "mem://openapi.json"

func (s *stack) loadContract() {
	s.Helper()
	a := s.raw("GET", "/openapi.json", "", nil)
	c := &contract{compiler: jsonschema.NewCompiler(), compiled: make(map[string]*jsonschema.Schema)}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
	s.is.NoErr(err)
	c.document = document.(map[string]any)
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	s.is.NoErr(c.compiler.AddResource(contractURL, document))
	s.contract = c
}

// check reports how an answer breaks the contract.
func (c *contract) check(method, path string, a answer) (problem string) {
	if method == "HEAD" {
		method = "GET"
	}
	if a.status == 408 || a.status == 431 { // before a route is found
		return ""
	}
	template, operation := c.operation(strings.ToLower(method), path)
	if operation == nil {
		return ""
	}
	status := strconv.Itoa(a.status)
	response, ok := operation["responses"].(map[string]any)[status].(map[string]any)
	if !ok {
		return "status " + status + " is not documented"
	}
	if code := a.str("code"); code != "" && !strings.Contains(response["description"].(string), "`"+code+"`") {
		return "the code " + code + " is not documented"
	}
	content, _ := response["content"].(map[string]any)
	if len(a.body) == 0 {
		return ""
	}
	kind := a.header.Get("Content-Type")
	if content[kind] == nil {
		return "the content type " + kind + " is not documented"
	}
	if !isJSON(kind) {
		return ""
	}
	at := pointer("paths", template, strings.ToLower(method), "responses", status, "content", kind, "schema")
	return c.validate(at, a.body)
}

// validate holds JSON against the schema at a place of the document.
func (c *contract) validate(at string, text []byte) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	schema := c.compiled[at]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile(contractURL + "#" + at); err != nil {
			return err.Error()
		}
		c.compiled[at] = schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// operation finds what is documented for a path.
func (c *contract) operation(method, path string) (template string, operation map[string]any) {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	best := -1
	for candidate, item := range c.document["paths"].(map[string]any) {
		found, ok := item.(map[string]any)[method].(map[string]any)
		literal := match(strings.Split(candidate, "/"), parts)
		if ok && literal > best {
			best, template, operation = literal, candidate, found
		}
	}
	return template, operation
}

// match counts the literal parts of a template that fits, -1 for one that does not.
func match(template, parts []string) int {
	if len(template) != len(parts) {
		return -1
	}
	literal := 0
	for i, part := range template {
		switch {
		case strings.HasPrefix(part, "{"):
		case part == parts[i]:
			literal++
		default:
			return -1
		}
	}
	return literal
}

func pointer(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
		b.WriteString("/" + url.PathEscape(escaped))
	}
	return b.String()
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
