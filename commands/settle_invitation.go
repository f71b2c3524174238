package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

// settling is the part of a command that carries the end of an invitation over.
func (c *Commands) settling(r Request) Request { return c.part(r, "settle") }

// SettleInvitation carries the end of an invitation over to its organization:
// an accepted one makes a member, any other gives the names back. It does
// nothing while the link works, and nothing twice.
func (c *Commands) SettleInvitation(ctx context.Context, r Request, id domain.InvitationID) (Receipt, error) {
	s, _, err := c.invitations.load(ctx, string(id))
	if err != nil || !s.Exists() || s.Status == invitation.StatusPending {
		return Receipt{}, err
	}
	r = c.settling(r)
	if s.Status != invitation.StatusAccepted {
		return c.organizations.execute(ctx, string(s.Organization), r, func(o organization.State) ([]domain.Event, error) {
			if s.Status == invitation.StatusExpired {
				return organization.ExpireInvitation(o, id, s.Generation), nil
			}
			return organization.CloseInvitation(o, id, string(s.Status)), nil
		})
	}
	r.decidedBy = domain.ByAccount(s.AcceptedBy)
	a, _, err := c.accounts.load(ctx, string(s.AcceptedBy))
	if err != nil {
		return Receipt{}, err
	}
	joiner := organization.Joiner{
		AccountID: a.ID, Email: a.Email, DisplayName: a.DisplayName,
		Username: s.Username, InvitationID: id, InvitedBy: s.InvitedBy,
	}
	receipt, err := c.organizations.execute(ctx, string(s.Organization), r, func(o organization.State) ([]domain.Event, error) {
		return organization.Admit(o, joiner), nil
	})
	if err == nil && len(receipt.Events) > 0 {
		c.Step(StepMemberAdmitted)
	}
	return receipt, err
}
