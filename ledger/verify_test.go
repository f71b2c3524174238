package ledger_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/ledger"
)

// scene is a log with two organizations, and exports of it.
func scene(t testing.TB) *world {
	w := newWorld(t)
	w.append("organization-acme", "x", "invitation-1")
	w.sign()
	w.append("organization-acme", "y", "organization-acme", "organization-other")
	w.sign()
	return w
}

// formats are those of exports.
var formats = []ledger.Format{ledger.NDJSON, ledger.Parquet}

func (w *world) export(organization string, format ledger.Format) []byte {
	w.Helper()
	var b bytes.Buffer
	done, err := ledger.Export(ctx, w.log, &b, ledger.ExportOptions{Organization: organization, Format: format, Key: w.key})
	w.is.NoErr(err)
	w.is.True(done.Fits && done.Signed)
	return b.Bytes()
}

func (w *world) verify(export []byte, kept ...string) *ledger.Report {
	w.Helper()
	return w.verifyWith(export, ledger.Options{Key: w.key.Verifier(), Kept: kept})
}

// verifyForged verifies what was written without the key: who forges with care leaves
// the signature out, and finds somebody who does not ask for it.
func (w *world) verifyForged(export []byte) *ledger.Report {
	w.Helper()
	return w.verifyWith(export, ledger.Options{Key: w.key.Verifier(), UnsignedEnd: true})
}

func (w *world) verifyWith(export []byte, options ledger.Options) *ledger.Report {
	w.Helper()
	r, err := ledger.VerifyExport(bytes.NewReader(export), options)
	w.is.NoErr(err)
	return r
}

func TestExportsAreVerified(t *testing.T) {
	for _, format := range formats {
		t.Run(string(format), func(t *testing.T) {
			w := scene(t)
			r := w.verify(w.export("", format), w.newest())
			w.is.Equal(len(r.Findings), 0)
			w.is.Equal([]any{r.OK, r.Scope, r.Events, r.Size, r.Checkpoints, r.Signature}, []any{true, "log", uint64(7), uint64(7), 3, "valid"})

			r = w.verify(w.export("acme", format), w.newest())
			w.is.Equal(len(r.Findings), 0)
			w.is.Equal([]any{r.OK, r.Scope, r.Organization, r.Events, r.Size, r.Signature}, []any{true, "organization", "acme", uint64(4), uint64(7), "valid"})

			w.append("organization-acme")
			again := w.export("", format) // what is not signed is not in it
			w.is.Equal(w.verify(again).Events, uint64(7))
			r, err := ledger.VerifyExport(bytes.NewReader(again), ledger.Options{})
			w.is.NoErr(err)
			w.is.Equal([]any{r.OK, r.Signature}, []any{true, "not_checked"})
		})
	}
}

// TestBothFormatsHoldTheSame makes each of the other one, byte by byte.
func TestBothFormatsHoldTheSame(t *testing.T) {
	w := scene(t)
	w.odd()
	w.sign()
	for _, organization := range []string{"", "acme"} {
		files := map[ledger.Format][]byte{}
		for _, format := range formats {
			var b bytes.Buffer
			done, err := ledger.Export(ctx, w.log, &b, ledger.ExportOptions{Organization: organization, Format: format})
			w.is.NoErr(err)
			w.is.True(!done.Signed)
			files[format] = b.Bytes()
			w.is.Equal(len(w.verifyForged(files[format]).Findings), 0)
		}
		for from, file := range files {
			for to, want := range files {
				got, err := ledger.Forge(file, to, func(*ledger.Forgery) {})
				w.is.NoErr(err)
				if to == ledger.NDJSON {
					w.is.Equal(string(got), string(want))
				}
				w.is.True(w.verifyForged(got).OK) // from, to
				_ = from
			}
		}
	}
}

func TestWhatCannotBeExported(t *testing.T) {
	w := newWorld(t)
	_, err := ledger.Export(ctx, w.log, &bytes.Buffer{}, ledger.ExportOptions{})
	w.is.Equal(err, ledger.ErrNoCheckpoint)
	w.append("x")
	w.sign()
	_, err = ledger.Export(ctx, w.log, &bytes.Buffer{}, ledger.ExportOptions{Organization: "nobody"})
	w.is.Equal(err, ledger.ErrNoOrganization)
}

