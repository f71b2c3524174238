package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/keyring"
	"tenure/keyring/sqlite"
)

var ctx = context.Background()

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, keyring.MasterBytes) }

// nodes are rings over one store, as several nodes have them.
type nodes struct {
	t     *testing.T
	store *sqlite.Store
	clock atomic.Int64

	stored, loaded atomic.Int64 // calls of the store
}

func newNodes(t *testing.T) *nodes {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "keys.db"), sqlite.Options{MayMake: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &nodes{t: t, store: store}
}

func (n *nodes) ring(subjects int, secrets ...[]byte) *keyring.Ring {
	n.t.Helper()
	if len(secrets) == 0 {
		secrets = [][]byte{secret(1)}
	}
	masters, err := keyring.NewMasters(secrets[0], secrets[1:]...)
	if err != nil {
		n.t.Fatal(err)
	}
	r, err := keyring.New(n.store, masters, keyring.Options{
		Subjects: subjects, Pseudonyms: secret(9), Now: func() time.Time { return time.Unix(n.clock.Load(), 0) },
		OnStored: func(int, time.Duration) { n.stored.Add(1) },
		OnLoaded: func(int, time.Duration) { n.loaded.Add(1) },
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// key makes the first key of a subject, or finds the one that there is.
func key(t *testing.T, r *keyring.Ring, subject string) *keyring.Key {
	t.Helper()
	candidate, err := r.Candidate(subject)
	if err != nil {
		t.Fatal(err)
	}
	settled, err := r.Ensure(ctx, []*keyring.Key{candidate})
	if err != nil {
		t.Fatal(err)
	}
	return settled[0]
}

func TestSealAndOpen(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	one, two := n.ring(10), n.ring(10)
	k := key(t, one, "ada")
	sealed := k.Seal([]byte("before "), []byte("Ada"), []byte("bound"))
	is.Equal(len(sealed), len("before Ada")+keyring.Overhead)
	sealed = sealed[len("before "):]
	is.True(!bytes.Equal(sealed, k.Seal(nil, []byte("Ada"), []byte("bound"))))
	found, err := two.Find("ada", 1)
	is.NoErr(err)
	plain, err := found.Open(sealed, []byte("bound"))
	is.NoErr(err)
	is.Equal(string(plain), "Ada")
	_, err = found.Open(sealed, []byte("other"))
	is.True(errors.Is(err, keyring.ErrDamaged))
	_, err = key(t, one, "grace").Open(sealed, []byte("bound"))
	is.True(errors.Is(err, keyring.ErrDamaged))
}

func TestWhatIsMissingIsAnError(t *testing.T) {
	is := is.New(t)
	r := newNodes(t).ring(10)
	_, err := r.Find("nobody", 1)
	is.True(errors.Is(err, keyring.ErrMissing))
	key(t, r, "ada")
	_, err = r.Find("ada", 2)
	is.True(errors.Is(err, keyring.ErrMissing))
	_, err = r.Rotate(ctx, "nobody")
	is.True(errors.Is(err, keyring.ErrMissing))
	is.NoErr(r.Prefetch(ctx, []string{"nobody", "ada"}))
}

func TestTwoNodesMakeOneKey(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	one, two := n.ring(10), n.ring(10)
	first, second := key(t, one, "ada"), key(t, two, "ada")
	plain, err := second.Open(first.Seal(nil, []byte("x"), nil), nil)
	is.NoErr(err)
	is.Equal(string(plain), "x")
}

func TestRotation(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	one, two := n.ring(10), n.ring(10)
	old := key(t, one, "ada")
	sealed := old.Seal(nil, []byte("x"), nil)
	key(t, two, "ada")
	generation, err := one.Rotate(ctx, "ada")
	is.NoErr(err)
	is.Equal(generation, 2)
	now, _ := one.Current("ada")
	is.Equal(now.Generation, 2)
	there, _ := two.Current("ada")
	is.Equal(there.Generation, 1) // until it looks again
	found, err := two.Find("ada", 2)
	is.NoErr(err) // what it does not know it looks up at once
	is.Equal(found.Generation, 2)
	there, _ = two.Current("ada")
	is.Equal(there.Generation, 2)
	found, err = two.Find("ada", 1)
	is.NoErr(err)
	plain, err := found.Open(sealed, nil)
	is.NoErr(err)
	is.Equal(string(plain), "x")
	_, err = found.Open(now.Seal(nil, []byte("x"), nil), nil)
	is.True(errors.Is(err, keyring.ErrDamaged))
}

func TestDestruction(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	one, two := n.ring(10), n.ring(10)
	key(t, one, "ada")
	key(t, two, "ada")
	is.NoErr(one.Destroy(ctx, "ada"))
	gone := func(r *keyring.Ring) {
		t.Helper()
		_, err := r.Find("ada", 1)
		is.True(errors.Is(err, keyring.ErrDestroyed))
		is.Equal(key(t, r, "ada"), nil)
		k, destroyed := r.Current("ada")
		is.True(k == nil && destroyed)
	}
	gone(one)
	_, err := two.Find("ada", 1)
	is.NoErr(err) // from memory, for a minute
	n.clock.Add(60)
	gone(two)
	destroyed, err := two.Destroyed(ctx, []string{"ada", "nobody"})
	is.NoErr(err)
	is.Equal(destroyed, []bool{true, false})
	_, err = one.Rotate(ctx, "ada")
	is.True(errors.Is(err, keyring.ErrDestroyed))
	is.NoErr(one.Destroy(ctx, "ada"))
	is.NoErr(one.Destroy(ctx))
}

// TestForgotten is a node that hears of a destruction before the store does.
func TestForgotten(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	one := n.ring(10)
	key(t, one, "ada")
	one.Forget("ada")
	_, err := one.Find("ada", 1)
	is.True(errors.Is(err, keyring.ErrDestroyed))
	is.NoErr(one.Prefetch(ctx, []string{"ada"}))
	_, err = one.Find("ada", 1)
	is.True(errors.Is(err, keyring.ErrDestroyed)) // whatever the store has
	destroyed, err := one.Destroyed(ctx, []string{"ada"})
	is.NoErr(err)
	is.Equal(destroyed, []bool{false})
	destroyed, err = one.Gone(ctx, []string{"ada", "grace"})
	is.NoErr(err)
	is.Equal(destroyed, []bool{true, false})
}

// TestPseudonyms does not depend on the master key, which changes.
func TestPseudonyms(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	one, two := n.ring(1), n.ring(1, secret(2))
	is.Equal(one.Pseudonym("ada"), two.Pseudonym("ada"))
	is.Equal(len(one.Pseudonym("ada")), 16)
	is.True(one.Pseudonym("ada") != one.Pseudonym("grace"))
}

func TestLooksAreTogetherAndRemembered(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	maker := n.ring(1000)
	var subjects []string
	var candidates []*keyring.Key
	for i := range 100 {
		subjects = append(subjects, fmt.Sprint(i))
		c, err := maker.Candidate(subjects[i])
		is.NoErr(err)
		candidates = append(candidates, c)
	}
	_, err := maker.Ensure(ctx, candidates)
	is.NoErr(err)
	is.Equal(n.stored.Load(), int64(1))
	is.Equal(n.loaded.Load(), int64(0)) // what was made is known

	r := n.ring(1000)
	for range 2 {
		is.NoErr(r.Prefetch(ctx, append(subjects, subjects...)))
		for _, s := range subjects {
			_, err := r.Find(s, 1)
			is.NoErr(err)
		}
	}
	is.Equal(n.loaded.Load(), int64(1))
	n.clock.Add(60)
	is.NoErr(r.Prefetch(ctx, subjects))
	is.Equal(n.loaded.Load(), int64(2))

	small := n.ring(10) // bounded, and right nevertheless
	is.NoErr(small.Prefetch(ctx, subjects))
	for _, s := range subjects {
		_, err := small.Find(s, 1)
		is.NoErr(err)
	}
	is.Equal(n.loaded.Load(), int64(2+1+90)) // those that there was room for together
}

// TestManyAtOnce counts commits: those that wait for one share the next.
func TestManyAtOnce(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	r := n.ring(1000)
	var all sync.WaitGroup
	keys := make([]*keyring.Key, 200)
	for i := range keys {
		all.Go(func() { keys[i] = key(t, r, fmt.Sprint(i/2)) })
	}
	all.Wait()
	for i := 0; i < len(keys); i += 2 {
		plain, err := keys[i].Open(keys[i+1].Seal(nil, []byte("x"), nil), nil)
		is.NoErr(err)
		is.Equal(string(plain), "x")
	}
	is.True(n.stored.Load() < 200)
}

func TestRewrap(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	old := n.ring(1000)
	for i := range 30 {
		key(t, old, fmt.Sprint(i))
	}
	_, err := old.Rotate(ctx, "7")
	is.NoErr(err)
	is.NoErr(old.Destroy(ctx, "8"))
	sealed := key(t, old, "0").Seal(nil, []byte("x"), nil)
	masters := func(secrets ...[]byte) *keyring.Masters {
		m, err := keyring.NewMasters(secrets[0], secrets[1:]...)
		is.NoErr(err)
		return m
	}
	both := masters(secret(2), secret(1))

	_, err = keyring.Rewrap(ctx, n.store, masters(secret(3)))
	is.True(errors.Is(err, keyring.ErrMaster))
	changed, err := keyring.Rewrap(ctx, n.store, both)
	is.NoErr(err)
	is.Equal(changed, 30)
	key(t, old, "late") // by a node that runs still
	count, err := keyring.Count(ctx, n.store)
	is.NoErr(err)
	is.Equal(count.ByMaster, map[string]int{both.Current(): 30, masters(secret(1)).Current(): 1})
	changed, err = keyring.Rewrap(ctx, n.store, both)
	is.NoErr(err)
	is.Equal(changed, 1)

	found, err := n.ring(10, secret(2)).Find("0", 1)
	is.NoErr(err)
	plain, err := found.Open(sealed, nil)
	is.NoErr(err)
	is.Equal(string(plain), "x")
	_, err = n.ring(10, secret(1)).Find("0", 1)
	is.True(errors.Is(err, keyring.ErrMaster))
	_, err = keyring.NewMasters([]byte("short"))
	is.True(err != nil)
}

// TestKeysAreBoundToTheirSubject passes a key off as another person's.
// TestOtherMaster has a server look at keys before it works with them.
func TestOtherMaster(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	masters := func(current byte, former ...[]byte) *keyring.Masters {
		m, err := keyring.NewMasters(secret(current), former...)
		is.NoErr(err)
		return m
	}
	has, err := keyring.HasKeys(ctx, n.store, masters(2))
	is.NoErr(err)
	is.True(!has)
	key(t, n.ring(0), "a")
	_, err = keyring.HasKeys(ctx, n.store, masters(2))
	is.True(errors.Is(err, keyring.ErrMaster))
	has, err = keyring.HasKeys(ctx, n.store, masters(2, secret(1)))
	is.NoErr(err)
	is.True(has)
}

func TestKeysAreBoundToTheirSubject(t *testing.T) {
	is := is.New(t)
	n := newNodes(t)
	key(t, n.ring(10), "ada")
	held, err := n.store.Find(ctx, []string{"ada"})
	is.NoErr(err)
	stolen := held[0].Keys[0]
	stolen.Subject = "mallory"
	_, err = n.store.Add(ctx, []keyring.Wrapped{stolen})
	is.NoErr(err)
	_, err = n.ring(10).Find("mallory", 1)
	is.True(errors.Is(err, keyring.ErrDamaged))
}
