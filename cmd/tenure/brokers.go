package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/httpapi"
	"tenure/processes"
	"tenure/relay"
)

// leaseBroker is the lease of publishing to a broker. Each has one of its own, so
// that only nodes that are told of the broker ask for it.
func leaseBroker(name string) string { return "broker." + name }

// listBrokers are the brokers of the settings, and how far each is.
func (x *server) listBrokers(ctx context.Context) ([]httpapi.Broker, error) {
	var all []httpapi.Broker
	for _, b := range x.settings.brokers {
		position, err := x.brokers.Position(ctx, b.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, httpapi.Broker{
			Name: domain.BrokerName(b.Name), Address: b.Address(), Type: b.Type, Personal: b.Personal, Position: position,
		})
	}
	return all, nil
}

// publications are the brokers of the settings, for the AsyncAPI document.
func (x *server) publications() []relay.Publication {
	var all []relay.Publication
	for _, b := range x.settings.brokers {
		all = append(all, b.Publication())
	}
	return all
}

// watchBrokers adds what is asked of the publishing to brokers when metrics are
// read.
func (m *metrics) watchBrokers(health *processes.Health, log eventstore.Store) {
	m.registry.MustRegister(&brokerMetrics{health: health, log: log})
}

// brokerMetrics are the state of the brokers that this node publishes to.
type brokerMetrics struct {
	health *processes.Health
	log    eventstore.Store
}

// headPatience is how long metrics wait for the log.
const headPatience = time.Second

func brokerDescription(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("tenure_broker_"+name, help, []string{"broker"}, nil)
}

// Describe implements prometheus.Collector; what there is depends on the settings.
func (b *brokerMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (b *brokerMetrics) Collect(out chan<- prometheus.Metric) {
	statuses := b.health.Statuses()
	if len(statuses) == 0 {
		return
	}
	lag := brokerDescription("lag", "Positions that a broker is behind the log.")
	failing := brokerDescription("failing", "1 while nothing can be published.")
	published := brokerDescription("events_total", "Events that a broker has confirmed since the server started.")
	failures := brokerDescription("failures_total", "Attempts that failed since the server started.")
	ctx, cancel := context.WithTimeout(context.Background(), headPatience)
	defer cancel()
	head, err := b.log.Head(ctx)
	for name, s := range statuses {
		if err == nil {
			out <- prometheus.MustNewConstMetric(lag, prometheus.GaugeValue, float64(max(head, s.Position)-s.Position), name)
		}
		out <- prometheus.MustNewConstMetric(failing, prometheus.GaugeValue, truth(s.Failing), name)
		out <- prometheus.MustNewConstMetric(published, prometheus.CounterValue, float64(s.Done), name)
		out <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(s.Failures), name)
	}
}
