package ledger

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"tenure/commands/token"
)

// Checkpoint says what the log is (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Hash
}

// Text is what is signed of it.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// String is the hash in base64.
func (h Hash) String() string { return base64.StdEncoding.EncodeToString(h[:]) }

// ParseHash reads what String writes, and nothing else.
func ParseHash(text string) (Hash, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != HashSize || base64.StdEncoding.EncodeToString(raw) != text {
		return Hash{}, errors.New("ledger: not a hash in base64")
	}
	return Hash(raw), nil
}

// ErrNote says that a text is no signed checkpoint.
var ErrNote = errors.New("ledger: not a signed checkpoint")

// ParseNote reads a signed checkpoint without a look at the signatures. It fails
// with ErrNote.
func ParseNote(text string) (Checkpoint, error) {
	body, signatures, found := strings.Cut(text, "\n\n")
	if !found || !areSignatures(signatures) {
		return Checkpoint{}, ErrNote
	}
	return parseBody(body + "\n")
}

// areSignatures reports whether a text is lines of signatures, each in the one
// form that its bytes have in base64.
func areSignatures(text string) bool {
	lines, ended := strings.CutSuffix(text, "\n")
	for line := range strings.SplitSeq(lines, "\n") {
		rest, dashed := strings.CutPrefix(line, "— ")
		name, encoded, _ := strings.Cut(rest, " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !dashed || name == "" || err != nil || len(raw) < 5 || base64.StdEncoding.EncodeToString(raw) != encoded {
			return false
		}
	}
	return ended
}

// parseBody reads the text that is signed. Lines after the first three, which
// other logs have, are not ours.
func parseBody(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" {
		return Checkpoint{}, ErrNote
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return Checkpoint{}, ErrNote
	}
	root, err := ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, ErrNote
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// Key signs checkpoints, and says as whom.
type Key struct {
	signer note.Signer
	public string
}

// NewKey derives the key of a deployment from its secret. The origin of the log,
// which is also the key's name, follows from the secret as well: whoever has
// another secret has another log.
func NewKey(keys *token.Keys) (*Key, error) {
	private := ed25519.NewKeyFromSeed(keys.LedgerSeed())
	origin := "tenure/" + keys.ID("ledger origin").String()
	public, err := note.NewEd25519VerifierKey(origin, private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	hash := strings.Split(public, "+")[1]
	signer, err := note.NewSigner("PRIVATE+KEY+" + origin + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, private.Seed()...)))
	if err != nil {
		return nil, err
	}
	return &Key{signer, public}, nil
}

// algEd25519 is the type of a plain Ed25519 key in the keys of notes.
const algEd25519 = 1

// Origin is the name of the log.
func (k *Key) Origin() string { return k.signer.Name() }

// Verifier is the public key as verifiers of notes take it.
func (k *Key) Verifier() string { return k.public }

// Sign makes the signed note of the log's first size leaves.
func (k *Key) Sign(size uint64, root Hash) (string, error) {
	signed, err := note.Sign(&note.Note{Text: Checkpoint{k.Origin(), size, root}.Text()}, k.signer)
	return string(signed), err
}

// Verify reads a checkpoint that has to be signed with the key, which is given
// as Key.Verifier says it; signatures of others do not matter. It fails with
// ErrNote.
func Verify(text, verifierKey string) (Checkpoint, error) {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: the verifier key: %w", err)
	}
	if _, err := ParseNote(text); err != nil {
		return Checkpoint{}, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrNote, err)
	}
	c, err := parseBody(opened.Text)
	if err == nil && c.Origin != verifier.Name() {
		err = fmt.Errorf("%w: of another log, %q", ErrNote, c.Origin)
	}
	return c, err
}
