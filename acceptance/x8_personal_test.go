package acceptance

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestX8_WhatWasOnesOwn erases somebody who has a personal space, with a name of
// its own, and is the only member of the organization of an e-mail domain.
func TestX8_WhatWasOnesOwn(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, onboarding())
		c := &cast{server: s}
		domain := uniqueDomain()
		p := &person{client: s.anonymous(), Name: erasedName, Email: "zebedee@" + domain, Password: password}
		p.register(t)
		space, company := p.space(t), p.only(t)
		ok(t, p.rename(space, "Zebedee's own"))
		ok(t, p.set(space, "billing", map[string]string{"street": "Oldfeather Street 5", "town": "Quillfeather"}))
		ok(t, p.set(space, "billing", map[string]string{"town": "Bern"}))
		ok(t, p.workIn(company))
		shown := func() string {
			text := c.feedOf(t)
			for _, path := range []string{"/v1/operator/organizations?limit=200", "/v1/operator/organizations?limit=200&personal=true", orgPath(space), orgPath(company), orgPath(space, "history"), orgPath(company, "members?status=removed")} {
				text += string(s.operator().get(path).body)
			}
			return text
		}
		is.True(strings.Contains(shown(), "Zebedee's own"))
		ok(t, p.post("/v1/me/erase", map[string]any{"password": password}))
		left := ""
		defer func() {
			if t.Failed() {
				t.Logf("left: %q", left)
			}
		}()
		eventually(t, "nothing is left", func() bool {
			if left = leftOver([]byte(shown())); left == "" {
				left = c.searchStores(t)
			}
			return left == ""
		})
		text := shown()
		is.Equal(strings.Count(text, `"type":"organization.deleted.v1"`) >= 2, true) // both have ended
		is.True(!strings.Contains(text, "Bern"))                                     // no setting of the space is left, whatever it says
		is.True(strings.Contains(text, "Erased person "))

		// The domain is whoever's signs in next.
		next := s.signUpAt(t, domain, "Next")
		is.True(next.only(t) != company)
		is.True(next.space(t) != space)
	})
}
