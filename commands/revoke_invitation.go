package commands

import (
	"context"
	"errors"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// RevokeInvitation kills the link (O6). It fails with CodeNotFound,
// CodePermissionDenied, CodeRoleNotGranted and CodeInvitationAccepted.
func (c *Commands) RevokeInvitation(ctx context.Context, r Request, org domain.OrganizationID, id domain.InvitationID) (Receipt, error) {
	inv, err := c.invitationOf(ctx, org, id)
	if err != nil {
		return Receipt{}, err
	}
	if known, replayed, err := c.invitations.replayed(ctx, string(id), r); replayed || err != nil {
		if err != nil {
			return Receipt{}, err
		}
		return c.settleRevoked(ctx, r, id, known)
	}
	check := plain(r)
	check.IfRevision = r.IfRevision
	if _, err := c.onOrganization(ctx, check, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		roles, ok := s.RolesInvitedTo(id)
		if !ok {
			roles = inv.Roles
		}
		return nil, organization.AuthorizeRevocation(s, p, r.Actor, roles)
	}); err != nil {
		return Receipt{}, err
	}
	r.IfRevision = nil
	receipt, err := c.revoke(ctx, r, id, invitation.CauseRevoked)
	return receipt, c.inWordsOf(ctx, org, err)
}

// RevokeInvitationsOf revokes what somebody who is no active member of the
// organization any more had invited to, if its policy says so (X14).
func (c *Commands) RevokeInvitationsOf(ctx context.Context, r Request, org domain.OrganizationID, inviter domain.AccountID) error {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return err
	}
	p, err := c.rules(s)
	if err != nil {
		return err
	}
	if _, active := s.ActiveMember(inviter); active || !p.Invitations.RevokeWhenInviterLeaves {
		return nil
	}
	return c.revokeAll(ctx, r, s, s.InvitationsBy(inviter), invitation.CauseInviterLeft)
}

// RevokeInvitationsOfFormer revokes what all who are no active members had invited
// to, if the policy that the organization has moved to says so (X14, X10).
func (c *Commands) RevokeInvitationsOfFormer(ctx context.Context, r Request, org domain.OrganizationID) error {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return err
	}
	p, err := c.rules(s)
	if err != nil || !p.Invitations.RevokeWhenInviterLeaves {
		return err
	}
	return c.revokeAll(ctx, r, s, s.InvitationsOfFormer(), invitation.CauseInviterLeft)
}

// RevokeInvitationsOfDeleted kills the links of an organization that was deleted
// (D9). Until it has, they are refused for that.
func (c *Commands) RevokeInvitationsOfDeleted(ctx context.Context, r Request, org domain.OrganizationID) error {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil || !s.Deleted {
		return err
	}
	return c.revokeAll(ctx, r, s, s.Invitations(), invitation.CauseOrganizationDeleted)
}

func (c *Commands) revokeAll(ctx context.Context, r Request, s organization.State, ids []domain.InvitationID, cause string) error {
	for _, id := range ids {
		open, _ := s.Invitation(id)
		link, _, err := c.invitations.load(ctx, string(id))
		if err != nil {
			return err
		}
		if link.Generation < open.Generation {
			return ErrNotYet // its link would come to life after it was revoked
		}
		if _, err := c.revoke(ctx, r, id, cause); err != nil && !isRefusal(err) { // accepted meanwhile
			return err
		}
	}
	return nil
}

// ErrNotYet says that a step has to wait until another process has finished one
// before it.
var ErrNotYet = errors.New("commands: an earlier step is not finished")

// revoke ends the link, and gives its names back.
func (c *Commands) revoke(ctx context.Context, r Request, id domain.InvitationID, cause string) (Receipt, error) {
	receipt, err := c.invitations.execute(ctx, string(id), r, func(s invitation.State) ([]domain.Event, error) {
		return invitation.Revoke(s, cause)
	})
	if err != nil {
		return receipt, err
	}
	return c.settleRevoked(ctx, r, id, receipt)
}

// settleRevoked answers with the organization's revision, as every command of an
// organization does.
func (c *Commands) settleRevoked(ctx context.Context, r Request, id domain.InvitationID, receipt Receipt) (Receipt, error) {
	c.Step(StepInvitationRevoked)
	settled, err := c.SettleInvitation(ctx, r, id)
	receipt = receipt.and(settled)
	receipt.Revision = settled.Revision
	return receipt, err
}

// ExpireInvitation records that an invitation's lifetime is over, if it is.
func (c *Commands) ExpireInvitation(ctx context.Context, r Request, id domain.InvitationID) (Receipt, error) {
	receipt, err := c.invitations.execute(ctx, string(id), r, func(s invitation.State) ([]domain.Event, error) {
		return invitation.Expire(s, c.Now()), nil
	})
	if err != nil {
		return receipt, err
	}
	c.Step(StepInvitationExpired)
	settled, err := c.SettleInvitation(ctx, r, id)
	return receipt.and(settled), err
}
