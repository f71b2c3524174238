// Package leases lets one of several nodes at a time do what has to be done once
// in the whole deployment: apply the log to the views, run the processes.
//
// A lease keeps work from being done twice; it does not keep two nodes from
// doing the same work for moments, which no lease can: a node may hang between
// looking at its lease and writing, or the store of the leases may lose its
// data. The fence is where the work is written. A change of a view is refused
// when its partition is no longer where the change starts, an append to the log
// when the stream is no longer where it is expected, a mail when another node
// has claimed it; checkpoints only grow. So a late writer is refused, or writes
// what has been written.
package leases

import "context"

// Keeper gives out leases by name.
type Keeper interface {
	// Hold waits for the lease and runs work while it is held. The context of
	// work ends when the lease may be lost; then Hold waits for it again, and
	// runs work again. It returns when ctx ends, with its error, or when work
	// returns by itself, with the error of that. The lease is given up before.
	Hold(ctx context.Context, name string, work func(context.Context) error) error
}

// Alone is the Keeper of a deployment of one node, which holds every lease.
type Alone struct{}

// Hold implements Keeper.
func (Alone) Hold(ctx context.Context, _ string, work func(context.Context) error) error {
	return work(ctx)
}
