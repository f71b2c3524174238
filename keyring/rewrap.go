package keyring

import (
	"context"
	"errors"
	"fmt"
)

// HasKeys reports whether there is any key. It fails with ErrMaster where the
// first of them are under a master key that is not given: to work with such keys
// would be to fail later, person by person.
func HasKeys(ctx context.Context, store Store, masters *Masters) (bool, error) {
	found := false
	err := walk(ctx, store, func(keys []Wrapped) error {
		for _, w := range keys {
			if found = true; !masters.Has(w.Master) {
				return fmt.Errorf("%w: %.16q", ErrMaster, w.Master)
			}
		}
		if found {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, err
}

var errEnough = errors.New("keyring: enough")

// Rotate gives a subject another key, for who has no Ring; see Ring.Rotate.
func Rotate(ctx context.Context, store Store, masters *Masters, subject string) (generation int, err error) {
	// The pseudonyms have nothing to do with it.
	r, err := New(store, masters, Options{Pseudonyms: make([]byte, MasterBytes)})
	if err != nil {
		return 0, err
	}
	return r.Rotate(ctx, subject)
}

// rewrapPage is how many keys are wrapped anew at a time.
const rewrapPage = 500

// Counted says under which master keys the keys of a store are.
type Counted struct {
	ByMaster map[string]int
}

// Count walks through all keys. A key that is stored meanwhile may be missed.
func Count(ctx context.Context, store Store) (Counted, error) {
	c := Counted{ByMaster: make(map[string]int)}
	err := walk(ctx, store, func(keys []Wrapped) error {
		for _, w := range keys {
			c.ByMaster[w.Master]++
		}
		return nil
	})
	return c, err
}

// Rewrap wraps every key anew that is not under the current master key, while
// others use the store. It answers with how many it changed. Keys that another
// node makes under a former master key meanwhile are left for the next time. It
// fails with ErrMaster when a key is under a master key that is not given.
func Rewrap(ctx context.Context, store Store, masters *Masters) (changed int, err error) {
	err = walk(ctx, store, func(keys []Wrapped) error {
		var before, after []Wrapped
		for _, w := range keys {
			if w.Master == masters.current {
				continue
			}
			text, err := masters.unwrap(w)
			if err != nil {
				return err
			}
			before, after = append(before, w), append(after, masters.wrap(w.Subject, w.Generation, text))
		}
		if len(before) == 0 {
			return nil
		}
		n, err := store.Replace(ctx, before, after)
		changed += n
		return err
	})
	return changed, err
}

func walk(ctx context.Context, store Store, visit func([]Wrapped) error) error {
	for cursor := ""; ; {
		keys, next, err := store.Page(ctx, cursor, rewrapPage)
		if err != nil {
			return err
		}
		if err := visit(keys); err != nil {
			return err
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
