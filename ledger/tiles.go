package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// The tree is kept in tiles, as C2SP's tlog-tiles are: a tile is a run of up to
// 256 hashes of one level; on level n these are the roots of complete subtrees of
// 256^n leaves. A full tile is one hash of the level above. All other nodes of
// the tree are computed from a tile.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// tileID names a tile by its level and its number there.
type tileID struct {
	level  uint
	number uint64
}

// tiles answers with the hashes of tiles, in the order of the ids; a tile may
// have more of them than the asker knows of, or fewer, or none.
type tiles interface {
	tiles(ctx context.Context, ids []tileID) ([][]Hash, error)
}

// ErrNotThere says that the tree is smaller than what was asked for.
var ErrNotThere = errors.New("ledger: the tree has not got there yet")

var ranges = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// subtree is the root of a complete subtree, whose leaves are a power of two.
func subtree(hashes []Hash) Hash {
	level := make([]Hash, len(hashes))
	copy(level, hashes)
	for n := len(level); n > 1; n /= 2 {
		for i := range n / 2 {
			level[i] = hashChildren(&level[2*i], &level[2*i+1])
		}
	}
	return level[0]
}

// nodes are nodes of the tree that are roots of complete subtrees. Their tiles
// are asked for at once.
func nodes(ctx context.Context, t tiles, ids []compact.NodeID) ([][]byte, error) {
	var wanted []tileID
	places := make(map[tileID]int)
	for _, id := range ids {
		tile, _, _ := placeOf(id)
		if _, known := places[tile]; !known {
			places[tile] = len(wanted)
			wanted = append(wanted, tile)
		}
	}
	found, err := t.tiles(ctx, wanted)
	if err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(ids))
	for i, id := range ids {
		tile, from, width := placeOf(id)
		run := found[places[tile]]
		if from+width > len(run) {
			return nil, fmt.Errorf("%w: level %d, index %d", ErrNotThere, id.Level, id.Index)
		}
		h := subtree(run[from : from+width])
		hashes[i] = h[:]
	}
	return hashes, nil
}

// placeOf is the run of hashes in a tile that a node is computed from.
func placeOf(id compact.NodeID) (tile tileID, from, width int) {
	above := id.Level % tileHeight
	first := id.Index << above
	return tileID{id.Level / tileHeight, first / tileWidth}, int(first % tileWidth), 1 << above
}

// rootOf is the root of the tree of the first size leaves.
func rootOf(ctx context.Context, t tiles, size uint64) (Hash, error) {
	if size == 0 {
		return Hash(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	hashes, err := nodes(ctx, t, compact.RangeNodes(0, size, nil))
	if err != nil {
		return Hash{}, err
	}
	r, err := ranges.NewRange(0, size, hashes)
	if err != nil {
		return Hash{}, err
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		return Hash{}, err
	}
	return Hash(root), nil
}

// inclusionOf proves that the leaf is in the tree of that size (RFC 6962, 2.1.1).
func inclusionOf(ctx context.Context, t tiles, index, size uint64) ([]Hash, error) {
	needed, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, err
	}
	return rehash(ctx, t, needed)
}

// consistencyOf proves that a tree is the beginning of a larger one (RFC 6962, 2.1.2).
func consistencyOf(ctx context.Context, t tiles, from, to uint64) ([]Hash, error) {
	needed, err := proof.Consistency(from, to)
	if err != nil {
		return nil, err
	}
	return rehash(ctx, t, needed)
}

func rehash(ctx context.Context, t tiles, needed proof.Nodes) ([]Hash, error) {
	hashes, err := nodes(ctx, t, needed.IDs)
	if err != nil {
		return nil, err
	}
	if hashes, err = needed.Rehash(hashes, rfc6962.DefaultHasher.HashChildren); err != nil {
		return nil, err
	}
	made := make([]Hash, len(hashes))
	for i, h := range hashes {
		made[i] = Hash(h)
	}
	return made, nil
}

// edge is where a tree grows: the last tile of each level, which is not full.
type edge struct {
	size uint64
	open [][]Hash
}

// append adds a leaf; full hears of each tile that it fills.
func (e *edge) append(leaf Hash, full func(id tileID, hashes []Hash)) {
	h, index := leaf, e.size
	e.size++
	for level := uint(0); ; level++ {
		if int(level) == len(e.open) {
			e.open = append(e.open, nil)
		}
		e.open[level] = append(e.open[level], h)
		if len(e.open[level]) < tileWidth {
			return
		}
		hashes := e.open[level]
		e.open[level] = nil
		index /= tileWidth
		full(tileID{level, index}, hashes)
		h = subtree(hashes)
	}
}

// partial is the tile if it is one of the last ones.
func (e *edge) partial(id tileID) ([]Hash, bool) {
	if int(id.level) >= len(e.open) || id.number != e.size>>(tileHeight*(id.level+1)) {
		return nil, false
	}
	return e.open[id.level], true
}

// memory is a whole tree in memory, for exports.
type memory struct {
	edge
	full map[tileID][]Hash
}

func newMemory() *memory { return &memory{full: make(map[tileID][]Hash)} }

func (m *memory) add(leaf Hash) {
	m.append(leaf, func(id tileID, hashes []Hash) { m.full[id] = hashes })
}

func (m *memory) tiles(_ context.Context, ids []tileID) ([][]Hash, error) {
	found := make([][]Hash, len(ids))
	for i, id := range ids {
		var open bool
		if found[i], open = m.partial(id); !open {
			found[i] = m.full[id]
		}
	}
	return found, nil
}
