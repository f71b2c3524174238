package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// MaxDecisions is how many requests to join one command decides at most: what
// they write has to fit into one append.
const MaxDecisions = 200

// RequestDecision decides one request to join.
type RequestDecision struct {
	AccountID domain.AccountID
	Approve   bool
	Roles     []domain.Role // of an approval; nil for those that the policy has for it
}

// RequestOutcome is what became of one of several decisions.
type RequestOutcome struct {
	AccountID domain.AccountID
	Approved  bool
	Refusal   error // a *domain.Error, or nil
}

// Decided is the answer to several decisions.
type Decided struct {
	Receipt
	Outcomes []RequestOutcome
}

// DecideRequests decides requests to join, each on its own: one that is refused
// keeps none of the others from happening (C7). What happens is written at once,
// so a retry finds all of it or nothing; but the open invitation of somebody who
// is approved is revoked before (see invitedAsWell), which is refused
// (CodePermissionDenied) to whom RevokeInvitation is. A decision fails as organization.Approve
// and organization.Reject do, with CodeRoleExclusive, and with CodeEmailUnverified
// where somebody else has given the account a password since it asked; all of them fail with
// CodeNotFound and CodePermissionDenied.
func (c *Commands) DecideRequests(ctx context.Context, r Request, org domain.OrganizationID, decisions []RequestDecision) (Decided, error) {
	return c.decide(ctx, r, org, func(organization.State) []RequestDecision { return decisions })
}

// DecideAllRequests decides all requests that are open, the oldest MaxDecisions of
// them, alike. It fails as DecideRequests does.
func (c *Commands) DecideAllRequests(ctx context.Context, r Request, org domain.OrganizationID, alike RequestDecision) (Decided, error) {
	decided, err := c.decide(ctx, r, org, func(s organization.State) []RequestDecision {
		open := s.OldestRequests(MaxDecisions)
		decisions := make([]RequestDecision, len(open))
		for i, id := range open {
			decisions[i] = alike
			decisions[i].AccountID = id
		}
		return decisions
	})
	slices.SortFunc(decided.Outcomes, func(a, b RequestOutcome) int { return cmp.Compare(a.AccountID, b.AccountID) })
	return decided, err
}

func (c *Commands) decide(ctx context.Context, r Request, org domain.OrganizationID, list func(organization.State) []RequestDecision) (Decided, error) {
	elsewhere := make(map[domain.AccountID]error) // who has exclusive roles in another organization
	if r.IfRevision != nil && c.commandID(r) != "" {
		switch before, err := c.endedBefore(ctx, r, org, list); {
		case err != nil:
			return Decided{}, err
		case before: // it held then
			r.IfRevision = nil
		}
	}
	var ended Receipt
	for rounds := 0; ; {
		var outcomes []RequestOutcome
		receipt, err := c.onOrganization(ctx, r, org, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
			if _, err := organization.Authorize(s, p, r.Actor, domain.DecideRequests); err != nil {
				return nil, err
			}
			var events []domain.Event
			decisions := list(s)
			unproven, err := c.unproven(ctx, s, decisions)
			if err != nil {
				return nil, err
			}
			var invited invitedAsWell
			if outcomes, events, invited = decideEach(s, p, r.Actor, decisions, elsewhere, unproven); len(invited) > 0 {
				return nil, invited
			}
			return events, nil
		})
		var invited invitedAsWell
		if errors.As(err, &invited) {
			if rounds++; rounds > attemptLimit {
				return Decided{}, fmt.Errorf("%w: people were invited %d times meanwhile", ErrBusy, attemptLimit)
			}
			more, err := c.endInvitations(ctx, r, org, invited, elsewhere)
			if err != nil {
				return Decided{}, err
			}
			ended = ended.and(more)
			r.IfRevision = nil // it held
			continue
		}
		var held *heldElsewhere
		if errors.As(err, &held) && elsewhere[held.account] == nil {
			elsewhere[held.account] = held.refusal
			continue
		}
		if err != nil {
			return Decided{}, err
		}
		if outcomes == nil {
			outcomes, err = c.decidedBefore(ctx, r, org, list, receipt)
		}
		if err == nil && c.commandID(r) != "" { // told as a retry is told
			var accounts []domain.AccountID
			if accounts, err = c.concerned(ctx, org, list, receipt.Events); err == nil {
				ended, err = c.ended(ctx, r, org, accounts)
			}
		}
		receipt.Events = slices.Concat(ended.Events, receipt.Events)
		return Decided{Receipt: receipt.later(ended.Position), Outcomes: outcomes}, err
	}
}

