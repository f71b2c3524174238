package organization

import (
	"fmt"

	"tenure/domain"
	"tenure/domain/policy"
)

// Seats is how many members the organization may have; 0 is any number (S9).
// Under a policy without seats the operator's number waits for one that has them.
func (s State) Seats(p *policy.Policy) int {
	if s.seats > 0 && p.Members.Seats > 0 {
		return s.seats
	}
	return p.Members.Seats
}

// SeatsTaken counts members, suspended ones among them, and the seats that are
// kept for invitees who are accepting.
func (s State) SeatsTaken() int { return s.ActiveMembers() + s.suspended + s.claims }

// ClaimSeat keeps a seat for an invitee who is about to accept, so that an
// accepted invitation always finds one. The claim ends with the invitation. It
// fails with CodeNotFound and CodeSeatsFull.
func ClaimSeat(s State, p *policy.Policy, id domain.InvitationID) ([]domain.Event, error) {
	open, ok := s.Invitation(id)
	switch {
	case !ok:
		return nil, domain.Refuse(domain.CodeNotFound, "No such invitation", "Ask for a new invitation.")
	case open.Claimed || s.Seats(p) == 0:
		return nil, nil
	}
	if err := s.checkOwnSeat(p); err != nil {
		return nil, err
	}
	return []domain.Event{SeatClaimed{OrganizationID: s.ID, InvitationID: id}}, nil
}

// SetSeats says how many members there may be; 0 is what the policy says. It is
// for operators. It fails with CodeNotFound, CodeOrganizationClosed,
// CodeSeatsTooFew and, under a policy without seats, CodeNotOffered: nobody
// claims one there, so those who are accepting could not be counted.
func SetSeats(s State, p *policy.Policy, seats int) ([]domain.Event, error) {
	if err := s.checkOpen(); err != nil {
		return nil, err
	}
	switch {
	case p.Members.Seats == 0:
		return nil, notOffered(p, "An organization of this policy has any number of members.")
	case s.seats == seats:
		return nil, nil
	}
	after := s
	after.seats = seats
	if limit := after.Seats(p); limit > 0 && s.SeatsTaken() > limit {
		return nil, &domain.Error{
			Code: domain.CodeSeatsTooFew, Title: "Too few seats", Field: "seats",
			Message: fmt.Sprintf("Give at least %d, or remove members first: so many seats are taken.", s.SeatsTaken()),
		}
	}
	return []domain.Event{SeatsChanged{OrganizationID: s.ID, Before: s.seats, After: seats}}, nil
}

// checkSeat refuses one more member when all seats are taken.
func (s State) checkSeat(p *policy.Policy) error {
	if s.full(p) {
		return p.Refuse(domain.CodeSeatsFull, titleFull, fmt.Sprintf("All seats are taken, of which there are %d. Remove a member, or have the number of seats raised.", s.Seats(p)))
	}
	return nil
}

// checkOwnSeat is checkSeat for somebody who takes the seat by themselves.
func (s State) checkOwnSeat(p *policy.Policy) error {
	if s.full(p) {
		return p.RefuseOneself(domain.CodeSeatsFull, titleFull, "Ask an administrator of the organization to make room for you, then try again.")
	}
	return nil
}

const titleFull = "No seat left"

func (s State) full(p *policy.Policy) bool {
	limit := s.Seats(p)
	return limit > 0 && s.SeatsTaken() >= limit
}

func (s State) claim(id domain.InvitationID) State {
	if open, ok := s.Invitation(id); ok && !open.Claimed {
		open.Claimed = true
		s.invitations = s.invitations.Set(id, open)
		s.claims++
	}
	return s
}
