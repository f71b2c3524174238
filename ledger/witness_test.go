package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/ledger"
)

// cosigner is a witness as C2SP's tlog-cosignature has it.
type cosigner struct {
	name string
	key  ed25519.PrivateKey
}

func newCosigner(name string) cosigner {
	seed := sha256.Sum256([]byte(name))
	return cosigner{name, ed25519.NewKeyFromSeed(seed[:])}
}

func (c cosigner) public(kind byte) []byte {
	return append([]byte{kind}, c.key.Public().(ed25519.PublicKey)...)
}

func (c cosigner) id(kind byte) []byte {
	sum := sha256.Sum256(append([]byte(c.name+"\n"), c.public(kind)...))
	return sum[:4]
}

func (c cosigner) verifier(kind byte) string {
	return fmt.Sprintf("%s+%x+%s", c.name, c.id(kind), base64.StdEncoding.EncodeToString(c.public(kind)))
}

func (c cosigner) cosign(text string, at time.Time) string {
	body, _, _ := strings.Cut(text, "\n\n")
	signature := ed25519.Sign(c.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at.Unix(), body))
	raw := binary.BigEndian.AppendUint64(c.id(4), uint64(at.Unix()))
	return "— " + c.name + " " + base64.StdEncoding.EncodeToString(append(raw, signature...))
}

func TestWitnessesCosign(t *testing.T) {
	is := is.New(t)
	w, at := newCosigner("witness.example/1"), time.Unix(1_700_000_000, 0).UTC()
	for _, kind := range []byte{1, 4} {
		witness, err := ledger.ParseWitness(w.verifier(kind))
		is.NoErr(err)
		line := w.cosign(goldenNote, at)
		c, err := ledger.Cosign(goldenNote, line, []*ledger.Witness{witness})
		is.NoErr(err)
		is.Equal(c, ledger.Cosignature{Witness: "witness.example/1", At: at, Line: line})

		// Another log's note, another witness, no witness at all.
		other, err := ledger.ParseWitness(newCosigner("other.example").verifier(4))
		is.NoErr(err)
		for _, wrong := range []struct {
			note, line string
			witnesses  []*ledger.Witness
		}{
			{strings.Replace(goldenNote, "1042", "1043", 1), line, []*ledger.Witness{witness}}, {goldenNote, line, []*ledger.Witness{other}}, {goldenNote, line, nil},
			{goldenNote, newCosigner("witness.example/1x").cosign(goldenNote, at), []*ledger.Witness{witness}}, {"", line, []*ledger.Witness{witness}},
			{goldenNote, line + "\n" + line, []*ledger.Witness{witness}}, {goldenNote, line + "\r", []*ledger.Witness{witness}}, {goldenNote, "", []*ledger.Witness{witness}},
			{goldenNote, strings.Split(goldenNote, "\n")[4], []*ledger.Witness{witness}},
		} {
			_, err := ledger.Cosign(wrong.note, wrong.line, wrong.witnesses)
			is.True(errors.Is(err, ledger.ErrCosignature))
		}
		for i := range line {
			changed := []byte(line)
			changed[i] ^= 1
			_, err := ledger.Cosign(goldenNote, string(changed), []*ledger.Witness{witness})
			is.True(err != nil)
		}
		// The note is still the log's with it.
		_, err = ledger.Verify(goldenNote+line+"\n", goldenKey)
		is.NoErr(err)
	}
}

