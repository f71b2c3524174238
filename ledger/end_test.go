package ledger_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/mod/sumdb/note"

	"tenure/commands/token"
	"tenure/ledger"
)

// TestTheEndOfAnExportIsSigned cuts exports at their ends and counts again, as whoever
// hands one over can.
func TestTheEndOfAnExportIsSigned(t *testing.T) {
	w := scene(t)
	for _, format := range formats {
		for _, organization := range []string{"", "acme"} {
			is := is.New(t)
			export := w.export(organization, format)
			is.Equal(w.verify(export).End, ledger.EndSigned)
			r := w.verifyWith(export, ledger.Options{})
			is.Equal([]any{r.OK, r.End}, []any{true, ledger.EndNotChecked})

			unsigned := func(r *ledger.Report) {
				t.Helper()
				is.True(!r.OK)
				is.Equal(r.End, ledger.EndUnsigned)
				is.True(slices.ContainsFunc(r.Findings, func(f ledger.Finding) bool {
					return strings.HasPrefix(f.Problem, "the end of the export is not signed")
				}))
			}
			same, err := ledger.Forge(export, format, func(*ledger.Forgery) {})
			is.NoErr(err)
			unsigned(w.verify(same))
			r = w.verifyForged(same)
			is.Equal([]any{r.OK, r.End}, []any{true, ledger.EndUnsigned})
			r = w.verifyWith(same, ledger.Options{})
			is.Equal([]any{r.OK, r.End}, []any{true, ledger.EndUnsigned})
			if organization == "" { // the tree tells where the log ends
				continue
			}
			cut := func(f *ledger.Forgery) { f.Events, f.Recount = f.Events[:len(f.Events)-1], true }
			forged, err := ledger.Forge(export, format, cut)
			is.NoErr(err)
			unsigned(w.verify(forged))
			is.True(w.verifyForged(forged).OK) // nobody could know
			forged, err = ledger.Forge(export, format, func(f *ledger.Forgery) { cut(f); f.Recount = false })
			is.NoErr(err)
			is.True(strings.Contains(w.verifyForged(forged).Findings[0].Problem, "ends after 2 events; the trailer says 3"))
			forged, err = ledger.Forge(export, format, func(f *ledger.Forgery) { cut(f); f.Signature = f.Signed })
			is.NoErr(err)
			for _, options := range []ledger.Options{{Key: w.key.Verifier()}, {Key: w.key.Verifier(), UnsignedEnd: true}} {
				r = w.verifyWith(forged, options)
				is.True(!r.OK)
				is.Equal(r.End, ledger.EndInvalid)
				is.True(strings.HasPrefix(r.Findings[0].Problem, "the end of the export is not what was signed"))
			}
		}
	}
}

// TestNoEndIsACheckpoint, and no checkpoint an end: both are signed with one key.
func TestNoEndIsACheckpoint(t *testing.T) {
	is := is.New(t)
	w := scene(t)
	verifier, err := note.NewVerifier(w.key.Verifier())
	is.NoErr(err)
	text, signature, err := ledger.End(w.export("acme", ledger.NDJSON))
	is.NoErr(err)
	_, err = note.Open([]byte(text+"\n"+signature+"\n"), note.VerifierList(verifier))
	is.NoErr(err) // it is a note as others read them
	is.True(strings.HasPrefix(text, "tenure export end v1\n{\"export\":\"tenure-organization-v1\",\"organization\":\"acme\","))
	_, err = ledger.Verify(text+"\n"+signature+"\n", w.key.Verifier())
	is.True(errors.Is(err, ledger.ErrNote))

	_, of, _ := strings.Cut(w.newest(), "\n\n")
	forged, err := ledger.Forge(w.export("acme", ledger.NDJSON), ledger.NDJSON, func(f *ledger.Forgery) { f.Signature = strings.TrimSuffix(of, "\n") })
	is.NoErr(err)
	is.Equal(w.verify(forged).End, ledger.EndInvalid)
}

// TestAnotherKeySignsNoEnd: the key is that of the log.
func TestAnotherKeySignsNoEnd(t *testing.T) {
	w := scene(t)
	keys, err := token.NewKeys(bytes.Repeat([]byte{8}, 32))
	w.is.NoErr(err)
	other, err := ledger.NewKey(keys)
	w.is.NoErr(err)
	_, err = ledger.Export(ctx, w.log, &bytes.Buffer{}, ledger.ExportOptions{Key: other})
	w.is.True(errors.Is(err, ledger.ErrOtherKey))
}

// TestALogThatDoesNotFitIsNotSigned: an export of it says so, and nobody else does.
func TestALogThatDoesNotFitIsNotSigned(t *testing.T) {
	w := four(t)
	w.tamper(`UPDATE events SET data = '{}' WHERE position = 1`)
	w.open()
	done, err := ledger.Export(ctx, w.log, &bytes.Buffer{}, ledger.ExportOptions{Key: w.key})
	w.is.NoErr(err)
	w.is.True(!done.Fits && !done.Signed)
}