// TestEveryByteOfAnExportCounts changes each of the first line and the last one,
// and one of five of the others; some are left out. Of Parquet it is each, of the
// larger file one of 13.
func TestEveryByteOfAnExportCounts(t *testing.T) {
	w := scene(t)
	for _, format := range formats {
		for _, organization := range []string{"", "acme"} {
			export := w.export(organization, format)
			first, last := bytes.IndexByte(export, '\n'), bytes.LastIndex(export, []byte(`{"checkpoint"`))
			for i := range export {
				if format == ledger.NDJSON && i > first && i < last && i%5 > 0 || format == ledger.Parquet && organization == "" && i%13 > 0 {
					continue
				}
				flipped := bytes.Clone(export)
				flipped[i] ^= 1
				if format == ledger.Parquet {
					flipped[i] ^= 1 ^ 1<<(i%8)
				}
				if w.verify(flipped).OK {
					t.Fatalf("%s, byte %d of %d: %.60q", format, i, len(export), export[i:])
				}
				if without := append(bytes.Clone(export[:i]), export[i+1:]...); i%10 == 0 && w.verify(without).OK {
					t.Fatalf("%s, without byte %d: %.60q", format, i, export[i:])
				}
			}
			for _, cut := range []int{0, 1, len(export) / 2, len(export) - 1} {
				w.is.True(!w.verify(export[:cut]).OK)
			}
			w.is.True(!w.verify(append(bytes.Clone(export), '\n')).OK)
			w.is.True(!w.verify(append(bytes.Clone(export), export...)).OK)
		}
	}
}

func TestAForgedExportIsFoundAndNamed(t *testing.T) {
	w := scene(t)
	type change = func(*ledger.Forgery)
	on := func(i int, do func(e *ledger.Forged)) change {
		return func(f *ledger.Forgery) { do(f.Events[i]) }
	}
	data := func(old, new string) func(e *ledger.Forged) {
		return func(e *ledger.Forged) { e.Data = bytes.ReplaceAll(e.Data, []byte(old), []byte(new)) }
	}
	rehashed := func(old, new string) func(e *ledger.Forged) {
		return func(e *ledger.Forged) {
			data(old, new)(e)
			e.Hash = ledger.LeafHash(&e.Recorded)
		}
	}
	without := func(i int) change {
		return func(f *ledger.Forgery) { f.Events = slices.Delete(f.Events, i, i+1) }
	}
	swapped := func(a, b int) change {
		return func(f *ledger.Forgery) { f.Events[a], f.Events[b] = f.Events[b], f.Events[a] }
	}
	const whole, acme = "", "acme"
	for name, c := range map[string]struct {
		export  string
		change  change
		leaf    uint64
		exact   bool
		problem string
	}{
		"unchanged, for the test's sake":  {whole, func(*ledger.Forgery) {}, 0, false, ""},
		"data":                            {whole, on(0, data(`"n":0`, `"n":7`)), 0, true, "not what was signed"},
		"metadata":                        {whole, on(4, func(e *ledger.Forged) { e.Metadata = []byte(`{}`) }), 3, true, "not what was signed"},
		"type":                            {whole, on(1, func(e *ledger.Forged) { e.Type = "test.happened.v2" }), 1, true, "not what was signed"},
		"id":                              {whole, on(1, func(e *ledger.Forged) { e.ID[3]++ }), 1, true, "not what was signed"},
		"stream":                          {whole, on(1, func(e *ledger.Forged) { e.Stream = "z" }), 1, true, "not what was signed"},
		"hash":                            {whole, on(1, func(e *ledger.Forged) { e.Hash[0]++ }), 1, true, "not what was signed"},
		"revision":                        {whole, on(1, func(e *ledger.Forged) { e.Revision++ }), 1, true, "revision 1 where 0"},
		"position":                        {whole, on(1, func(e *ledger.Forged) { e.Position += 100 }), 2, true, "position is not in the order"},
		"data and hash":                   {whole, on(0, rehashed(`"n":0`, `"n":7`)), 0, false, "the checkpoint of size 3 does not fit"},
		"data and hash of the last":       {whole, on(7, rehashed(`"n":0`, `"n":7`)), 3, false, "the checkpoint of size 7 does not fit"},
		"left out":                        {whole, without(0), 0, false, "revision 1 where 0"},
		"last left out":                   {whole, without(7), 6, false, "the log ends after 6 events"},
		"swapped":                         {whole, swapped(0, 1), 0, true, "leaf 1 where 0"},
		"twice":                           {whole, func(f *ledger.Forgery) { f.Events = slices.Insert(f.Events, 0, f.Events[0]) }, 1, true, "leaf 0 where 1"},
		"a checkpoint left out":           {whole, without(3), 0, false, "revision 1 where 0"},
		"another checkpoint":              {whole, on(3, data(`"size":3`, `"size":2`)), 0, false, "the note says something else"},
		"of an organization: data":        {acme, on(1, data(`"n":0`, `"n":7`)), 2, true, "not what was signed"},
		"of an organization: with hash":   {acme, on(1, rehashed(`"n":0`, `"n":7`)), 2, true, "not proved to be in the log"},
		"of an organization: moved":       {acme, on(0, func(e *ledger.Forged) { e.Leaf = 1 }), 1, true, "not proved to be in the log"},
		"of an organization: the proof":   {acme, on(0, func(e *ledger.Forged) { e.Proof[0][0]++ }), 0, true, "not proved to be in the log"},
		"of an organization: no proof":    {acme, on(0, func(e *ledger.Forged) { e.Proof = nil }), 0, true, "not proved to be in the log"},
		"of an organization: left out":    {acme, without(2), 5, true, "revision 2 where 1"},
		"of an organization: swapped":     {acme, swapped(2, 3), 3, true, "not in the order of the log"},
		"of an organization: of another":  {acme, func(f *ledger.Forgery) { f.Organization = "else" }, 0, true, "none of the organization's"},
		"of an organization: another log": {acme, func(f *ledger.Forgery) { f.Size = 8 }, 0, false, "the header speaks of another checkpoint"},
	} {
		for _, format := range formats {
			t.Run(name+", "+string(format), func(t *testing.T) {
				is := is.New(t)
				forged, err := ledger.Forge(w.export(c.export, format), format, c.change)
				is.NoErr(err)
				r := w.verifyForged(forged)
				if c.problem == "" {
					is.True(r.OK)
					return
				}
				is.True(!r.OK)
				found := false
				for _, f := range r.Findings {
					found = found || strings.Contains(f.Problem, c.problem) && (!c.exact || f.Leaf != nil && *f.Leaf == c.leaf && f.Line+f.Row > 0)
				}
				if !found {
					t.Errorf("%+v", r.Findings)
				}
			})
		}
	}
}