// unproven are those of whom to approve whose password an administrator elsewhere
// has known since they asked: they would be let in together with that one.
func (c *Commands) unproven(ctx context.Context, s organization.State, decisions []RequestDecision) (map[domain.AccountID]error, error) {
	refused := make(map[domain.AccountID]error)
	for _, d := range decisions {
		if _, pending := s.Request(d.AccountID); !pending || !d.Approve {
			continue
		}
		who, _, err := c.accounts.load(ctx, string(d.AccountID))
		if err != nil {
			return nil, err
		}
		if account.CheckProven(who) != nil {
			refused[d.AccountID] = domain.Refuse(domain.CodeEmailUnverified, "E-mail address not verified",
				"Somebody else has set the account's password. Have the person ask for a link to set a new one, which proves the address.")
		}
	}
	return refused, nil
}

// decideEach decides one request after the other, each on what the ones before
// leave behind. The open invitations of those who are let in have to end before the
// events are written.
func decideEach(s organization.State, p *policy.Policy, by domain.Actor, decisions []RequestDecision, elsewhere, unproven map[domain.AccountID]error) (outcomes []RequestOutcome, all []domain.Event, invited invitedAsWell) {
	outcomes = make([]RequestOutcome, len(decisions))
	for i, d := range decisions {
		outcomes[i] = RequestOutcome{AccountID: d.AccountID, Approved: d.Approve}
		request, _ := s.Request(d.AccountID)
		then, id := s, domain.InvitationID("")
		if open, ok := s.InvitationTo(request.Email); ok && d.Approve {
			then, id = withoutInvitation(s, open), open
		}
		var events []domain.Event
		err := unproven[d.AccountID]
		switch {
		case !d.Approve:
			events, err = organization.Reject(s, p, by, d.AccountID)
		case err == nil:
			events, err = organization.Approve(then, p, by, d.AccountID, d.Roles)
		}
		if err == nil && id != "" {
			err = mayEndInvitation(s, p, by, id)
		}
		exclusive := err == nil && len(organization.GainsExclusive(then, p, events)) > 0
		if exclusive && elsewhere[d.AccountID] != nil {
			err = elsewhere[d.AccountID]
		}
		if err != nil {
			outcomes[i].Refusal = err
			continue
		}
		if s = then; id != "" {
			invited = append(invited, invitee{d.AccountID, id, exclusive})
		}
		for _, e := range events {
			s = organization.Evolve(s, e)
		}
		all = append(all, events...)
	}
	return outcomes, all, invited
}

// decidedBefore tells a retry what the first request did. What was refused then
// left no trace; it is refused with what speaks against it now.
func (c *Commands) decidedBefore(ctx context.Context, r Request, org domain.OrganizationID, list func(organization.State) []RequestDecision, first Receipt) ([]RequestOutcome, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return nil, err
	}
	p, err := c.rules(s)
	if err != nil {
		return nil, err
	}
	done := make(map[domain.AccountID]RequestOutcome)
	var outcomes []RequestOutcome
	for _, e := range first.Events {
		switch e := e.(type) {
		case organization.MemberJoined:
			done[e.AccountID] = RequestOutcome{AccountID: e.AccountID, Approved: true}
		case organization.JoinRequestClosed:
			done[e.AccountID] = RequestOutcome{AccountID: e.AccountID}
		}
	}
	decisions, elsewhere := list(s), make(map[domain.AccountID]error)
	for _, d := range decisions {
		if !d.Approve || !p.Exclusive(d.Roles) {
			continue
		}
		held, err := c.holdsElsewhere(ctx, org, d.AccountID)
		if err != nil {
			return nil, err
		}
		if held {
			elsewhere[d.AccountID] = organization.RoleHeldElsewhere(p)
		}
	}
	unproven, err := c.unproven(ctx, s, decisions)
	if err != nil {
		return nil, err
	}
	now, _, _ := decideEach(s, p, r.Actor, decisions, elsewhere, unproven)
	for _, o := range now {
		first, ok := done[o.AccountID]
		switch {
		case ok:
			o = first
			delete(done, o.AccountID)
		case o.Refusal == nil:
			o.Refusal = domain.Refuse(domain.CodeRequestNotThere, "Not decided", "Decide it again, with a new Idempotency-Key.")
		}
		outcomes = append(outcomes, o)
	}
	for _, e := range first.Events { // of all that were open then
		switch e := e.(type) {
		case organization.MemberJoined:
			if o, ok := done[e.AccountID]; ok {
				outcomes = append(outcomes, o)
			}
		case organization.JoinRequestClosed:
			if o, ok := done[e.AccountID]; ok {
				outcomes = append(outcomes, o)
			}
		}
	}
	return outcomes, nil
}
