// Package checkpoint is the aggregate of the ledger's signed checkpoints. It
// keeps one promise: sizes only grow, so that there are never two checkpoints of
// one size, whatever nodes sign.
package checkpoint

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

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
	Witnesses []Witness // that have cosigned it
}

// Witness is one that has cosigned a checkpoint.
type Witness struct {
	Name string
	At   uint64 // when it did, as it says: seconds since 1970
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

// Cosign records a witness's signature, which takes the place of an older one of the
// same witness; one that is not newer changes nothing. It fails with CodeNotFound and
// CodeCheckpointOutdated.
func Cosign(s State, size uint64, witness, line string) ([]domain.Event, error) {
	c, ok := s.Checkpoint(size)
	switch {
	case !ok && size < s.Newest:
		return nil, domain.Refuse(domain.CodeCheckpointOutdated, "Checkpoint outdated", "Cosign one of the newest checkpoints; the list of checkpoints has them.")
	case !ok:
		return nil, domain.Refuse(domain.CodeNotFound, "No such checkpoint", "Take a size from the list of checkpoints.")
	}
	if i := c.index(witness); i >= 0 && c.Witnesses[i].At >= cosignedAt(line) {
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
			c.Witnesses = slices.Clone(c.Witnesses)
			i := c.index(e.Witness)
			if i < 0 {
				i = len(c.Witnesses)
				c.Witnesses = append(c.Witnesses, Witness{Name: e.Witness})
			}
			c.Witnesses[i].At = cosignedAt(e.Line)
			s.recent = s.recent.Set(e.Size, c)
		}
	}
	return s
}

func (c Checkpoint) index(witness string) int {
	return slices.IndexFunc(c.Witnesses, func(w Witness) bool { return w.Name == witness })
}

// cosignedAt is the time in a line of a note with a cosignature (C2SP
// tlog-cosignature): it stands between the hash of the key and the signature. Of a line
// that is none it is zero; who hands one in has checked it.
func cosignedAt(line string) uint64 {
	raw, err := base64.StdEncoding.DecodeString(line[strings.LastIndexByte(line, ' ')+1:])
	if err != nil || len(raw) < 12 {
		return 0
	}
	return binary.BigEndian.Uint64(raw[4:])
}
