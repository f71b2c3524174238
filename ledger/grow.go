package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"tenure/eventstore"
	"tenure/projections"
)

// growing is the stored tree for the one who makes it grow. What it has in
// memory is what is stored, until a change fails; then it is of no more use.
type growing struct {
	*Tree
	edge
	position  eventstore.Position   // up to here the log is in the tree
	positions []eventstore.Position // of the last leaf tile
	checked   uint64                // the size of the newest checkpoint that it was compared with
}

// grow goes on with what is stored.
func (t *Tree) grow(ctx context.Context) (*growing, error) {
	s, err := t.state(ctx)
	if err != nil {
		return nil, err
	}
	g := &growing{Tree: t, edge: edge{size: s.Size}, position: s.Position}
	for level := uint(0); s.Size>>(tileHeight*level) > 0; level++ {
		count := s.Size >> (tileHeight * level)
		g.open = append(g.open, nil)
		if count%tileWidth == 0 {
			continue
		}
		hashes, positions, err := t.load(ctx, tileID{level, count / tileWidth})
		if err != nil {
			return nil, err
		}
		if uint64(len(hashes)) < count%tileWidth {
			return nil, fmt.Errorf("ledger: the stored tree lacks hashes of tile %d of level %d", count/tileWidth, level)
		}
		g.open[level] = hashes[:count%tileWidth]
		if level == 0 {
			g.positions = positions[:count%tileWidth]
		}
	}
	return g, nil
}

// add puts a page of the log into the tree, in one step of the storage. It fails
// with projections.ErrSuperseded when somebody else has made the tree grow.
func (g *growing) add(ctx context.Context, page eventstore.Page) error {
	c := change{from: g.size}
	for i := range page.Events {
		e := &page.Events[i]
		if !IsLeaf(e) {
			continue
		}
		g.positions = append(g.positions, e.Position)
		g.append(LeafHash(e), func(id tileID, hashes []Hash) {
			var positions []eventstore.Position
			if id.level == 0 {
				positions, g.positions = g.positions, nil
			}
			c.put(id, hashes, positions)
		})
	}
	for level, hashes := range g.open {
		id := tileID{uint(level), g.size >> (tileHeight * (uint(level) + 1))}
		switch {
		case len(hashes) == 0 || g.size>>(tileHeight*uint(level)) == c.from>>(tileHeight*uint(level)): // as it is stored
		case level == 0:
			c.put(id, hashes, g.positions)
		default:
			c.put(id, hashes, nil)
		}
	}
	state, err := json.Marshal(treeState{g.size, page.Position})
	if err != nil || c.err != nil {
		return fmt.Errorf("ledger: %w", cmp.Or(c.err, err))
	}
	err = g.storage.Apply(ctx, []projections.Batch{{View: treeView, Changes: []projections.Change{{
		Partition: treePartition, From: g.position, To: page.Position,
		Puts: append(c.puts, projections.Document{ID: stateID, Body: state}), Added: c.added,
	}}}})
	if err == nil {
		g.position = page.Position
	}
	return err
}

// change is what a page does to the stored tiles.
type change struct {
	from  uint64 // the size before
	puts  []projections.Document
	added []projections.IndexEntry
	err   error
}

func (c *change) put(id tileID, hashes []Hash, positions []eventstore.Position) {
	body, err := encodeTile(hashes, positions)
	c.err = cmp.Or(c.err, err)
	c.puts = append(c.puts, projections.Document{ID: documentID(id), Body: body})
	if id.level == 0 && id.number*tileWidth >= c.from { // new
		c.added = append(c.added, projections.IndexEntry{
			Entry: projections.Entry{Index: positionIndex, Sort: sortPosition(positions[0])}, ID: documentID(id),
		})
	}
}
