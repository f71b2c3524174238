package projections

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"tenure/eventstore"
)

// The storage has a record of the position up to which all views are complete:
// the position of the only partition of this view. It tells views that are
// behind, which may be shown, from views that lack a part of what they held,
// which may not: after a storage was emptied, or while a new version of a view
// is built for the first time.
//
// The projector that applies the log moves it from where it knows it to be, so
// another one that does the same, or a loss, is noticed at once. Other nodes read
// it, and so know how far the views are (see Watch).
const (
	completeView      = "complete.v1"
	completePartition = "views"
)

// errLost says that the storage has lost what was stored. The projector starts
// over from what is there.
var errLost = errors.New("projections: the storage has lost what was stored")

// completeness is what a Projector knows of that position.
type completeness struct {
	floor atomic.Uint64 // reads wait until the views are there
	known chan struct{} // closed once floor is
	once  sync.Once
}

func newCompleteness() completeness { return completeness{known: make(chan struct{})} }

// require raises the floor.
func (c *completeness) require(position eventstore.Position) {
	for {
		floor := c.floor.Load()
		if uint64(position) <= floor || c.floor.CompareAndSwap(floor, uint64(position)) {
			break
		}
	}
	c.once.Do(func() { close(c.known) })
}

func (c *completeness) required() eventstore.Position { return eventstore.Position(c.floor.Load()) }

func (p *Projector) storedComplete(ctx context.Context) (eventstore.Position, error) {
	at, err := p.storage.Positions(ctx, completeView, []string{completePartition})
	if err != nil {
		return 0, failed(ClassStorage, err)
	}
	return at[0], nil
}

// readComplete reads the record, and the end of the log. Where there is none the
// views were never complete, and have to get to the end of the log first.
func (p *Projector) readComplete(ctx context.Context) (complete, head eventstore.Position, err error) {
	if complete, err = p.storedComplete(ctx); err != nil {
		return 0, 0, err
	}
	if head, err = p.log.Head(ctx); err != nil {
		return 0, 0, failed(ClassLog, err)
	}
	if complete == 0 {
		p.complete.require(head)
	} else {
		p.complete.require(complete)
	}
	return complete, head, nil
}

// beginComplete takes the record back to where a run starts. A partition may be
// ahead of that, but another one may have lost what came after it, and who reads
// at other nodes has to wait as well until it is there again.
//
// Killed before it gets to where the record was, the next run does the same, from
// where that one has got to.
func (p *Projector) beginComplete(ctx context.Context, complete, start eventstore.Position) error {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.saved = complete
	if start >= complete {
		return p.saveCompleteLocked(ctx, start)
	}
	err := p.storage.Apply(ctx, []Batch{{View: completeView, Changes: []Change{{Partition: completePartition, From: complete, To: start}}}})
	if err != nil {
		return failed(ClassStorage, err)
	}
	p.saved = start
	return nil
}

// saveComplete records that the views are complete up to a position, once they
// are no less than they were. It fails with ErrSuperseded when the record is not
// where this projector knows it to be.
func (p *Projector) saveComplete(ctx context.Context, position eventstore.Position) error {
	p.saving.Lock()
	defer p.saving.Unlock()
	return p.saveCompleteLocked(ctx, position)
}

// saveCompleteLocked is saveComplete for one who holds saving.
func (p *Projector) saveCompleteLocked(ctx context.Context, position eventstore.Position) error {
	if position < p.complete.required() || position <= p.saved {
		return nil
	}
	err := p.storage.Apply(ctx, []Batch{{View: completeView, Changes: []Change{{Partition: completePartition, From: p.saved, To: position}}}})
	if err != nil {
		return failed(ClassStorage, err)
	}
	p.saved = position
	p.complete.require(position)
	return nil
}

// checkComplete notices when the record is behind what this projector has saved.
func (p *Projector) checkComplete(ctx context.Context) error {
	p.saving.Lock()
	defer p.saving.Unlock()
	stored, err := p.storedComplete(ctx)
	if err == nil && stored < p.saved {
		err = failed(ClassStorage, errLost)
	}
	return err
}

// watchEvery and hurryEvery are how often a node that does not apply the log
// looks how far the views are, and how often while a read waits for it.
const (
	watchEvery = 200 * time.Millisecond
	hurryEvery = 2 * time.Millisecond
	headEvery  = time.Second
)

// Watch keeps this node's knowledge of the progress of the views up to date
// while another one applies the log, until ctx ends. It answers with the
// context's error.
func (p *Projector) Watch(ctx context.Context) error {
	var looked time.Time
	for ctx.Err() == nil {
		if !p.leading.Load() {
			all := time.Since(looked) >= headEvery
			if all {
				looked = time.Now()
			}
			if err := p.look(ctx, all); err != nil && ctx.Err() == nil {
				p.halt(err)
			}
		}
		if p.waiters.waiting() {
			pause(ctx, hurryEvery)
		} else {
			p.waiters.idle(ctx, watchEvery)
		}
	}
	return ctx.Err()
}

// look reads how far the views are; all reads the end of the log and the
// generations as well.
func (p *Projector) look(ctx context.Context, all bool) error {
	complete, err := p.storedComplete(ctx)
	if err != nil {
		return err
	}
	head := eventstore.Position(0)
	if all {
		// First of all, so that nobody reads a generation that is gone.
		if err := p.generations.refresh(ctx); err != nil {
			return failed(ClassStorage, err)
		}
		if complete, head, err = p.readComplete(ctx); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leading.Load() {
		return nil
	}
	p.state.Position, p.state.Head = complete, max(p.state.Head, head, complete)
	p.state.Live = p.state.Position == p.state.Head
	p.state.Halted, p.state.ErrorClass, p.state.Err = false, "", nil
	p.waiters.set(complete)
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
