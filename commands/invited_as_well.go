package commands

import (
	"context"
	"errors"
	"fmt"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/reservation"
)

// Somebody who has asked to join may be invited as well, and who is let in has no
// use for the invitation any more: it would keep the address from them. So an
// approval ends it, and with it the link. How it ends is decided by the stream of
// the link, as for every invitation, before the approval is written: of a
// revocation and an acceptance at the same time one happens, and whoever has
// accepted is a member by that.
//
// What is known beforehand to speak against the approval leaves the invitation
// alone. Killed after the invitation is revoked: the request is still open, and
// approving it again finds nothing in its way. Killed between the link and the
// organization: a process gives the names back.

// invitedAsWell is why approvals were not written yet: people whom they let in
// have open invitations.
type invitedAsWell []invitee

func (invitedAsWell) Error() string { return "commands: invitations have to end first" }

// invitee is somebody who is to be let in, and has an invitation.
type invitee struct {
	account    domain.AccountID
	invitation domain.InvitationID
	exclusive  bool // is to have exclusive roles
}

// withoutInvitation is an organization whose invitation was revoked.
func withoutInvitation(s organization.State, id domain.InvitationID) organization.State {
	for _, e := range organization.CloseInvitation(s, id, string(invitation.StatusRevoked)) {
		s = organization.Evolve(s, e)
	}
	return s
}

// endInvitations revokes the invitations of people who are about to be let in,
// unless they turn out to hold an exclusive role elsewhere.
func (c *Commands) endInvitations(ctx context.Context, r Request, org domain.OrganizationID, invited invitedAsWell, elsewhere map[domain.AccountID]error) error {
	r = plain(r)
	r.Continues = "" // each of several is settled by itself
	for _, who := range invited {
		if who.exclusive {
			if err := c.ResolveReservation(ctx, r, reservation.KindExclusiveRole, string(who.account)); err != nil {
				return err
			}
			held, err := c.holdsElsewhere(ctx, org, who.account)
			if err != nil {
				return err
			}
			if held {
				var refused *heldElsewhere
				if err := c.heldElsewhere(ctx, r, org, who.account); !errors.As(err, &refused) {
					return err
				}
				elsewhere[who.account] = refused.refusal
				continue
			}
		}
		link, _, err := c.invitations.load(ctx, string(who.invitation))
		if err != nil {
			return err
		}
		if !link.Exists() { // it would come to life after it was revoked
			return fmt.Errorf("%w: %w", ErrBusy, ErrNotYet)
		}
		if _, err := c.revoke(ctx, r, who.invitation, invitation.CauseApproved); err != nil && !isRefusal(err) {
			return err
		}
		// Also one that has ended another way, which a process has yet to carry over.
		if _, err := c.SettleInvitation(ctx, r, who.invitation); err != nil {
			return err
		}
	}
	return nil
}

// holdsElsewhere reports whether another organization has reserved the account's
// exclusive roles.
func (c *Commands) holdsElsewhere(ctx context.Context, org domain.OrganizationID, account domain.AccountID) (bool, error) {
	held, _, err := c.reservations.load(ctx, reservation.KindExclusiveRole+"-"+string(account))
	return held.Holder != "" && held.Holder != holderOrganization+string(org), err
}
