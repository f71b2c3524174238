package ledger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/checkpoint"
	"tenure/eventstore"
	"tenure/ledger"
	"tenure/projections"
	"tenure/projections/sqlite"
)

func noteOf(e domain.Event) string {
	if signed, ok := e.(checkpoint.Signed); ok {
		return signed.Note
	}
	return ""
}

// The definitions of RFC 6962, 2.1, word by word.

func naiveRoot(d []ledger.Hash) ledger.Hash {
	switch len(d) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return d[0]
	}
	k := split(len(d))
	return nodeHash(naiveRoot(d[:k]), naiveRoot(d[k:]))
}

func nodeHash(l, r ledger.Hash) ledger.Hash {
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

// split is the largest power of two below n.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func naivePath(m int, d []ledger.Hash) []ledger.Hash {
	if len(d) == 1 {
		return nil
	}
	k := split(len(d))
	if m < k {
		return append(naivePath(m, d[:k]), naiveRoot(d[k:]))
	}
	return append(naivePath(m-k, d[k:]), naiveRoot(d[:k]))
}

func naiveProof(m int, d []ledger.Hash, whole bool) []ledger.Hash {
	if m == len(d) {
		if whole {
			return nil
		}
		return []ledger.Hash{naiveRoot(d)}
	}
	k := split(len(d))
	if m <= k {
		return append(naiveProof(m, d[:k], whole), naiveRoot(d[k:]))
	}
	return append(naiveProof(m-k, d[k:], false), naiveRoot(d[:k]))
}

func raw(hashes []ledger.Hash) [][]byte {
	all := make([][]byte, len(hashes))
	for i := range hashes {
		all[i] = hashes[i][:]
	}
	return all
}

func equal(a, b []ledger.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestTreeIsThatOfTheRFC lets stored trees grow by pages of any size, with
// events between that are no leaves, stored and loaded again after any page.
func TestTreeIsThatOfTheRFC(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		is := is.New(rt)
		storage, err := sqlite.Open(filepath.Join(dir, "views.db"), sqlite.Options{Readers: 1})
		is.NoErr(err)
		defer storage.Close()
		is.NoErr(storage.Drop(ctx, "ledger_tree.v1"))
		tree := ledger.NewTree(storage)
		var leaves []ledger.Hash
		var positions []eventstore.Position
		var position eventstore.Position
		for range rapid.IntRange(1, 5).Draw(rt, "runs") {
			var pages []eventstore.Page
			for range rapid.IntRange(1, 3).Draw(rt, "pages") {
				var p eventstore.Page
				for range rapid.SampledFrom([]int{0, 1, 2, 100, 255, 256, 257, 300, 700}).Draw(rt, "events") {
					position += eventstore.Position(rapid.SampledFrom([]int{1, 3}).Draw(rt, "gap"))
					e := eventstore.Recorded{Event: eventstore.Event{Type: "t", Data: []byte("d")}, Stream: "s", Revision: eventstore.Revision(len(leaves)), Position: position}
					if rapid.IntRange(0, 9).Draw(rt, "own") == 0 {
						e.Stream, e.Type = "ledger", "ledger.checkpoint_signed.v1"
					} else {
						leaves, positions = append(leaves, ledger.LeafHash(&e)), append(positions, position)
					}
					p.Events = append(p.Events, e)
				}
				position++ // events that a filter left out
				p.Position = position
				pages = append(pages, p)
			}
			is.NoErr(tree.Grow(ctx, pages...))
		}
		size, at, err := tree.Size(ctx)
		is.NoErr(err)
		is.Equal(int(size), len(leaves))
		is.Equal(at, position)
		check(rt, tree, leaves, positions)
	})
}

func check(rt *rapid.T, tree *ledger.Tree, leaves []ledger.Hash, positions []eventstore.Position) {
	is := is.New(rt)
	memory := ledger.InMemory(leaves)
	for range 5 {
		size := rapid.IntRange(0, len(leaves)).Draw(rt, "size")
		want := naiveRoot(leaves[:size])
		root, err := tree.Root(ctx, uint64(size))
		is.NoErr(err)
		is.Equal(root, want)
		root, err = memory.Root(uint64(size))
		is.NoErr(err)
		is.Equal(root, want)
		is.Equal(ledger.Frontier(leaves[:size]), want)
		if size == 0 {
			continue
		}
		index := rapid.IntRange(0, size-1).Draw(rt, "index")
		path, err := tree.Inclusion(ctx, uint64(index), uint64(size))
		is.NoErr(err)
		is.True(equal(path, naivePath(index, leaves[:size])))
		is.NoErr(proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), uint64(size), leaves[index][:], raw(path), want[:]))
		from := rapid.IntRange(1, size).Draw(rt, "from")
		steps, err := tree.Consistency(ctx, uint64(from), uint64(size))
		is.NoErr(err)
		is.True(equal(steps, naiveProof(from, leaves[:size], true)))
		again, err := memory.Consistency(uint64(from), uint64(size))
		is.NoErr(err)
		is.True(equal(again, steps))

		hash, position, err := tree.Leaf(ctx, uint64(index))
		is.NoErr(err)
		is.Equal(hash, leaves[index])
		is.Equal(position, positions[index])
		found, err := tree.Index(ctx, position)
		is.NoErr(err)
		is.Equal(found, uint64(index))
	}
	_, err := tree.Root(ctx, uint64(len(leaves)+1))
	is.True(errors.Is(err, ledger.ErrNotThere))
	if len(positions) > 0 && positions[0] > 1 {
		_, err = tree.Index(ctx, positions[0]-1)
		is.True(errors.Is(err, ledger.ErrNoLeaf))
	}
}

// TestTwoGrowOneTree: the tree of who comes second is of no more use.
func TestTwoGrowOneTree(t *testing.T) {
	w := newWorld(t)
	w.append("a", "b", "c")
	_, other := w.node()
	w.is.NoErr(w.ledger.Once(ctx))
	w.is.NoErr(other.Once(ctx)) // finds all done
	w.is.Equal(w.sizes(), []uint64{3})
	page := eventstore.Page{Position: 1, Events: []eventstore.Recorded{{Position: 1}}}
	w.is.True(errors.Is(ledger.NewTree(behind{w.views}).Grow(ctx, page), projections.ErrSuperseded))
}

// behind shows nothing of what is stored.
type behind struct{ *sqlite.Storage }

// Documents implements projections.Storage.
func (behind) Documents(_ context.Context, _ string, keys []projections.Key) ([][]byte, error) {
	return make([][]byte, len(keys)), nil
}
