package ledger_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
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

func (w *world) export(organization string) []byte {
	w.Helper()
	var b bytes.Buffer
	done, err := ledger.Export(ctx, w.log, organization, &b, func(uint64, uint64) {})
	w.is.NoErr(err)
	w.is.True(done.Fits)
	return b.Bytes()
}

func (w *world) verify(export []byte, kept ...string) *ledger.Report {
	w.Helper()
	r, err := ledger.VerifyExport(bytes.NewReader(export), ledger.Options{Key: w.key.Verifier(), Kept: kept})
	w.is.NoErr(err)
	return r
}

func TestExportsAreVerified(t *testing.T) {
	w := scene(t)
	r := w.verify(w.export(""), w.newest())
	w.is.Equal(len(r.Findings), 0)
	w.is.Equal([]any{r.OK, r.Scope, r.Events, r.Size, r.Checkpoints, r.Signature}, []any{true, "log", uint64(7), uint64(7), 3, "valid"})

	r = w.verify(w.export("acme"), w.newest())
	w.is.Equal(len(r.Findings), 0)
	w.is.Equal([]any{r.OK, r.Scope, r.Organization, r.Events, r.Size, r.Signature}, []any{true, "organization", "acme", uint64(4), uint64(7), "valid"})

	w.append("organization-acme")
	again := w.export("") // what is not signed is not in it
	w.is.Equal(w.verify(again).Events, uint64(7))
	r, err := ledger.VerifyExport(bytes.NewReader(again), ledger.Options{})
	w.is.NoErr(err)
	w.is.Equal([]any{r.OK, r.Signature}, []any{true, "not_checked"})
}

func TestWhatCannotBeExported(t *testing.T) {
	w := newWorld(t)
	_, err := ledger.Export(ctx, w.log, "", &bytes.Buffer{}, func(uint64, uint64) {})
	w.is.Equal(err, ledger.ErrNoCheckpoint)
	w.append("x")
	w.sign()
	_, err = ledger.Export(ctx, w.log, "nobody", &bytes.Buffer{}, func(uint64, uint64) {})
	w.is.Equal(err, ledger.ErrNoOrganization)
}

// TestEveryByteOfAnExportCounts changes each of the first line and the last one,
// and one of five of the others; some are left out.
func TestEveryByteOfAnExportCounts(t *testing.T) {
	w := scene(t)
	for _, organization := range []string{"", "acme"} {
		export := w.export(organization)
		first, last := bytes.IndexByte(export, '\n'), bytes.LastIndex(export, []byte(`{"checkpoint"`))
		for i := range export {
			if i > first && i < last && i%5 > 0 {
				continue
			}
			flipped := bytes.Clone(export)
			flipped[i] ^= 1
			if w.verify(flipped).OK {
				t.Fatalf("byte %d: %.60s", i, export[i:])
			}
			if without := append(bytes.Clone(export[:i]), export[i+1:]...); i%10 == 0 && w.verify(without).OK {
				t.Fatalf("without byte %d: %.60s", i, export[i:])
			}
		}
		for _, cut := range []int{0, 1, len(export) / 2, len(export) - 1} {
			r := w.verify(export[:cut])
			w.is.True(!r.OK)
			w.is.True(r.Signature != "valid") // there is none at the end
		}
		w.is.True(!w.verify(append(bytes.Clone(export), '\n')).OK)
		w.is.True(!w.verify(append(bytes.Clone(export), export...)).OK)
	}
}

// forged is an export that somebody has changed with care: the checksum and the
// number of the events are right again.
func forged(t testing.TB, export []byte, change func(lines []string) []string) []byte {
	t.Helper()
	lines := strings.SplitAfter(strings.TrimSuffix(string(export), "\n"), "\n")
	last := lines[len(lines)-1]
	lines = change(lines[:len(lines)-1])
	body := strings.Join(lines, "")
	var end struct {
		Checkpoint string `json:"checkpoint"`
		Events     int    `json:"events"`
		SHA256     string `json:"sha256"`
	}
	if err := json.Unmarshal([]byte(last), &end); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body + end.Checkpoint))
	end.Events, end.SHA256 = len(lines)-1, hex.EncodeToString(sum[:])
	text, err := json.Marshal(end)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(body), append(text, '\n')...)
}

