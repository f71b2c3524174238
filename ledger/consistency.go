package ledger

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Consistency proves that the tree of one size is the beginning of that of
// another: what GET /v1/ledger/proof/consistency answers with. It needs no
// signature, since it fits two roots or it does not.
type Consistency struct {
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Hashes []Hash `json:"hashes"`
}

// ErrConsistency says that a text is no consistency proof.
var ErrConsistency = errors.New("ledger: not a consistency proof as the server answers it: from, to and hashes")

// ParseConsistency reads the answer of a server. It fails with ErrConsistency.
func ParseConsistency(text []byte) (c Consistency, err error) {
	if json.Unmarshal(text, &c) != nil || c.From == 0 || c.From > c.To {
		return Consistency{}, ErrConsistency
	}
	return c, nil
}

// shows reports whether it is about the two checkpoints, in this order, and
// whether it holds.
func (c Consistency) shows(older, newer Checkpoint) (about, holds bool) {
	if c.From != older.Size || c.To != newer.Size {
		return false, false
	}
	hashes := make([][]byte, len(c.Hashes))
	for i := range c.Hashes {
		hashes[i] = c.Hashes[i][:]
	}
	return true, proof.VerifyConsistency(rfc6962.DefaultHasher, older.Size, newer.Size, hashes, older.Root[:], newer.Root[:]) == nil
}

// link compares the checkpoint of an export with one that was kept, where the
// events of the export do not tell whether both are of one log.
func (w *walk) link(kept, export Checkpoint) bool {
	found := func(problem string, args ...any) bool {
		w.report.found(Finding{whole: true, Problem: fmt.Sprintf(problem, args...)})
		return false
	}
	older, newer := kept, export
	if kept.Size > export.Size {
		older, newer = export, kept
	}
	switch {
	case kept.Origin != export.Origin:
		return found("the kept checkpoint is of another log")
	case kept.Size == export.Size && kept.Root != export.Root:
		return found("the kept checkpoint is another one than that of the export: the log has two faces")
	case kept.Size == export.Size:
		return true
	}
	for _, c := range w.options.Consistency {
		switch about, holds := c.shows(older, newer); {
		case holds:
			return true
		case about:
			return found("the proof does not show that the checkpoint of size %d is the beginning of that of size %d: it is another proof, or the log has two faces", older.Size, newer.Size)
		}
	}
	otherwise := "or take an export of the whole log, which needs none"
	if kept.Size > export.Size {
		otherwise = "or take an export that was made after it"
	}
	return found("the kept checkpoint has size %d, the export ends at size %d: give the proof between them as well (--consistency), from GET /v1/ledger/proof/consistency?from=%d&to=%d, %s",
		kept.Size, export.Size, older.Size, newer.Size, otherwise)
}
