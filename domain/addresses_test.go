package domain_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

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
		"%3Dada.l%40example.com", "ada.l%40example%2Ecom", "ada.l%2540example.com", "a%2Cada%252El%2540example.com", "%22ada.l@example.com%22", "%27ada.l%40example.com%27",
		"x=1%26ada.l@example.com%26y", "%2Fada.l@example.com%3Fx", "Bills%0Aada.l@example.com%0AThanks", "%09ada.l@example.com", "ada.l&#64;example.com", "ada.l&#x40;example.com", "ada.l&#064example.com",
		"&lt;ada.l@example.com&gt;", "&amp;lt;ada.l&commat;example.com", `ada\u002el@example.com`, `ada\\u002el\\u0040example.com`, `https:\/\/example.org\/ada.l@example.com`, "\xffada.l@example.com", "%FFada.l@example.com",
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
	for text, address := range map[string]domain.Email{
		`ada\u002b1@home.example`: "ada+1@home.example", `z\u00fc@home.example`: "zü@home.example", `\ud83d\ude00@home.example`: "😀@home.example",
		"z%C3%BC@home.example": "zü@home.example", "'_ada@home.example'": "_ada@home.example", "100%@a%zz.example": "100%@a", `\u00`: "", "%": "", "&#": "", `\`: "",
	} {
		is.Equal(slices.Contains(domain.AddressesIn(text), address), strings.Contains(string(address), "."))
	}
	is.Equal(domain.AddressesIn("\xff@a.b"), []domain.Email{"\xff@a.b"})
	is.Equal(domain.AddressesIn("Zoë=zoë.ü@exämple.com"), []domain.Email{"Zoë=zoë.ü@exämple.com", "zoë.ü@exämple.com"})
	is.True(len(domain.AddressesIn(strings.Repeat("'@a.b", 10_000))) <= 20_000) // linear
	for _, part := range []string{"&", "%", `\`, "%25", "&amp;", "&#", "&a", `\\`, "%40.a", "='_@a.b", "&nGt;"} {
		is.True(len(domain.AddressesIn(strings.Repeat(part, 48_000/len(part)))) <= 3*48_000)
	}
	is.True(len(domain.AddressesIn(strings.Repeat("=", 40_000)+"@example.com")) <= 300)
}

func isOfNoHost(r rune) bool {
	return !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number) && !strings.ContainsRune("@.-", r)
}

// FuzzAddressesIn holds that an address at a host, between two separators is found, whatever
// stands around them, and that what is made of a text is bounded by its length.
func FuzzAddressesIn(f *testing.F) {
	for _, c := range [][3]string{
		{"", "ada.l@example.com", ""}, {"to", "_ada+1@home.example", `\u00fc`}, {"\xff@a.b", "'ada'@home.example", "%2540"}, {"&#64", "a%20b@home.example", "%"}, {"@@", "zoë@exämple.com", "@a.b"},
	} {
		f.Add(c[0], c[1], c[2])
	}
	f.Fuzz(func(t *testing.T, before, address, after string) {
		bytes := 0
		for _, found := range domain.AddressesIn(before + address + after) {
			bytes += len(found)
		}
		if size := len(before + address + after); bytes > 3*2*size*2*domain.MaxEmailBytes {
			t.Errorf("%d bytes of addresses in %d", bytes, size)
		}
		email, err := domain.ParseEmail("email", address)
		at := strings.LastIndexByte(address, '@')
		if err != nil || string(email) != address || strings.ContainsFunc(address[:at], unicode.IsSpace) || strings.ContainsFunc(address[at:], isOfNoHost) || strings.HasSuffix(address, "-") {
			return
		}
		for _, separator := range []string{" ", "\n", "\"", "'", "<", ">", "=", "(", ",", ";", ":", "/", "…"} {
			if text := before + separator + address + separator + after; !slices.Contains(domain.AddressesIn(text), email) {
				t.Errorf("%q is not found in %q", address, text)
			}
		}
	})
}
