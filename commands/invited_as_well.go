package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
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
// approving it again finds nothing in its way, whatever the revision is by now, and
// the same Idempotency-Key tells of the revocation as well: it is a part of the
// request. Killed between the link and the organization: a process gives the names
// back, as that part.
//
// It is a revocation, for which deciding on requests is not right enough: who may
// not revoke the invitation approves nobody who has one.

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

// mayEndInvitation refuses an approval to whom the invitation of the same person is
// none to revoke.
func mayEndInvitation(s organization.State, p *policy.Policy, by domain.Actor, id domain.InvitationID) error {
	open, ok := s.Invitation(id)
	if !ok || organization.AuthorizeRevocation(s, p, by, open.Roles) == nil {
		return nil
	}
	return domain.Refuse(domain.CodePermissionDenied, "Invited as well", "Somebody who may invite to these roles has to revoke the person's invitation first.")
}

// ending is the part of a request that ends the invitation of somebody whom it lets in.
func (c *Commands) ending(r Request, who domain.AccountID) Request {
	return c.part(r, "invitation of "+string(who))
}

// ended answers with what a request with an Idempotency-Key has written, now or when
// it was sent before, to end invitations of these accounts.
func (c *Commands) ended(ctx context.Context, r Request, org domain.OrganizationID, accounts []domain.AccountID) (Receipt, error) {
	parts := make([]Request, len(accounts))
	for i, id := range accounts {
		parts[i] = c.settling(c.ending(r, id))
	}
	settled, err := c.organizations.replayedParts(ctx, string(org), parts)
	var all Receipt
	for i, closing := range settled {
		for _, e := range closing.Events {
			closed, ok := e.(organization.InvitationClosed)
			if !ok {
				continue // an acceptance was faster
			}
			revoked, _, err := c.invitations.replayed(ctx, string(closed.InvitationID), c.ending(r, accounts[i]))
			if err != nil {
				return Receipt{}, err
			}
			all = all.and(revoked).and(closing)
		}
	}
	return all, err
}

// concerned are the accounts whose invitations a request may have ended: those that
// it would decide about now, and those that it has let in.
func (c *Commands) concerned(ctx context.Context, org domain.OrganizationID, list func(organization.State) []RequestDecision, written []domain.Event) ([]domain.AccountID, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	var accounts []domain.AccountID
	for _, d := range list(s) {
		accounts = append(accounts, d.AccountID)
	}
	for _, e := range written {
		if joined, ok := e.(organization.MemberJoined); ok {
			accounts = append(accounts, joined.AccountID)
		}
	}
	slices.Sort(accounts)
	return slices.Compact(accounts), err
}

// endedBefore reports whether a request with an Idempotency-Key was killed after it
// had ended an invitation.
func (c *Commands) endedBefore(ctx context.Context, r Request, org domain.OrganizationID, list func(organization.State) []RequestDecision) (bool, error) {
	accounts, err := c.concerned(ctx, org, list, nil)
	if err != nil {
		return false, err
	}
	before, err := c.ended(ctx, r, org, accounts)
	return len(before.Events) > 0, err
}

// endInvitations revokes the invitations of people who are about to be let in,
// unless they turn out to hold an exclusive role elsewhere. It finishes those that it
// can before it fails.
func (c *Commands) endInvitations(ctx context.Context, r Request, org domain.OrganizationID, invited invitedAsWell, elsewhere map[domain.AccountID]error) (all Receipt, later error) {
	for _, who := range invited {
		ended, err := c.endInvitation(ctx, r, org, who, elsewhere)
		if err != nil && !errors.Is(err, ErrNotYet) {
			return all, err
		}
		if all = all.and(ended); err != nil {
			later = err
		}
	}
	return all, later
}

func (c *Commands) endInvitation(ctx context.Context, r Request, org domain.OrganizationID, who invitee, elsewhere map[domain.AccountID]error) (Receipt, error) {
	if who.exclusive {
		r := plain(r)
		if err := c.ResolveReservation(ctx, r, reservation.KindExclusiveRole, string(who.account)); err != nil {
			return Receipt{}, err
		}
		held, err := c.holdsElsewhere(ctx, org, who.account)
		if err != nil {
			return Receipt{}, err
		}
		if held {
			var refused *heldElsewhere
			if err := c.heldElsewhere(ctx, r, org, who.account); !errors.As(err, &refused) {
				return Receipt{}, err
			}
			elsewhere[who.account] = refused.refusal
			return Receipt{}, nil
		}
	}
	link, _, err := c.invitations.load(ctx, string(who.invitation))
	if err != nil {
		return Receipt{}, err
	}
	if !link.Exists() { // it would come to life after it was revoked
		return Receipt{}, fmt.Errorf("%w: %w", ErrBusy, ErrNotYet)
	}
	part := c.ending(r, who.account)
	before, replayed, err := c.organizations.replayed(ctx, string(org), c.settling(part))
	if err != nil {
		return Receipt{}, err
	}
	if replayed && !closes(before, who.invitation) { // invited again since
		part = plain(r)
		part.Continues = "" // nor is this one settled as the other
	}
	receipt, err := c.revoke(ctx, part, who.invitation, invitation.CauseApproved)
	if isRefusal(err) { // accepted: a process has yet to carry it over
		_, err = c.SettleInvitation(ctx, part, who.invitation)
		return Receipt{}, err
	}
	return receipt, err
}

// closes reports whether a receipt is of the end of the invitation.
func closes(r Receipt, id domain.InvitationID) bool {
	return slices.ContainsFunc(r.Events, func(e domain.Event) bool {
		closed, ok := e.(organization.InvitationClosed)
		return ok && closed.InvitationID == id
	})
}

// holdsElsewhere reports whether another organization has reserved the account's
// exclusive roles.
func (c *Commands) holdsElsewhere(ctx context.Context, org domain.OrganizationID, account domain.AccountID) (bool, error) {
	held, _, err := c.reservations.load(ctx, reservation.KindExclusiveRole+"-"+string(account))
	return held.Holder != "" && held.Holder != holderOrganization+string(org), err
}
