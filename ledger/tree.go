package ledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tenure/eventstore"
	"tenure/projections"
)

// Where the tree is stored: one partition of a view of its own, so that a page
// of the log changes all of it at once.
const (
	treeView      = "ledger_tree.v1"
	treePartition = "log"
	stateID       = "state"
	positionIndex = "position" // the leaf tiles by the position of their first event
)

// Tree is the tree as it is stored, for who reads it. It is safe for concurrent use.
type Tree struct{ storage projections.Storage }

// NewTree makes the tree that is in the storage.
func NewTree(storage projections.Storage) *Tree { return &Tree{storage} }

// treeState is how far the stored tree has got.
type treeState struct {
	Size     uint64              `json:"size"`
	Position eventstore.Position `json:"position"`
}

// storedTile is a tile's document. Positions are those of the events of a leaf
// tile, 8 bytes each, big-endian.
type storedTile struct {
	Hashes    []byte `json:"hashes"`
	Positions []byte `json:"positions,omitempty"`
}

func documentID(id tileID) string { return fmt.Sprintf("%x.%016x", id.level, id.number) }

// Size is the number of leaves, and the position of the log up to which all
// events are in the tree.
func (t *Tree) Size(ctx context.Context) (uint64, eventstore.Position, error) {
	s, err := t.state(ctx)
	return s.Size, s.Position, err
}

func (t *Tree) state(ctx context.Context) (s treeState, err error) {
	bodies, err := t.storage.Documents(ctx, treeView, []projections.Key{{Partition: treePartition, ID: stateID}})
	if err != nil || bodies[0] == nil {
		return treeState{}, err
	}
	return s, decodeStored(bodies[0], &s)
}

// Root is the root of the tree of the first size leaves. It fails with ErrNotThere.
func (t *Tree) Root(ctx context.Context, size uint64) (Hash, error) { return rootOf(ctx, t, size) }

// Inclusion proves that a leaf is in the tree of the first size leaves. It fails
// with ErrNotThere.
func (t *Tree) Inclusion(ctx context.Context, index, size uint64) ([]Hash, error) {
	return inclusionOf(ctx, t, index, size)
}

// Consistency proves that the tree of the first from leaves is the beginning of
// that of the first to leaves. It fails with ErrNotThere.
func (t *Tree) Consistency(ctx context.Context, from, to uint64) ([]Hash, error) {
	return consistencyOf(ctx, t, from, to)
}

// Leaf is the hash of one leaf, and the position of its event. It fails with
// ErrNotThere.
func (t *Tree) Leaf(ctx context.Context, index uint64) (Hash, eventstore.Position, error) {
	hashes, positions, err := t.load(ctx, tileID{0, index / tileWidth})
	if err != nil {
		return Hash{}, 0, err
	}
	i := index % tileWidth
	if i >= uint64(len(hashes)) {
		return Hash{}, 0, ErrNotThere
	}
	return hashes[i], positions[i], nil
}

// ErrNoLeaf says that there is no event at the position, or one of the ledger itself.
var ErrNoLeaf = errors.New("ledger: no leaf of the tree has this position")

// Index finds the leaf of the event at a position. It fails with ErrNotThere
// where the tree has not got there, and with ErrNoLeaf.
func (t *Tree) Index(ctx context.Context, p eventstore.Position) (uint64, error) {
	s, err := t.state(ctx)
	if err != nil {
		return 0, err
	}
	if p > s.Position {
		return 0, ErrNotThere
	}
	rows, _, err := t.storage.Range(ctx, treeView, projections.RangeQuery{
		Partition: treePartition, Index: positionIndex, Descending: true, Limit: 1, After: projections.Place{Sort: sortPosition(p) + "~"},
	})
	if err != nil {
		return 0, err
	}
	if len(rows) == 0 {
		return 0, ErrNoLeaf
	}
	var id tileID
	if _, err := fmt.Sscanf(rows[0].ID, "%x.%x", &id.level, &id.number); err != nil {
		return 0, fmt.Errorf("ledger: the stored tree: %w", err)
	}
	_, positions, err := decodeTile(rows[0].Body)
	if err != nil {
		return 0, err
	}
	i, found := slices.BinarySearch(positions, p)
	if !found {
		return 0, ErrNoLeaf
	}
	return id.number*tileWidth + uint64(i), nil
}

func sortPosition(p eventstore.Position) string { return fmt.Sprintf("%016x", uint64(p)) }

// tiles implements tiles.
func (t *Tree) tiles(ctx context.Context, ids []tileID) ([][]Hash, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]projections.Key, len(ids))
	for i, id := range ids {
		keys[i] = projections.Key{Partition: treePartition, ID: documentID(id)}
	}
	bodies, err := t.storage.Documents(ctx, treeView, keys)
	if err != nil {
		return nil, err
	}
	found := make([][]Hash, len(ids))
	for i, body := range bodies {
		if body == nil {
			continue
		}
		if found[i], _, err = decodeTile(body); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (t *Tree) load(ctx context.Context, id tileID) ([]Hash, []eventstore.Position, error) {
	bodies, err := t.storage.Documents(ctx, treeView, []projections.Key{{Partition: treePartition, ID: documentID(id)}})
	if err != nil || bodies[0] == nil {
		return nil, nil, err
	}
	return decodeTile(bodies[0])
}

func decodeStored(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("ledger: the stored tree: %w", err)
	}
	return nil
}

func decodeTile(body []byte) ([]Hash, []eventstore.Position, error) {
	var stored storedTile
	if err := decodeStored(body, &stored); err != nil {
		return nil, nil, err
	}
	hashes := make([]Hash, len(stored.Hashes)/HashSize)
	for i := range hashes {
		hashes[i] = Hash(stored.Hashes[i*HashSize:])
	}
	positions := make([]eventstore.Position, len(stored.Positions)/8)
	for i := range positions {
		positions[i] = eventstore.Position(binary.BigEndian.Uint64(stored.Positions[8*i:]))
	}
	return hashes, positions, nil
}

func encodeTile(hashes []Hash, positions []eventstore.Position) ([]byte, error) {
	var stored storedTile
	for _, h := range hashes {
		stored.Hashes = append(stored.Hashes, h[:]...)
	}
	for _, p := range positions {
		stored.Positions = binary.BigEndian.AppendUint64(stored.Positions, uint64(p))
	}
	return json.Marshal(stored)
}
