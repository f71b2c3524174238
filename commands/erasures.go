package commands

import (
	"context"
	"errors"
	"slices"

	"tenure/domain"
	"tenure/domain/erasure"
	"tenure/domain/organization"
)

// Consequence is what the erasure of an account does to an organization.
type Consequence struct {
	Organization domain.OrganizationID
	Name         domain.OrganizationName
	Outcome      string // one of the outcomes below
	// Lacks says what has to happen first, so that the organization is not left
	// without its owner or its last administrator; empty where it can do without
	// the account.
	Lacks string
}

// The outcomes of a Consequence.
const (
	ErasureLeaves    = "left"      // the membership ends
	ErasureDeletes   = "deleted"   // the organization ends: this was its last member
	ErasureWithdraws = "withdrawn" // the request to join ends
)

// ErasureConsequences finds what the erasure of an account would do to
// organizations now. Those that only their past knows of the account are not
// among them.
func (c *Commands) ErasureConsequences(ctx context.Context, id domain.AccountID, in Erasure) ([]Consequence, error) {
	who := &erasee{account: id, organizations: slices.Clone(in.Organizations)}
	p := newPass([]*erasee{who}, c.addressName)
	p.until = in.KnownAt
	if err := c.look(ctx, p); err != nil {
		return nil, err
	}
	var all []Consequence
	for _, org := range who.organizations {
		s, _, err := c.organizations.load(ctx, string(org))
		if err != nil {
			return nil, err
		}
		rules, err := c.rules(s)
		if err != nil {
			return nil, err
		}
		x := Consequence{Organization: org, Name: s.Name}
		for _, e := range organization.Erase(s, id, domain.Pseudonym(id)) {
			switch e.(type) {
			case organization.Deleted:
				x.Outcome = ErasureDeletes
			case organization.MemberRemoved:
				x.Outcome = ErasureLeaves
			case organization.JoinRequestClosed:
				x.Outcome = ErasureWithdraws
			}
		}
		var refusal *domain.Error
		if errors.As(organization.CheckErasure(s, rules, id), &refusal) {
			x.Lacks = refusal.Message
		}
		if x.Outcome != "" {
			all = append(all, x)
		}
	}
	return all, nil
}

// ErasureStatus is how far an erasure is.
type ErasureStatus struct {
	Concluded bool // everything was found
	Done      bool // and the keys are gone
}

// Erasure finds how far the erasure of an account is, or of somebody who has
// none. It fails with CodeNotFound.
func (c *Commands) Erasure(ctx context.Context, id domain.ErasureID) (ErasureStatus, error) {
	all, _, err := c.erasures.load(ctx, allErasures)
	if err != nil {
		return ErasureStatus{}, err
	}
	if subjects, ok := all.Concluded(id); ok {
		gone, err := c.Keyring.Destroyed(ctx, subjects)
		return ErasureStatus{Concluded: true, Done: !slices.Contains(gone, false)}, err
	}
	if _, waits := all.Address(id); waits {
		return ErasureStatus{}, nil
	}
	s, _, err := c.accounts.load(ctx, string(id))
	if err == nil && (!s.Erased() || erasure.OfAccount(s.ID) != id) {
		err = domain.Refuse(domain.CodeNotFound, "No such erasure", "Give the id of an account that was erased, or the erasure_id of a receipt.")
	}
	return ErasureStatus{}, err
}
