package domain

import (
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// AddressesIn lists what may be an e-mail address in a text, as a whole: of
// "ada@example.com" neither "a@example.com" nor "ada@example.co". Where it begins is
// not always plain, since an address may begin with almost any sign that others put
// before it, so that there is more in the list than people would find.
//
// It looks into the text as it stands, and as it is read by who takes it for a part of
// a URL, of JSON or of HTML, and once more, since these stand in one another.
func AddressesIn(text string) []Email {
	found := appendAddresses(nil, text)
	for range 2 {
		decoded := decodeEscapes(text)
		if decoded == text {
			break
		}
		text = decoded
		found = appendAddresses(found, text)
	}
	return found
}

// decodeEscapes reads each escape of URLs (%40), JSON (\u0040, \n) and HTML (&#64;,
// &#x40;, &lt;) once. What is none stays as it is.
func decodeEscapes(text string) string {
	if !strings.ContainsAny(text, `%\&`) {
		return text
	}
	decoded := make([]byte, 0, len(text))
	for len(text) > 0 {
		next := strings.IndexAny(text, `%\&`)
		if next < 0 {
			next = len(text)
		}
		decoded = append(decoded, text[:next]...)
		if text = text[next:]; text == "" {
			break
		}
		size := 0
		switch text[0] {
		case '%':
			decoded, size = appendPercent(decoded, text)
		case '\\':
			decoded, size = appendBackslash(decoded, text)
		default:
			decoded, size = appendReference(decoded, text)
		}
		text = text[size:]
	}
	return string(decoded)
}

// appendPercent appends the byte that %XX stands for, and says how long that is.
func appendPercent(to []byte, text string) ([]byte, int) {
	if b, ok := hexadecimal(text, 1, 2); ok {
		return append(to, byte(b)), 3
	}
	return append(to, '%'), 1
}

func appendBackslash(to []byte, text string) ([]byte, int) {
	const short, meant = `"\/'nrtbf`, "\"\\/'\n\r\t\b\f"
	if r, ok := hexadecimal(text, 2, 4); ok && text[1] == 'u' {
		if low, ok := hexadecimal(text[6:], 2, 4); ok && strings.HasPrefix(text[6:], `\u`) && utf16.DecodeRune(r, low) != utf8.RuneError {
			return utf8.AppendRune(to, utf16.DecodeRune(r, low)), 12
		}
		return utf8.AppendRune(to, r), 6
	}
	if len(text) > 1 {
		if i := strings.IndexByte(short, text[1]); i >= 0 {
			return append(to, meant[i]), 2
		}
	}
	return append(to, '\\'), 1
}

// appendReference appends what HTML reads where there is a & and what may follow it.
func appendReference(to []byte, text string) ([]byte, int) {
	size := 1
	if size < len(text) && text[size] == '#' {
		size++
	}
	for size < len(text) && isAlphanumeric(text[size]) {
		size++
	}
	if size < len(text) && text[size] == ';' {
		size++
	}
	return append(to, html.UnescapeString(text[:size])...), size
}

func isAlphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// hexadecimal is the number that some digits of the text are, from a place on.
func hexadecimal(text string, from, digits int) (rune, bool) {
	if len(text) < from+digits {
		return 0, false
	}
	n, err := strconv.ParseUint(text[from:from+digits], 16, 16)
	return rune(n), err == nil
}

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
			if isWord(r) || strings.ContainsRune(usual, r) {
				continue
			}
			_, size := utf8.DecodeRuneInString(before[i:]) // one byte of what is no UTF-8
			rest := before[i+size:]
			add(rest)
			if bare := strings.TrimLeft(rest, usual); bare != rest {
				add(bare)
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
