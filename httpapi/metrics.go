package httpapi

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the API's own.
type metrics struct {
	seconds *prometheus.HistogramVec
	unknown *observers // requests for which there is no route
	events  *prometheus.CounterVec
}

// observers count the requests of one route, by the first digit of the status.
type observers [6]prometheus.Observer

func newMetrics(r *prometheus.Registry, streams *places) (*metrics, error) {
	m := &metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "tenure_http_request_duration_seconds",
		Help:    "How long requests took, by method, route and class of status.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"method", "route", "status"})}
	m.unknown = m.of("", "unknown")
	m.events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tenure_feed_events_total",
		Help: "Events that the feed has handed out, by form: json, ndjson or sse.",
	}, []string{"form"})
	for _, form := range []string{"json", "ndjson", "sse"} {
		m.sent(form, 0) // shown from the beginning
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tenure_feed_streams",
		Help: "Streams of the feed, and reads of it that wait, that are open.",
	}, streams.open)
	return m, errors.Join(r.Register(m.seconds), r.Register(m.events), r.Register(open))
}

// sent counts events that the feed has handed out.
func (m *metrics) sent(form string, events int) {
	m.events.WithLabelValues(form).Add(float64(events))
}

func (m *metrics) route(r *route) *observers { return m.of(r.method, r.path) }

func (m *metrics) of(method, path string) *observers {
	var o observers
	for i, class := range []string{"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		if i >= 2 {
			o[i] = m.seconds.WithLabelValues(method, path, class)
		}
	}
	return &o
}

func (o *observers) observe(status int, took time.Duration) {
	if class := status / 100; class >= 2 && class < len(o) {
		o[class].Observe(took.Seconds())
	}
}
