package commands

import (
	"context"

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
	check := plain(r)
	check.IfRevision = r.IfRevision
	if _, err := c.onOrganization(ctx, check, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return nil, organization.AuthorizeRevocation(s, p, r.Actor, inv.Roles)
	}); err != nil {
		return Receipt{}, err
	}
	r.IfRevision = nil
	return c.revoke(ctx, r, id, invitation.CauseRevoked)
}

// RevokeInvitationsOf revokes what a former member of the organization had
// invited to, if its policy says so (X14).
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
	for _, id := range s.InvitationsBy(inviter) {
		_, err := c.revoke(ctx, r, id, invitation.CauseInviterLeft)
		if err != nil && !isRefusal(err) { // accepted meanwhile
			return err
		}
	}
	return nil
}

// revoke answers with the organization's revision, as every command of an
// organization does.
func (c *Commands) revoke(ctx context.Context, r Request, id domain.InvitationID, cause string) (Receipt, error) {
	receipt, err := c.invitations.execute(ctx, string(id), r, func(s invitation.State) ([]domain.Event, error) {
		return invitation.Revoke(s, cause)
	})
	if err != nil || r.DryRun {
		return receipt, err
	}
	c.Step(StepInvitationRevoked)
	settled, err := c.SettleInvitation(ctx, r, id)
	receipt.Revision = settled.Revision
	return receipt.later(settled.Position), err
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
	return receipt.later(settled.Position), err
}
