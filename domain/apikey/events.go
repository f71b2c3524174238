package apikey

import (
	"time"

	"tenure/domain"
)

// The events of an API key's stream. The key itself is derived from the
// server's secret and stands nowhere.
type (
	// Created makes the key valid for its scopes, until ExpiresAt if that is set.
	Created struct {
		APIKeyID  domain.APIKeyID `json:"api_key_id"`
		Name      string          `json:"name"`
		Scopes    []Scope         `json:"scopes"`
		ExpiresAt *time.Time      `json:"expires_at,omitempty"`
	}

	// Revoked ends the key at once.
	Revoked struct {
		APIKeyID domain.APIKeyID `json:"api_key_id"`
	}
)

// EventType implements domain.Event.
func (Created) EventType() string { return "api_key.created.v1" }

// EventType implements domain.Event.
func (Revoked) EventType() string { return "api_key.revoked.v1" }
