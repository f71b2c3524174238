package domain_test

import (
	"maps"
	"slices"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/reservation"
)

// The processes follow the log, each for itself and however far behind. One
// that answers with false sees the same event again later.
var processes = map[string]func(*world, domain.Event) bool{
	"issuing": func(w *world, e domain.Event) bool {
		if opened, ok := e.(organization.InvitationOpened); ok {
			w.issue(opened)
		}
		return true
	},
	"admission": func(w *world, e domain.Event) bool {
		switch e := e.(type) {
		case invitation.Accepted:
			w.settle(e.InvitationID)
		case invitation.Declined:
			w.settle(e.InvitationID)
		case invitation.Revoked:
			w.settle(e.InvitationID)
		case invitation.Expired:
			w.settle(e.InvitationID)
		}
		return true
	},
	"offboarding": func(w *world, e domain.Event) bool {
		switch e := e.(type) {
		case organization.MemberRemoved:
			return w.revokeOf(e.AccountID)
		case organization.MemberSuspended:
			return w.revokeOf(e.AccountID)
		case organization.PolicyChanged:
			return !w.policy.Invitations.RevokeWhenInviterLeaves || w.revokeAll(w.org.InvitationsOfFormer())
		}
		return true
	},
	"profiles": func(w *world, e domain.Event) bool {
		if changed, ok := e.(account.ProfileChanged); ok {
			w.onOrganization(organization.RenameMember(w.org, changed.AccountID, w.accounts[changed.AccountID].DisplayName))
		}
		return true
	},
}

// follow lets a process see the next event; it answers with false when there
// is none, or when it has to wait for another process.
func (w *world) follow(process string) bool {
	at := w.cursors[process]
	if at == len(w.log) || !processes[process](w, w.log[at]) {
		return false
	}
	w.cursors[process]++
	return true
}

// drain ends every request and lets every process and deadline catch up.
func (w *world) drain() {
	w.requests = nil
	w.deadlines()
	for moved := true; moved; {
		moved = false
		for _, process := range slices.Sorted(maps.Keys(processes)) {
			for w.follow(process) {
				moved = true
			}
		}
	}
	for process := range processes {
		if w.cursors[process] != len(w.log) {
			w.t.Fatalf("%s is stuck at %+v", process, w.log[w.cursors[process]])
		}
	}
	w.now = w.now.Add(reservationLifetime)
	w.resolveReservations()
}

// issue brings an invitation's link to the generation that was opened.
func (w *world) issue(e organization.InvitationOpened) {
	s := w.invitations[e.InvitationID]
	switch {
	case !s.Exists():
		w.onInvitation(e.InvitationID, invitation.Issue(s, invitation.Details{
			InvitationID: e.InvitationID, OrganizationID: e.OrganizationID, Email: e.Email, Username: e.Username,
			Roles: e.Roles, Language: e.Language, InvitedBy: e.InvitedBy, ExpiresAt: e.ExpiresAt,
		}))
	case s.Over():
		w.settle(e.InvitationID)
	default:
		events, err := invitation.Resend(s, e.Generation, e.InvitedBy, e.ExpiresAt)
		w.must(err)
		w.onInvitation(e.InvitationID, events)
	}
}

// settle carries the end of an invitation over to the organization.
func (w *world) settle(id domain.InvitationID) {
	s := w.invitations[id]
	w.commit(func(org organization.State) ([]domain.Event, error) {
		switch s.Status {
		case invitation.StatusAccepted:
			a := w.accounts[s.AcceptedBy]
			return organization.Admit(org, organization.Joiner{
				AccountID: a.ID, Email: a.Email, Username: s.Username, DisplayName: a.DisplayName,
				InvitationID: id, InvitedBy: s.InvitedBy,
			}), nil
		case invitation.StatusExpired:
			return organization.ExpireInvitation(org, id, s.Generation), nil
		case invitation.StatusDeclined, invitation.StatusRevoked:
			return organization.CloseInvitation(org, id, string(s.Status)), nil
		}
		return nil, nil
	})
}

// revokeOf revokes the open invitations of a member who has left; it waits for
// links that were opened and not yet made.
func (w *world) revokeOf(inviter domain.AccountID) bool {
	if _, active := w.org.ActiveMember(inviter); active || !w.policy.Invitations.RevokeWhenInviterLeaves {
		return true
	}
	return w.revokeAll(w.org.InvitationsBy(inviter))
}

func (w *world) revokeAll(ids []domain.InvitationID) bool {
	for _, id := range ids {
		if open, _ := w.org.Invitation(id); w.invitations[id].Generation < open.Generation {
			return false
		}
	}
	for _, id := range ids {
		if events, err := invitation.Revoke(w.invitations[id], invitation.CauseInviterLeft); err == nil {
			w.onInvitation(id, events)
		}
	}
	return true
}

// deadlines records what has run out.
func (w *world) deadlines() {
	for _, id := range slices.Sorted(maps.Keys(w.invitations)) {
		w.onInvitation(id, invitation.Expire(w.invitations[id], w.now))
	}
	if t := w.org.Transfer; t != nil {
		w.onOrganization(organization.ExpireTransfer(w.org, t.ID, w.now))
	}
	w.resolveReservations()
}

// resolveReservations ends the attempts whose time is over, and gives back what
// was reserved for an account that never came to be.
func (w *world) resolveReservations() {
	for _, key := range slices.Sorted(maps.Keys(w.reservations)) {
		s := w.reservations[key]
		w.onReservation(key, reservation.Confirm(s, w.now))
		if !w.accounts[domain.AccountID(s.Holder)].Exists() {
			w.onReservation(key, reservation.Release(w.reservations[key]))
		}
	}
}
