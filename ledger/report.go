package ledger

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"tenure/eventstore"
)

// Report is the outcome of a verification.
type Report struct {
	OK           bool   `json:"ok"`
	Scope        string `json:"scope"`                  // log or organization
	Organization string `json:"organization,omitempty"` // of an export of one
	Origin       string `json:"origin,omitempty"`
	Events       uint64 `json:"events"`   // that are proved
	Unsigned     uint64 `json:"unsigned"` // after the newest checkpoint
	Size         uint64 `json:"size"`     // of the newest checkpoint
	Root         string `json:"root"`     // of it
	// Position is that of the last event of the log that an export covers. Exports
	// repeat the positions of the server; that these grow is checked, which they
	// are is not proved.
	Position    eventstore.Position `json:"position,omitempty"`
	Checkpoints int                 `json:"checkpoints"`         // that the log was compared with
	Signature   string              `json:"signature"`           // valid, invalid, none (there is none to check) or not_checked
	End         string              `json:"end,omitempty"`       // of an export: EndSigned or another of these
	Witnesses   []string            `json:"witnesses,omitempty"` // of those asked for, who have cosigned it
	Findings    []Finding           `json:"findings"`            // the first in the log first; at most 100

	signed bool // a checkpoint was found to be signed with the key
}

// Finding is something that is wrong.
type Finding struct {
	Problem string `json:"problem"`
	Line    int    `json:"line,omitempty"` // of an export in NDJSON
	Row     int    `json:"row,omitempty"`  // of one in Parquet
	// Leaf is the first event that it is about; nil for the ledger's own. Last
	// is set where it is one of several.
	Leaf     *uint64             `json:"leaf,omitempty"`
	Last     *uint64             `json:"last,omitempty"`
	Position eventstore.Position `json:"position,omitempty"`
	Stream   string              `json:"stream,omitempty"`
	Revision eventstore.Revision `json:"revision,omitempty"`
	Type     string              `json:"type,omitempty"`

	whole bool // about no leaf: it comes after those that are
}

const maxFindings = 100

func (f Finding) rank() uint64 {
	switch {
	case f.whole:
		return math.MaxUint64
	case f.Leaf == nil:
		return 0
	}
	return *f.Leaf
}

func (r *Report) found(f Finding) {
	if len(r.Findings) < maxFindings {
		f.Problem, f.Stream, f.Type = shown(f.Problem), shown(f.Stream), shown(f.Type)
		r.Findings = append(r.Findings, f)
	}
}

// shown is a text of what is verified as it may stand on a terminal: whoever has
// made it may have put in what moves the cursor, to write a report of their own.
func shown(text string) string {
	const most = 300 // bytes
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsGraphic(c) {
			return c
		}
		return unicode.ReplacementChar
	}, text)
}

// finish puts the findings in the order of the log; those that are about no
// leaf come last.
func (r *Report) finish(options Options) *Report {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.rank(), b.rank()) })
	r.OK = len(r.Findings) == 0
	r.Origin, r.Organization = shown(r.Origin), shown(r.Organization)
	switch {
	case options.Key == "":
		r.Signature = "not_checked"
	case r.Signature == "" && r.signed:
		r.Signature = "valid"
	case r.Signature == "":
		r.Signature = "none"
	}
	return r
}
