package token

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// nonceBytes is the length of the nonces of AES-GCM, which stand before what is
// sealed.
const nonceBytes = 12

var cursorEncoding = base64.RawURLEncoding.Strict()

// SealCursor makes a text that says nothing, for addresses, which stand in the logs
// of others: where a page has ended may be somebody's name. The same text gives the
// same one at every node and for ever, so that pages stay the same: the nonce is a
// hash of the text under a key of its own. It is good for the purpose only.
func (k *Keys) SealCursor(purpose, text string) string {
	sealed := make([]byte, 0, nonceBytes+len(text)+k.cursors.Overhead())
	sealed = append(sealed, k.cursorNonce(purpose, text)...)
	return cursorEncoding.EncodeToString(k.cursors.Seal(sealed, sealed, []byte(text), []byte(purpose)))
}

// OpenCursor reads what SealCursor has made for the purpose. It fails with
// ErrInvalid.
func (k *Keys) OpenCursor(purpose, sealed string) (string, error) {
	raw, err := cursorEncoding.DecodeString(sealed)
	if err != nil || len(raw) < nonceBytes {
		return "", ErrInvalid
	}
	text, err := k.cursors.Open(nil, raw[:nonceBytes], raw[nonceBytes:], []byte(purpose))
	if err != nil || cursorEncoding.EncodeToString(raw) != sealed { // the decoder passes over line breaks
		return "", ErrInvalid
	}
	return string(text), nil
}

func (k *Keys) cursorNonce(purpose, text string) []byte {
	h := hmac.New(sha256.New, k.cursorNonces)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write([]byte(text))
	return h.Sum(nil)[:nonceBytes]
}

func newCursors(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
