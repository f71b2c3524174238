// Package keyring keeps the keys under which the personal data in the log is
// sealed: a key for each person, who is an account or an invitation and is named
// here by that id, the subject. To destroy a person's key is to erase all that
// the log says about the person, in every copy of the log that there is.
//
// # Keys
//
// A key is 32 random bytes, for AES-256-GCM. It is stored wrapped under a master
// key, with the master's id, so that whoever finds the store or a backup of it
// without the master key has nothing. Wrapping binds the subject: no key can be
// passed off as another person's.
//
// A subject has generations of keys. New values are sealed under the newest;
// older ones stay to open what was sealed before (see Ring.Rotate). A subject
// whose keys were destroyed is remembered as destroyed for ever, and never gets a
// key again. What is not there and was not destroyed is lost: an error, loudly.
//
// # The store and the ring
//
// A Store keeps wrapped keys; the adapters for SQLite and Redis are in the
// folders below, the contract suite for both in keyringtest. A Ring is what the
// program works with: it makes, wraps and unwraps keys, and keeps some in memory,
// bounded in number and time.
//
// # What happens when something ends
//
//   - Killed before a new key is stored: nothing was sealed under it that is in
//     the log.
//   - Killed after a key is stored, before the first event sealed with it is in
//     the log: a key without events, which does no harm. A key is on stable
//     storage before any append that needs it.
//   - Two nodes make the key of one subject: the store keeps the first, and both
//     seal with that.
//   - Killed while keys are destroyed: a subject is destroyed wholly or not at
//     all. To do it again does nothing more.
//   - A key is destroyed at one node: the others may go on opening, and sealing,
//     with what they have in memory for at most Options.Lifetime. What they seal
//     in that time is sealed under a key that is gone, so it is erased as well.
//   - Killed while keys are wrapped anew: each is under the old or the new master
//     key, and says under which. The next attempt goes on.
package keyring

import (
	"context"
	"errors"
)

// The errors of rings and stores, to be matched with errors.Is.
var (
	// ErrNoStore says that there is no store where one was looked for, and none may
	// be made.
	ErrNoStore = errors.New("keyring: there are no keys")
	// ErrMissing says that a key is neither there nor destroyed: the keyring lost
	// it, or belongs to another log.
	ErrMissing = errors.New("keyring: a key is missing that was not destroyed: restore the keys that belong to this log")
	// ErrDestroyed says that the subject's keys were destroyed.
	ErrDestroyed = errors.New("keyring: the keys of this subject were destroyed")
	// ErrMaster says that a key is wrapped under a master key that is not given.
	ErrMaster = errors.New("keyring: a key is wrapped under a master key that was not given")
	// ErrDamaged says that a stored key is not as it was written.
	ErrDamaged = errors.New("keyring: a stored key is damaged")
	// ErrUnavailable says that the store cannot be reached now, and may be later.
	ErrUnavailable = errors.New("keyring: the keys cannot be reached")
	// ErrTooMany says that a subject has had as many keys as there can be.
	ErrTooMany = errors.New("keyring: the subject has too many keys")
)

// Bounds of a store's values.
const (
	MaxGeneration   = 0xffff
	MaxSubjectBytes = 200
)

// Wrapped is a key as a Store keeps it.
type Wrapped struct {
	Subject    string
	Generation int    // 1 to MaxGeneration
	Master     string // id of the master key that it is wrapped under
	Text       []byte
}

// Holding is what a Store has of a subject; the zero value is nothing.
type Holding struct {
	Destroyed bool
	Keys      []Wrapped // by generation; none when Destroyed
}

// Store keeps wrapped keys. It is safe for use by several goroutines, and by
// several processes.
type Store interface {
	// Identity is the store's own name, which is random, made with the store, and
	// the same ever after.
	Identity(ctx context.Context) (string, error)

	// Find answers with the holdings of subjects, in their order.
	Find(ctx context.Context, subjects []string) ([]Holding, error)

	// Add stores each key unless its subject has one of that generation or was
	// destroyed, and answers with what there is of the subjects of the keys then,
	// in the order of the keys. It is all on stable storage when it answers.
	Add(ctx context.Context, keys []Wrapped) ([]Holding, error)

	// Destroy deletes all keys of the subjects, overwrites them where the store
	// can, and remembers the subjects as destroyed, known or not. It is all on
	// stable storage when it answers.
	Destroy(ctx context.Context, subjects []string) error

	// Page lists keys, for a walk through all of them that begins and ends with
	// an empty cursor. A page holds about limit keys, or none, and all keys of
	// its subjects. A key that is there all the while is listed at least once.
	Page(ctx context.Context, cursor string, limit int) (keys []Wrapped, next string, err error)

	// Replace gives each key that is there as in before the text and the master
	// of the one at the same place in after. It answers with how many it changed.
	Replace(ctx context.Context, before, after []Wrapped) (int, error)

	// Close releases the store; nothing may be under way.
	Close() error
}
