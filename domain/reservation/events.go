package reservation

import "time"

// The events of a reservation's stream. Key is a keyed hash of the reserved
// text: the log does not hold the text itself. Attempts are counted from 1; in
// events that were written before there were any, each is the same one, 0.
type (
	// Made begins an attempt of Holder, which has the text from now on. The attempt
	// is under way until ExpiresAt, or until it is confirmed.
	Made struct {
		Kind      string    `json:"kind"`
		Key       string    `json:"key"`
		Holder    string    `json:"holder"`
		Attempt   int       `json:"attempt,omitempty"`
		ExpiresAt time.Time `json:"expires_at"`
	}

	// Confirmed ends an attempt: what it was made for has been decided, or never
	// will be.
	Confirmed struct {
		Kind    string `json:"kind"`
		Key     string `json:"key"`
		Holder  string `json:"holder"`
		Attempt int    `json:"attempt,omitempty"`
	}

	// Released gives the text back, which Holder does not use.
	Released struct {
		Kind   string `json:"kind"`
		Key    string `json:"key"`
		Holder string `json:"holder"`
	}
)

// EventType implements domain.Event.
func (Made) EventType() string { return "reservation.made.v1" }

// EventType implements domain.Event.
func (Confirmed) EventType() string { return "reservation.confirmed.v1" }

// EventType implements domain.Event.
func (Released) EventType() string { return "reservation.released.v1" }
