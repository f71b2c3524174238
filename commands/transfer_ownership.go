package commands

import (
	"context"
	"errors"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// RequestTransfer asks for a transfer of the ownership and has a mail sent to
// the owner, whose link confirms it (O5). It fails as
// organization.RequestTransfer does.
func (c *Commands) RequestTransfer(ctx context.Context, r Request, org domain.OrganizationID, to domain.AccountID) (domain.TransferID, Receipt, error) {
	id := domain.TransferID(c.newID(r, "transfer", string(org)))
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.RequestTransfer(s, p, r.Actor, id, to, c.Now().UTC())
	})
	return id, receipt, err
}

// CancelTransfer withdraws the pending request. It fails as
// organization.CancelTransfer does.
func (c *Commands) CancelTransfer(ctx context.Context, r Request, org domain.OrganizationID) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.CancelTransfer(s, p, r.Actor)
	})
}

// ConfirmTransfer makes the target the owner, by the link in the mail to the
// owner, who is on record as the one who decided. It fails with
// CodeLinkInvalid and as organization.ConfirmTransfer does.
func (c *Commands) ConfirmTransfer(ctx context.Context, r Request, link string) (domain.OrganizationID, Receipt, error) {
	t, err := c.readToken(token.Transfer, link)
	if err != nil {
		return "", Receipt{}, err
	}
	org := domain.OrganizationID(t.Subject)
	id := domain.TransferID(t.Detail)
	s, _, err := c.organizations.load(ctx, t.Subject)
	if err != nil {
		return "", Receipt{}, err
	}
	if s.Transfer != nil && s.Transfer.ID == id {
		r.decidedBy = domain.ByAccount(s.Transfer.From)
	}
	var rules *policy.Policy
	receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		rules = p
		return organization.ConfirmTransfer(s, p, id, c.Now())
	})
	var elsewhere *heldElsewhere
	if errors.As(err, &elsewhere) && r.decider() != domain.ByAccount(elsewhere.account) {
		err = organization.OwnerHeldElsewhere(rules)
	}
	if err == nil {
		c.Step(StepTransferConfirmed)
	}
	return org, receipt, err
}

// ExpireTransfer ends a request whose time is over, if it is.
func (c *Commands) ExpireTransfer(ctx context.Context, r Request, org domain.OrganizationID, id domain.TransferID) (Receipt, error) {
	return c.organizations.execute(ctx, string(org), r, func(s organization.State) ([]domain.Event, error) {
		return organization.ExpireTransfer(s, id, c.Now()), nil
	})
}
