package domain_test

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tenure/domain"
)

var seeds = []string{
	"", "Ada", " ada@example.com ", "Jo\u0308rg", "e \u0301x", "\u13a0\uab70", "\u0345\u0301", "ᾳ\u0345", "İstanbul", "ǅ", "ﬁ", "ſ", "K", "a\u202eb", "\xff", "\u3164", "a b\u00a0c",
	"\"a b\"@example.com", "a@[127.0.0.1]", "=?utf-8?q?a?=@example.com", "a@xn--bcher-kva.example", "\u1e9e", "\u0390\u1fd3",
}

// stable holds a parser to its promises: what it accepts it accepts again as it
// is, and the key does not depend on the Unicode form or on being made twice.
func stable[T ~string](f *testing.F, parse func(field, text string) (T, error), key func(T) string) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parse("field", text)
		if err != nil {
			if parsed != "" {
				t.Fatalf("%+q: refused, and yet %+q", text, parsed)
			}
			return
		}
		again, err := parse("field", string(parsed))
		if err != nil || again != parsed {
			t.Fatalf("%+q: parsed as %+q, then as %+q, %v", text, parsed, again, err)
		}
		if !utf8.ValidString(string(parsed)) {
			t.Fatalf("%+q: parsed as %+q, which is not UTF-8", text, parsed)
		}
		k := key(parsed)
		if twice := key(T(k)); twice != k {
			t.Fatalf("%+q: key %+q, and its key %+q", text, k, twice)
		}
		if decomposed := key(T(norm.NFD.String(string(parsed)))); decomposed != k {
			t.Fatalf("%+q: key %+q, and decomposed %+q", text, k, decomposed)
		}
		if k == "" && parsed != "" {
			t.Fatalf("%+q: no key", text)
		}
	})
}

func FuzzParseEmail(f *testing.F) { stable(f, domain.ParseEmail, domain.Email.Key) }

func FuzzParseUsername(f *testing.F) { stable(f, domain.ParseUsername, domain.Username.Key) }

func FuzzParseOrganizationName(f *testing.F) {
	stable(f, domain.ParseOrganizationName, domain.OrganizationName.Key)
}

func FuzzParseReason(f *testing.F) { stable(f, domain.ParseReason, domain.Fold) }
