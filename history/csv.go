package history

import (
	"bytes"
	"encoding/csv"
	"strings"
)

// table writes rows as CSV (RFC 4180) that a spreadsheet can open: no cell is a
// formula, whatever somebody has called themselves.
func table(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
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

// harmless puts an apostrophe before what spreadsheets would calculate: they
// look past white space, and some know the wide forms of the signs as well.
func harmless(cell string) string {
	if strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n") {
		return "'" + cell
	}
	start := strings.TrimSpace(cell)
	for _, sign := range []string{"=", "+", "-", "@", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(start, sign) {
			return "'" + cell
		}
	}
	return cell
}

// CSV is the difference as a table: a line for each change.
func (d Diff) CSV() ([]byte, error) {
	rows := [][]string{{
		"at", "change", "name", "account_id", "invitation_id", "space_id", "before", "after", "actor_kind", "actor_id", "reason", "event", "position",
	}}
	for _, c := range d.Changes {
		rows = append(rows, []string{
			stamp(c.Event.At), string(c.Kind), c.Name, string(c.Account), string(c.Invitation), string(c.Space), c.Before.Text(), c.After.Text(),
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
