package commands

import (
	"context"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// InviteMember opens an invitation and has a mail with its link sent (O3). The
// InvitationID of in is ignored; the answer names the one that was made. It
// fails as organization.Invite does.
func (c *Commands) InviteMember(ctx context.Context, r Request, org domain.OrganizationID, in organization.Invitee) (domain.InvitationID, Receipt, error) {
	in.InvitationID = domain.InvitationID(c.newID(r, "invitation", string(org)))
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.Invite(s, p, r.Actor, in, c.Now().UTC())
	})
	if err != nil {
		return in.InvitationID, receipt, err
	}
	receipt, err = c.issueOpened(ctx, r, receipt)
	return in.InvitationID, receipt, err
}

// ResendInvitation makes a fresh link, which kills the one before, also for an
// invitation that has expired (O6). It fails as organization.Resend and
// invitation.CheckResend do.
func (c *Commands) ResendInvitation(ctx context.Context, r Request, org domain.OrganizationID, id domain.InvitationID) (Receipt, error) {
	inv, err := c.invitationOf(ctx, org, id)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		if _, err := organization.Authorize(s, p, r.Actor, domain.InviteMembers); err != nil {
			return nil, err
		}
		if err := invitation.CheckResend(inv); err != nil {
			return nil, reword(p, err)
		}
		in := organization.Invitee{
			InvitationID: id, Email: inv.Email, Username: inv.Username, Roles: inv.Roles, Language: inv.Language,
			Provider: inv.Provider, Tenant: inv.Tenant, Notify: inv.Notify,
		}
		if roles, ok := s.RolesInvitedTo(id); ok {
			in.Roles = roles
		}
		return organization.Resend(s, p, r.Actor, in, inv.Generation, c.Now().UTC())
	})
	if err != nil {
		return receipt, err
	}
	return c.issueOpened(ctx, r, receipt)
}

// issueOpened makes the links of the invitations that a command has opened.
func (c *Commands) issueOpened(ctx context.Context, r Request, receipt Receipt) (Receipt, error) {
	c.Step(StepInvitationOpened)
	for _, e := range receipt.Events {
		if opened, ok := e.(organization.InvitationOpened); ok {
			issued, err := c.IssueInvitation(ctx, r, opened)
			if err != nil {
				return Receipt{}, err
			}
			receipt = receipt.and(issued)
		}
	}
	c.Step(StepInvitationIssued)
	return receipt, nil
}

// IssueInvitation brings an invitation's link to the generation that its
// organization has opened. When the invitation has ended by then, which takes a
// race with a resend or a request that outlives the invitation, the end is
// carried over to the organization instead.
func (c *Commands) IssueInvitation(ctx context.Context, r Request, e organization.InvitationOpened) (Receipt, error) {
	var ended bool
	receipt, err := c.invitations.execute(ctx, string(e.InvitationID), c.part(r, "issue"), func(s invitation.State) ([]domain.Event, error) {
		ended = s.Over() || (s.Status == invitation.StatusExpired && s.Generation >= e.Generation)
		switch {
		case !s.Exists():
			return invitation.Issue(s, invitation.Details{
				InvitationID: e.InvitationID, OrganizationID: e.OrganizationID, Email: e.Email, Username: e.Username,
				Roles: e.Roles, Language: e.Language, InvitedBy: e.InvitedBy, ExpiresAt: e.ExpiresAt,
				Provider: e.Provider, Tenant: e.Tenant, Notify: e.Notify,
			}), nil
		case ended:
			return nil, nil
		}
		return invitation.Resend(s, e.Generation, e.InvitedBy, e.ExpiresAt)
	})
	if err != nil || !ended {
		return receipt, err
	}
	// What that does is no part of the answer: sent again, it would not be there.
	settled, err := c.SettleInvitation(ctx, r, e.InvitationID)
	return receipt.later(settled.Position), err
}

// LinkToPassOn is the token of the link that a command has made, for whoever
// gave it to pass on by hand, if the policy has that; empty otherwise and for a
// dry run (S3). It leads to the invitation as the link in the mail does, and dies
// with that. But whoever gave the command can open it, so it proves no address:
// see presented. A retry gets that of the first answer, also when a resend has
// killed the link meanwhile.
func (c *Commands) LinkToPassOn(ctx context.Context, receipt Receipt) (string, error) {
	for _, e := range receipt.Events {
		opened, ok := e.(organization.InvitationOpened)
		if !ok || c.dry {
			continue
		}
		p, err := c.PolicyOf(ctx, opened.OrganizationID)
		if err != nil || !p.Invitations.LinkInAnswer {
			return "", err
		}
		return c.Keys.Make(token.Token{Kind: token.PassedOn, Subject: string(opened.InvitationID), Generation: opened.Generation})
	}
	return "", nil
}

// invitationOf finds an invitation of the organization; it fails with
// CodeNotFound for one of another.
func (c *Commands) invitationOf(ctx context.Context, org domain.OrganizationID, id domain.InvitationID) (invitation.State, error) {
	s, _, err := c.invitations.load(ctx, string(id))
	if err == nil && s.Organization != org {
		err = domain.Refuse(domain.CodeNotFound, "No such invitation", "Look the invitation up in the list of invitations.")
	}
	return s, err
}
