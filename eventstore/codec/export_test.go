package codec

import (
	"encoding/json"

	"tenure/domain"
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

func From(from, to string, change func(json.RawMessage) (json.RawMessage, error)) Upcast {
	return upcast{from: from, to: to, change: change}
}

func (u Upcast) From() string { return u.from }
