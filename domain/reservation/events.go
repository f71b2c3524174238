package reservation

import "time"

// The events of a reservation's stream. Key is a keyed hash of the reserved
// text: the log does not hold the text itself.
type (
	// Made takes the text for Holder until ExpiresAt, or for good once confirmed.
	Made struct {
		Kind      string    `json:"kind"`
		Key       string    `json:"key"`
		Holder    string    `json:"holder"`
		ExpiresAt time.Time `json:"expires_at"`
	}

	// Confirmed makes the reservation last.
	Confirmed struct {
		Kind   string `json:"kind"`
		Key    string `json:"key"`
		Holder string `json:"holder"`
	}

	// Released gives the text back.
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
