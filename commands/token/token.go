// Package token makes and reads the secrets that Tenure hands out: links in
// mails, session tokens and API keys. A token is what it names plus a keyed
// hash of that (HMAC-SHA-256, truncated to 128 bits), so that nothing has to be
// stored, any process can make the same token again, and a forged one is
// refused before anything is looked up. Whether the thing that a token names is
// still valid is for its aggregate to say.
package token

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Kind is what a token is for. A token of one kind is none of another.
type Kind byte

// The kinds of tokens, and what Subject and Detail name in each.
const (
	Invitation    Kind = 1 // Subject: the invitation
	Verification  Kind = 2 // Subject: the account
	PasswordReset Kind = 3 // Subject: the account
	Transfer      Kind = 4 // Subject: the organization, Detail: the transfer
	Session       Kind = 5 // Subject: the account, Detail: the session
	APIKey        Kind = 6 // Subject: the API key
	PassedOn      Kind = 7 // Subject: the invitation, as Invitation, but shown to others than its invitee
)

// Token is what a token says. Subject and Detail are UUIDs; Detail may be empty.
type Token struct {
	Kind       Kind
	Subject    string
	Detail     string
	Generation int
}

// ErrInvalid says that a text is no token of the kind that was asked for, or
// was not made with this server's key.
var ErrInvalid = errors.New("token: not a valid token")

// MinKeyBytes is the least length of the server's secret.
const MinKeyBytes = 32

// Keys are the server's secrets, all derived from one. They are safe for
// concurrent use.
type Keys struct {
	tokens, names, requests, ledger, cursorNonces []byte
	sealing, cursors                              cipher.AEAD
}

// NewKeys derives the keys from the server's secret.
func NewKeys(secret []byte) (*Keys, error) {
	if len(secret) < MinKeyBytes {
		return nil, fmt.Errorf("token: the secret has %d bytes; it needs %d", len(secret), MinKeyBytes)
	}
	var derived [7][]byte
	for i, purpose := range []string{"tenure tokens v1", "tenure names v1", "tenure requests v1", "tenure sealing v1", "tenure ledger v1", "tenure cursors v1", "tenure nonces of cursors v1"} {
		key, err := hkdf.Key(sha256.New, secret, nil, purpose, sha256.Size)
		if err != nil {
			return nil, err
		}
		derived[i] = key
	}
	sealing, err := newSealing(derived[3])
	if err != nil {
		return nil, err
	}
	cursors, err := newCursors(derived[5])
	return &Keys{
		tokens: derived[0], names: derived[1], requests: derived[2], ledger: derived[4], cursorNonces: derived[6], sealing: sealing, cursors: cursors,
	}, err
}

const (
	payloadBytes = 1 + 16 + 16 + 4
	macBytes     = 16
)

// Make answers with the token's text: a prefix that says what it is, for
// people and secret scanners, and 71 characters of base64url.
func (k *Keys) Make(t Token) (string, error) {
	var raw [payloadBytes + macBytes]byte
	raw[0] = byte(t.Kind)
	subject, err := uuid.Parse(t.Subject)
	if err != nil {
		return "", fmt.Errorf("token: subject: %w", err)
	}
	copy(raw[1:], subject[:])
	if t.Detail != "" {
		detail, err := uuid.Parse(t.Detail)
		if err != nil {
			return "", fmt.Errorf("token: detail: %w", err)
		}
		copy(raw[17:], detail[:])
	}
	binary.BigEndian.PutUint32(raw[33:], uint32(t.Generation))
	copy(raw[payloadBytes:], sum(k.tokens, raw[:payloadBytes]))
	return prefix(t.Kind) + base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// Read checks the token in constant time and answers with what it says. It
// fails with ErrInvalid.
func (k *Keys) Read(kind Kind, text string) (Token, error) {
	encoded, ok := strings.CutPrefix(text, prefix(kind))
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(payloadBytes+macBytes) {
		return Token{}, ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || raw[0] != byte(kind) || !hmac.Equal(raw[payloadBytes:], sum(k.tokens, raw[:payloadBytes])) {
		return Token{}, ErrInvalid
	}
	t := Token{Kind: kind, Subject: uuid.UUID(raw[1:17]).String(), Generation: int(binary.BigEndian.Uint32(raw[33:]))}
	if detail := uuid.UUID(raw[17:33]); detail != uuid.Nil {
		t.Detail = detail.String()
	}
	return t, nil
}

// Is reports whether text claims to be a token of the kind.
func Is(kind Kind, text string) bool { return strings.HasPrefix(text, prefix(kind)) }

// Name is a keyed hash of a reserved text, in hexadecimal.
func (k *Keys) Name(kind, text string) string {
	return hex.EncodeToString(sum(k.names, []byte(kind), []byte{0}, []byte(text)))
}

// Request is a keyed hash of the parts of a request, in hexadecimal.
func (k *Keys) Request(parts ...string) string {
	return hex.EncodeToString(k.requestSum(parts))
}

// LedgerSeed is the seed of the Ed25519 key that signs the ledger (RFC 8032).
func (k *Keys) LedgerSeed() []byte { return slices.Clone(k.ledger) }

// ID is an identifier that the same parts always give: a UUID of version 8.
func (k *Keys) ID(parts ...string) uuid.UUID {
	id := uuid.UUID(k.requestSum(parts))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Secret is 32 bytes that the same parts always give, to be shared with whom they
// are for.
func (k *Keys) Secret(parts ...string) []byte {
	return append(k.requestSum(append([]string{"secret 1"}, parts...)), k.requestSum(append([]string{"secret 2"}, parts...))...)
}

func (k *Keys) requestSum(parts []string) []byte {
	framed := make([]byte, 0, 256)
	for _, part := range parts {
		framed = binary.BigEndian.AppendUint32(framed, uint32(len(part)))
		framed = append(framed, part...)
	}
	return sum(k.requests, framed)
}

func sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)[:macBytes]
}

func prefix(kind Kind) string {
	switch kind {
	case Invitation:
		return "tnr_inv_"
	case Verification:
		return "tnr_ver_"
	case PasswordReset:
		return "tnr_rst_"
	case Transfer:
		return "tnr_own_"
	case Session:
		return "tnr_ses_"
	case APIKey:
		return "tnr_key_"
	case PassedOn:
		return "tnr_pon_"
	}
	return "tnr_"
}
