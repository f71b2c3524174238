package acceptance

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// operation is one route as /openapi.json describes it.
type operation struct {
	id, method, path string
	access           access
	example          json.RawMessage // of the body; nil where there is none
	params           []parameter
	responses        []string // documented statuses
}

// takes reports whether a parameter may stand in the query.
func (o operation) takes(name string) bool {
	return slices.ContainsFunc(o.params, func(p parameter) bool { return p.In == "query" && p.Name == name })
}

// trial makes a command a dry run; other requests stay as they are.
func (o operation) trial(r *http.Request) {
	if o.takes("dry_run") {
		dryRun(r)
	}
}

// access says whom a route is for.
type access struct {
	Kind       string `json:"kind"`
	Permission string `json:"permission"`
	Self       bool   `json:"self"`
	Own        bool   `json:"own"`
	Ended      bool   `json:"ended"`
	Keys       bool   `json:"keys"`
	All        bool   `json:"all"`
	Scope      string `json:"scope"`
}

type parameter struct {
	Name string `json:"name"`
	In   string `json:"in"`
}

func (o operation) String() string { return o.method + " " + o.path }

func (o operation) reads() bool { return o.method == "GET" }

// operations reads the document. A route that does not say whom it is for ends
// the test.
func (s *server) operations(t *testing.T) []operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			ID          string      `json:"operationId"`
			Access      *access     `json:"x-tenure-access"`
			Parameters  []parameter `json:"parameters"`
			RequestBody struct {
				Content map[string]struct {
					Example json.RawMessage `json:"example"`
				} `json:"content"`
			} `json:"requestBody"`
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
	r := ok(t, s.anonymous().get("/openapi.json", anyPosition))
	if err := json.Unmarshal(r.body, &document); err != nil {
		t.Fatal(err)
	}
	kinds := []string{"public", "link", "signed_in", "member", "operator", "check"}
	var found []operation
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(document.Paths[path])) {
			o := document.Paths[path][method]
			if o.Access == nil || !slices.Contains(kinds, o.Access.Kind) {
				t.Fatalf("%s %s does not say whom it is for", method, path)
			}
			found = append(found, operation{
				id: o.ID, method: strings.ToUpper(method), path: path, access: *o.Access, params: o.Parameters,
				example: o.RequestBody.Content["application/json"].Example, responses: slices.Sorted(maps.Keys(o.Responses)),
			})
		}
	}
	if len(found) < 35 {
		t.Fatalf("the document has %d operations only", len(found))
	}
	return found
}

// filled is the path with ids in it; the organization's is in the query of those
// that have it there.
func (o operation) filled(ids map[string]string) string {
	path := o.path
	for name, id := range ids {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	if o.access.All {
		path += "?organization=" + ids["org"]
	}
	return path
}
