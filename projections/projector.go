package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Options are the settings of a Projector; the zero value of each is a default.
type Options struct {
	// Documents is how many documents of each view stay decoded in memory.
	// Default 16,384.
	Documents int
	// BatchEvents is how many events are applied at once when catching up.
	// More events share more pages and take more memory. Default 8,000.
	BatchEvents int
	// RetryAfter is the longest pause between attempts after a failure.
	// Default 5 seconds.
	RetryAfter time.Duration
	// Shared says that other nodes read the storage too: they are told of every
	// batch at once how far the views are. Otherwise that is kept once a second.
	Shared bool
	// RetireAfter is how long after a rebuild the generation before is kept, for
	// nodes that have not noticed. Default 30 seconds.
	RetireAfter time.Duration
	// Prefetch is called before the events of a page are decoded one by one, for
	// what that needs of elsewhere. Default nothing.
	Prefetch func(context.Context, []eventstore.Recorded) error
	// Observe is called after each applied batch, by one goroutine.
	Observe func(Applied)
	// Logger gets a line when the projector halts and when it goes on.
	// Default slog.Default().
	Logger *slog.Logger

	// beside says that the projector fills a generation beside those that serve:
	// it takes half of the time, and keeps no record of its progress but the
	// checkpoint.
	beside bool
}

// Applied describes a batch that was applied.
type Applied struct {
	Events   int                 // that some view folds
	Position eventstore.Position // of the projector afterwards
	Live     bool                // the batch reached the end of the log
	Decode   time.Duration       // how long each step took
	Fold     time.Duration
	Apply    time.Duration
}

// The error classes of State.
const (
	ClassLog     = "log"     // the log cannot be read
	ClassDecode  = "decode"  // an event is unknown or malformed
	ClassFold    = "fold"    // a view cannot fold an event
	ClassStorage = "storage" // the storage cannot be read or written
)

// State is how a Projector is doing.
type State struct {
	// Halted holds from a failure on until the next batch is applied.
	Halted bool
	// Live holds when all of the log was applied the last time it was looked at.
	Live     bool
	Position eventstore.Position
	Head     eventstore.Position // of the log, when it was last looked at
	// Lag is Head - Position: in the SQLite log the number of events behind, in
	// others the distance in their own unit. Zero is none.
	Lag        uint64
	ErrorClass string // of the last failure while Halted
	Err        error  // the failure itself, for the log
}

// Projector follows the log and applies it to views. One that fails stops where
// it is, says so in its State, and tries again: it never skips an event.
//
// Of several nodes one at a time should Run; the others Watch how far it is. Two
// that run at the same time cost time and do no harm.
type Projector struct {
	log         eventstore.Store
	decode      func(eventstore.Recorded) (codec.Envelope, error)
	storage     Storage
	views       []Definition
	options     Options
	waiters     waiters
	generations *generations
	complete    completeness
	leading     atomic.Bool // Run is under way

	saving sync.Mutex
	saved  eventstore.Position // the record of completeness, as this projector knows it

	mu    sync.Mutex
	state State
}

