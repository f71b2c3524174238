// Package codec turns domain events into the JSON that the log holds, and back.
//
// The wire name of an event is the literal that its EventType answers; the
// registry in registry.go lists every event there is. A change of an event's
// form gets a new wire name and an upcast from the old one on raw JSON; the
// golden file of the old form stays as it is. An event that is not in the
// registry is an error for whoever reads it, never skipped.
package codec

import (
	"time"

	"tenure/domain"
	"tenure/eventstore"
)

// Metadata is what the log holds about an event besides its data. The JSON
// names are short, since they stand in every event.
type Metadata struct {
	Actor       domain.Actor `json:"actor"`
	OccurredAt  time.Time    `json:"at"`                    // by the clock of the node that decided
	Correlation string       `json:"correlation,omitempty"` // the request that all of this began with
	Causation   string       `json:"causation,omitempty"`   // the id of the event that a process reacted to
	CommandID   string       `json:"command,omitempty"`     // derived from actor and Idempotency-Key (X12)
	Fingerprint string       `json:"request,omitempty"`     // keyed hash of the request with that key
	Reason      string       `json:"reason,omitempty"`      // the actor's own words
	Trace       string       `json:"trace,omitempty"`       // W3C traceparent
}

// Envelope is a decoded event with everything that is known about it.
type Envelope struct {
	ID         eventstore.ID
	Event      domain.Event
	Metadata   Metadata
	Stream     string
	Revision   eventstore.Revision
	Position   eventstore.Position
	RecordedAt time.Time
}
