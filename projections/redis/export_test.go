package redis

import (
	"context"

	"tenure/eventstore"
	"tenure/projections"
)

// PartitionKeys names the keys of a partition under the default prefix.
func PartitionKeys(view, partition string) (documents, entries string) {
	return keys{"tenure:"}.partition(view, partition)
}

// AtOnce reads every range with the script that otherwise follows a change in
// the middle of a range.
type AtOnce struct{ *Storage }

// Range is Storage.rangeAtOnce.
func (s AtOnce) Range(ctx context.Context, view string, q projections.RangeQuery) ([]projections.Row, eventstore.Position, error) {
	return s.rangeAtOnce(ctx, view, q)
}
