package commands

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

const (
	batchLimit    = 128              // commands decided together
	attemptLimit  = 20               // times that a batch is decided again after a conflict
	appendTimeout = 30 * time.Second // the log has to answer by then
)

// decision asks an aggregate for the events of one command.
type decision[S any] func(S) ([]domain.Event, error)

// pending is a command that waits for its aggregate.
type pending[S any] struct {
	ctx     context.Context
	request Request
	command string // the id derived from the Idempotency-Key, or empty
	decide  decision[S]
	done    chan outcome // has room for one
}

type outcome struct {
	receipt Receipt
	err     error
}

// execute runs one command on the aggregate with this id.
//
// Commands for one aggregate wait in a queue. A goroutine, of which an
// aggregate has at most one, takes those that wait, decides each on the state
// that the ones before it leave behind, appends all their events in one append
// and answers them; meanwhile the next ones queue up. Nobody is answered before
// the events are in the log, refusals included, since they may rest on events
// of the same batch. When the log says that another node was faster, the whole
// batch is decided again.
//
// Killed at any point: what was appended is in the log with the command's id,
// so the same Idempotency-Key finds it; what was not has changed nothing.
func (a *aggregates[S]) execute(ctx context.Context, id string, r Request, decide decision[S]) (Receipt, error) {
	ctx, span := otel.Tracer("tenure/commands").Start(ctx, "execute "+a.prefix+"*", trace.WithAttributes(attribute.String("tenure.stream", a.prefix+id)))
	defer span.End()
	p := &pending[S]{ctx: ctx, request: r, command: a.commandID(r), decide: decide, done: make(chan outcome, 1)}
	g := a.get(id)
	g.mu.Lock()
	if len(g.waiting) >= queueLimit {
		g.mu.Unlock()
		return Receipt{}, ErrBusy
	}
	g.waiting = append(g.waiting, p)
	lead := !g.leading
	g.leading = true
	g.mu.Unlock()
	if lead {
		go a.lead(g)
	}
	select {
	case o := <-p.done:
		return o.receipt, o.err
	case <-ctx.Done():
	}
	if g.withdraw(p) {
		return Receipt{}, ctx.Err()
	}
	o := <-p.done // it is being decided: the answer is near, and says what happened
	return o.receipt, o.err
}

// withdraw takes a command that still waits out of the queue.
func (g *aggregate[S]) withdraw(p *pending[S]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, p)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(slices.Clone(g.waiting), i, i+1)
	return true
}

// lead runs batches until nobody waits.
func (a *aggregates[S]) lead(g *aggregate[S]) {
	for {
		g.mu.Lock()
		n := min(len(g.waiting), batchLimit)
		batch := g.waiting[:n:n]
		g.waiting = g.waiting[n:]
		g.leading = n > 0
		g.mu.Unlock()
		if n == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), appendTimeout)
		outcomes, err := a.run(ctx, g, batch)
		cancel()
		for i, p := range batch {
			if err != nil {
				p.done <- outcome{err: err}
				continue
			}
			p.done <- outcomes[i]
		}
	}
}

// run decides and appends a batch, again as long as another node is faster.
func (a *aggregates[S]) run(ctx context.Context, g *aggregate[S], batch []*pending[S]) ([]outcome, error) {
	for range attemptLimit {
		before, err := a.refresh(ctx, g)
		if err != nil {
			return nil, err
		}
		sealing, decided := a.Codec.Batch(), a.Now()
		after, events, outcomes, err := a.decideAll(g, before, batch, sealing)
		if err != nil {
			return nil, err
		}
		position, err := a.append(ctx, g, before, after, events, sealing, decided)
		if conflict := (*eventstore.ConflictError)(nil); errors.As(err, &conflict) || errors.Is(err, errLate) {
			continue
		}
		if err != nil {
			a.forget(g)
			return nil, err
		}
		for i := range outcomes {
			outcomes[i].receipt = outcomes[i].receipt.later(position)
		}
		a.replayAnswers(ctx, g, batch, outcomes)
		return outcomes, nil
	}
	return nil, fmt.Errorf("%w: the log changed %d times meanwhile", ErrBusy, attemptLimit)
}

// encoded is an event of a batch with what the cache has to remember of it.
type encoded struct {
	event    eventstore.Event
	metadata codec.Metadata
}

