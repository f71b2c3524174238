package commands

import (
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
)

// Beginning is what a member was once it had joined.
type Beginning struct {
	Name   string
	Roles  []domain.Role
	Spaces []domain.SpaceID // assigned, and not deleted by then
}

func beginning(s organization.State, m organization.Member) *Beginning {
	return &Beginning{Name: m.DisplayName, Roles: m.Roles, Spaces: s.SpacesOf(m)}
}

// since keeps what a member was when it joined, with the first event after that
// changes it.
func (o origin) since(before organization.State, was organization.Member, this eventstore.Revision) origin {
	if o.began == nil && o.joined != this && was.Present() {
		o.began = beginning(before, was)
	}
	return o
}

// requestOrigin is how a request to join came to be, and to an end.
type requestOrigin struct {
	asked   eventstore.Revision
	closed  eventstore.Revision // the last one that was
	outcome string
}

// OutcomeApproved and OutcomeJoined are how a request to join ended whose account
// became a member: by a decision on the request, or in another way. The other
// outcomes are those of organization.JoinRequestClosed.
const (
	OutcomeApproved = "approved"
	OutcomeJoined   = "joined"
)

// followRequest notes an event that opens or closes the request of an account.
func (t trail) followRequest(before organization.State, account domain.AccountID, e domain.Event, this eventstore.Revision) trail {
	was, open := before.Request(account)
	is, opened := t.Request(account)
	if open == opened && was == is {
		return t
	}
	o, _ := t.asked.Get(string(account))
	if opened {
		o.asked = this
	} else {
		o.closed, o.outcome = this, OutcomeJoined
		switch e := e.(type) {
		case organization.JoinRequestClosed:
			o.outcome = e.Outcome
		case organization.MemberJoined:
			if e.Via == "request" {
				o.outcome = OutcomeApproved
			}
		}
	}
	t.asked = t.asked.Set(string(account), o)
	return t
}

// Asked is the event by which an account asks to join, whose request is open.
func (t Trail) Asked(account domain.AccountID) (eventstore.Revision, bool) {
	if _, open := t.trail.Request(account); !open {
		return 0, false
	}
	o, ok := t.asked.Get(string(account))
	return o.asked, ok
}

// Answered is the event that closed the last request of an account which was
// closed, and the outcome.
func (t Trail) Answered(account domain.AccountID) (by eventstore.Revision, outcome string, ok bool) {
	if t.asked == nil {
		return 0, "", false
	}
	o, _ := t.asked.Get(string(account))
	return o.closed, o.outcome, o.outcome != ""
}
