package httpapi_test

import (
	"testing"

	"github.com/matryer/is"
)

// What a client asks for is done, or refused: never passed over.
func TestQueriesAreNotPassedOver(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	path := "/v1/organizations/" + org
	for query, field := range map[string]string{
		"?dry_run": "dry_run", "?dry_run=": "dry_run", "?dry-run=true": "dry-run", "?DRY_RUN=true": "DRY_RUN",
		"?dry_run=false&dry_run=true": "dry_run", "?dry_run=true&x=%22%0a": "x", "?%22%0a=": "%22%0A", "?dry_run=perhaps": "dry_run",
	} {
		t.Run(query, func(t *testing.T) {
			is := is.New(t)
			a := s.raw("PATCH", path+query, ada.token, map[string]any{"name": "Looms"})
			is.True(a.status == 400 || a.status == 422)
			is.Equal(a.object["errors"].([]any)[0].(map[string]any)["field"], field)
		})
	}
	for query, code := range map[string]string{
		"/members?asof=2026-03-03T09:00:00Z": "malformed", "/members?limit=": "malformed", "/members?limit=1&limit=2": "malformed",
		"/policy?as_of=1": "malformed", "/members?as_of=": "invalid",
	} {
		a := s.raw("GET", path+query, ada.token, nil)
		s.is.Equal(query+" "+a.str("code"), query+" "+code)
	}
	s.is.Equal(s.want(200, "GET", path, ada.token, nil).str("name"), "Engines")
	s.want(200, "GET", path+"/members?q=&cursor=&limit=1", ada.token, nil) // as a form sends what is not filled in
	s.want(200, "GET", "/healthz?probe=1", "", nil)
	s.want(200, "GET", "/docs?utm_source=mail", "", nil)
	s.refused(401, "not_signed_in", "GET", path+"?as-of=1", "", nil) // a stranger learns nothing about routes
}
