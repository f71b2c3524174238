package commands

import (
	"context"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// Joinable is what somebody who wants to join may know of an organization.
type Joinable struct {
	Name          domain.OrganizationName
	AutoActivates bool
	Standing      string // the account's own: none, pending, active, suspended or removed
}

// LookUpJoinable tells an account what it may ask to join. An organization that
// takes no requests shows itself to nobody (CodeNotFound).
func (c *Commands) LookUpJoinable(ctx context.Context, org domain.OrganizationID, account domain.AccountID) (Joinable, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return Joinable{}, err
	}
	p, err := c.rules(s)
	if err != nil {
		return Joinable{}, err
	}
	if !s.Exists() || s.Deleted || !asked(p) {
		return Joinable{}, notJoinable()
	}
	j := Joinable{Name: s.Name, AutoActivates: s.AutoActivates(), Standing: "none"}
	if m, known := s.Member(account); known {
		j.Standing = string(m.Status)
	}
	if _, pending := s.Request(account); pending {
		j.Standing = "pending"
	}
	return j, nil
}

// RequestToJoin asks for the signed-in account to become a member, or makes it
// one where nobody has to decide (M1, M2). It fails as organization.RequestToJoin
// does, and with CodeEmailUnverified; where people do not ask by themselves, the
// organization is not found.
func (c *Commands) RequestToJoin(ctx context.Context, r Request, org domain.OrganizationID) (Receipt, error) {
	id, _ := r.Actor.Account()
	who, _, err := c.accounts.load(ctx, string(id))
	if err == nil {
		err = account.CheckProven(who)
	}
	if err != nil {
		return Receipt{}, err
	}
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		if !asked(p) {
			return nil, notJoinable()
		}
		return organization.RequestToJoin(s, p, id, organization.Request{Email: who.Email, DisplayName: who.DisplayName}, c.Now().UTC())
	})
}

// WithdrawRequest takes the signed-in account's own request back.
func (c *Commands) WithdrawRequest(ctx context.Context, r Request, org domain.OrganizationID) (Receipt, error) {
	id, _ := r.Actor.Account()
	return c.onOrganization(ctx, r, org, func(s organization.State, _ *policy.Policy) ([]domain.Event, error) {
		return organization.WithdrawRequest(s, id), nil
	})
}

// SetAutoActivation says whether those who ask are let in at once (M2). It fails
// as organization.SetAutoActivation does.
func (c *Commands) SetAutoActivation(ctx context.Context, r Request, org domain.OrganizationID, on bool) (Receipt, error) {
	return c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.SetAutoActivation(s, p, r.Actor, on)
	})
}

// JoinRequests tells how many requests wait for a decision, and whether those who
// ask are let in at once.
func (c *Commands) JoinRequests(ctx context.Context, org domain.OrganizationID) (waiting int, autoActivates bool, err error) {
	s, _, err := c.organizations.load(ctx, string(org))
	return s.Requests(), s.AutoActivates(), err
}

// asked reports whether people ask by themselves to join.
func asked(p *policy.Policy) bool { return p.Requests != nil && !p.Requests.ByDomain }

func notJoinable() error {
	return domain.Refuse(domain.CodeNotFound, "Nothing to join", "Check the link, or ask an administrator of the organization for an invitation.")
}
