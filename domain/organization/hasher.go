package organization

import "hash/maphash"

// hasher hashes identifiers and keys for the persistent maps. The seed is the
// process's own, so that nobody can choose names that collide.
type hasher[K ~string] struct{}

func (hasher[K]) Hash(key K) uint32 {
	return uint32(maphash.String(seed, string(key)))
}

func (hasher[K]) Equal(a, b K) bool { return a == b }

var seed = maphash.MakeSeed()
