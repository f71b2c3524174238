package httpapi

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// queryOf is what an input takes in the query: whether each name may stand there
// without a value.
func queryOf(input reflect.Type) map[string]bool {
	names := make(map[string]bool)
	for _, field := range reflect.VisibleFields(input) {
		if name, ok := field.Tag.Lookup("query"); ok {
			names[name] = field.Type.Kind() == reflect.String
		}
	}
	return names
}

// takesAnyQuery holds for what a browser navigates to, and for what shows the state of
// the server to programs that ask everything alike.
func (r *route) takesAnyQuery() bool { return r.hidden || r.page || r.always }

// readQuery refuses what would be passed over in silence: a name that the route does
// not know, as dry-run or asof, of which the client believes that it counts; one that
// is there twice; one that lacks its value.
func (a *API) readQuery(c *call) error {
	r := c.route
	if r.takesAnyQuery() {
		return nil
	}
	arguments := c.fiber.Context().QueryArgs()
	if arguments.Len() == 0 {
		return nil
	}
	seen := make(map[string]bool)
	for key, value := range arguments.All() {
		name := string(key)
		bare, known := r.query[name]
		switch {
		case !known && len(r.query) == 0:
			return a.malformed(shownName(name), "Leave the query out; this route takes none.")
		case !known:
			return a.malformed(shownName(name), fmt.Sprintf("No such parameter; this route takes %s.", strings.Join(slices.Sorted(maps.Keys(r.query)), ", ")))
		case seen[name]:
			return a.malformed(name, "Give it once.")
		case len(value) == 0 && !bare:
			return a.malformed(name, "Give a value, or leave it out.")
		}
		seen[name] = true
	}
	return nil
}

// shownName is a name that a client made up, as an answer repeats it.
func shownName(name string) string {
	if name = url.QueryEscape(name); len(name) > 100 {
		name = name[:100]
	}
	return name
}
