package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// AddressesIn lists what may be an e-mail address in a text, as a whole: of
// "ada@example.com" neither "a@example.com" nor "ada@example.co". Where it begins is
// not always plain, since an address may begin with almost any sign that others put
// before it, so that there is more in the list than people would find.
func AddressesIn(text string) []Email {
	found := appendAddresses(nil, text)
	if readable := encodings.Replace(text); readable != text {
		found = appendAddresses(found, readable)
	}
	return found
}

// encodings are of what may stand beside an address, or in it, in a URL or in JSON.
var encodings = strings.NewReplacer(
	"%40", "@", "%2B", "+", "%2b", "+", "%20", " ", "%3C", "<", "%3c", "<", "%3E", ">", "%3e", ">", "%3A", ":", "%3a", ":", "%2C", ",", "%2c", ",",
	`\n`, "\n", `\r`, "\r", `\t`, "\t", `\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\u0040`, "@", `\"`, `"`,
)

func appendAddresses(found []Email, text string) []Email {
	from := 0
	for {
		next := strings.IndexByte(text[from:], '@')
		if next < 0 {
			return found
		}
		at := from + next
		before, after := text[max(from, at-MaxEmailBytes):at], text[at+1:]
		from = at + 1
		if end := strings.IndexFunc(after, endsDomain); end >= 0 {
			after = after[:end]
		}
		after = strings.TrimRight(after, ".-")
		if !strings.Contains(after, ".") || len(after) > MaxEmailBytes {
			continue
		}
		if end := strings.LastIndexFunc(before, endsLocal); end >= 0 {
			_, size := utf8.DecodeRuneInString(before[end:])
			before = before[end+size:]
		}
		add := func(local string) {
			if local != "" {
				found = append(found, Email(local+"@"+after))
			}
		}
		add(before)
		if bare := strings.TrimLeft(before, usual); bare != before {
			add(bare)
		}
		for i, r := range before {
			if !isWord(r) && !strings.ContainsRune(usual, r) {
				add(strings.TrimLeft(before[i+utf8.RuneLen(r):], usual))
			}
		}
	}
}

// usual are the signs that addresses have in them often.
const usual = "._-+"

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) }

// endsLocal holds for what no address has before its @, unless it is in quotes.
func endsLocal(r rune) bool {
	return unicode.IsSpace(r) || isControl(r) || strings.ContainsRune("()<>[]:;@\\,\"", r)
}

func endsDomain(r rune) bool { return !isWord(r) && r != '.' && r != '-' }
