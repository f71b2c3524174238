// Package memory keeps views in memory, for as long as somebody wants to look at
// them: the views of one organization as it was, say.
//
// A partition is two sorted lists, of documents and of index entries, that are
// never changed: a change merges what it adds and removes into new ones. So a
// change costs as much as the partition is large, whatever it holds, and many
// small ones cost far more than a large one; and a Clone costs nothing, since
// both have the same lists until one of them is changed.
package memory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"tenure/eventstore"
	"tenure/projections"
)

// Storage is a projections.Storage. It is gone with the process.
type Storage struct {
	mu          sync.RWMutex
	partitions  map[name]*partition
	checkpoints map[string]eventstore.Position
}

// name is that of a partition.
type name struct{ view, partition string }

// partition is what there is of a partition at a position. It is never changed.
type partition struct {
	position  eventstore.Position
	documents []projections.Document // by id
	entries   []string               // see entry
}

// New makes an empty storage.
func New() *Storage {
	return &Storage{partitions: make(map[name]*partition), checkpoints: make(map[string]eventstore.Position)}
}

// Clone makes a storage that holds the same, and goes its own way.
func (s *Storage) Clone() *Storage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Storage{partitions: maps.Clone(s.partitions), checkpoints: maps.Clone(s.checkpoints)}
}

// Size is about how many bytes the storage takes.
func (s *Storage) Size() int {
	const each = 48 // of a document or an entry, besides their own bytes
	s.mu.RLock()
	defer s.mu.RUnlock()
	size := 0
	for _, p := range s.partitions {
		size += each * (1 + len(p.documents) + len(p.entries))
		for _, d := range p.documents {
			size += len(d.ID) + len(d.Body)
		}
		for _, e := range p.entries {
			size += len(e)
		}
	}
	return size
}

// Documents implements projections.Storage.
func (s *Storage) Documents(ctx context.Context, view string, keys []projections.Key) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	bodies := make([][]byte, len(keys))
	for i, k := range keys {
		bodies[i] = s.partition(view, k.Partition).document(k.ID)
	}
	return bodies, nil
}

// Range implements projections.Storage.
func (s *Storage) Range(ctx context.Context, view string, q projections.RangeQuery) ([]projections.Row, eventstore.Position, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	s.mu.RLock()
	p := s.partition(view, q.Partition)
	s.mu.RUnlock()
	if q.Index == "" {
		return p.byID(q), p.position, nil
	}
	return p.byEntry(q), p.position, nil
}

// Positions implements projections.Storage.
func (s *Storage) Positions(ctx context.Context, view string, partitions []string) ([]eventstore.Position, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	positions := make([]eventstore.Position, len(partitions))
	for i, p := range partitions {
		positions[i] = s.partition(view, p).position
	}
	return positions, nil
}

// Apply implements projections.Storage: all batches are applied, or none.
func (s *Storage) Apply(ctx context.Context, batches []projections.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := make(map[name]*partition)
	for _, b := range batches {
		for _, c := range b.Changes {
			n := name{b.View, c.Partition}
			before, ok := changed[n]
			if !ok {
				before = s.partition(b.View, c.Partition)
			}
			if before.position != c.From {
				return projections.ErrSuperseded
			}
			changed[n] = before.after(c)
		}
	}
	maps.Copy(s.partitions, changed)
	for _, b := range batches {
		s.save(b.View, b.Checkpoint)
	}
	return nil
}

// Checkpoint implements projections.Storage.
func (s *Storage) Checkpoint(ctx context.Context, name string) (eventstore.Position, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.checkpoints[name], ctx.Err()
}

// SaveCheckpoint implements projections.Storage.
func (s *Storage) SaveCheckpoint(ctx context.Context, name string, p eventstore.Position) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.save(name, p)
	return nil
}

func (s *Storage) save(name string, p eventstore.Position) {
	s.checkpoints[name] = max(s.checkpoints[name], p)
}

// Drop implements projections.Storage.
func (s *Storage) Drop(ctx context.Context, view string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.partitions, func(n name, _ *partition) bool { return n.view == view })
	delete(s.checkpoints, view)
	return nil
}

// Close implements projections.Storage. There is nothing to release: what is
// stored stays for whoever still holds the storage.
func (s *Storage) Close() error { return nil }

var nothing = &partition{}

// partition finds one; the caller holds mu.
func (s *Storage) partition(view, partition string) *partition {
	if p, ok := s.partitions[name{view, partition}]; ok {
		return p
	}
	return nothing
}

// document is the body of a document, nil for none.
func (p *partition) document(id string) []byte {
	i, found := slices.BinarySearchFunc(p.documents, id, func(d projections.Document, id string) int { return strings.Compare(d.ID, id) })
	if !found {
		return nil
	}
	return p.documents[i].Body
}
