package codec

import (
	"encoding/json"

	"tenure/domain"
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
