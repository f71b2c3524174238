package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
)

// SummarizeRequests has the open requests to join summed up for those who decide
// on them, if the organization's time for that has come (C8).
//
// Killed before the event is in the log, it has done nothing, and the deadline is
// still there; killed after it, the mails are deadlines of their own. Of two nodes
// that do it at the same time the log refuses one, which then finds it done.
func (c *Commands) SummarizeRequests(ctx context.Context, r Request, org domain.OrganizationID) (Receipt, error) {
	return c.organizations.execute(ctx, string(org), r, func(s organization.State) ([]domain.Event, error) {
		p, err := c.rules(s)
		if err != nil {
			return nil, err
		}
		return organization.SummarizeRequests(s, p, c.Now().UTC()), nil
	})
}

// RequestsDigest is what the mail that sums up the open requests says.
type RequestsDigest struct {
	Wanted       bool // false when none is open any more, or the recipient does not decide any more
	Recipient    account.State
	Organization organization.State
}

// RequestsDigest finds what one of its recipients is told.
func (c *Commands) RequestsDigest(ctx context.Context, org domain.OrganizationID, recipient domain.AccountID) (RequestsDigest, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return RequestsDigest{}, err
	}
	p, err := c.rules(s)
	if err != nil {
		return RequestsDigest{}, err
	}
	_, refusal := organization.Authorize(s, p, domain.ByAccount(recipient), domain.DecideRequests)
	who, err := c.Account(ctx, recipient)
	return RequestsDigest{Wanted: refusal == nil && s.Requests() > 0, Recipient: who, Organization: s}, err
}
