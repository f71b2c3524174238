package domain

import (
	"net/mail"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Lengths in runes, or bytes where the protocol counts bytes.
const (
	MaxEmailBytes       = 254 // RFC 5321, 4.5.3.1.3
	MaxUsernameRunes    = 64
	MaxDisplayNameRunes = 100
	MaxNameRunes        = 100
	MaxReasonRunes      = 500
	MaxWorkKindRunes    = 64
	MaxWorkIDRunes      = 200
	MaxAvatarURLBytes   = 1000
)

// Email is an e-mail address as its owner typed it (X15).
type Email string

// ParseEmail checks that text is a bare address, "local@domain".
func ParseEmail(field, text string) (Email, error) {
	text = strings.TrimSpace(text)
	parsed, err := mail.ParseAddress(text)
	at := strings.LastIndexByte(text, '@')
	if err != nil || parsed.Address != text || len(text) > MaxEmailBytes || !utf8.ValidString(text) ||
		!strings.Contains(text[at+1:], ".") || strings.ContainsFunc(text, isControl) {
		return "", Invalid(field, "Give an e-mail address such as ada@example.com.")
	}
	return Email(text), nil
}

// Key is what two spellings of one address have in common: Unicode-normalized
// and case-folded, dots and plus tags kept (X15).
func (e Email) Key() string { return fold(string(e)) }

// Username is a member's name inside one organization (O3).
type Username string

// ParseUsername checks the length and that nothing invisible is inside.
func ParseUsername(field, text string) (Username, error) {
	s, err := line(field, text, MaxUsernameRunes)
	return Username(s), err
}

// Key is what two spellings of one username have in common.
func (u Username) Key() string { return fold(string(u)) }

// OrganizationName is an organization's name as its founder typed it.
type OrganizationName string

// ParseOrganizationName checks the length and that nothing invisible is inside.
func ParseOrganizationName(field, text string) (OrganizationName, error) {
	s, err := line(field, text, MaxNameRunes)
	return OrganizationName(s), err
}

// Key is what two spellings of one name have in common: case and white space
// do not tell names apart (O1).
func (n OrganizationName) Key() string {
	// Spaces go first: without them a letter and an accent may become one.
	return fold(strings.Join(strings.Fields(string(n)), ""))
}

// ParseDisplayName checks a person's name as others see it.
func ParseDisplayName(field, text string) (string, error) {
	return line(field, text, MaxDisplayNameRunes)
}

// ParseSpaceName checks the length and that nothing invisible is inside.
func ParseSpaceName(field, text string) (string, error) {
	return line(field, text, MaxNameRunes)
}

// ParseWorkKind checks the host product's word for a kind of work.
func ParseWorkKind(field, text string) (string, error) {
	return word(field, text, MaxWorkKindRunes)
}

// ParseWorkID checks the host product's id of a piece of work.
func ParseWorkID(field, text string) (string, error) {
	return word(field, text, MaxWorkIDRunes)
}

// ParseAvatarURL checks the address of a picture; empty is none.
func ParseAvatarURL(field, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(text) > MaxAvatarURLBytes ||
		!utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", Invalid(field, "Give an address that begins with https://, has no user and no fragment, and is at most 1000 ASCII characters long.")
	}
	return text, nil
}

// ParseReason checks the optional reason of a command; empty is none.
func ParseReason(field, text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	return line(field, text, MaxReasonRunes)
}

// Fold is the key under which text is found whatever its case and Unicode form.
func Fold(text string) string { return fold(text) }

// word is text that is taken as it is, without spaces.
func word(field, text string, limit int) (string, error) {
	if text == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > limit ||
		strings.ContainsFunc(text, func(r rune) bool { return isControl(r) || unicode.IsSpace(r) }) {
		return "", Invalid(field, "Give a short value without spaces and invisible characters.")
	}
	return text, nil
}

func line(field, text string, limit int) (string, error) {
	if !utf8.ValidString(text) {
		return "", Invalid(field, "Give text in UTF-8.")
	}
	text = norm.NFC.String(strings.TrimSpace(text))
	switch {
	case text == "":
		return "", Invalid(field, "Give a value; it is empty.")
	case utf8.RuneCountInString(text) > limit:
		return "", Invalid(field, "Give a shorter value; this one is too long.")
	case strings.ContainsFunc(text, isControl):
		return "", Invalid(field, "Leave out line breaks and invisible characters.")
	}
	return text, nil
}

// isControl holds for what a reader cannot see: control and format characters
// (bidirectional overrides, zero-width joiners), line and paragraph separators,
// letters that are drawn as nothing (Hangul fillers).
func isControl(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

func fold(text string) string {
	ascii, lower := true, true
	for i := 0; i < len(text); i++ {
		c := text[i]
		ascii = ascii && c < utf8.RuneSelf
		lower = lower && (c < 'A' || c > 'Z')
	}
	switch {
	case ascii && lower:
		return text
	case ascii:
		return strings.ToLower(text)
	}
	return norm.NFC.String(cases.Fold().String(strings.Map(cherokee, norm.NFC.String(text))))
}

// cherokee gives both cases of a Cherokee letter the same one, since cases.Fold
// swaps the two instead of folding them.
func cherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}
