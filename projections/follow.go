package projections

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tenure/eventstore"
)

// checkpointEvery is how often the checkpoints of the views are written. They
// only save reading again what the partitions have seen. They are also written
// where the end of the log is first reached and where a run fails, so that the
// next run does not take views that are whole for views that lost something.
const checkpointEvery = time.Second

// liveEvery is the least time between stretches at the end of the log while
// nobody waits for one. Under load it makes fewer and larger batches, which cost
// far less for each event; a single event is applied at once.
const liveEvery = 5 * time.Millisecond

// follower is one run of a Projector from what is stored, until an error. Three
// goroutines work on consecutive stretches of the log: decode, fold and apply. An
// error travels behind the stretches before it, so these are applied.
type follower struct {
	*Projector
	views        []*followed
	routes       map[string][]*followed // event type → views that fold it
	decoded      chan *stretch
	folded       chan *stretch
	checkpointed time.Time
	head         eventstore.Position // when the run began
	reached      atomic.Uint64       // position that everything is applied up to
	live         bool                // the end of the log was reached once
}

// followed is a view with its folder.
type followed struct {
	Definition
	folder
	stored eventstore.Position // events up to here were applied before this run
	events []*Event            // of the stretch being folded
}

// stretch is a page of the log on its way.
type stretch struct {
	events   []Event
	position eventstore.Position
	live     bool
	batches  []Batch
	applied  Applied
	err      error // what comes after this stretch
}

func (p *Projector) follow(ctx context.Context) error {
	f := &follower{
		Projector:    p,
		routes:       make(map[string][]*followed),
		decoded:      make(chan *stretch, 1),
		folded:       make(chan *stretch), // no buffer: a folder works ahead by one batch
		checkpointed: time.Now(),
	}
	start, err := f.resume(ctx)
	if err != nil {
		return err
	}
	subscription, err := p.log.Subscribe(ctx, start, p.filter())
	if err != nil {
		return failed(ClassLog, err)
	}
	defer subscription.Close()
	if start >= f.head {
		f.advance(start, true) // there is nothing to apply, and perhaps nothing will come
	}

	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return f.decodeAll(inner, subscription) })
	group.Go(func() error { return f.foldAll(inner) })
	group.Go(func() error { return f.applyAll(inner) })
	if !f.options.beside {
		group.Go(func() error { return f.steward(inner) })
	}
	if w, ok := f.storage.(Watcher); ok {
		group.Go(func() error { return failed(ClassStorage, w.Watch(inner, f.names())) })
	}
	return group.Wait()
}

func (f *follower) names() []string {
	names := make([]string, len(f.views))
	for i, v := range f.views {
		names[i] = v.name()
	}
	return names
}

// resume loads the checkpoints; the earliest is where to start.
func (f *follower) resume(ctx context.Context) (start eventstore.Position, err error) {
	var complete eventstore.Position
	if f.options.beside {
		f.head, err = f.log.Head(ctx)
		err = failed(ClassLog, err)
	} else if complete, f.head, err = f.readComplete(ctx); err == nil {
		err = failed(ClassStorage, f.generations.refresh(ctx))
	}
	if err != nil {
		return 0, err
	}
	f.sawHead(f.head)
	start = f.head
	for _, v := range f.generations.followed() {
		stored, err := f.storage.Checkpoint(ctx, v.name())
		if err != nil {
			return 0, failed(ClassStorage, err)
		}
		folder, err := v.newFolder(f.storage, f.options.Documents)
		if err != nil {
			return 0, failed(ClassStorage, err)
		}
		f.views = append(f.views, &followed{Definition: v, folder: folder, stored: stored})
		start = min(start, stored)
	}
	f.reached.Store(uint64(start))
	f.began(start, start < complete || complete < f.complete.required())
	if f.options.beside {
		return start, nil
	}
	return start, f.beginComplete(ctx, complete, start)
}

