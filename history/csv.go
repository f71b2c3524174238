package history

import (
	"bytes"
	"encoding/csv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// mark is the byte order mark of UTF-8. Excel takes a CSV without it for the code
// page of the machine and shows Zoë as ZoÃ«, and whoever opens these tables opens
// them by a double click. pandas, DuckDB, LibreOffice and Numbers pass it over; for
// programs that do not there is JSON.
const mark = "\ufeff"

// table writes rows as CSV (RFC 4180) that a spreadsheet can open: no cell is a
// formula, whatever somebody has called themselves.
func table(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(mark)
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	for _, row := range rows {
		for i, cell := range row {
			row[i] = harmless(cell)
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// harmless puts an apostrophe before what spreadsheets would calculate. Where the
// comma is for decimals they split cells at semicolons instead, and then know no
// quotes in the middle of a line: so whatever may begin a cell anywhere counts.
func harmless(cell string) string {
	var b strings.Builder
	begins := true
	for i, c := range cell {
		if begins && (i == 0 && strings.ContainsRune("\t\r\n", c) || calculated(cell[i:])) {
			b.WriteByte('\'')
		}
		begins = strings.ContainsRune(";\t\r\n", c)
		b.WriteRune(c)
	}
	return b.String()
}

// calculated reports whether a spreadsheet would take a text for a formula: they
// look past white space and quotes, and some know the wide forms of the signs.
func calculated(text string) bool {
	text = strings.TrimLeftFunc(text, func(c rune) bool { return unicode.IsSpace(c) || c == '"' })
	first, _ := utf8.DecodeRuneInString(text)
	return text != "" && strings.ContainsRune("=+-@＝＋－＠", first)
}

// exact is a time with all its digits: as as_of it shows what was so by then.
func exact(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// CSV is the difference as a table: a line for each change.
func (d Diff) CSV() ([]byte, error) {
	rows := [][]string{{
		"at", "change", "name", "account_id", "invitation_id", "space_id", "before", "after", "actor_kind", "actor_id", "reason", "event", "position",
	}}
	for _, c := range d.Changes {
		rows = append(rows, []string{
			exact(c.Event.At), string(c.Kind), c.Name, string(c.Account), string(c.Invitation), string(c.Space), c.Before.Text(), c.After.Text(),
			string(c.Event.Actor.Kind), c.Event.Actor.ID, c.Event.Reason, c.Event.Type, number(uint64(c.Event.Position)),
		})
	}
	return table(rows)
}

// Text is the value as a line; empty for none.
func (v *Value) Text() string {
	if v == nil {
		return ""
	}
	var parts []string
	say := func(name, text string) {
		if text != "" {
			parts = append(parts, name+"="+text)
		}
	}
	say("name", v.Name)
	say("email", string(v.Email))
	say("status", v.Status)
	say("roles", joinAll(v.Roles, " "))
	say("spaces", joinAll(v.Spaces, " "))
	if v.Generation > 0 {
		say("generation", number(uint64(v.Generation)))
	}
	say("policy", v.Policy)
	if v.Version > 0 {
		say("version", number(uint64(v.Version)))
	}
	return strings.Join(parts, "; ")
}
