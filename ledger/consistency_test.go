package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/ledger"
)

// consistency is what a server answers with.
func (w *world) consistency(from, to uint64) ledger.Consistency {
	w.Helper()
	hashes, err := ledger.NewTree(w.views).Consistency(ctx, from, to)
	w.is.NoErr(err)
	text, err := json.Marshal(map[string]any{"from": from, "to": to, "hashes": hashes})
	w.is.NoErr(err)
	c, err := ledger.ParseConsistency(text)
	w.is.NoErr(err)
	return c
}

// TestACheckpointOfAnotherSizeIsLinked verifies exports against checkpoints that
// were kept before and after they were made.
func TestACheckpointOfAnotherSizeIsLinked(t *testing.T) {
	w := newWorld(t)
	w.append("organization-acme", "x", "invitation-1")
	w.sign()
	older := w.newest()
	w.append("organization-acme", "y", "organization-acme", "organization-other")
	w.sign()
	exports := map[string][]byte{"": w.export("", ledger.NDJSON), "acme": w.export("acme", ledger.Parquet)}
	w.append("y", "organization-acme")
	w.sign()
	newer := w.newest()

	verify := func(of, kept string, proofs ...ledger.Consistency) *ledger.Report {
		r, err := ledger.VerifyExport(bytes.NewReader(exports[of]), ledger.Options{Key: w.key.Verifier(), Kept: []string{kept}, Consistency: proofs})
		w.is.NoErr(err)
		return r
	}
	before, after := w.consistency(3, 7), w.consistency(7, 9)
	for _, c := range []struct {
		of, kept string
		proof    *ledger.Consistency
		advice   string // without the proof; empty where none is needed
	}{
		{"", older, nil, ""},
		{"", newer, &after, "size 9, the export ends at size 7: give the proof between them as well (--consistency), from GET /v1/ledger/proof/consistency?from=7&to=9, or take an export that was made after it"},
		{"acme", older, &before, "size 3, the export ends at size 7: give the proof between them as well (--consistency), from GET /v1/ledger/proof/consistency?from=3&to=7, or take an export of the whole log, which needs none"},
		{"acme", newer, &after, "from=7&to=9, or take an export that was made after it"},
	} {
		t.Run(fmt.Sprintf("%q, %.60q", c.of, c.kept), func(t *testing.T) {
			is := is.New(t)
			alone := verify(c.of, c.kept)
			is.Equal(alone.OK, c.advice == "")
			if c.advice == "" {
				return
			}
			is.Equal(len(alone.Findings), 1)
			is.True(strings.HasSuffix(alone.Findings[0].Problem, c.advice))

			r := verify(c.of, c.kept, before, after) // the one that it takes is found
			is.Equal(len(r.Findings), 0)
			is.True(r.OK)
			is.Equal(r.Checkpoints, map[string]int{"": 3, "acme": 2}[c.of])

			wrong := *c.proof
			wrong.Hashes = slices.Clone(wrong.Hashes)
			wrong.Hashes[0][7] ^= 1
			r = verify(c.of, c.kept, wrong)
			is.True(!r.OK)
			is.True(strings.Contains(r.Findings[0].Problem, "the log has two faces"))

			// What another log has signed, which begins in the same way.
			forked := newWorld(t)
			forked.append("organization-acme", "x", "z")
			forked.sign()
			forked.append("z", "z", "z", "z", "z", "z")
			forked.sign()
			is.True(!verify(c.of, forked.newest(), forked.consistency(3, 9), before, after, *c.proof).OK)
		})
	}
}

func TestWhatIsNoConsistencyProof(t *testing.T) {
	is := is.New(t)
	for _, text := range []string{``, `{}`, `[]`, `{"from":0,"to":2}`, `{"from":3,"to":2}`, `{"from":1,"to":2,"hashes":["x"]}`, `{"code":"proof_beyond_log"}`} {
		_, err := ledger.ParseConsistency([]byte(text))
		is.Equal(err, ledger.ErrConsistency)
	}
}
