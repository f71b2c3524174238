package ledger

import (
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tenure/domain/checkpoint"
)

// A witness signs that it has seen a checkpoint and that it knows of none that
// contradicts it (C2SP tlog-cosignature, "cosignature/v1").

// algCosignature is the type of a witness's key in the keys of notes.
const algCosignature = 4

// Witness is one whose cosignatures are kept.
type Witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

var _ note.Verifier = (*Witness)(nil)

// ParseWitness reads a witness's verifier key, name+hash+key, as witnesses
// publish it: of a cosignature key (type 4), or of the plain Ed25519 key
// (type 1) with the same bytes.
func ParseWitness(text string) (*Witness, error) {
	name, rest, _ := strings.Cut(text, "+")
	hash, encoded, found := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	given, hashErr := strconv.ParseUint(hash, 16, 32)
	switch {
	case !found || name == "" || strings.ContainsAny(name, " \t\r\n") || err != nil || hashErr != nil || len(hash) != 8:
		return nil, errors.New("ledger: a witness's key is name+hash+key")
	case len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature && raw[0] != algEd25519:
		return nil, errors.New("ledger: a witness's key is one of Ed25519")
	case uint32(given) != keyHash(name, raw):
		return nil, errors.New("ledger: the hash in a witness's key is not that of the key")
	}
	raw[0] = algCosignature
	return &Witness{name: name, hash: keyHash(name, raw), key: raw[1:]}, nil
}

func keyHash(name string, key []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(sum[:])
}

// Name implements note.Verifier.
func (w *Witness) Name() string { return w.name }

// KeyHash implements note.Verifier.
func (w *Witness) KeyHash() uint32 { return w.hash }

// Verify implements note.Verifier.
func (w *Witness) Verify(text, signature []byte) bool {
	at, signature, ok := cutTime(signature)
	return ok && ed25519.Verify(w.key, cosignedText(at, text), signature)
}

// cutTime splits a cosignature into the time in seconds and what is signed with it.
func cutTime(signature []byte) (at uint64, rest []byte, ok bool) {
	if len(signature) != 8+ed25519.SignatureSize {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(signature), signature[8:], true
}

// cosignedText is what a witness signs.
func cosignedText(at uint64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at), text...)
}

// Cosignature is a witness's signature of a checkpoint.
type Cosignature struct {
	Witness string
	At      time.Time // when the witness signed, as it says
	Line    string    // as it stands in a note, without the end of the line
}

// ErrCosignature says that a line is no signature of a known witness on the
// checkpoint.
var ErrCosignature = errors.New("ledger: not a cosignature of a known witness on this checkpoint")

// Cosign checks a line against a signed checkpoint and the known witnesses. It
// fails with ErrCosignature.
func Cosign(signedNote, line string, witnesses []*Witness) (Cosignature, error) {
	body, _, found := strings.Cut(signedNote, "\n\n")
	if !found || strings.Contains(line, "\n") || !areSignatures(line+"\n") {
		return Cosignature{}, ErrCosignature
	}
	for _, w := range witnesses {
		opened, err := note.Open([]byte(body+"\n\n"+line+"\n"), note.VerifierList(w))
		if err != nil || len(opened.Sigs) != 1 {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(opened.Sigs[0].Base64)
		if err != nil || len(raw) < 4 {
			continue
		}
		at, _, _ := cutTime(raw[4:])
		if at > math.MaxInt64 {
			continue
		}
		return Cosignature{Witness: w.name, At: time.Unix(int64(at), 0).UTC(), Line: line}, nil
	}
	return Cosignature{}, ErrCosignature
}

// cosignedNote is a note with what a witness has cosigned, in the place of what the same
// one has before. The first signature is the log's own.
func cosignedNote(text string, by checkpoint.Cosigned) string {
	head, signatures, _ := strings.Cut(text, "\n\n")
	kept := head + "\n\n"
	first := true
	for line := range strings.Lines(signatures) {
		if first || !strings.HasPrefix(line, "— "+by.Witness+" ") {
			kept += line
		}
		first = false
	}
	return kept + by.Line + "\n"
}

// Same reports whether both are one key, whatever it goes by: it does not count twice.
func (w *Witness) Same(other *Witness) bool { return w.key.Equal(other.key) }

// witnessed checks that enough witnesses have cosigned a checkpoint that covers
// all that was verified: the note at the end, or one that was kept, whose tree has
// the same beginning or there is a finding about it. Cosignatures come after the
// checkpoint, so a note that was asked for later has them.
func (w *walk) witnessed(end string) {
	if len(w.options.Witnesses) == 0 {
		return
	}
	last, err := ParseNote(end)
	if err != nil {
		return // there is a finding about that
	}
	covering := []string{end}
	for _, text := range w.options.Kept {
		if c, err := w.open(text); err == nil && c.Origin == last.Origin && c.Size >= last.Size {
			covering = append(covering, text)
		}
	}
	var missing []string
	for _, by := range w.options.Witnesses {
		if slices.ContainsFunc(covering, by.cosigned) {
			w.report.Witnesses = append(w.report.Witnesses, by.name)
		} else {
			missing = append(missing, by.name)
		}
	}
	wanted := cmp.Or(w.options.Quorum, len(w.options.Witnesses))
	if have := len(w.report.Witnesses); have < wanted {
		w.report.found(Finding{whole: true, Problem: fmt.Sprintf(
			"the checkpoint of size %d at the end has %d of the %d cosignatures that are asked for, not that of %s; GET /v1/ledger/checkpoint?size=%d shows those that came since: give its answer with --checkpoint",
			last.Size, have, wanted, strings.Join(missing, ", "), last.Size)})
	}
}

// cosigned reports whether the witness has cosigned a note.
func (w *Witness) cosigned(text string) bool {
	_, signatures, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(signatures) {
		if _, err := Cosign(text, strings.TrimSuffix(line, "\n"), []*Witness{w}); err == nil {
			return true
		}
	}
	return false
}