func TestAForgedExportIsFoundAndNamed(t *testing.T) {
	w := scene(t)
	on := func(line int, old, new string) func([]string) []string {
		return func(lines []string) []string {
			if !strings.Contains(lines[line], old) {
				t.Fatalf("%q is not in %s", old, lines[line])
			}
			lines[line] = strings.ReplaceAll(lines[line], old, new)
			return lines
		}
	}
	without := func(line int) func([]string) []string {
		return func(lines []string) []string { return append(lines[:line:line], lines[line+1:]...) }
	}
	swapped := func(a, b int) func([]string) []string {
		return func(lines []string) []string {
			lines[a], lines[b] = lines[b], lines[a]
			return lines
		}
	}
	added := func(lines []string) []string {
		e := &eventstore.Recorded{Event: goldenEvent().Event, Stream: "organization-new"}
		text, err := ledger.EncodeLine(e)
		w.is.NoErr(err)
		return append(lines, strings.Replace(string(text), `{"leaf":0`, `{"leaf":7`, 1))
	}
	hidden := func(lines []string) []string {
		own := strings.Count(strings.Join(lines, ""), `"stream":"ledger"`)
		e := &eventstore.Recorded{Event: goldenEvent().Event, Stream: "ledger", Revision: eventstore.Revision(own)}
		text, err := ledger.EncodeLine(e)
		w.is.NoErr(err)
		_, rest, _ := strings.Cut(string(text), `"stream"`)
		return append(lines, `{"stream"`+rest)
	}
	rehashed := func(line int, old, new string) func([]string) []string {
		return func(lines []string) []string {
			e, err := ledger.DecodeLine([]byte(lines[line]))
			w.is.NoErr(err)
			was := ledger.LeafHash(e).String()
			e.Data = bytes.ReplaceAll(e.Data, []byte(old), []byte(new))
			lines[line] = strings.ReplaceAll(strings.ReplaceAll(lines[line], strings.ReplaceAll(old, `"`, `\"`), strings.ReplaceAll(new, `"`, `\"`)), was, ledger.LeafHash(e).String())
			return lines
		}
	}
	const whole, acme = "", "acme"
	for name, c := range map[string]struct {
		export  string
		change  func([]string) []string
		leaf    uint64
		exact   bool
		problem string
	}{
		"unchanged, for the test's sake":  {whole, func(l []string) []string { return l }, 0, false, ""},
		"data":                            {whole, on(1, `\"n\":0`, `\"n\":7`), 0, true, "not what was signed"},
		"metadata":                        {whole, on(5, `public`, `process`), 3, true, "not what was signed"},
		"type":                            {whole, on(2, `test.happened.v1`, `test.happened.v2`), 1, true, "not what was signed"},
		"data and hash":                   {whole, rehashed(1, `"n":0`, `"n":7`), 0, false, "the checkpoint of size 3 does not fit"},
		"data and hash of the last":       {whole, rehashed(8, `"n":0`, `"n":7`), 3, false, "the checkpoint of size 7 does not fit"},
		"left out":                        {whole, without(1), 0, false, "revision 1 where 0"},
		"last left out":                   {whole, without(8), 6, false, "the log ends after 6 events"},
		"added after the checkpoint":      {whole, added, 7, true, "was not there when the log was signed"},
		"hidden among the ledger's own":   {whole, hidden, 0, false, "not as an export has it"},
		"swapped":                         {whole, swapped(1, 2), 0, true, "leaf 1 where 0"},
		"a checkpoint left out":           {whole, without(4), 0, false, "revision 1 where 0"},
		"another checkpoint":              {whole, on(4, `"size\":3`, `"size\":2`), 0, false, "the note says something else"},
		"of an organization: data":        {acme, on(2, `\"n\":0`, `\"n\":7`), 2, true, "not what was signed"},
		"of an organization: with hash":   {acme, rehashed(2, `"n":0`, `"n":7`), 2, true, "not proved to be in the log"},
		"of an organization: moved":       {acme, on(1, `{"leaf":0`, `{"leaf":1`), 1, true, "not proved to be in the log"},
		"of an organization: left out":    {acme, without(3), 5, true, "revision 2 where 1"},
		"of an organization: swapped":     {acme, swapped(3, 4), 3, true, "not in the order of the log"},
		"of an organization: of another":  {acme, on(0, `"organization":"acme"`, `"organization":"else"`), 0, true, "none of the organization's"},
		"of an organization: another log": {acme, on(0, `"size":7`, `"size":8`), 0, false, "the first line speaks of another checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := w.verify(forged(t, w.export(c.export), c.change))
			if c.problem == "" {
				is.True(r.OK)
				return
			}
			is.True(!r.OK)
			found := false
			for _, f := range r.Findings {
				found = found || strings.Contains(f.Problem, c.problem) && (!c.exact || f.Leaf != nil && *f.Leaf == c.leaf && f.Line > 0)
			}
			if !found {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

// TestAWholeStreamLeftOut: what is left of the export is genuine.
func TestAWholeStreamLeftOut(t *testing.T) {
	w := scene(t)
	told := func(eventType, invitation string) {
		_, err := w.log.Append(ctx, "organization-acme", eventstore.Exactly(eventstore.Revision(w.next["organization-acme"]-1)), []eventstore.Event{{
			ID: eventstore.ID(uuid.New()), Type: eventType, Data: []byte(`{"organization_id":"acme","invitation_id":"` + invitation + `"}`), Metadata: []byte(`{}`),
		}})
		w.is.NoErr(err)
		w.next["organization-acme"]++
	}
	told("organization.invitation_opened.v1", "2") // not begun before the checkpoint
	told("organization.invitation_closed.v1", "1")
	told("organization.member_joined.v1", "")
	w.is.NoErr(w.ledger.Once(ctx))
	export := w.export("acme")
	w.is.True(w.verify(export).OK)
	for stream, problem := range map[string]string{
		"organization-acme": "the organization's own stream is missing", "invitation-1": "the stream invitation-1 is missing",
	} {
		r := w.verify(forged(t, export, func(lines []string) []string {
			return slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, `"stream":"`+stream+`"`) })
		}))
		w.is.Equal(len(r.Findings), 1)
		w.is.True(strings.HasPrefix(r.Findings[0].Problem, problem))
	}
}

// TestAReportMovesNoCursor: a hostile file says nothing to the terminal.
func TestAReportMovesNoCursor(t *testing.T) {
	w := scene(t)
	const escapes, long = `\u001b[2Jall is well\r`, "a stream with a long name "
	r := w.verify(forged(t, w.export("acme"), func(lines []string) []string {
		lines[0] = strings.Replace(lines[0], `"organization":"acme"`, `"organization":"`+escapes+`"`, 1)
		lines[1] = strings.Replace(lines[1], `"stream":"organization-acme"`, `"stream":"`+escapes+`"`, 1)
		lines[2] = strings.Replace(lines[2], `"type":"test`, `"type":"`+escapes, 1)
		lines[3] = strings.Replace(lines[3], `"stream":"`, `"stream":"`+strings.Repeat(long, 1000), 1)
		return lines
	}))
	w.is.True(!r.OK)
	texts := []string{r.Organization, r.Origin}
	for _, f := range r.Findings {
		texts = append(texts, f.Problem, f.Stream, f.Type)
	}
	all := strings.Join(texts, "\n")
	w.is.True(strings.Contains(all, "all is well") && strings.Contains(all, long))
	w.is.True(!strings.ContainsAny(all, "\x1b\r"))
	w.is.True(len(all) < 20_000)
}

// TestAnotherCheckpointAtTheEnd changes the note of the last line.
func TestAnotherCheckpointAtTheEnd(t *testing.T) {
	w := scene(t)
	for _, organization := range []string{"", "acme"} {
		export := string(w.export(organization))
		for _, change := range [][2]string{{`{"checkpoint":"tenure/`, `{"checkpoint":"Tenure/`}, {`\n7\n`, `\n6\n`}, {`=\n\n—`, `=\n\n-`}} {
			i := strings.LastIndex(export, `{"checkpoint"`)
			r := w.verify([]byte(export[:i] + strings.Replace(export[i:], change[0], change[1], 1)))
			w.is.True(!r.OK)
			w.is.Equal(r.Signature, "invalid")
		}
	}
	// One that is signed, of an older state of the log.
	older, newer := w.newest(), ""
	w.append("z")
	w.sign()
	newer = w.newest()
	enc := func(note string) string {
		text, err := json.Marshal(note)
		w.is.NoErr(err)
		return string(text)
	}
	for _, organization := range []string{"", "acme"} {
		changed := strings.Replace(string(w.export(organization)), `{"checkpoint":`+enc(newer), `{"checkpoint":`+enc(older), 1)
		w.is.True(!w.verify([]byte(changed)).OK)
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
		text, err := ledger.EncodeLine(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ledger.DecodeLine(text)
		if err != nil || !ledger.IsLeaf(e) {
			return
		}
		again, err := ledger.EncodeLine(e)
		if err != nil {
			t.Fatal(err)
		}
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
		export := w.export(organization)
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
