package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/ledger"
	"tenure/processes"
	"tenure/projections"
)

func newLogger(s *settings) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, options))
}

// redisLog is where go-redis says what it has to say besides the errors that it
// returns.
type redisLog struct{ logger *slog.Logger }

// Printf implements go-redis' internal.Logging.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.logger.DebugContext(ctx, "redis client: "+fmt.Sprintf(format, v...))
}

// startTraces sends traces to the collector, if there is one. The answer ends it.
func startTraces(ctx context.Context, s *settings) (stop func(context.Context) error, err error) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if s.OTLPEndpoint == "" {
		return func(context.Context) error { return nil }, nil
	}
	// The setting is the collector's base URL, as OTEL_EXPORTER_OTLP_ENDPOINT is.
	endpoint, err := url.JoinPath(s.OTLPEndpoint, "v1/traces")
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, err
	}
	about := resource.NewSchemaless(attribute.String("service.name", "tenure"), attribute.String("service.version", buildVersion()))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(s.TraceSample))),
	)
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}

// projectionSpans continues the traces of events into the views: a span from
// when an event was read until every view shows it.
type projectionSpans struct {
	mu   sync.Mutex
	open []projectionSpan
}

type projectionSpan struct {
	position eventstore.Position
	span     trace.Span
}

// maxOpenSpans bounds what a projector that is far behind keeps open.
const maxOpenSpans = 4096

// decoding wraps a decoder so that it begins the spans.
func (p *projectionSpans) decoding(decode func(eventstore.Recorded) (codec.Envelope, error)) func(eventstore.Recorded) (codec.Envelope, error) {
	return func(r eventstore.Recorded) (codec.Envelope, error) {
		e, err := decode(r)
		if err == nil && e.Metadata.Trace != "" {
			p.begin(e)
		}
		return e, err
	}
}

func (p *projectionSpans) begin(e codec.Envelope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) >= maxOpenSpans {
		return
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": e.Metadata.Trace})
	_, span := otel.Tracer("tenure/projections").Start(ctx, "project "+e.Event.EventType())
	p.open = append(p.open, projectionSpan{e.Position, span})
}

// applied ends the spans of the events that the views show.
func (p *projectionSpans) applied(position eventstore.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.open[:0]
	for _, s := range p.open {
		if s.position > position {
			kept = append(kept, s)
			continue
		}
		s.span.End()
	}
	p.open = kept
}

// measuredLog is a log whose appends are counted as the commits that they are.
// The log in the data folder does that itself: several appends are one commit.
type measuredLog struct {
	eventstore.Store
	onCommit func(events int, took time.Duration)
}

// Append implements eventstore.Store.
func (l measuredLog) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	began := time.Now()
	result, err := l.Store.Append(ctx, stream, expected, events)
	if err == nil {
		l.onCommit(len(events), time.Since(began))
	}
	return result, err
}

// metrics are those that no package of its own counts.
type metrics struct {
	registry  *prometheus.Registry
	committed prometheus.Counter
	commits   prometheus.Histogram
	projected prometheus.Counter
	applies   prometheus.Histogram
	leases    *prometheus.GaugeVec
	webhooks  *prometheus.CounterVec

	keysStored, keysLoaded prometheus.Counter
	keyCommits             prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		committed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tenure_log_events_total", Help: "Events appended to the log."}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tenure_log_commit_seconds", Help: "Time of one commit.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14)}),
		projected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tenure_projected_events_total", Help: "Events applied to the views."}),
		applies: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tenure_projection_apply_seconds", Help: "Time of writing one batch to the views.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14)}),
	}
	m.leases = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tenure_lease_held", Help: "1 while this node holds the lease, where several nodes share the work."}, []string{"lease"})
	m.webhooks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tenure_webhook_deliveries_total", Help: "Attempts to deliver events to webhooks, by outcome: delivered, failed or given_up."}, []string{"outcome"})
	for _, outcome := range []string{"delivered", "failed", "given_up"} {
		m.webhooks.WithLabelValues(outcome) // shown from the beginning
	}
	m.keysStored = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tenure_keys_stored_total", Help: "Keys of people that were made."})
	m.keysLoaded = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tenure_keys_loaded_total", Help: "People whose keys were looked up, not being in memory."})
	m.keyCommits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "tenure_key_commit_seconds", Help: "Time of one commit of new keys.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14)})
	m.registry.MustRegister(m.keysStored, m.keysLoaded, m.keyCommits)
	m.registry.MustRegister(m.committed, m.commits, m.projected, m.applies, m.leases, m.webhooks, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) onDelivery(outcome string) { m.webhooks.WithLabelValues(outcome).Inc() }

func (m *metrics) onCommit(events int, took time.Duration) {
	m.committed.Add(float64(events))
	m.commits.Observe(took.Seconds())
}

func (m *metrics) onKeysStored(n int, took time.Duration) {
	m.keysStored.Add(float64(n))
	m.keyCommits.Observe(took.Seconds())
}

func (m *metrics) onKeysLoaded(n int, _ time.Duration) { m.keysLoaded.Add(float64(n)) }

func (m *metrics) onApplied(a projections.Applied) {
	m.projected.Add(float64(a.Events))
	m.applies.Observe(a.Apply.Seconds())
}

func (m *metrics) onLease(name string, held bool) { m.leases.WithLabelValues(name).Set(truth(held)) }

// watch adds what is asked of the consumers when metrics are read.
func (m *metrics) watch(projector *projections.Projector, health *processes.Health, signer *ledger.Ledger) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("tenure_projection_position", "Position in the log that every view has got to.", func() float64 { return float64(projector.State().Position) })
	gauge("tenure_projection_lag", "Positions that the views are behind the log.", func() float64 { return float64(projector.State().Lag) })
	gauge("tenure_projection_halted", "1 while the projector cannot go on.", func() float64 { return truth(projector.State().Halted) })
	gauge("tenure_ledger_leaves", "Events in the Merkle tree.", func() float64 { return float64(signer.State().Size) })
	gauge("tenure_ledger_signed_leaves", "Events under the newest signed checkpoint.", func() float64 { return float64(signer.State().Signed) })
	gauge("tenure_ledger_halted", "1 while no checkpoint can be signed.", func() float64 { return truth(signer.State().Failing) })
	gauge("tenure_ledger_mismatch", "1 while the log is not what was signed: somebody has changed it.", func() float64 { return truth(signer.State().Mismatched()) })
	m.registry.MustRegister(&processMetrics{health: health})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// processMetrics are the state of every process.
type processMetrics struct{ health *processes.Health }

func processDescription(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("tenure_process_"+name, help, []string{"process"}, nil)
}

// Describe implements prometheus.Collector; what there is depends on the processes.
func (p *processMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (p *processMetrics) Collect(out chan<- prometheus.Metric) {
	position := processDescription("position", "Position in the log that a process has got to.")
	failing := processDescription("failing", "1 while a process repeats a step that fails.")
	done := processDescription("steps_total", "Steps done since the server started.")
	failures := processDescription("failures_total", "Steps that failed since the server started.")
	for name, s := range p.health.Statuses() {
		out <- prometheus.MustNewConstMetric(position, prometheus.GaugeValue, float64(s.Position), name)
		out <- prometheus.MustNewConstMetric(failing, prometheus.GaugeValue, truth(s.Failing), name)
		out <- prometheus.MustNewConstMetric(done, prometheus.CounterValue, float64(s.Done), name)
		out <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(s.Failures), name)
	}
}