// decideAll decides each command of a batch on the state that those before it
// leave behind.
func (a *aggregates[S]) decideAll(g *aggregate[S], before *snapshot[S], batch []*pending[S], sealing *codec.Batch) (*snapshot[S], []encoded, []outcome, error) {
	after := &snapshot[S]{state: before.state, next: before.next, position: before.position}
	var events []encoded
	size := 0 // of the events
	outcomes := make([]outcome, len(batch))
	seen := make(map[string]bool)
	for i, p := range batch {
		if p.ctx.Err() != nil {
			outcomes[i].err = p.ctx.Err()
			continue
		}
		if p.command != "" {
			if known, ok := g.answered(p.command); ok || seen[p.command] {
				outcomes[i].err = &replay{known: known, inBatch: !ok}
				continue
			}
		}
		decided, err := a.decideOne(p, after)
		if err != nil {
			outcomes[i].err = err
			continue
		}
		written := decided
		if !a.traceless {
			written = p.written(decided, after.next > 0)
		}
		own, ownSize, err := a.encodeAll(p, written, sealing)
		if err != nil {
			return nil, nil, nil, err
		}
		if len(events)+len(own) > eventstore.MaxBatchEvents || size+ownSize > eventstore.MaxAppendBytes {
			outcomes[i].err = ErrBusy
			continue
		}
		next := *after
		for _, e := range written {
			next.state = a.evolve(next.state, e)
			next.next++
		}
		events, size = append(events, own...), size+ownSize
		seen[p.command] = p.command != "" && len(written) > 0
		after = &next
		outcomes[i].receipt = Receipt{Events: decided, Exists: next.next > 0, DryRun: a.origin != nil}
		if next.next > 0 {
			outcomes[i].receipt.Revision = eventstore.Revision(next.next - 1)
		}
	}
	return after, events, outcomes, nil
}

// written is what the log gets of what was decided. A command that is to happen
// once leaves a trace even where it changes nothing, so that it changes nothing
// when it is sent again later either (X12).
func (p *pending[S]) written(decided []domain.Event, exists bool) []domain.Event {
	if p.command != "" && len(decided) == 0 && exists {
		return []domain.Event{domain.ChangedNothing{}}
	}
	return decided
}

func (a *aggregates[S]) decideOne(p *pending[S], s *snapshot[S]) ([]domain.Event, error) {
	if want := p.request.IfRevision; want != nil && s.next != uint64(*want)+1 {
		return nil, domain.Refuse(domain.CodeRevisionMismatch, "Changed meanwhile", "Read it again, and send the ETag of what you read in If-Match.")
	}
	return p.decideSafely(s.state)
}

// decideSafely turns a panic of a decision, which is a defect, into an error of
// that command alone: the others of the batch have nothing to do with it.
func (p *pending[S]) decideSafely(s S) (events []domain.Event, err error) {
	defer func() {
		if r := recover(); r != nil {
			events, err = nil, fmt.Errorf("commands: a decision panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return p.decide(s)
}

// errLate says that a node has hung since it decided.
var errLate = errors.New("commands: decided too long ago")

// append writes the events of a batch, once the keys that they are sealed with
// are stored, and moves the cached aggregate on. It answers with a position at or
// after all that the batch rests on.
func (a *aggregates[S]) append(ctx context.Context, g *aggregate[S], before, after *snapshot[S], events []encoded, sealing *codec.Batch, decided time.Time) (eventstore.Position, error) {
	if len(events) == 0 {
		return a.Store.Head(ctx)
	}
	batch := make([]eventstore.Event, len(events))
	for i := range events {
		batch[i] = events[i].event
	}
	if err := sealing.Settle(ctx, batch); err != nil {
		return 0, err
	}
	if a.Now().Round(0).Sub(decided.Round(0)) > appendTimeout {
		return 0, errLate
	}
	result, err := a.Store.Append(ctx, g.stream, before.expected(), batch)
	if err != nil {
		return 0, uncertain{err}
	}
	g.fold.Lock()
	defer g.fold.Unlock()
	if g.current.Load().next == before.next { // else a reader has folded them meanwhile
		for i := range events {
			g.remember(events[i].metadata, eventstore.Revision(before.next+uint64(i)))
		}
		after.position = result.Position
		g.current.Store(after)
		a.account(g, len(events))
	}
	return result.Position, nil
}

// encodeAll encodes the events of one command and answers their size.
func (a *aggregates[S]) encodeAll(p *pending[S], decided []domain.Event, sealing *codec.Batch) (events []encoded, size int, err error) {
	for _, e := range decided {
		x, err := a.encode(p, e, sealing)
		if err != nil {
			return nil, 0, err
		}
		events, size = append(events, x), size+x.event.Size()
	}
	return events, size, nil
}

func (a *aggregates[S]) encode(p *pending[S], e domain.Event, sealing *codec.Batch) (encoded, error) {
	r := p.request
	m := codec.Metadata{
		Actor: r.decider(), OccurredAt: a.Now().UTC(), Correlation: r.Correlation, Causation: r.Causation,
		CommandID: p.command, Fingerprint: r.Fingerprint, Reason: r.Reason,
	}
	if p.command == "" {
		m.Fingerprint = ""
	}
	if _, nothing := e.(domain.ChangedNothing); nothing {
		m.Reason = "" // of nothing, and maybe about somebody whom this event does not name
	}
	if trace.SpanContextFromContext(p.ctx).IsSampled() {
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(p.ctx, carrier)
		m.Trace = carrier["traceparent"]
	}
	// The id is new also for a command that comes again: it is the expected
	// revision that lets one of two nodes with the same command write, and the
	// other one find what was written. With equal ids the log would take the
	// second one's events for the first one's, sent again, and acknowledge them.
	event, err := sealing.Encode(eventstore.ID(uuid.Must(uuid.NewV7())), e, m)
	return encoded{event, m}, err
}
