package projectionstest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"tenure/domain"
	"tenure/domain/checkpoint"
	"tenure/eventstore/codec"
	"tenure/projections"
)

// What happens to the ledger's checkpoints, and what a search through all
// events says of them.

func (h *history) signCheckpoint() {
	h.signed = append(h.signed, uint64(len(h.events)+1))
	size := h.signed[len(h.signed)-1]
	h.record("ledger", checkpoint.Signed{Size: size, Root: fmt.Sprint("root ", size), Note: fmt.Sprint("note ", size)})
}

func (h *history) cosignCheckpoint() {
	if size, ok := pick(h, "checkpoint", h.signed); ok {
		h.record("ledger", checkpoint.Cosigned{Size: size, Witness: fmt.Sprint("witness ", len(h.events)%3), Line: fmt.Sprint("line ", len(h.events))})
	}
}

func (m *model) foldCheckpoints(e codec.Envelope) {
	switch x := e.Event.(type) {
	case checkpoint.Signed:
		m.checkpoints = append(m.checkpoints, &projections.Checkpoint{Size: x.Size, Root: x.Root, Note: x.Note, SignedAt: e.Metadata.OccurredAt})
	case checkpoint.Cosigned:
		for _, c := range m.checkpoints {
			if c.Size == x.Size {
				c.Cosignatures = slices.DeleteFunc(c.Cosignatures, func(by projections.Cosignature) bool { return by.Witness == x.Witness })
				c.Cosignatures = append(c.Cosignatures, projections.Cosignature{Witness: x.Witness, Line: x.Line, At: e.Metadata.OccurredAt})
			}
		}
	}
}

func (c checker) checkpoints() {
	got := pages[projections.Checkpoint](c, func(cursor string, limit int) (projections.Page, error) {
		return c.r.Checkpoints(context.Background(), projections.CheckpointsQuery{Cursor: cursor, Limit: limit})
	})
	var want []projections.Checkpoint
	for _, x := range c.m.checkpoints {
		want = append(want, *x)
		c.checkpoint(c.r.Checkpoint(context.Background(), x.Size))(*x)
	}
	sortBy(want, "-", func(a, b projections.Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	same(c, "checkpoints", got, want)
	if len(want) > 0 {
		c.checkpoint(c.r.NewestCheckpoint(context.Background()))(want[0])
	}
	_, err := c.r.Checkpoint(context.Background(), 1<<40)
	c.is.True(isCode(err, domain.CodeNotFound))
}

func (c checker) checkpoint(body []byte, err error) func(want projections.Checkpoint) {
	return func(want projections.Checkpoint) {
		c.is.NoErr(err)
		var one projections.Checkpoint
		c.is.NoErr(json.Unmarshal(body, &one))
		same(c, "checkpoint", []projections.Checkpoint{one}, []projections.Checkpoint{want})
	}
}