// TestAnotherCheckpointAtTheEnd changes the note of the trailer.
func TestAnotherCheckpointAtTheEnd(t *testing.T) {
	w := scene(t)
	older := w.newest()
	for _, format := range formats {
		for _, organization := range []string{"", "acme"} {
			noted := func(note func(string) string) *ledger.Report {
				forged, err := ledger.Forge(w.export(organization, format), format, func(f *ledger.Forgery) { f.Checkpoint = note(f.Checkpoint) })
				w.is.NoErr(err)
				return w.verifyForged(forged)
			}
			for _, change := range [][2]string{{"tenure/", "Tenure/"}, {"\n7\n", "\n6\n"}, {"=\n\n—", "=\n\n-"}} {
				r := noted(func(note string) string { return strings.Replace(note, change[0], change[1], 1) })
				w.is.True(!r.OK)
				w.is.Equal(r.Signature, "invalid")
			}
		}
	}
	// One that is signed, of an older state of the log.
	w.append("z")
	w.sign()
	for _, format := range formats {
		for _, organization := range []string{"", "acme"} {
			forged, err := ledger.Forge(w.export(organization, format), format, func(f *ledger.Forgery) { f.Checkpoint = older })
			w.is.NoErr(err)
			w.is.True(!w.verifyForged(forged).OK)
		}
	}
}

func FuzzNote(f *testing.F) {
	f.Add(goldenNote)
	f.Add("a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— a AAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ledger.ParseNote(text)
		if err == nil && !strings.HasPrefix(text, c.Text()+"\n") {
			t.Fatalf("%q is read as %+v", text, c)
		}
		if verified, err := ledger.Verify(text, goldenKey); err == nil && verified.Size != 1042 {
			t.Fatalf("%q is signed", text)
		}
	})
}

func FuzzLine(f *testing.F) {
	for _, data := range []string{`{"a":1}`, "\xff\x00", "", "\u2028<&>"} {
		e := goldenEvent()
		e.Data = []byte(data)
		f.Add(ledger.EncodeLine(e))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ledger.DecodeLine(text)
		quick, quickErr := ledger.DecodeQuickly(text)
		if (err == nil) != (quickErr == nil) || err == nil && ledger.LeafHash(quick) != ledger.LeafHash(e) {
			t.Fatalf("%q is read as %+v, %v and quickly as %+v, %v", text, e, err, quick, quickErr)
		}
		if err != nil || !ledger.IsLeaf(e) {
			return
		}
		again := ledger.EncodeLine(e)
		back, err := ledger.DecodeLine(again)
		if err != nil || ledger.LeafHash(back) != ledger.LeafHash(e) {
			t.Fatalf("%q comes back as %q: %v", text, again, err)
		}
	})
}

// FuzzExport: no event that was not exported is verified with the key.
func FuzzExport(f *testing.F) {
	w := scene(f)
	genuine := map[string]bool{}
	for _, organization := range []string{"", "acme"} {
		export := w.export(organization, ledger.NDJSON)
		for line := range strings.Lines(string(export)) {
			genuine[line] = strings.HasPrefix(line, `{"leaf"`) // the others say when, and differ from process to process
		}
		f.Add(export)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ledger.VerifyExport(bytes.NewReader(text), ledger.Options{Key: w.key.Verifier()})
		if err != nil || !r.OK {
			return
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, `{"leaf"`) && !genuine[line] {
				t.Fatalf("verified: %q", line)
			}
		}
	})
}

var _ ledger.Source = eventstore.Store(nil)
