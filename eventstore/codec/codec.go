// Package codec turns domain events into the JSON that the log holds, and back.
//
// The wire name of an event is the literal that its EventType answers; the
// registry in registry.go lists every event there is. A change of an event's
// form gets a new wire name and an upcast from the old one on raw JSON; the
// golden file of the old form stays as it is. An event that is not in the
// registry is an error for whoever reads it, never skipped.
//
// What is personal in an event is sealed under the key of the person that it
// belongs to, and opened again; see sealing.go.
//
// A field that the event's struct does not know is left out: an older program
// that reads beside a newer one during a rollout keeps going, since a field may
// be added to a form only where readers can do without it. Anything else is a
// new form.
package codec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/keyring"
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

// The errors of Encode and Decode, to be matched with errors.Is.
var (
	// ErrUnknownEvent: the registry has no such event. Whoever reads it stops;
	// the log was written by a newer program.
	ErrUnknownEvent = errors.New("codec: unknown event")
	// ErrMalformed: data or metadata are not what their wire name says.
	ErrMalformed = errors.New("codec: malformed event")
)

// Codec encodes and decodes the events of its registry. It does not change, and
// may be used by many goroutines.
type Codec struct {
	events  map[string]entry  // by wire name, current forms
	upcasts map[string]upcast // by wire name, older forms
	keys    *keyring.Ring     // nil: it opens nothing
	seals   bool
	drafts  bool // it opens what the log holds, and what a draft of it holds in plain
	// withholds: what is sealed reads as a name of its subject.
	withholds bool
}

// New is the codec for every event of Tenure for who has no keys, as tools and
// tests: it seals nothing, and fails with ErrSealed for what is sealed.
func New() *Codec {
	c, err := build(registry(), upcasts())
	if err != nil {
		panic(err) // the tables above contradict themselves; no test passes then
	}
	return c
}

// Encode makes an event for the log, whose keys are stored when it answers. It
// fails with ErrUnknownEvent. Who appends several events at once takes a Batch.
func (c *Codec) Encode(id eventstore.ID, e domain.Event, m Metadata) (eventstore.Event, error) {
	b := c.Batch()
	encoded, err := b.Encode(id, e, m)
	if err != nil {
		return eventstore.Event{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	events := []eventstore.Event{encoded}
	err = b.Settle(ctx, events)
	return events[0], err
}

// Decode makes a domain event, in its current form, of an event of the log. It
// fails with ErrUnknownEvent, ErrMalformed, ErrSealed, and with
// eventstore.ErrUnavailable while the keys cannot be reached; the error names the
// event's place in the log, and nothing of its contents.
func (c *Codec) Decode(r eventstore.Recorded) (Envelope, error) {
	e, data, err := c.current(r.ID, r.Type, r.Data)
	if err != nil {
		return Envelope{}, at(r, err)
	}
	decoded, err := e.decode(data, func(v reflect.Value) error { return e.openAll(c, r.ID, v) })
	if err != nil {
		return Envelope{}, at(r, malformed("data", err))
	}
	envelope := Envelope{
		ID: r.ID, Event: decoded, Stream: r.Stream, Revision: r.Revision, Position: r.Position, RecordedAt: r.RecordedAt,
	}
	if err := decodeMetadata(r.Metadata, &envelope.Metadata); err != nil {
		return Envelope{}, at(r, malformed("metadata", err))
	}
	if err := e.openReason(c, r.ID, r.Type, decoded, &envelope.Metadata); err != nil {
		return Envelope{}, at(r, err)
	}
	return envelope, nil
}

// WireNames lists the wire names of all events in their current form, sorted.
func (c *Codec) WireNames() []string { return slices.Sorted(maps.Keys(c.events)) }

// current follows the upcasts from a wire name to the form that is current.
func (c *Codec) current(id eventstore.ID, name string, data json.RawMessage) (entry, json.RawMessage, error) {
	if older, ok := c.upcasts[name]; ok {
		var err error
		if data, err = c.openRaw(id, name, older.personal, data); err != nil {
			return entry{}, nil, err
		}
	}
	for {
		if e, ok := c.events[name]; ok {
			return e, data, nil
		}
		up, ok := c.upcasts[name]
		if !ok {
			return entry{}, nil, ErrUnknownEvent
		}
		var err error
		if data, err = up.change(data); err != nil {
			return entry{}, nil, malformed("data, upcast from "+name, err)
		}
		name = up.to
	}
}

func at(r eventstore.Recorded, err error) error {
	return fmt.Errorf("%w: %s, stream %s, revision %d", err, r.Type, r.Stream, r.Revision)
}

// malformed keeps of an error what says nothing about the contents: the errors
// of encoding/json and time quote them, those of sealing do not.
func malformed(what string, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, ErrSealed), errors.Is(err, eventstore.ErrUnavailable):
		return err
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: %s, byte %d", ErrMalformed, what, syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("%w: %s, byte %d, field %s", ErrMalformed, what, kind.Offset, kind.Field)
	}
	return fmt.Errorf("%w: %s", ErrMalformed, what)
}

var errNoObject = errors.New("not a JSON object")

// unmarshal is json.Unmarshal for objects only: a null would decode to nothing.
func unmarshal(data []byte, into any) error {
	if i := slices.IndexFunc(data, func(b byte) bool { return b > ' ' }); i < 0 || data[i] != '{' {
		return errNoObject
	}
	return json.Unmarshal(data, into)
}
