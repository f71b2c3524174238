package codec

import (
	"encoding/json"
	"maps"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/keyring"
)

// What tests need to make a codec of their own, and to look at the tables.

var (
	Build          = build
	ScanMetadata   = scanMetadata
	CurrentUpcasts = upcasts
)

type (
	Entry  = entry
	Upcast = upcast
)

func Registered[E domain.Event]() Entry { return event[E]() }

// Sealing is the codec with keys; see NewSealing.
func (c *Codec) Sealing(keys *keyring.Ring) *Codec {
	c.keys, c.seals = keys, true
	return c
}

// Sealed says what of the form before was personal.
func (u Upcast) Sealed(fields ...OlderField) Upcast {
	u.personal = fields
	return u
}

func From(from, to string, change func(json.RawMessage) (json.RawMessage, error)) Upcast {
	return upcast{from: from, to: to, change: change}
}

func (u Upcast) From() string { return u.from }

// AboutWhom says of every event in which field the person stands under whom its
// reason is sealed; "" where there is none.
func AboutWhom() map[string]string {
	all := make(map[string]string)
	for _, e := range registry() {
		all[e.name] = ""
		if e.about >= 0 {
			all[e.name] = jsonName(e.form.Field(e.about))
		}
	}
	return all
}

// SealedUnderActor encodes an event as those were before that are about who is asked.
func SealedUnderActor(c *Codec, id eventstore.ID, e domain.Event, m Metadata) (eventstore.Event, error) {
	before := *c
	before.events = maps.Clone(c.events)
	row := before.events[e.EventType()]
	row.about = -1
	before.events[e.EventType()] = row
	return before.Encode(id, e, m)
}
