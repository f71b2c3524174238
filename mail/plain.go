package mail

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
)

const maxNameRunes = 64

// plainName makes a freely chosen name harmless in a mail to somebody else.
//
// A mail that we send for an organization called "Your account is locked, go to
// http://evil.example" would be phishing with our good name. So a name is one
// line of at most 64 visible characters without the quotation marks that stand
// around it, and nothing in it is left for a mail program to turn into a link:
// a dot, colon or at sign inside a word is followed by a space ("evil. example"),
// and slashes stand alone.
func plainName(s string) string {
	return limited(unlinked(visible(s)))
}

// plainIdentity is like plainName for what has to be shown letter by letter, an
// address or a username: one that no mail program takes for a web address stays
// as it is.
func plainIdentity(s string) string {
	shown := visible(s)
	if plainAddress.MatchString(shown) && len(shown) <= maxAddressBytes || !linkable(shown) {
		return cut(shown, maxAddressBytes)
	}
	return limited(unlinked(shown))
}

// plainAddress is an e-mail address that reads as nothing else: mail programs
// take "www.evil.example/@host.example" for a web address.
var plainAddress = regexp.MustCompile(`^([\pL\pN_+'-]+\.)*[\pL\pN_+'-]+@([\pL\pN-]+\.)+[\pL\pN-]{2,}$`)

// visible is s as one line without anything that a reader cannot see.
func visible(s string) string {
	s = cut(strings.ToValidUTF8(s, ""), 16*maxNameRunes)
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(strings.Join(strings.Fields(s), " "))
}

// unlinked takes apart whatever could be read as an address of any kind.
func unlinked(s string) string {
	runes := []rune(s)
	at := func(i int) rune {
		if i < 0 || i >= len(runes) {
			return ' '
		}
		return runes[i]
	}
	var b strings.Builder
	for i, r := range runes {
		prev, next := at(i-1), at(i+1)
		switch {
		case isQuote(r):
			b.WriteByte('\'')
		case isSlash(r):
			if !isSlash(prev) {
				b.WriteByte('/')
			}
		case isAt(r):
			b.WriteString(" (at) ")
		case r == '=' && next == '?':
			b.WriteString("= ") // the start of an encoded word, which a subject would decode
		case isDot(r) && !unicode.IsSpace(next) && !isDot(next),
			isColon(r) && !unicode.IsSpace(next) && !(unicode.IsDigit(prev) && unicode.IsDigit(next)):
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// linkable reports whether a mail program could read an address into s.
func linkable(s string) bool {
	if webLike.MatchString(s) {
		return true
	}
	for _, end := range afterDot.FindAllStringSubmatch(s, -1) {
		if isTopLevel(end[1]) {
			return true
		}
	}
	return false
}

var (
	// webLike is what starts or makes up an address by itself, or is taken
	// apart for another reason: see unlinked.
	webLike  = regexp.MustCompile(`(?i)=\?|["“”„‟«»‹›〝〞〟＂/\\／＼⁄∕@＠﹫:：﹕．。｡․﹒]|\bwww\.|\d(\.\d+){2}`)
	afterDot = regexp.MustCompile(`\.([\pL\pN\pM-]+)`)
)

// isTopLevel reports whether label is a top-level domain, or could be one in
// another script.
func isTopLevel(label string) bool {
	label = strings.ToLower(label)
	if strings.HasPrefix(label, "xn--") || strings.ContainsFunc(label, func(r rune) bool { return r > unicode.MaxASCII }) {
		return true
	}
	_, known := publicsuffix.PublicSuffix("host." + label)
	return known
}

func isQuote(r rune) bool { return strings.ContainsRune(`"“”„‟«»‹›〝〞〟＂`, r) }
func isSlash(r rune) bool { return strings.ContainsRune(`/\／＼⁄∕`, r) }
func isAt(r rune) bool    { return strings.ContainsRune("@＠﹫", r) }
func isColon(r rune) bool { return strings.ContainsRune(":：﹕", r) }

// isDot holds for the full stop and what browsers take for one in a host name.
func isDot(r rune) bool { return strings.ContainsRune(".．。｡․﹒", r) }

func limited(s string) string { return cut(s, maxNameRunes) }

// cut is s, or its first n characters and an ellipsis.
func cut(s string, n int) string {
	count := 0
	for i := range s {
		if count == n {
			return strings.TrimSpace(s[:i]) + "…"
		}
		count++
	}
	return s
}
