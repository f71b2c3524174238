package mailing

import (
	"time"

	"tenure/domain"
)

// The events of a mail's stream: who may try to send it, and the end of the
// attempts. They hold neither the address nor the text.
type (
	// Claimed leaves the mail to one node, which alone tries to send it until Until.
	Claimed struct {
		MailID   domain.MailID `json:"mail_id"`
		Template string        `json:"template"`
		By       string        `json:"by"` // a node
		Until    time.Time     `json:"until"`
	}

	// Sent records that the mail server has taken the mail.
	Sent struct {
		MailID    domain.MailID `json:"mail_id"`
		Template  string        `json:"template"`
		MessageID string        `json:"message_id"`
	}

	// Abandoned records that the mail will not be tried again.
	Abandoned struct {
		MailID   domain.MailID `json:"mail_id"`
		Template string        `json:"template"`
		Cause    string        `json:"cause"` // rejected (the server refused it for good), outdated (its link is dead, or what it tells is settled) or timed_out
	}
)

// EventType implements domain.Event.
func (Claimed) EventType() string { return "mail.claimed.v1" }

// EventType implements domain.Event.
func (Sent) EventType() string { return "mail.sent.v1" }

// EventType implements domain.Event.
func (Abandoned) EventType() string { return "mail.abandoned.v1" }
