package token

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// sealedPrefix says, to people and secret scanners, what a sealed text is.
const sealedPrefix = "tnr_sld_"

// maxSealedBytes bounds what Open decodes.
const maxSealedBytes = 8 << 10

// sealed is what is inside: until when it is good, and the value.
type sealed struct {
	Until time.Time       `json:"until"`
	Value json.RawMessage `json:"value"`
}

// Seal makes a text that only a server with this secret can read or make, for
// what a browser keeps between two requests: AES-256-GCM under a random nonce.
// Purpose tells texts of one kind from those of others. It can be opened until
// the time that is given.
func (k *Keys) Seal(purpose string, value any, until time.Time) (string, error) {
	inner, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(sealed{until, inner})
	if err != nil {
		return "", err
	}
	return sealedPrefix + base64.RawURLEncoding.EncodeToString(k.sealing.Seal(nil, nil, plain, []byte(purpose))), nil
}

// Open reads what Seal has made for the purpose into value. It fails with
// ErrInvalid, also when the time is over.
func (k *Keys) Open(purpose, text string, value any, at time.Time) error {
	encoded, ok := strings.CutPrefix(text, sealedPrefix)
	if !ok || len(encoded) > maxSealedBytes {
		return ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return ErrInvalid
	}
	plain, err := k.sealing.Open(nil, nil, raw, []byte(purpose))
	if err != nil {
		return ErrInvalid
	}
	var s sealed
	if err := json.Unmarshal(plain, &s); err != nil || !at.Before(s.Until) {
		return ErrInvalid
	}
	return json.Unmarshal(s.Value, value)
}

func newSealing(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
