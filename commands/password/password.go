// Package password hashes and checks passwords with argon2id.
package password

import (
	"context"

	"github.com/alexedwards/argon2id"
)

// Hasher hashes with argon2id. Since each hash takes much memory and time, no
// more than a few are made at once; the others wait.
type Hasher struct {
	params *argon2id.Params
	slots  chan struct{}
	dummy  string
}

// New makes a Hasher. memoryKiB and iterations are argon2id's m and t (RFC 9106);
// parallel is how many hashes are made at once.
func New(memoryKiB, iterations uint32, parallel int) (*Hasher, error) {
	params := &argon2id.Params{Memory: memoryKiB, Iterations: iterations, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	dummy, err := argon2id.CreateHash("no account has this password", params)
	if err != nil {
		return nil, err
	}
	return &Hasher{params: params, slots: make(chan struct{}, parallel), dummy: dummy}, nil
}

// Hash answers with the PHC string of a password.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return argon2id.CreateHash(password, h.params)
}

// Matches reports whether hash is that of the password. An empty hash matches
// no password and takes as long as any other.
func (h *Hasher) Matches(ctx context.Context, password, hash string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	if hash == "" {
		_, err := argon2id.ComparePasswordAndHash(password, h.dummy)
		return false, err
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}

func (h *Hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Hasher) leave() { <-h.slots }
