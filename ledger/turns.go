package ledger

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// inTurns takes work through three steps, by as many workers as there are cores.
// take gets the next piece and finish has done with it: each is for one worker at
// a time, in the same order. Between these each worker prepares its own piece
// beside the others. A piece lies in the memory of the one that the worker had
// before, so that there are never more of them than workers.
//
// take answers whether there was another one. What was taken before it fails is
// still finished.
func inTurns[W any](ctx context.Context, take func(context.Context, *W) (more bool, err error), prepare func(*W), finish func(*W) error) error {
	group, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	taking, finishing := newTurns(workers), newTurns(workers)
	over := false // of the one whose turn it is to take
	for me := range workers {
		group.Go(func() error {
			for work := new(W); ; {
				if err := taking.await(ctx, me); err != nil {
					return err
				}
				more, failed := false, error(nil)
				if !over {
					more, failed = take(ctx, work)
					over = !more || failed != nil
				}
				taking.pass(me)
				if !more && failed == nil {
					return nil
				}
				if failed == nil {
					prepare(work)
				}
				if err := finishing.await(ctx, me); err != nil {
					return err
				}
				if failed != nil {
					return failed
				}
				if err := finish(work); err != nil {
					return err
				}
				finishing.pass(me)
			}
		})
	}
	return group.Wait()
}

// turns let one worker after the other do what only one may do at a time: each
// after the one before it.
type turns []chan struct{}

func newTurns(workers int) turns {
	t := make(turns, workers)
	for i := range t {
		t[i] = make(chan struct{}, 1)
	}
	t[0] <- struct{}{}
	return t
}

func (t turns) await(ctx context.Context, me int) error {
	select {
	case <-t[me]:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turns) pass(me int) { t[(me+1)%len(t)] <- struct{}{} }