func TestKeysOfWitnesses(t *testing.T) {
	good := newCosigner("w").verifier(4)
	for _, wrong := range []string{
		"", "w", "w+", "w++", "w+00000000+", strings.Replace(good, "w+", "v+", 1), strings.Replace(good, "w+", " w+", 1), good + "x", good[1:], goldenNote,
		newCosigner("w").verifier(2), "w+1+" + strings.Split(good, "+")[2],
	} {
		if _, err := ledger.ParseWitness(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func FuzzWitness(f *testing.F) {
	f.Add(newCosigner("w").verifier(4), newCosigner("w").cosign(goldenNote, time.Unix(1, 0)))
	known, err := ledger.ParseWitness(newCosigner("known").verifier(4))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, line string) {
		w, err := ledger.ParseWitness(key)
		if err == nil && !strings.HasPrefix(key, w.Name()+"+") {
			t.Fatalf("%q has the name %q", key, w.Name())
		}
		if _, err := ledger.Cosign(goldenNote, line, []*ledger.Witness{known}); err == nil {
			t.Fatalf("%q is a signature", line)
		}
	})
}

// Whoever hands in again what is there already leaves nothing in the ledger's
// stream, whatever Idempotency-Key they send: everybody may do that.
func TestACosignatureAgainLeavesNoTrace(t *testing.T) {
	w := scene(t)
	signed, _, err := w.commands.Checkpoints(ctx)
	w.is.NoErr(err)
	hand := func(key string) int {
		r := commands.Request{Actor: domain.Public(), IdempotencyKey: key}
		done, err := w.commands.CosignCheckpoint(ctx, r, signed.Newest, []commands.Cosignature{{Witness: "w", Line: "line"}})
		w.is.NoErr(err)
		return len(done.Events)
	}
	w.is.Equal(hand("first"), 1)
	w.is.Equal(hand("first"), 1) // the first answer
	w.is.Equal(hand("second"), 0)
	w.is.Equal(hand("third"), 0)
	w.append("z")
	w.sign()
	events, err := w.log.ReadStream(ctx, commands.LedgerStream, 0, 100)
	w.is.NoErr(err)
	for _, e := range events {
		w.is.True(strings.HasPrefix(e.Type, "ledger."))
	}
	r := w.audit(false)
	w.is.Equal(len(r.Findings), 0)
	w.is.True(r.OK)
}

// TestAnExportIsCosigned asks for the cosignatures of two witnesses, in the log, at
// the end of an export, and beside it.
func TestAnExportIsCosigned(t *testing.T) {
	w := scene(t)
	first, second := newCosigner("first.example"), newCosigner("second.example")
	ask := func(quorum int, names ...cosigner) (o ledger.Options) {
		o = ledger.Options{Key: w.key.Verifier(), Quorum: quorum}
		for _, c := range names {
			witness, err := ledger.ParseWitness(c.verifier(4))
			w.is.NoErr(err)
			o.Witnesses = append(o.Witnesses, witness)
		}
		return o
	}
	hand := func(by cosigner) {
		line := by.cosign(w.newest(), time.Unix(1_700_000_000, 0))
		_, err := w.commands.CosignCheckpoint(ctx, commands.Request{Actor: domain.Public()}, 7, []commands.Cosignature{{Witness: by.name, Line: line}})
		w.is.NoErr(err)
	}
	each := func(o ledger.Options, check func(is *is.I, r *ledger.Report)) {
		t.Helper()
		r, err := ledger.Audit(ctx, w.log, o)
		w.is.NoErr(err)
		check(w.is, r)
		for _, organization := range []string{"", "acme"} {
			for _, format := range formats {
				r, err := ledger.VerifyExport(bytes.NewReader(w.export(organization, format)), o)
				w.is.NoErr(err)
				check(w.is, r)
			}
		}
	}
	misses := func(names string) func(*is.I, *ledger.Report) {
		return func(is *is.I, r *ledger.Report) {
			t.Helper()
			is.True(!r.OK)
			is.Equal(len(r.Findings), 1)
			is.True(strings.Contains(r.Findings[0].Problem, "not that of "+names+"; GET /v1/ledger/checkpoint?size=7 "))
		}
	}
	by := func(names ...string) func(*is.I, *ledger.Report) {
		return func(is *is.I, r *ledger.Report) {
			t.Helper()
			is.Equal(len(r.Findings), 0)
			is.True(r.OK)
			is.Equal(r.Witnesses, names)
		}
	}
	each(ask(0, first, second), misses("first.example, second.example"))
	hand(first)
	each(ask(0, first), by("first.example"))
	each(ask(0, first, second), misses("second.example"))
	each(ask(1, first, second), by("first.example"))

	// One that came after the export was made, with a later answer of the server.
	beside := ask(0, first, second)
	beside.Kept = []string{w.newest() + second.cosign(w.newest(), time.Unix(1_700_000_060, 0)) + "\n"}
	each(beside, by("first.example", "second.example"))

	// One of an earlier checkpoint says nothing about what came since.
	earlier, _, err := w.commands.Checkpoints(ctx)
	w.is.NoErr(err)
	older, ok := earlier.Checkpoint(3)
	w.is.True(ok)
	early := ask(0, second)
	early.Kept, early.Consistency = []string{older.Note + second.cosign(older.Note, time.Unix(1_700_000_000, 0)) + "\n"}, []ledger.Consistency{w.consistency(3, 7)}
	each(early, misses("second.example"))

	// One whose name is right and whose key is not.
	forged := ask(0, second)
	forged.Kept = []string{w.newest() + cosigner{second.name, first.key}.cosign(w.newest(), time.Unix(1_700_000_060, 0)) + "\n"}
	each(forged, misses("second.example"))
	hand(second)
	each(ask(0, first, second), by("first.example", "second.example"))

	// What comes after is not cosigned.
	w.append("z")
	w.sign()
	r := w.verifyWith(w.export("", ledger.NDJSON), ask(0, first))
	w.is.True(!r.OK)
	w.is.True(strings.Contains(r.Findings[0].Problem, "the checkpoint of size 8 at the end has 0 of the 1 cosignatures"))
}
