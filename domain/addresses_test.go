package domain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
)

func TestAddressesIn(t *testing.T) {
	holds := func(text string) bool {
		return slices.ContainsFunc(domain.AddressesIn(text), func(e domain.Email) bool { return e.Key() == "ada.l@example.com" })
	}
	for _, text := range []string{
		"ada.l@example.com", " ADA.L@Example.com\n", "Ada <ada.l@example.com>", "Write to ada.l@example.com.", "mailto:ada.l@example.com?subject=x", "mailto:ada.l%40example.com",
		"x@example.org,ada.l@example.com;y@example.org", "'ada.l@example.com'", "“ada.l@example.com”", "email=ada.l@example.com&x=y", "https://example.org/ada.l@example.com/bill",
		`{"to":"ada.l@example.com"}`, `{"to":"{\"a\":\"\u003cada.l@example.com\u003e\"}"}`, `Bills:\nada.l@example.com\n`, "- ada.l@example.com", "-ada.l@example.com", "*ada.l@example.com*",
		"…ada.l@example.com…", "@@ada.l@example.com@", "{ada.l@example.com}", "|ada.l@example.com|", "a@b ada.l@example.com", strings.Repeat("x", 300) + " ada.l@example.com",
	} {
		if !holds(text) {
			t.Errorf("%q: %q", text, domain.AddressesIn(text))
		}
	}
	for _, text := range []string{
		"", "@", "ada.l@", "@example.com", "ada.l@example", "l@example.com", "xada.l@example.com", "x.ada.l@example.com", "x+ada.l@example.com", "ada.l@example.com.au", "ada.l@example.commerce",
		"ada.l@example.co", "ada.l@sub.example.com", "ada.l @example.com", "Ada Lovelace", "ada.l@exämple.com",
	} {
		if holds(text) {
			t.Errorf("%q: %q", text, domain.AddressesIn(text))
		}
	}
	is := is.New(t)
	is.Equal(domain.AddressesIn("Zoë=zoë.ü@exämple.com"), []domain.Email{"Zoë=zoë.ü@exämple.com", "zoë.ü@exämple.com"})
	is.True(len(domain.AddressesIn(strings.Repeat("'@a.b", 10_000))) <= 20_000) // linear
	is.True(len(domain.AddressesIn(strings.Repeat("=", 40_000)+"@example.com")) <= 300)
}
