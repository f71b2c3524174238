package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tenure/domain/checkpoint"
)

// Checkpoint is the document of a signed checkpoint of the ledger.
type Checkpoint struct {
	Size         uint64        `json:"size"`
	Root         string        `json:"root"` // base64
	SignedAt     time.Time     `json:"signed_at"`
	Note         string        `json:"note"` // as it was signed
	Cosignatures []Cosignature `json:"cosignatures,omitempty"`
}

// Cosigned is the note with the signatures of the witnesses in it.
func (c Checkpoint) Cosigned() string {
	text := c.Note
	for _, by := range c.Cosignatures {
		text += by.Line + "\n"
	}
	return text
}

// Cosignature is that of a witness.
type Cosignature struct {
	Witness string    `json:"witness"`
	Line    string    `json:"line"`
	At      time.Time `json:"at"` // when it came
}

// CheckpointsQuery asks for a page of all checkpoints, the newest first.
type CheckpointsQuery struct {
	Cursor string
	Limit  int // 1 to 200, default 50
}

const (
	checkpointsView      = "checkpoints.v1"
	checkpointsPartition = "ledger"
)

// Checkpoint returns the document of the checkpoint of a size. It fails with
// CodeNotFound.
func (r *Reader) Checkpoint(ctx context.Context, size uint64) ([]byte, error) {
	return r.document(ctx, checkpointsView, checkpointKey(size), "No such checkpoint", "Take a size from the list of checkpoints.")
}

// NewestCheckpoint returns the document of the largest checkpoint, nil while
// there is none.
func (r *Reader) NewestCheckpoint(ctx context.Context) ([]byte, error) {
	rows, _, err := r.storage.Range(ctx, checkpointsView, RangeQuery{Partition: checkpointsPartition, Descending: true, Limit: 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].Body, nil
}

// Checkpoints returns a page. It fails with CodeInvalid.
func (r *Reader) Checkpoints(ctx context.Context, q CheckpointsQuery) (Page, error) {
	return r.cached(ctx, checkpointsView, checkpointsPartition, q, func(storage Storage) (Page, error) {
		s := scan{view: checkpointsView, partition: checkpointsPartition, descending: true, cursor: q.Cursor, limit: q.Limit}
		return s.page(ctx, storage)
	})
}

// checkpointKey makes ids that are in the order of the sizes.
func checkpointKey(size uint64) Key {
	return Key{checkpointsPartition, fmt.Sprintf("%016x", size)}
}

func checkpoints() View[Checkpoint] {
	return View[Checkpoint]{
		Name:  checkpointsView,
		Types: []string{"ledger."},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case checkpoint.Signed:
				return []Key{checkpointKey(x.Size)}
			case checkpoint.Cosigned:
				return []Key{checkpointKey(x.Size)}
			}
			return nil
		},
		Fold: func(c *Checkpoint, in In[Checkpoint]) *Checkpoint {
			at := in.Metadata.OccurredAt.UTC()
			switch x := in.Event.Event.(type) {
			case checkpoint.Signed:
				return &Checkpoint{Size: x.Size, Root: x.Root, SignedAt: at, Note: x.Note}
			case checkpoint.Cosigned:
				if c != nil { // a newer one takes the place of that of the same witness
					c.Cosignatures = slices.DeleteFunc(c.Cosignatures, func(by Cosignature) bool { return by.Witness == x.Witness })
					c.Cosignatures = append(c.Cosignatures, Cosignature{Witness: x.Witness, Line: x.Line, At: at})
				}
			}
			return c
		},
	}
}
