package sqlite

import (
	"context"
	"time"

	"tenure/eventstore"
)

// CheckBy is Check, so many rows at once, and between two statements whatever there is
// to do instead of a rest.
func (s *Store) CheckBy(ctx context.Context, rows int, between func()) ([]eventstore.Flaw, error) {
	return s.checkBy(ctx, rows, func(time.Duration) { between() })
}
