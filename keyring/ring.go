package keyring

import (
	"bytes"
	"cmp"
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const keyBytes = 32

// Key is one generation of a subject's key. It is safe for concurrent use.
type Key struct {
	Subject    string
	Generation int
	aead       cipher.AEAD // under a random nonce, which stands before the ciphertext
	wrapped    Wrapped
}

// Overhead is by how much a sealed text is longer than the plain one: the nonce
// and the tag.
const Overhead = 12 + 16

// Seal appends the nonce and the sealed text to dst.
func (k *Key) Seal(dst, plain, bound []byte) []byte { return k.aead.Seal(dst, nil, plain, bound) }

// Open opens what Seal has made with the same bound data.
func (k *Key) Open(sealed, bound []byte) ([]byte, error) {
	plain, err := k.aead.Open(nil, nil, sealed, bound)
	if err != nil {
		return nil, fmt.Errorf("%w, or what it has sealed", ErrDamaged)
	}
	return plain, nil
}

// Options are the settings of a Ring; the zero value of each is a default.
type Options struct {
	// Subjects is how many subjects' keys are kept in memory. Default 32,768.
	Subjects int
	// Lifetime is for how long they are, at most: within it a key that was
	// destroyed at another node may still be used at this one. Default one minute.
	Lifetime time.Duration
	// Now is the clock of that. Default time.Now.
	Now func() time.Time
	// Pseudonyms is the secret from which the pseudonyms of subjects follow. It
	// has to stay the same when the master key changes. Needed.
	Pseudonyms []byte
	// OnStored hears of each commit of new keys, OnLoaded of each look into the
	// store: for how many subjects, and how long it took.
	OnStored, OnLoaded func(subjects int, took time.Duration)
}

// storeTimeout is how long the store may take to answer what nobody's context
// bounds.
const storeTimeout = 10 * time.Second

// Ring makes, finds and destroys keys. It is safe for concurrent use.
type Ring struct {
	store   Store
	masters *Masters
	options Options
	adding  adding

	mu    sync.Mutex
	known *simplelru.LRU[string, *entry]
}

// entry is what the ring knows of a subject.
type entry struct {
	destroyed bool
	keys      []*Key // by generation
	until     time.Time
}

// New makes a ring over a store.
func New(store Store, masters *Masters, o Options) (*Ring, error) {
	if len(o.Pseudonyms) < MasterBytes {
		return nil, fmt.Errorf("keyring: the secret of the pseudonyms has %d bytes; it needs %d", len(o.Pseudonyms), MasterBytes)
	}
	o.Subjects = cmp.Or(o.Subjects, 32_768)
	o.Lifetime = cmp.Or(o.Lifetime, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	nobody := func(int, time.Duration) {}
	if o.OnStored == nil {
		o.OnStored = nobody
	}
	if o.OnLoaded == nil {
		o.OnLoaded = nobody
	}
	known, err := simplelru.NewLRU[string, *entry](o.Subjects, nil)
	return &Ring{store: store, masters: masters, options: o, known: known}, err
}

// Current is the newest key of a subject, from memory only; nil where memory has
// none. Destroyed says that there will be none.
func (r *Ring) Current(subject string) (key *Key, destroyed bool) {
	e := r.remembered(subject)
	switch {
	case e == nil:
		return nil, false
	case len(e.keys) > 0:
		key = e.keys[len(e.keys)-1]
	}
	return key, e.destroyed
}

// Candidate makes a first key for a subject. It is of no use until Ensure has
// answered with it.
func (r *Ring) Candidate(subject string) (*Key, error) { return r.make(subject, 1) }

// Find answers with a key, from memory or the store. It fails with ErrDestroyed
// and ErrMissing.
func (r *Ring) Find(subject string, generation int) (*Key, error) {
	e := r.remembered(subject)
	if e == nil || !e.destroyed && e.find(generation) == nil {
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		found, err := r.load(ctx, []string{subject})
		if err != nil {
			return nil, err
		}
		e = found[0]
	}
	if e.destroyed {
		return nil, ErrDestroyed
	}
	if key := e.find(generation); key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("%w: subject %.64q, generation %d", ErrMissing, subject, generation)
}

// Prefetch has the keys of subjects in memory, as far as there is room, after at
// most one look into the store.
func (r *Ring) Prefetch(ctx context.Context, subjects []string) error {
	unknown := make([]string, 0, len(subjects))
	seen := make(map[string]bool, len(subjects))
	for _, subject := range subjects {
		if !seen[subject] && r.remembered(subject) == nil {
			unknown = append(unknown, subject)
		}
		seen[subject] = true
	}
	if len(unknown) == 0 {
		return nil
	}
	_, err := r.load(ctx, unknown[:min(len(unknown), r.options.Subjects)])
	return err
}

// Rotate gives a subject another key for what is sealed from now on; other nodes
// notice within Options.Lifetime. It fails with ErrDestroyed and ErrMissing.
func (r *Ring) Rotate(ctx context.Context, subject string) (generation int, err error) {
	for {
		found, err := r.load(ctx, []string{subject})
		switch {
		case err != nil:
			return 0, err
		case found[0].destroyed:
			return 0, ErrDestroyed
		case len(found[0].keys) == 0:
			return 0, fmt.Errorf("%w: subject %.64q", ErrMissing, subject)
		}
		last := found[0].keys[len(found[0].keys)-1].Generation
		if last == MaxGeneration {
			return 0, ErrTooMany
		}
		next, err := r.make(subject, last+1)
		if err != nil {
			return 0, err
		}
		settled, err := r.Ensure(ctx, []*Key{next})
		if err != nil {
			return 0, err
		}
		if settled[0] == next {
			return next.Generation, nil
		}
	}
}

// Destroy destroys all keys of the subjects, for good: at this node at once, at
// others within Options.Lifetime.
func (r *Ring) Destroy(ctx context.Context, subjects ...string) error {
	if len(subjects) == 0 {
		return nil
	}
	if err := r.store.Destroy(ctx, subjects); err != nil {
		return err
	}
	r.Forget(subjects...)
	return nil
}

// Destroyed reports of each of the subjects whether its keys were destroyed, by
// what the store says now.
func (r *Ring) Destroyed(ctx context.Context, subjects []string) ([]bool, error) {
	holdings, err := r.store.Find(ctx, subjects)
	if err != nil {
		return nil, err
	}
	gone := make([]bool, len(subjects))
	for i, h := range holdings {
		gone[i] = h.Destroyed
	}
	return gone, nil
}

// Gone is Destroyed, and true besides for subjects that this node has forgotten:
// their keys may be there for another moment.
func (r *Ring) Gone(ctx context.Context, subjects []string) ([]bool, error) {
	gone, err := r.Destroyed(ctx, subjects)
	if err != nil {
		return nil, err
	}
	for i, subject := range subjects {
		e := r.remembered(subject)
		gone[i] = gone[i] || e != nil && e.destroyed
	}
	return gone, nil
}

// Forget has this node use no key of the subjects any more, which are to be
// destroyed, or were, at another one. It is no more than that: the store is not
// changed, and a node that starts asks it.
func (r *Ring) Forget(subjects ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, subject := range subjects {
		r.known.Add(subject, &entry{destroyed: true})
	}
}

// Pseudonym is what stands for a subject whose keys were destroyed: 16
// hexadecimal digits that are always the same and do not lead back to the id
// without the server's secret.
func (r *Ring) Pseudonym(subject string) string {
	h := hmac.New(sha256.New, r.options.Pseudonyms)
	h.Write([]byte(subject))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// remembered is what memory has of a subject, nil for nothing that still counts.
// A subject that was destroyed stays so.
func (r *Ring) remembered(subject string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.known.Get(subject)
	if !ok || !e.destroyed && !r.options.Now().Before(e.until) {
		return nil
	}
	return e
}

func (r *Ring) load(ctx context.Context, subjects []string) ([]*entry, error) {
	asked, began := r.options.Now(), time.Now()
	holdings, err := r.store.Find(ctx, subjects)
	if err != nil {
		return nil, err
	}
	r.options.OnLoaded(len(subjects), time.Since(began))
	found := make([]*entry, len(subjects))
	for i, h := range holdings {
		if found[i], err = r.keep(subjects[i], h, asked, nil); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// keep remembers a holding as it was at a time. Of keys that the caller has
// already, made is taken as it is.
func (r *Ring) keep(subject string, h Holding, at time.Time, made *Key) (*entry, error) {
	e := &entry{destroyed: h.Destroyed, until: at.Add(r.options.Lifetime)}
	for _, w := range h.Keys {
		if made != nil && bytes.Equal(w.Text, made.wrapped.Text) {
			e.keys = append(e.keys, made)
			continue
		}
		key, err := r.open(w)
		if err != nil {
			return nil, err
		}
		e.keys = append(e.keys, key)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.known.Peek(subject); ok && before.destroyed {
		return before, nil // meanwhile
	}
	if e.destroyed || len(e.keys) > 0 { // nothing is not worth remembering
		r.known.Add(subject, e)
	}
	return e, nil
}

func (r *Ring) make(subject string, generation int) (*Key, error) {
	text := make([]byte, keyBytes)
	rand.Read(text)
	aead, err := newAEAD(text)
	if err != nil {
		return nil, err
	}
	return &Key{Subject: subject, Generation: generation, aead: aead, wrapped: r.masters.wrap(subject, generation, text)}, nil
}

func (r *Ring) open(w Wrapped) (*Key, error) {
	text, err := r.masters.unwrap(w)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(text)
	return &Key{Subject: w.Subject, Generation: w.Generation, aead: aead, wrapped: w}, err
}

func (e *entry) find(generation int) *Key {
	i, ok := slices.BinarySearchFunc(e.keys, generation, func(k *Key, g int) int { return cmp.Compare(k.Generation, g) })
	if !ok {
		return nil
	}
	return e.keys[i]
}
