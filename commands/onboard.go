package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"tenure/commands/maildomain"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
)

// personalSpaceName is what a personal space is called until its holder calls it
// something else. It says nothing about the person, since names stay in the log.
const personalSpaceName domain.OrganizationName = "Personal space"

// Onboard gives somebody who has signed in what the policy that this server
// onboards by has for them: a personal space (C9), and by the e-mail domain of
// their address an organization, which they found (C1) or ask to join (C6). Only an
// address that is proven counts, and only a session that goes on. What the session
// was onboarded to, it is not onboarded to again, whatever has become of that.
//
// It is run in the request that has started the session, and again by a process,
// which does what a killed request has left: each write here does nothing the
// second time. That the first one from a domain founds the organization is the
// reservation of the domain: whoever comes meanwhile finds it, made for an
// organization that does not exist yet, and founds that one as well; the
// organization's own stream says who was first, and the others ask to join. So
// nobody waits for a request that may have been killed.
func (c *Commands) Onboard(ctx context.Context, r Request, id domain.AccountID, session domain.SessionID) (Receipt, error) {
	p, err := c.onboardingPolicy(ctx)
	if err != nil || p == nil || p.Onboarding == nil {
		return Receipt{}, err
	}
	who, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return Receipt{}, err
	}
	if _, goesOn := who.Session(session, c.Now()); !goesOn || account.CheckProven(who) != nil {
		return Receipt{}, nil
	}
	r = plain(r)
	r.part, r.decidedBy = c.Keys.Request("onboard", string(session)), domain.ByAccount(id)
	made, err := c.makePersonalSpace(ctx, c.part(r, "personal space"), p, who)
	if err != nil {
		return Receipt{}, err
	}
	joined, err := c.onboardByDomain(ctx, r, p, who)
	return made.and(joined), err
}

// onboardingPolicy is the newest version of the policy that this server onboards
// by, whichever node it was published on; nil for none.
func (c *Commands) onboardingPolicy(ctx context.Context) (*policy.Policy, error) {
	if c.Onboarding == "" {
		return nil, nil
	}
	p, _, err := c.latestPolicy(ctx, c.Onboarding)
	return p, err
}

// CheckOnboarding fails with UnfitPolicy when nobody can be onboarded by the
// policy that this server is to onboard by. A version that is published later and
// has no rules for onboarding onboards nobody.
func (c *Commands) CheckOnboarding(ctx context.Context) error {
	p, err := c.onboardingPolicy(ctx)
	switch {
	case err != nil || c.Onboarding == "":
		return err
	case p == nil:
		return c.noSuchPolicy(ctx, "onboarding", c.Onboarding)
	case p.Onboarding == nil:
		return &UnfitPolicy{"onboarding", c.Onboarding, "the policy has no rules for onboarding; add them, or name another one"}
	case p.Onboarding.Personal == "":
		return nil
	}
	switch space, ok, err := c.latestPolicy(ctx, p.Onboarding.Personal); {
	case err != nil:
		return err
	case !ok:
		return &UnfitPolicy{"onboarding", c.Onboarding, "its onboarding.personal names " + p.Onboarding.Personal + ", which is no policy here"}
	case !space.Members.Personal:
		return &UnfitPolicy{"onboarding", c.Onboarding, "its onboarding.personal names " + p.Onboarding.Personal + ", where members.personal is not true"}
	}
	return nil
}

// PersonalSpace is the id of an account's personal space, if it has one.
func (c *Commands) PersonalSpace(id domain.AccountID) domain.OrganizationID {
	return domain.OrganizationID(c.Keys.ID("id", "personal space", string(id)).String())
}

func (c *Commands) makePersonalSpace(ctx context.Context, r Request, by *policy.Policy, who account.State) (Receipt, error) {
	p, ok, err := c.latestPolicy(ctx, by.Onboarding.Personal)
	if err != nil || !ok || !p.Members.Personal {
		return Receipt{}, err
	}
	id := c.PersonalSpace(who.ID)
	s, _, err := c.organizations.load(ctx, string(id))
	if err != nil || s.Exists() {
		return Receipt{}, err
	}
	receipt, err := c.organizations.execute(ctx, string(id), r, func(s organization.State) ([]domain.Event, error) {
		if s.Exists() {
			return nil, nil
		}
		return organization.Activate(s, p, founding(who, id, personalSpaceName))
	})
	if err != nil {
		return c.ignoring(who, err)
	}
	c.Step(StepPersonalSpaceMade)
	return receipt, nil
}

