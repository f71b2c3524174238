package ledger

import (
	"errors"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// The events of one organization prove that each of them is in the log. That none is
// missing after the last one they do not prove, and whoever hands an export over may
// have cut it and counted again. So whoever exports signs the end, with the key that
// the checkpoint was signed with: the header and the trailer, which say of what the
// export is, up to which checkpoint, how many events it has, how many of them are the
// organization's own, and the sum of all lines.

// endDomain begins what is signed of an end. It is the origin of no log, and no number
// follows it, so that no end is read as a checkpoint; and no checkpoint begins with it.
const endDomain = "tenure export end v1\n"

// endText is what is signed: the header and the trailer as NDJSON has them, the
// trailer without the signature, whatever the format of the file.
func endText(h header, t trailer) string {
	t.Signature = ""
	return string(appendTrailer(appendHeader([]byte(endDomain), h), t))
}

// ErrOtherKey says that a key is not the one that the checkpoint at the end of an
// export was signed with.
var ErrOtherKey = errors.New("ledger: the newest checkpoint is signed with another key")

// signEnd is the trailer with the signature, a line of a signed note.
func (k *Key) signEnd(h header, t trailer) (trailer, error) {
	text := endText(h, t)
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	t.Signature = strings.TrimSuffix(strings.TrimPrefix(string(signed), text+"\n"), "\n")
	return t, err
}

// verifyEnd reports whether the trailer has the signature, and nothing but that.
func verifyEnd(h header, t trailer, verifierKey string) bool {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil || strings.Contains(t.Signature, "\n") || !areSignatures(t.Signature+"\n") {
		return false
	}
	opened, err := note.Open([]byte(endText(h, t)+"\n"+t.Signature+"\n"), note.VerifierList(verifier))
	return err == nil && len(opened.Sigs) == 1 && h.Origin == verifier.Name()
}

// What a Report says of the end of an export.
const (
	EndSigned     = "signed"
	EndUnsigned   = "unsigned"
	EndInvalid    = "invalid"
	EndNotChecked = "not_checked" // without a key
)

// signedEnd looks at the signature of the end.
func (v *verification) signedEnd() {
	switch {
	case v.last.Signature == "":
		v.report.End = EndUnsigned
		if v.options.Key != "" && !v.options.UnsignedEnd {
			v.wrong(v.count+1, "the end of the export is not signed: whoever has handed it over may have left out what came last. "+
				"Have it exported with the secret of the deployment, or take it as it is with --without-signed-end")
		}
	case v.options.Key == "":
		v.report.End = EndNotChecked
	case verifyEnd(*v.head, *v.last, v.options.Key):
		v.report.End = EndSigned
	default:
		v.report.End = EndInvalid
		v.wrong(v.count+1, "the end of the export is not what was signed: something was left out, added or changed after it was exported")
	}
}
