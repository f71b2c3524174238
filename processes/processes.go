package processes

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"tenure/commands"
	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Dependencies are what the processes work with; all are needed.
type Dependencies struct {
	Log         eventstore.Store
	Codec       *codec.Codec
	Checkpoints Checkpoints
	Commands    *commands.Commands
	Memberships Memberships
	Deadlines   Deadlines
	Mailer      *Mailer
	Copies      commands.Copies  // nil: there are none
	Now         func() time.Time // of the deadlines
	Logger      *slog.Logger
}

// Processes are all process managers.
type Processes struct {
	Dependencies
	health *Health
}

// New makes the processes; Run starts them.
func New(d Dependencies) (*Processes, error) {
	if d.Mailer.Node == "" {
		return nil, errors.New("processes: a mailer without the name of its node")
	}
	return &Processes{Dependencies: d, health: NewHealth()}, nil
}

// Health says how the processes are doing.
func (p *Processes) Health() *Health { return p.health }

// Run works until ctx ends. It may be called again, but not twice at the same
// time. Of several nodes one at a time should run the processes; two that do cost
// time and do no harm.
func (p *Processes) Run(ctx context.Context) error {
	defer p.health.forget() // another node knows more from now on
	router, err := p.newRouter()
	if err != nil {
		return err
	}
	var loops sync.WaitGroup
	for _, a := range p.agendas() {
		loops.Go(func() { a.run(ctx) })
	}
	err = router.Run(ctx)
	loops.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errors.New("processes: the router has stopped"), err)
}

// newRouter makes Watermill's router of all reactions. One that was closed cannot
// be run again.
func (p *Processes) newRouter() (*message.Router, error) {
	logger := watermill.NewSlogLoggerWithLevelMapping(p.Logger, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 10 * time.Second}, logger)
	if err != nil {
		return nil, err
	}
	router.AddMiddleware(middleware.Recoverer)
	for _, r := range reactions(p.Commands, p.Memberships, p.Copies) {
		s := &subscriber{log: p.Log, checkpoints: p.Checkpoints, reaction: r, prefetch: p.Codec.Prefetch, health: p.health, logger: p.Logger}
		router.AddConsumerHandler(r.name, r.name, s, p.handle(r))
	}
	return router, nil
}

// handle makes Watermill's handler of a reaction. Its error means: again later.
func (p *Processes) handle(r reaction) message.NoPublishHandlerFunc {
	return func(m *message.Message) error {
		e, err := p.Codec.Decode(recorded(m))
		if err == nil {
			ctx, span := p.span(m.Context(), r.name, e.Metadata.Trace)
			err = r.react(ctx, request(r.name, e), e)
			span.End()
		}
		if err != nil && m.Context().Err() != nil {
			return m.Context().Err() // no failure: this node has to stop, and the event comes again
		}
		if errors.Is(err, commands.ErrNotYet) {
			return err
		}
		if err != nil {
			p.health.failed(r.name, err)
			p.Logger.Error("process step failed", "process", r.name, "position", recorded(m).Position, "type", recorded(m).Type, "error", err)
			return err
		}
		p.health.done(r.name)
		return nil
	}
}

// span continues the trace of the request that an event came from.
func (p *Processes) span(ctx context.Context, name, parent string) (context.Context, trace.Span) {
	if parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
	}
	return otel.Tracer("tenure/processes").Start(ctx, "process "+name)
}

// request is on whose behalf, and because of what, a process gives a command.
func request(process string, e codec.Envelope) commands.Request {
	return commands.Request{
		Actor:       domain.ByProcess(process),
		Correlation: e.Metadata.Correlation,
		Causation:   uuid.UUID(e.ID).String(),
		Continues:   e.Metadata.CommandID,
	}
}
