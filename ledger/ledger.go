package ledger

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/checkpoint"
	"tenure/eventstore"
	"tenure/projections"
)

// Dependencies are what a Ledger works with; all but Step are needed.
type Dependencies struct {
	Log      eventstore.Store
	Tree     *Tree
	Commands *commands.Commands
	Key      *Key
	Interval time.Duration // between checkpoints, at least, while new events come
	Logger   *slog.Logger

	// Step is called between what is written.
	Step func(name string)
}

// The steps between what is written. A test kills the process at each of them.
const (
	StepTreeGrown        = "ledger: tree grown"
	StepCheckpointMade   = "ledger: checkpoint made"
	StepCheckpointSigned = "ledger: checkpoint signed"
)

// State is how a Ledger is doing. It is zero on nodes that do not run it.
type State struct {
	Size     uint64              // leaves in the tree
	Signed   uint64              // of the newest checkpoint
	Position eventstore.Position // of the log, that the tree has got to

	Failing      bool // the last attempt failed; it goes on trying
	FailingSince time.Time
	Err          error // the last failure, a *Mismatch when the log is not what was signed
}

// Mismatched reports whether the log is not what was signed.
func (s State) Mismatched() bool {
	var wrong *Mismatch
	return errors.As(s.Err, &wrong)
}

// Class says in a few words what keeps a Ledger from going on.
func Class(err error) string {
	var wrong *Mismatch
	switch {
	case errors.As(err, &wrong):
		return "the log is not what was signed"
	case errors.Is(err, eventstore.ErrUnavailable):
		return "log"
	case errors.Is(err, projections.ErrUnavailable):
		return "storage"
	}
	return "see the log of the server"
}

// Ledger makes the tree grow and signs checkpoints.
type Ledger struct {
	Dependencies
	mu    sync.Mutex
	state State

	// When each was last done, and nothing was wrong. Only one of what follow does
	// touches them at a time.
	checkedBeside, compared time.Time
}

// New makes a Ledger; Run starts it.
func New(d Dependencies) *Ledger {
	if d.Step == nil {
		d.Step = func(string) {}
	}
	return &Ledger{Dependencies: d}
}

// State says how it is doing.
func (l *Ledger) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *Ledger) update(change func(*State)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.state)
}

const (
	pageEvents   = 1000
	firstPause   = 50 * time.Millisecond
	longestPause = 15 * time.Second
	recheckEvery = 24 * time.Hour
)

// Run works until ctx ends. It may be called again, but not twice at the same
// time.
func (l *Ledger) Run(ctx context.Context) error {
	defer l.update(func(s *State) { *s = State{} }) // another node knows more from now on
	pause := firstPause
	for ctx.Err() == nil {
		err := l.follow(ctx, func() { pause = firstPause })
		if ctx.Err() != nil {
			break
		}
		if !errors.Is(err, projections.ErrSuperseded) { // else another node was faster: look again
			l.failed(err)
		}
		sleep(ctx, pause)
		pause = min(2*pause, longestPause)
	}
	return ctx.Err()
}

func (l *Ledger) failed(err error) {
	l.update(func(s *State) {
		if !s.Failing {
			s.FailingSince = time.Now()
		}
		s.Failing, s.Err = true, err
	})
	var wrong *Mismatch
	if errors.As(err, &wrong) {
		where := []any{"error", err, "position", wrong.Position}
		if !wrong.beside {
			where = append(where, "first_leaf", wrong.First, "last_leaf", wrong.Last, "checkpoint", wrong.Size)
		}
		l.Logger.Error("THE LOG IS NOT WHAT WAS SIGNED: no checkpoint is signed any more; see docs/ledger.md", where...)
		return
	}
	l.Logger.Error("the ledger cannot go on", "error", err)
}

// follow makes the tree grow and signs it until an error. Before it signs
// anything after a mismatch, and now and then, it compares the whole log with
// the stored tree.
func (l *Ledger) follow(ctx context.Context, well func()) error {
	tree, err := l.Tree.grow(ctx)
	if err != nil {
		return err
	}
	if l.State().Mismatched() {
		if err := l.recheck(ctx, tree.size, tree.position); err != nil {
			return err
		}
	}
	beside := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	var recheck sync.WaitGroup
	defer recheck.Wait()
	defer cancel()
	recheck.Go(func() { beside <- l.recheckOften(ctx) })
	for {
		if err := l.round(ctx, tree); err != nil {
			return err
		}
		well()
		timer := time.NewTimer(l.Interval)
		select {
		case <-timer.C:
		case err := <-beside:
			timer.Stop()
			return err
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// round does what there is to do.
func (l *Ledger) round(ctx context.Context, tree *growing) error {
	// The newest checkpoint first: what it has seen, the log holds.
	signed, position, err := l.Commands.Checkpoints(ctx)
	if err != nil {
		return err
	}
	if err := l.catchUp(ctx, tree); err != nil {
		return err
	}
	if tree.position < position {
		return nil // a replica of the log that is behind
	}
	if err := l.check(ctx, tree, signed); err != nil {
		return err
	}
	l.update(func(s *State) {
		s.Size, s.Position, s.Signed = tree.size, tree.position, signed.Newest
		s.Failing, s.Err = false, nil
	})
	if tree.size == signed.Newest {
		return nil
	}
	return l.sign(ctx, tree)
}

func (l *Ledger) catchUp(ctx context.Context, tree *growing) error {
	for {
		page, err := l.Log.ReadAll(ctx, tree.position, pageEvents, eventstore.Filter{})
		if err != nil {
			return err
		}
		if page.Position > tree.position {
			if err := tree.add(ctx, page); err != nil {
				return err
			}
			l.update(func(s *State) { s.Size, s.Position = tree.size, tree.position })
			l.Step(StepTreeGrown)
		}
		if page.Head {
			return nil
		}
	}
}

// check compares the tree with the newest checkpoint.
func (l *Ledger) check(ctx context.Context, tree *growing, signed checkpoint.State) error {
	if signed.Shrunk > 0 {
		return &Mismatch{First: signed.Shrunk, Last: signed.Shrunk, Size: signed.Shrunk, Problem: "a checkpoint follows a larger one"}
	}
	newest, ok := signed.Checkpoint(signed.Newest)
	if !ok || newest.Size == tree.checked {
		return nil
	}
	fits, err := l.fits(ctx, tree, newest.Size, newest.Root)
	if err != nil {
		return err
	}
	if !fits {
		return l.locate(ctx, tree)
	}
	tree.checked = newest.Size
	return nil
}

func (l *Ledger) fits(ctx context.Context, tree *growing, size uint64, root string) (bool, error) {
	if size > tree.size {
		return false, nil
	}
	got, err := tree.Root(ctx, size)
	return err == nil && got.String() == root, err
}

func (l *Ledger) sign(ctx context.Context, tree *growing) error {
	root, err := tree.Root(ctx, tree.size)
	if err != nil {
		return err
	}
	text, err := l.Key.Sign(tree.size, root)
	if err != nil {
		return err
	}
	l.Step(StepCheckpointMade)
	_, err = l.Commands.SignCheckpoint(ctx, commands.Request{Actor: domain.ByProcess("ledger")}, tree.size, root.String(), text)
	if errors.Is(err, &domain.Error{Code: domain.CodeCheckpointOutdated}) {
		return nil // another node was faster; the next round compares
	}
	if err == nil {
		l.Step(StepCheckpointSigned)
		l.update(func(s *State) { s.Signed = tree.size })
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
