package mailing

import "tenure/domain"

// The events of a mail's stream: the end of the attempts to send it. They hold
// neither the address nor the text.
type (
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
		Cause    string        `json:"cause"` // rejected (the server refused it for good), outdated (its link is dead) or timed_out
	}
)

// EventType implements domain.Event.
func (Sent) EventType() string { return "mail.sent.v1" }

// EventType implements domain.Event.
func (Abandoned) EventType() string { return "mail.abandoned.v1" }
