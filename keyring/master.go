package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
)

// MasterBytes is the least length of a master secret.
const MasterBytes = 32

// Masters are the master keys: the first wraps new keys, all unwrap.
type Masters struct {
	current string
	all     map[string]cipher.AEAD
}

// NewMasters derives the master keys from secrets, the current one first.
func NewMasters(current []byte, former ...[]byte) (*Masters, error) {
	m := &Masters{all: make(map[string]cipher.AEAD)}
	for i, secret := range append([][]byte{current}, former...) {
		if len(secret) < MasterBytes {
			return nil, fmt.Errorf("keyring: the master secret has %d bytes; it needs %d", len(secret), MasterBytes)
		}
		key, err := hkdf.Key(sha256.New, secret, nil, "tenure keyring master v1", sha256.Size)
		if err != nil {
			return nil, err
		}
		aead, err := newAEAD(key)
		if err != nil {
			return nil, err
		}
		id := masterID(key)
		m.all[id] = aead
		if i == 0 {
			m.current = id
		}
	}
	return m, nil
}

// Current is the id of the master key that wraps new keys.
func (m *Masters) Current() string { return m.current }

// Has reports whether the master key with this id is there.
func (m *Masters) Has(id string) bool { return m.all[id] != nil }

// masterID tells master keys apart and says nothing about them.
func masterID(key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("tenure keyring master id v1"))
	return hex.EncodeToString(h.Sum(nil)[:4])
}

func (m *Masters) wrap(subject string, generation int, key []byte) Wrapped {
	text := m.all[m.current].Seal(nil, nil, key, wrapping(subject, generation))
	return Wrapped{Subject: subject, Generation: generation, Master: m.current, Text: text}
}

func (m *Masters) unwrap(w Wrapped) ([]byte, error) {
	aead, ok := m.all[w.Master]
	if !ok {
		return nil, fmt.Errorf("%w: %.16q", ErrMaster, w.Master)
	}
	key, err := aead.Open(nil, nil, w.Text, wrapping(w.Subject, w.Generation))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("%w: subject %.64q, generation %d", ErrDamaged, w.Subject, w.Generation)
	}
	return key, nil
}

// wrapping is what a wrapped key is bound to.
func wrapping(subject string, generation int) []byte {
	return []byte("tenure key v1\x00" + strconv.Itoa(generation) + "\x00" + subject)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
