package ledger

import (
	"context"

	"tenure/eventstore"
)

// What tests need to go step by step.

// Once does what Run does until there is nothing to do.
func (l *Ledger) Once(ctx context.Context) error {
	tree, err := l.Tree.grow(ctx)
	if err != nil {
		return err
	}
	return l.round(ctx, tree)
}

// Recheck compares the whole log with the stored tree.
func (l *Ledger) Recheck(ctx context.Context) error {
	size, position, err := l.Tree.Size(ctx)
	if err != nil {
		return err
	}
	return l.recheck(ctx, size, position)
}

// Grow puts pages of a log into the stored tree.
func (t *Tree) Grow(ctx context.Context, pages ...eventstore.Page) error {
	g, err := t.grow(ctx)
	for _, page := range pages {
		if err == nil {
			err = g.add(ctx, page)
		}
	}
	return err
}

// InMemory is the tree of these leaves.
func InMemory(leaves []Hash) interface {
	Root(size uint64) (Hash, error)
	Inclusion(index, size uint64) ([]Hash, error)
	Consistency(from, to uint64) ([]Hash, error)
} {
	m := newMemory()
	for _, leaf := range leaves {
		m.add(leaf)
	}
	return inMemory{m}
}

type inMemory struct{ *memory }

func (m inMemory) Root(size uint64) (Hash, error) { return rootOf(context.Background(), m, size) }
func (m inMemory) Inclusion(index, size uint64) ([]Hash, error) {
	return inclusionOf(context.Background(), m, index, size)
}
func (m inMemory) Consistency(from, to uint64) ([]Hash, error) {
	return consistencyOf(context.Background(), m, from, to)
}

// DecodeLine reads a line of an export as verification does.
func DecodeLine(text []byte) (*eventstore.Recorded, error) {
	var l line
	if err := decodeLine(text, &l); err != nil {
		return nil, err
	}
	return l.event()
}

// EncodeLine writes an event as an export does.
func EncodeLine(e *eventstore.Recorded) ([]byte, error) {
	l := newLine(e)
	if index, hash := uint64(0), LeafHash(e); IsLeaf(e) {
		l.Leaf, l.Hash = &index, &hash
	}
	return encodeLine(l)
}
