package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/matryer/is"
	"pgregory.net/rapid"
)

func TestPlainTextsCommandNoTerminal(t *testing.T) {
	is := is.New(t)
	for text, want := range map[string]string{
		"Ada Lovelace": "Ada Lovelace",
		"Zoë 山田 Ελένη علی\u200cرضا 👩\u200d💻": "Zoë 山田 Ελένη علی\u200cرضا 👩\u200d💻",
		"a\x1b[2Jb":          `a\u001b[2Jb`,
		"a\u202eb\u2066":     `a\u202eb\u2066`,
		"a\rb\nc\td":         `a\u000db\u000ac\u0009d`,
		"\u200b\ufeff\u2028": `\u200b\ufeff\u2028`,
		"\u009b31m\x7f":      `\u009b31m\u007f`,
		"\U000e0041":         `\U000e0041`,
		"no\u00a0break":      "no break",
		"\xff\xc3":           `\xff\xc3`,
		`\u202e`:             `\\u202e`,
		"":                   "",
	} {
		is.Equal(plain(text), want)
	}
}

// What a text becomes says which text it was, but for spaces, and holds nothing
// that a terminal obeys.
func TestPlainTextsAreHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		shown := plain(text)
		if !utf8.ValidString(shown) {
			t.Fatalf("%q is no UTF-8", shown)
		}
		for _, r := range shown {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.In(r, unicode.Zl, unicode.Zp) {
				t.Fatalf("%q has %q", shown, r)
			}
		}
	})
}

func TestTablesAreAlignedByWidth(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	printTable(&out, style{}, [][]string{{"NAME", "ROLE"}, {"山田太郎", "ADMIN"}, {"Zoë", "USER"}, {"", "NONE"}})
	is.Equal(out.String(), "NAME      ROLE\n山田太郎  ADMIN\nZoë       USER\n          NONE\n")
}

func TestColoursAreForTerminals(t *testing.T) {
	is := is.New(t)
	is.True(!styleOf(&bytes.Buffer{}).colours)
	file, err := os.Create(t.TempDir() + "/out")
	is.NoErr(err)
	defer file.Close()
	is.True(!styleOf(file).colours)
	is.Equal(style{}.bad("left"), "left")
	is.True(strings.HasPrefix(style{colours: true}.bad("left"), "\x1b["))
}

func TestMessagesCommandNoTerminal(t *testing.T) {
	is := is.New(t)
	is.Equal(harmless("codec: unknown event: \x1b[2J\u202eadmin\u009b\nC:\\log é"), "codec: unknown event: \ufffd[2J\ufffdadmin\ufffd\nC:\\log é")
}
