// Package mailing is the aggregate of one mail that has to be sent once. The
// mail's id is the id of the event that asked for it.
package mailing

import "tenure/domain"

// The causes for which a mail is not tried again.
const (
	CauseRejected = "rejected"  // the mail server refused it for good
	CauseOutdated = "outdated"  // its link no longer works
	CauseTimedOut = "timed_out" // it could not be sent for too long
)

// State is whether the mail is done. The zero State is one that is still to be sent.
type State struct{ Done bool }

// Send records that the mail server has taken the mail.
func Send(s State, id domain.MailID, template, messageID string) []domain.Event {
	if s.Done {
		return nil
	}
	return []domain.Event{Sent{MailID: id, Template: template, MessageID: messageID}}
}

// Abandon records that the mail will not be tried again.
func Abandon(s State, id domain.MailID, template, cause string) []domain.Event {
	if s.Done {
		return nil
	}
	return []domain.Event{Abandoned{MailID: id, Template: template, Cause: cause}}
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e.(type) {
	case Sent, Abandoned:
		s.Done = true
	}
	return s
}
