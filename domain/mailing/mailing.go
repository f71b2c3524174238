// Package mailing is the aggregate of one mail that has to be sent once. The
// mail's id is the id of the event that asked for it, followed by a dot and the
// account of the recipient where the event asks for several.
//
// A node claims the mail before it hands it to the mail server, and lets go of
// it when the claim ends. Claims are events like all others: of two nodes that
// claim at the same time, the log refuses one.
package mailing

import (
	"errors"
	"time"

	"tenure/domain"
)

// The causes for which a mail is not tried again.
const (
	CauseRejected = "rejected"  // the mail server refused it for good
	CauseOutdated = "outdated"  // its link no longer works, or what it tells is settled
	CauseTimedOut = "timed_out" // it could not be sent for too long
)

// The errors of Claim.
var (
	ErrDone    = errors.New("mailing: the mail was sent or abandoned")
	ErrClaimed = errors.New("mailing: another node has the mail")
)

// State is whether the mail is done, and the last claim. The zero State is a
// mail that is still to be sent, by anybody.
type State struct {
	Done         bool
	ClaimedBy    string
	ClaimedUntil time.Time
}

// Claimed reports whether a node has the mail at a time.
func (s State) Claimed(by string, at time.Time) bool {
	return s.ClaimedBy == by && at.Before(s.ClaimedUntil)
}

// Claim gives the mail to a node, so that no other tries to send it before
// lifetime is over. It fails with ErrDone, and with ErrClaimed while another
// node has the mail.
//
// A claim that the node has already is good as long as more than three quarters
// of lifetime are left, and extended otherwise. So an attempt to send that ends
// within half of lifetime ends well before the claim does, also by the clock of
// a node that is a quarter of lifetime ahead.
func Claim(s State, id domain.MailID, template, by string, now time.Time, lifetime time.Duration) ([]domain.Event, error) {
	switch {
	case s.Done:
		return nil, ErrDone
	case s.ClaimedBy != by && s.Claimed(s.ClaimedBy, now):
		return nil, ErrClaimed
	case s.Claimed(by, now.Add(lifetime/4*3)):
		return nil, nil
	}
	return []domain.Event{Claimed{MailID: id, Template: template, By: by, Until: now.Add(lifetime)}}, nil
}

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
	switch e := e.(type) {
	case Claimed:
		s.ClaimedBy, s.ClaimedUntil = e.By, e.Until
	case Sent, Abandoned:
		s.Done = true
	}
	return s
}