// onboardByDomain has somebody found the organization that holds the domain of
// their address, or ask to join it.
func (c *Commands) onboardByDomain(ctx context.Context, r Request, p *policy.Policy, who account.State) (Receipt, error) {
	name, unfit := ownDomain(who)
	if unfit != nil {
		return Receipt{}, nil
	}
	founds := c.part(r, "found")
	own := domain.OrganizationID(c.newID(founds, "organization", ""))
	before, _, err := c.organizations.load(ctx, string(own))
	if _, been := before.Member(who.ID); been || err != nil {
		return Receipt{}, err
	}
	for range attemptLimit {
		whose, err := c.holder(ctx, reservation.KindEmailDomain, name)
		if err != nil {
			return Receipt{}, err
		}
		id := cmp.Or(organizationOf(whose), own)
		s, _, err := c.organizations.load(ctx, string(id))
		switch {
		case err != nil:
			return Receipt{}, err
		case s.HoldsEmailDomain(name):
			return c.askByDomain(ctx, c.part(r, "ask"), id, name, who)
		case s.Exists(): // held it once, and that was not finished, or is about to hold it
			if err := c.settleText(ctx, r, reservation.KindEmailDomain, name); err != nil {
				return Receipt{}, err
			}
			if whose, err := c.holder(ctx, reservation.KindEmailDomain, name); err != nil || organizationOf(whose) == id || id == own {
				return Receipt{}, err // who signs in from then on asks to join
			}
		case !p.Onboarding.ByDomain:
			return Receipt{}, nil
		default:
			receipt, err := c.foundByDomain(ctx, founds, p, id, name, who)
			if !errors.Is(err, errFoundMeanwhile) {
				return receipt, err
			}
		}
	}
	return Receipt{}, fmt.Errorf("%w: an e-mail domain changed hands %d times meanwhile", ErrBusy, attemptLimit)
}

// errFoundMeanwhile says that somebody else was faster.
var errFoundMeanwhile = errors.New("commands: founded meanwhile")

// foundByDomain founds the organization for a domain, which it reserves, also
// where that was done: so nobody gives the reservation back meanwhile. The
// organization is called by the domain, or by that and a number where the name is
// taken. It fails with errFoundMeanwhile.
func (c *Commands) foundByDomain(ctx context.Context, r Request, p *policy.Policy, id domain.OrganizationID, name string, who account.State) (Receipt, error) {
	claimed, err := c.reserve(ctx, r, reservation.KindEmailDomain, name, holderOrganization+string(id))
	if err != nil {
		return Receipt{}, err
	}
	if claimed.attempt == 0 {
		return Receipt{}, errFoundMeanwhile
	}
	c.Step(StepDomainReserved)
	receipt, err := c.foundFor(ctx, r, p, id, name, who)
	c.finish(ctx, r, err, claimed)
	return receipt, err
}

// foundFor founds the organization once its domain is reserved.
func (c *Commands) foundFor(ctx context.Context, r Request, p *policy.Policy, id domain.OrganizationID, name string, who account.State) (Receipt, error) {
	const room = 5 // for the number
	called := maildomain.Display(name)
	if len(called) > domain.MaxNameRunes-room {
		called = name[:min(len(name), domain.MaxNameRunes-room)]
	}
	for n := 1; ; n++ {
		a := founding(who, id, domain.OrganizationName(called))
		if n > 1 {
			a.Name = domain.OrganizationName(fmt.Sprintf("%s %d", called, n))
		}
		a.EmailDomain = name
		receipt, err := c.found(ctx, r, p, a)
		switch s, _, loadErr := c.organizations.load(ctx, string(id)); {
		case err == nil || !isRefusal(err):
			return receipt, err
		case loadErr != nil:
			return Receipt{}, loadErr
		case s.Exists():
			return Receipt{}, errFoundMeanwhile
		case !errors.Is(err, &domain.Error{Code: domain.CodeNameTaken}) || n > 1000:
			return c.ignoring(who, err)
		}
	}
}

// askByDomain asks for somebody to become a member, where people ask by their
// domain. Who is one, asks already, was rejected or removed, or is invited, is not
// asked for (C6).
func (c *Commands) askByDomain(ctx context.Context, r Request, id domain.OrganizationID, name string, who account.State) (Receipt, error) {
	ask := func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		if !p.AskedByDomain() || !s.HoldsEmailDomain(name) {
			return nil, nil
		}
		return organization.RequestToJoin(s, p, who.ID, organization.Request{Email: who.Email, DisplayName: who.DisplayName}, c.Now().UTC())
	}
	s, _, err := c.organizations.load(ctx, string(id))
	if err != nil {
		return Receipt{}, err
	}
	p, err := c.rules(s)
	if err != nil {
		return Receipt{}, err
	}
	if events, err := ask(s, p); err != nil || len(events) == 0 {
		return c.ignoring(who, err)
	}
	receipt, err := c.onOrganization(ctx, r, id, ask)
	if err != nil {
		return c.ignoring(who, err)
	}
	return receipt, nil
}

// ignoring lets a refusal be: it is not what the person has asked for.
func (c *Commands) ignoring(who account.State, err error) (Receipt, error) {
	if !isRefusal(err) {
		return Receipt{}, err
	}
	c.Logger.Debug("somebody who signed in is not onboarded", "account", who.ID, "reason", err)
	return Receipt{}, nil
}

// founding is the activation of an organization that somebody has not asked for
// by name.
func founding(who account.State, id domain.OrganizationID, name domain.OrganizationName) organization.Activation {
	local, _, _ := strings.Cut(string(who.Email), "@")
	username, _ := domain.ParseUsername("username", local)
	return organization.Activation{
		OrganizationID: id, Name: name, AccountID: who.ID, Email: who.Email, Username: username, DisplayName: who.DisplayName,
	}
}
