package codec

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// WithheldReason stands for a reason that is sealed and was not opened, and for any
// other free text.
const WithheldReason = "[sealed]"

// errWithheld says that a value was not opened, since it was not to be.
var errWithheld = errors.New("codec: a sealed value is withheld")

// NewWithholding is the codec for who reads a log without its keys, such as an
// auditor with an export: what is sealed reads as a name of its subject, always
// the same one, from which nobody learns more than from the subject's id. It does
// not say whether somebody was erased; only the keys do.
func NewWithholding() *Codec {
	c := New()
	c.withholds = true
	return c
}

// withheld stands for a value of a subject in the form of its field.
func (f form) withheld(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	digits := hex.EncodeToString(sum[:8])
	switch f {
	case formEmail:
		return "sealed-" + digits + "@sealed.invalid"
	case formUsername, formID:
		return "sealed-" + digits
	case formText:
		return WithheldReason
	case formEmpty:
		return ""
	}
	return "Sealed person " + digits[:8]
}
