package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// plain makes a text harmless on a terminal, and says what it did: characters
// that command the terminal, turn the direction of writing, or cannot be seen stand
// there by their numbers, as does what is not UTF-8. Letters, marks and signs of
// every script stay as they are; a backslash is doubled, so that nothing else looks
// like such a number.
func plain(s string) string {
	var b strings.Builder
	for i, width := 0, 0; i < len(s); i += width {
		r, n := utf8.DecodeRuneInString(s[i:])
		width = n
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		case r == zeroWidthNonJoiner || r == zeroWidthJoiner || unicode.IsPrint(r):
			b.WriteRune(r)
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// harmless is plain for a message of ours that may hold somebody else's text: its
// lines, and its backslashes, stay.
func harmless(message string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == zeroWidthNonJoiner || r == zeroWidthJoiner || unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, message)
}

// Scripts and emoji need these two within words.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// count says how many there are.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// instant is a time for people.
func instant(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// style colours what is for a terminal.
type style struct{ colours bool }

// styleOf asks for colours where somebody looks: on a terminal, unless NO_COLOR is
// set or the terminal has none.
func styleOf(to io.Writer) style {
	file, ok := to.(*os.File)
	return style{ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s style) in(c text.Colors, what string) string {
	if !s.colours {
		return what
	}
	return c.EscapeSeq() + what + text.EscapeReset
}

func (s style) bold(what string) string  { return s.in(text.Colors{text.Bold}, what) }
func (s style) faint(what string) string { return s.in(text.Colors{text.Faint}, what) }
func (s style) good(what string) string  { return s.in(text.Colors{text.FgGreen}, what) }
func (s style) warn(what string) string  { return s.in(text.Colors{text.FgYellow}, what) }
func (s style) bad(what string) string   { return s.in(text.Colors{text.FgRed, text.Bold}, what) }

// printTable prints rows, the first of which is the head, aligned by how wide they
// are shown. Cells are plain texts.
func printTable(to io.Writer, s style, rows [][]string) {
	t := table.NewWriter()
	t.SetStyle(table.Style{Box: table.BoxStyle{PaddingRight: "  "}, Options: table.OptionsNoBordersAndSeparators})
	for i, cells := range rows {
		row := make(table.Row, len(cells))
		for c, cell := range cells {
			if row[c] = cell; i == 0 {
				row[c] = s.bold(cell)
			}
		}
		t.AppendRow(row)
	}
	for line := range strings.SplitSeq(t.Render(), "\n") {
		fmt.Fprintln(to, strings.TrimRight(line, " "))
	}
}

// printJSON prints a document.
func printJSON(to io.Writer, v any) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
