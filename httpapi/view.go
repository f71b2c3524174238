package httpapi

import (
	"context"
	"strconv"
	"time"

	"tenure/eventstore"
	"tenure/projections"
)

// etagWait is how long the read of a single thing waits for its view to get to
// the revision that its ETag would name.
const etagWait = 250 * time.Millisecond

// waitForView waits until the views have got to a position that a client has
// asked for; empty for none. Either way it waits while the views lack a part of
// what they held before. It fails with projections.ErrBehind.
func (a *API) waitForView(ctx context.Context, wanted string) error {
	position := uint64(0)
	if wanted != "" {
		var err error
		if position, err = strconv.ParseUint(wanted, 10, 64); err != nil {
			return a.malformed("Tenure-Min-Position", "Send the Tenure-Position of a command.")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, a.config.ViewWait)
	defer cancel()
	return a.config.Progress.Wait(ctx, eventstore.Position(position))
}

// currentETag is the ETag of an organization that the views show as it is now:
// expected is where its stream was read before. It is empty when the views are
// further behind than is worth waiting for: an answer without an ETag is
// honest, one with an ETag newer than its body would defeat If-Match.
func (a *API) currentETag(ctx context.Context, expected eventstore.Expected) (string, error) {
	revision, exists := expected.Last()
	if !exists {
		return "", nil
	}
	head, err := a.config.Commands.Store.Head(ctx)
	if err != nil {
		return "", err
	}
	waiting, cancel := context.WithTimeout(ctx, etagWait)
	defer cancel()
	if a.config.Progress.Wait(waiting, head) != nil {
		return "", nil
	}
	return etag(revision), nil
}

// page answers with a page as its view has it.
func page(p projections.Page, err error) (answer, error) {
	return answer{page: &p}, err
}
