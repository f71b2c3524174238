package commands

import (
	"context"
	"errors"
	"fmt"

	"tenure/domain"
	"tenure/eventstore"
)

// replay stands for the answer of a command that was given before (X12).
type replay struct {
	known   answered
	inBatch bool // the first one stands in the same batch
}

func (*replay) Error() string { return "commands: given before" }

// replayAnswers gives commands that were given before their first answer,
// rebuilt from the events that the first one wrote.
func (a *aggregates[S]) replayAnswers(ctx context.Context, g *aggregate[S], batch []*pending[S], outcomes []outcome) {
	for i, p := range batch {
		var again *replay
		if !errors.As(outcomes[i].err, &again) {
			continue
		}
		known := again.known
		if again.inBatch {
			known, _ = g.answered(p.command)
		}
		if known.fingerprint != p.request.Fingerprint {
			outcomes[i].err = keyReused()
			continue
		}
		receipt, err := a.receipt(ctx, g, known)
		outcomes[i] = outcome{receipt: receipt, err: err}
	}
}

func (a *aggregates[S]) receipt(ctx context.Context, g *aggregate[S], known answered) (Receipt, error) {
	count := int(known.last-known.first) + 1
	recorded, err := a.Store.ReadStream(ctx, g.stream, known.first, count)
	if err != nil {
		return Receipt{}, err
	}
	if len(recorded) != count {
		return Receipt{}, fmt.Errorf("commands: read %d events of %d", len(recorded), count)
	}
	if err := a.Codec.Prefetch(ctx, recorded); err != nil {
		return Receipt{}, err
	}
	r := Receipt{Revision: eventstore.Revision(known.last), Exists: true, DryRun: a.origin != nil}
	for _, rec := range recorded {
		e, err := a.Codec.Decode(rec)
		if err != nil {
			return Receipt{}, err
		}
		if _, nothing := e.Event.(domain.ChangedNothing); !nothing {
			r.Events = append(r.Events, e.Event)
		}
		r.Position = rec.Position
	}
	return r, nil
}

// replayed answers with what a request with an Idempotency-Key did before, for
// commands that check what has changed since before they decide.
func (a *aggregates[S]) replayed(ctx context.Context, id string, r Request) (Receipt, bool, error) {
	command := a.commandID(r)
	if command == "" {
		return Receipt{}, false, nil
	}
	g := a.get(id)
	if _, err := a.refresh(ctx, g); err != nil {
		return Receipt{}, false, err
	}
	known, ok := g.answered(command)
	if !ok {
		return Receipt{}, false, nil
	}
	if known.fingerprint != r.Fingerprint {
		return Receipt{}, true, keyReused()
	}
	receipt, err := a.receipt(ctx, g, known)
	return receipt, true, err
}

// replayedParts is replayed for several parts of one command. The receipt of a part
// that was not done does not exist.
func (a *aggregates[S]) replayedParts(ctx context.Context, id string, parts []Request) ([]Receipt, error) {
	g := a.get(id)
	if _, err := a.refresh(ctx, g); err != nil {
		return nil, err
	}
	receipts := make([]Receipt, len(parts))
	for i, part := range parts {
		known, done := g.answered(a.commandID(part))
		if !done {
			continue
		}
		var err error
		if receipts[i], err = a.receipt(ctx, g, known); err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

func keyReused() error {
	return domain.Refuse(domain.CodeIdempotencyMismatch, "Idempotency-Key used before", "Use a new key for another request; send the same request again to get its first answer.")
}
