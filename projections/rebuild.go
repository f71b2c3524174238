package projections

import (
	"context"
	"errors"
	"slices"
	"time"

	"tenure/eventstore"
)

// Rebuild is a view, and where its rebuild is.
type Rebuild struct {
	View       string
	Generation int // that serves
	Phase      Phase
	Since      time.Time           // when the phase began
	Position   eventstore.Position // up to where the next generation is filled
	Head       eventstore.Position
	Remaining  time.Duration // estimated, while building; zero when not known
}

// The refusals of a rebuild, to be matched with errors.Is.
var (
	ErrNoView        = errors.New("projections: there is no such view")
	ErrRebuilding    = errors.New("projections: the view is being rebuilt")
	ErrNotRebuilding = errors.New("projections: the view is not being rebuilt, or the rebuild is too far")
)

// Rebuilds lists all views.
func (p *Projector) Rebuilds(ctx context.Context) ([]Rebuild, error) {
	if err := p.generations.refresh(ctx); err != nil {
		return nil, err
	}
	head, err := p.log.Head(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Rebuild, len(p.views))
	for i, v := range p.views {
		_, doc, _ := p.generations.find(v.name())
		all[i] = Rebuild{View: v.name(), Generation: doc.Serving, Phase: doc.Phase, Since: doc.Since}
		if doc.Phase != PhaseBuilding && doc.Phase != PhasePaused {
			all[i].Position = p.State().Position // it is folded with all others, or dropped
			continue
		}
		if all[i].Position, err = p.storage.Checkpoint(ctx, storedAs(v.name(), doc.Other)); err != nil {
			return nil, err
		}
		if done := uint64(all[i].Position) - min(doc.From, uint64(all[i].Position)); doc.Phase == PhaseBuilding && done > 0 && head > all[i].Position {
			rate := float64(done) / time.Since(doc.Since).Seconds()
			all[i].Remaining = time.Duration(float64(head-all[i].Position) / rate * float64(time.Second)).Round(time.Second)
		}
	}
	for i := range all { // the log has grown since its end was looked at
		all[i].Head = max(head, all[i].Position)
	}
	return all, nil
}

// StartRebuild fills a new generation of a view from the log, beside the one
// that serves, and lets it serve once it is complete. The view is named with or
// without its version. It fails with ErrNoView and ErrRebuilding.
func (p *Projector) StartRebuild(ctx context.Context, view string) error {
	return p.changePhase(ctx, view, ErrRebuilding, func(doc *generation) bool {
		if doc.Phase != PhaseNone {
			return false
		}
		doc.Last++
		doc.Phase, doc.Other, doc.From = PhaseBuilding, doc.Last, 0
		return true
	})
}

// PauseRebuild keeps what is filled and stops filling. It fails with ErrNoView
// and ErrNotRebuilding.
func (p *Projector) PauseRebuild(ctx context.Context, view string) error {
	return p.changePhase(ctx, view, ErrNotRebuilding, func(doc *generation) bool {
		ok := doc.Phase == PhaseBuilding || doc.Phase == PhasePaused
		doc.Phase = PhasePaused
		return ok
	})
}

// ResumeRebuild goes on filling. It fails with ErrNoView and ErrNotRebuilding.
func (p *Projector) ResumeRebuild(ctx context.Context, view string) error {
	name, doc, ok := p.generations.find(view)
	if !ok {
		return ErrNoView
	}
	at, err := p.storage.Checkpoint(ctx, storedAs(name.name(), doc.Other))
	if err != nil {
		return err
	}
	return p.changePhase(ctx, view, ErrNotRebuilding, func(doc *generation) bool {
		ok := doc.Phase == PhaseBuilding || doc.Phase == PhasePaused
		if doc.Phase == PhasePaused {
			doc.Phase, doc.From = PhaseBuilding, uint64(at)
		}
		return ok
	})
}

// CancelRebuild drops what is filled. It fails with ErrNoView and
// ErrNotRebuilding: once the new generation serves there is no way back but
// another rebuild.
func (p *Projector) CancelRebuild(ctx context.Context, view string) error {
	return p.changePhase(ctx, view, ErrNotRebuilding, func(doc *generation) bool {
		ok := doc.Phase == PhaseBuilding || doc.Phase == PhasePaused || doc.Phase == PhaseJoining
		doc.Phase = PhaseCancelling
		return ok
	})
}