// NewProjector makes a projector of views; Run or Watch start it.
func NewProjector(log eventstore.Store, decode func(eventstore.Recorded) (codec.Envelope, error), storage Storage, views []Definition, o Options) *Projector {
	o.Documents = cmp.Or(o.Documents, 16_384)
	o.BatchEvents = cmp.Or(o.BatchEvents, 8000)
	o.RetryAfter = cmp.Or(o.RetryAfter, 5*time.Second)
	o.RetireAfter = cmp.Or(o.RetireAfter, 30*time.Second)
	if o.Prefetch == nil {
		o.Prefetch = func(context.Context, []eventstore.Recorded) error { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Projector{
		log: log, decode: decode, storage: storage, views: views, options: o,
		waiters:     waiters{asked: make(chan struct{}, 1)},
		generations: newGenerations(storage, views),
		complete:    newCompleteness(),
	}
}

// Reader makes a reader of the views that keeps up to cacheBytes of pages in
// memory, and follows each view from generation to generation.
func (p *Projector) Reader(cacheBytes int) *Reader {
	r := newReader(p.storage, p.generations, cacheBytes)
	r.decode, r.prefetch = p.decode, p.options.Prefetch
	return r
}

// Run applies the log until ctx ends, and answers with the context's error. It
// may be called again, but not twice at the same time.
func (p *Projector) Run(ctx context.Context) error {
	p.leading.Store(true)
	defer p.leading.Store(false)
	firstPause := min(20*time.Millisecond, p.options.RetryAfter)
	pause := firstPause
	for {
		before := p.State().Position
		err := p.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.State().Position > before {
			pause = firstPause
		}
		if errors.Is(err, errGenerations) {
			continue
		}
		if !errors.Is(err, ErrSuperseded) {
			p.halt(err)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, p.options.RetryAfter)
	}
}

// State is how the projector is doing now.
func (p *Projector) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	if s.Head > s.Position {
		s.Lag = uint64(s.Head - s.Position)
	}
	return s
}

// Wait returns once every view has got to the position, and lacks nothing of
// what it held before: the one that serves now, since whoever has waited reads at
// once. It fails with a *BehindError, which is ErrBehind, when ctx ends before, and
// as the storage does.
func (p *Projector) Wait(ctx context.Context, position eventstore.Position) error {
	select {
	case <-p.complete.known:
	default:
		select {
		case <-p.complete.known:
		case <-ctx.Done():
			return &BehindError{Wanted: position, Cause: ctx.Err()}
		}
	}
	if err := p.waiters.wait(ctx, max(position, p.complete.required())); err != nil {
		return err
	}
	return failed(ClassStorage, p.generations.refreshAfter(ctx, p.options.RetireAfter/2))
}

func (p *Projector) advance(position eventstore.Position, live bool) {
	p.mu.Lock()
	resumed := p.state.Halted
	p.state.Position = max(p.state.Position, position)
	p.state.Head = max(p.state.Head, position)
	p.state.Live = live
	p.state.Halted, p.state.ErrorClass, p.state.Err = false, "", nil
	p.mu.Unlock()
	if resumed {
		p.options.Logger.Info("projector goes on", "position", position)
	}
	p.waiters.advance(position)
}

// began notes where a run starts. The views may be further, since a checkpoint
// can be behind its view, unless they were lost.
func (p *Projector) began(position eventstore.Position, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if lost {
		p.state.Position = position
		p.waiters.set(position)
		return
	}
	p.state.Position = max(p.state.Position, position)
	p.waiters.advance(position)
}

func (p *Projector) sawHead(head eventstore.Position) {
	p.mu.Lock()
	p.state.Head = max(p.state.Head, head)
	p.mu.Unlock()
}

func (p *Projector) halt(err error) {
	class := ClassStorage
	if f, ok := errors.AsType[*failure](err); ok {
		class = f.class
	}
	p.mu.Lock()
	first := !p.state.Halted
	p.state.Halted, p.state.ErrorClass, p.state.Err, p.state.Live = true, class, err, false
	position := p.state.Position
	p.mu.Unlock()
	if first {
		p.options.Logger.Error("projector halted", "class", class, "position", position, "error", err)
	}
}

// filter selects what some view wants to see.
func (p *Projector) filter() eventstore.Filter {
	var f eventstore.Filter
	for _, v := range p.views {
		f.TypePrefixes = append(f.TypePrefixes, v.types()...)
	}
	return f
}

// wants reports whether the view folds events of this type.
func wants(v Definition, eventType string) bool {
	for _, prefix := range v.types() {
		if strings.HasPrefix(eventType, prefix) {
			return true
		}
	}
	return false
}

// failure says which step of the projector an error comes from.
type failure struct {
	class string
	err   error
}

func (f *failure) Error() string { return fmt.Sprintf("projections: %s: %v", f.class, f.err) }
func (f *failure) Unwrap() error { return f.err }

func failed(class string, err error) error {
	if err == nil {
		return nil
	}
	return &failure{class: class, err: err}
}
