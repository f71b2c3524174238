// Package checkpoint is the aggregate of the ledger's signed checkpoints. It
// keeps one promise: sizes only grow, so that there are never two checkpoints of
// one size, whatever nodes sign.
package checkpoint

import (
	"slices"

	"github.com/benbjohnson/immutable"

	"tenure/domain"
)

// Recent is how many of the newest checkpoints witnesses may cosign.
const Recent = 1000

// Checkpoint is what was signed.
type Checkpoint struct {
	Size      uint64
	Root      string // base64
	Note      string
	Witnesses []string // that have cosigned it
}

// State is what is known of the newest checkpoints. The zero State has none.
type State struct {
	Newest uint64 // its size
	Shrunk uint64 // the size of a checkpoint that is not larger than the one before: no decision made it; zero for none
	recent *immutable.SortedMap[uint64, Checkpoint]
}

// Checkpoint is the one of that size; ok is false where there is none, or it is
// not among the Recent ones.
func (s State) Checkpoint(size uint64) (c Checkpoint, ok bool) {
	if s.recent == nil {
		return Checkpoint{}, false
	}
	return s.recent.Get(size)
}

// Sign records a checkpoint that is larger than any before; the newest one again
// changes nothing. It fails with CodeCheckpointOutdated.
func Sign(s State, size uint64, root, note string) ([]domain.Event, error) {
	if newest, ok := s.Checkpoint(size); ok && size == s.Newest && newest.Root == root {
		return nil, nil
	}
	if size <= s.Newest {
		return nil, domain.Refuse(domain.CodeCheckpointOutdated, "Checkpoint outdated", "Sign a larger one: another of this size or more was signed already.")
	}
	return []domain.Event{Signed{Size: size, Root: root, Note: note}}, nil
}

// Cosign records a witness's signature; a second one of the same witness changes
// nothing. It fails with CodeNotFound and CodeCheckpointOutdated.
func Cosign(s State, size uint64, witness, line string) ([]domain.Event, error) {
	c, ok := s.Checkpoint(size)
	switch {
	case !ok && size < s.Newest:
		return nil, domain.Refuse(domain.CodeCheckpointOutdated, "Checkpoint outdated", "Cosign one of the newest checkpoints; the list of checkpoints has them.")
	case !ok:
		return nil, domain.Refuse(domain.CodeNotFound, "No such checkpoint", "Take a size from the list of checkpoints.")
	case slices.Contains(c.Witnesses, witness):
		return nil, nil
	}
	return []domain.Event{Cosigned{Size: size, Witness: witness, Line: line}}, nil
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Signed:
		if s.recent == nil {
			s.recent = immutable.NewSortedMap[uint64, Checkpoint](nil)
		}
		if e.Size <= s.Newest {
			s.Shrunk = e.Size
		}
		s.Newest = e.Size
		s.recent = s.recent.Set(e.Size, Checkpoint{Size: e.Size, Root: e.Root, Note: e.Note})
		if s.recent.Len() > Recent {
			oldest, _, _ := s.recent.Iterator().Next()
			s.recent = s.recent.Delete(oldest)
		}
	case Cosigned:
		if c, ok := s.Checkpoint(e.Size); ok {
			c.Witnesses = append(slices.Clip(c.Witnesses), e.Witness)
			s.recent = s.recent.Set(e.Size, c)
		}
	}
	return s
}