// changePhase changes the document of a view, again when somebody else was
// faster.
func (p *Projector) changePhase(ctx context.Context, view string, refusal error, change func(*generation) bool) error {
	for {
		if err := p.generations.refresh(ctx); err != nil {
			return err
		}
		v, before, ok := p.generations.find(view)
		if !ok {
			return ErrNoView
		}
		after := before
		if !change(&after) {
			return refusal
		}
		err := p.generations.change(ctx, v.name(), before, after)
		if !errors.Is(err, ErrSuperseded) {
			return err
		}
	}
}

// errGenerations says that the projector has to follow other generations.
var errGenerations = errors.New("projections: other generations are to be followed")

// stewardEvery is how often the rebuilds, and the storage itself, are looked at.
const stewardEvery = 250 * time.Millisecond

// steward takes the rebuilds of all views from phase to phase, and notices when
// the storage has lost what was stored, while nothing is applied that would.
func (f *follower) steward(ctx context.Context) error {
	build := &builder{projector: f.Projector}
	defer build.stop()
	for ctx.Err() == nil {
		if err := f.checkComplete(ctx); err != nil {
			return err
		}
		if err := f.saveComplete(ctx, eventstore.Position(f.reached.Load())); err != nil {
			return err
		}
		if err := f.generations.refresh(ctx); err != nil {
			return failed(ClassStorage, err)
		}
		if !slices.EqualFunc(f.views, f.generations.followed(), func(a *followed, b Definition) bool { return a.name() == b.name() }) {
			return errGenerations
		}
		if err := f.advancePhases(ctx, build); err != nil && !errors.Is(err, ErrSuperseded) {
			return failed(ClassStorage, err)
		}
		pause(ctx, stewardEvery)
	}
	return ctx.Err()
}

func (f *follower) advancePhases(ctx context.Context, build *builder) error {
	var building Definition
	for _, v := range f.Projector.views {
		_, doc, _ := f.generations.find(v.name())
		after := doc
		switch doc.Phase {
		case PhaseBuilding:
			if building != nil {
				continue // one at a time
			}
			building = v.as(storedAs(v.name(), doc.Other))
			if !build.live(building) {
				continue
			}
			after.Phase = PhaseJoining
		case PhaseJoining: // this follower folds both
			if !f.caughtUp() {
				continue
			}
			after.Phase, after.Serving, after.Other = PhaseSwitched, doc.Other, doc.Serving
		case PhaseSwitched:
			if time.Since(doc.Since) < f.options.RetireAfter {
				continue
			}
			after.Phase = PhaseRetiring
		case PhaseRetiring:
			if err := f.storage.Drop(ctx, storedAs(v.name(), doc.Other)); err != nil {
				return err
			}
			after.Phase = PhaseNone
		case PhaseCancelling:
			build.stop()
			if err := f.storage.Drop(ctx, storedAs(v.name(), doc.Other)); err != nil {
				return err
			}
			after.Phase = PhaseNone
		default:
			continue
		}
		if err := f.generations.change(ctx, v.name(), doc, after); err != nil {
			return err
		}
		f.options.Logger.Info("rebuild of a view", "view", v.name(), "phase", after.Phase, "generation", after.Serving)
	}
	if building == nil {
		build.stop()
		return nil
	}
	return build.start(ctx, building)
}

// caughtUp reports whether every view that is followed has what the log held
// when the follower began.
func (f *follower) caughtUp() bool {
	return eventstore.Position(f.reached.Load()) >= f.head
}

// builder fills one generation at a time, at most half of the time, so that
// commands and the views that serve have the rest.
type builder struct {
	projector *Projector
	view      string
	running   *Projector
	cancel    context.CancelFunc
	done      chan struct{}
}

// live reports whether the generation is filled up to the end of the log.
func (b *builder) live(v Definition) bool {
	return b.running != nil && b.view == v.name() && b.running.State().Live
}

func (b *builder) start(ctx context.Context, v Definition) error {
	if b.running != nil && b.view == v.name() {
		return nil
	}
	b.stop()
	p := b.projector
	options := p.options
	options.Observe, options.beside = nil, true
	options.BatchEvents = min(options.BatchEvents, 2000)
	b.view, b.done = v.name(), make(chan struct{})
	b.running = NewProjector(p.log, p.decode, p.storage, []Definition{v}, options)
	ctx, b.cancel = context.WithCancel(ctx)
	go func() {
		defer close(b.done)
		_ = b.running.Run(ctx)
	}()
	return nil
}

// stop waits until nothing is written any more.
func (b *builder) stop() {
	if b.running == nil {
		return
	}
	b.cancel()
	<-b.done
	b.running = nil
}
