package broker

import (
	"time"

	"tenure/domain"
)

// The events of the brokers' stream. Positions are those of the log, as texts.
type (
	// Paused stops the publishing where it is.
	Paused struct {
		Broker domain.BrokerName `json:"broker"`
	}

	// Resumed goes on.
	Resumed struct {
		Broker domain.BrokerName `json:"broker"`
	}

	// Replayed goes back, or ahead, to a position: everything after it is
	// published.
	Replayed struct {
		Broker domain.BrokerName `json:"broker"`
		After  uint64            `json:"after,string"`
	}

	// Failed records that nothing can be published, once for each cause until
	// something can.
	Failed struct {
		Broker domain.BrokerName `json:"broker"`
		Cause  string            `json:"cause"` // unreachable, refused, too_large or failed
		Since  time.Time         `json:"since"`
	}

	// Reached records now and then how far the publishing has got, and that it
	// goes on after it has failed.
	Reached struct {
		Broker   domain.BrokerName `json:"broker"`
		Position uint64            `json:"position,string"`
	}
)

// EventType implements domain.Event.
func (Paused) EventType() string { return "broker.paused.v1" }

// EventType implements domain.Event.
func (Resumed) EventType() string { return "broker.resumed.v1" }

// EventType implements domain.Event.
func (Replayed) EventType() string { return "broker.replayed.v1" }

// EventType implements domain.Event.
func (Failed) EventType() string { return "broker.failed.v1" }

// EventType implements domain.Event.
func (Reached) EventType() string { return "broker.reached.v1" }
