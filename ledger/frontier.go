package ledger

import (
	"crypto/sha256"

	"github.com/transparency-dev/merkle/rfc6962"
)

// frontier is a tree that grows leaf by leaf. Of it only the roots of its largest
// complete subtrees are kept, which is all that its own root needs.
type frontier struct {
	size  uint64
	roots []Hash // one for each bit of size that is set, the highest first
}

func (f *frontier) add(leaf Hash) {
	last := len(f.roots)
	for n := f.size; n&1 == 1; n >>= 1 {
		last--
		leaf = hashChildren(&f.roots[last], &leaf)
	}
	f.roots = append(f.roots[:last], leaf)
	f.size++
}

func (f *frontier) root() Hash {
	if f.size == 0 {
		return Hash(rfc6962.DefaultHasher.EmptyRoot())
	}
	last := len(f.roots) - 1
	root := f.roots[last]
	for last--; last >= 0; last-- {
		root = hashChildren(&f.roots[last], &root)
	}
	return root
}

// hashChildren is the hash of a node (RFC 6962, 2.1), as rfc6962.DefaultHasher has
// it, which takes three pieces of the heap for each.
func hashChildren(left, right *Hash) Hash {
	var both [1 + 2*HashSize]byte
	both[0] = rfc6962.RFC6962NodeHashPrefix
	copy(both[1:], left[:])
	copy(both[1+HashSize:], right[:])
	return sha256.Sum256(both[:])
}
