package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/checkpoint"
	"tenure/eventstore"
)

// LedgerStream is the stream of the signed checkpoints.
const LedgerStream = "ledger"

// Checkpoints are the newest signed checkpoints, and a position of the log
// after that of the newest one.
func (c *Commands) Checkpoints(ctx context.Context) (checkpoint.State, eventstore.Position, error) {
	s, err := c.checkpoints.latest(ctx, "")
	if err != nil {
		return checkpoint.State{}, 0, err
	}
	return s.state, s.position, nil
}

// SignCheckpoint records a signed checkpoint. It fails with
// CodeCheckpointOutdated when one of its size or more was signed: of two nodes
// at once the log lets one go first, and the other one decides again.
func (c *Commands) SignCheckpoint(ctx context.Context, r Request, size uint64, root, note string) (Receipt, error) {
	return c.checkpoints.execute(ctx, "", r, func(s checkpoint.State) ([]domain.Event, error) {
		return checkpoint.Sign(s, size, root, note)
	})
}

// Cosignature is what a witness has signed; whoever makes one has checked it.
type Cosignature struct {
	Witness string // the name of its key
	Line    string // as it stands in a note
}

// CosignCheckpoint records the signatures of witnesses. It fails as
// checkpoint.Cosign does.
func (c *Commands) CosignCheckpoint(ctx context.Context, r Request, size uint64, signatures []Cosignature) (Receipt, error) {
	return c.checkpoints.execute(ctx, "", r, func(s checkpoint.State) (events []domain.Event, err error) {
		for _, by := range signatures {
			more, err := checkpoint.Cosign(s, size, by.Witness, by.Line)
			if err != nil {
				return nil, err
			}
			for _, e := range more {
				s = checkpoint.Evolve(s, e)
			}
			events = append(events, more...)
		}
		return events, nil
	})
}