func (f *follower) decodeAll(ctx context.Context, subscription eventstore.Subscription) error {
	for {
		s := &stretch{}
		if page, err := subscription.Next(ctx, f.options.BatchEvents); err != nil {
			s.err = failed(ClassLog, err)
		} else {
			f.decodePage(ctx, page, s)
		}
		last := s.err != nil
		select {
		case f.decoded <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
		if last {
			return nil
		}
		if s.live {
			f.waiters.idle(ctx, liveEvery)
		}
	}
}

// decodePage decodes up to the first event that it cannot.
func (f *follower) decodePage(ctx context.Context, page eventstore.Page, s *stretch) {
	began := time.Now()
	if err := f.options.Prefetch(ctx, page.Events); err != nil {
		s.err = failed(ClassDecode, err)
		return
	}
	s.events = make([]Event, 0, len(page.Events))
	for i := range page.Events {
		r := &page.Events[i]
		envelope, err := f.decode(*r)
		if err != nil {
			s.err = failed(ClassDecode, fmt.Errorf("event at position %d: %w", r.Position, err))
			return
		}
		s.events = append(s.events, Event{Envelope: envelope, Recorded: r})
		s.position = r.Position
	}
	s.position, s.live = page.Position, page.Head
	s.applied.Decode = time.Since(began)
}

func (f *follower) foldAll(ctx context.Context) error {
	for {
		select {
		case s := <-f.decoded:
			f.foldStretch(ctx, s)
			last := s.err != nil
			select {
			case f.folded <- s:
			case <-ctx.Done():
				return ctx.Err()
			}
			if last {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// foldStretch makes the batches of all views, or of none if a view fails.
func (f *follower) foldStretch(ctx context.Context, s *stretch) {
	began := time.Now()
	f.route(s.events)
	for _, v := range f.views {
		if len(v.events) == 0 {
			continue
		}
		changes, err := v.fold(ctx, v.events)
		if err != nil {
			s.batches, s.events, s.position, s.err = nil, nil, 0, err
			return
		}
		if len(changes) > 0 {
			s.batches = append(s.batches, Batch{View: v.name(), Changes: changes})
		}
	}
	s.applied.Fold = time.Since(began)
}

// route hands each event to the views that fold its type.
func (f *follower) route(events []Event) {
	for _, v := range f.views {
		v.events = v.events[:0]
	}
	for i := range events {
		e := &events[i]
		name := e.Event.EventType()
		views, known := f.routes[name]
		if !known {
			for _, v := range f.views {
				if wants(v, name) {
					views = append(views, v)
				}
			}
			f.routes[name] = views
		}
		for _, v := range views {
			if e.Position > v.stored {
				v.events = append(v.events, e)
			}
		}
	}
}

func (f *follower) applyAll(ctx context.Context) error {
	for {
		select {
		case s := <-f.folded:
			if err := f.apply(ctx, s); err != nil {
				return err
			}
			if s.err != nil {
				return s.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *follower) apply(ctx context.Context, s *stretch) error {
	if s.position == 0 {
		return nil
	}
	began := time.Now()
	batches := s.batches
	first := s.live && !f.live
	f.live = f.live || s.live
	if began.Sub(f.checkpointed) >= checkpointEvery || first || s.err != nil {
		f.checkpointed = began
		batches = f.withCheckpoints(s)
		head, err := f.log.Head(ctx)
		if err != nil {
			return failed(ClassLog, err)
		}
		f.sawHead(head)
	}
	if len(batches) > 0 {
		if err := f.storage.Apply(ctx, batches); err != nil {
			return failed(ClassStorage, err)
		}
	}
	f.reached.Store(uint64(s.position))
	if f.options.beside {
		pause(ctx, time.Since(began))
	} else if f.options.Shared || first {
		if err := f.saveComplete(ctx, s.position); err != nil {
			return err
		}
	}
	f.advance(s.position, s.live)
	if f.options.Observe != nil && len(s.events) > 0 {
		a := s.applied
		a.Apply, a.Events, a.Position, a.Live = time.Since(began), len(s.events), s.position, s.live
		f.options.Observe(a)
	}
	return nil
}

// withCheckpoints adds the checkpoints of all views to the batches.
func (f *follower) withCheckpoints(s *stretch) []Batch {
	batches := s.batches
	for _, v := range f.views {
		i := slices.IndexFunc(s.batches, func(b Batch) bool { return b.View == v.name() })
		if i < 0 {
			i = len(batches)
			batches = append(batches, Batch{View: v.name()})
		}
		batches[i].Checkpoint = s.position
	}
	return batches
}
