package redis

import (
	"context"

	"tenure/redisfiles"
)

// Scrub leaves no trace in the files of Redis of what documents held before; see
// redisfiles.Rewrite.
func (s *Storage) Scrub(ctx context.Context) error {
	nodes, err := s.masters(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if err := redisfiles.Rewrite(ctx, node, s.logger); err != nil {
			return explain(ctx, err)
		}
	}
	return nil
}
