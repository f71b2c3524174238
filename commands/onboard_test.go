package commands_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/policies"
)

// newOnboardingWorld is one whose nodes onboard people.
func newOnboardingWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.onboarding = "capabilities"
	return w
}

// organizationEvents are all events of organizations, by their ids.
func (w *world) organizationEvents() map[domain.OrganizationID][]domain.Event {
	w.t.Helper()
	page, err := w.store.ReadAll(w.ctx, 0, 100_000, eventstore.Filter{TypePrefixes: []string{"organization."}})
	if err != nil {
		w.t.Fatal(err)
	}
	all := make(map[domain.OrganizationID][]domain.Event)
	for _, recorded := range page.Events {
		e, err := w.codec.Decode(recorded)
		if err != nil {
			w.t.Fatal(err)
		}
		id := domain.OrganizationID(strings.TrimPrefix(recorded.Stream, "organization-"))
		all[id] = append(all[id], e.Event)
	}
	return all
}

// shared are the organizations that are no personal spaces.
func (w *world) shared() map[domain.OrganizationID]organization.State {
	states := make(map[domain.OrganizationID]organization.State)
	for id, events := range w.organizationEvents() {
		var s organization.State
		for _, e := range events {
			s = organization.Evolve(s, e)
		}
		if !s.Personal {
			states[id] = s
		}
	}
	return states
}

// only is the one organization that there is.
func (w *world) only() organization.State {
	w.t.Helper()
	all := w.shared()
	if len(all) != 1 {
		w.t.Fatalf("%d organizations, not one", len(all))
	}
	for _, s := range all {
		return s
	}
	return organization.State{}
}

func TestTheFirstFromADomainFoundsAndTheOthersAsk(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	c := w.node()
	ada, bob := w.account(c, "Ada@ACME.example"), w.account(c, "bob@acme.example")
	s := w.only()
	is.Equal(s.Name, domain.OrganizationName("acme.example"))
	is.Equal(s.EmailDomain, "acme.example")
	founder, _ := s.ActiveMember(ada.AccountID)
	is.Equal(founder.Roles, []domain.Role{"ADMINISTRATE_ORGANIZATION"})
	_, pending := s.Request(bob.AccountID)
	is.True(pending)

	before := len(w.organizationEvents()[s.ID])
	for _, email := range []domain.Email{"ada@acme.example", "bob@acme.example"} { // again
		_, err := c.SignIn(w.ctx, commands.Request{Actor: domain.Public()}, email, secret)
		is.NoErr(err)
	}
	is.Equal(len(w.organizationEvents()[s.ID]), before)
}

func TestWhoWasRejectedRemovedOrInvitedIsNotAskedFor(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	c := w.node()
	ada := w.account(c, "ada@acme.example")
	org, by := w.only().ID, commands.Request{Actor: domain.ByAccount(ada.AccountID)}
	rejected, removed := w.account(c, "rejected@acme.example"), w.account(c, "removed@acme.example")
	decided, err := c.DecideRequests(w.ctx, by, org, []commands.RequestDecision{{AccountID: rejected.AccountID}, {AccountID: removed.AccountID, Approve: true}})
	is.NoErr(err)
	is.True(decided.Outcomes[0].Refusal == nil && decided.Outcomes[1].Refusal == nil)
	_, err = c.RemoveMember(w.ctx, by, org, removed.AccountID)
	is.NoErr(err)
	_, _, err = c.InviteMember(w.ctx, by, org, organization.Invitee{Email: "invited@acme.example", Language: "en"})
	is.NoErr(err)
	w.account(c, "invited@acme.example")
	for _, email := range []domain.Email{"rejected@acme.example", "removed@acme.example"} {
		_, err := c.SignIn(w.ctx, commands.Request{Actor: domain.Public()}, email, secret)
		is.NoErr(err)
	}
	is.Equal(w.only().Requests(), 0)
}

func TestPublicDomainsFoundNothing(t *testing.T) {
	w := newOnboardingWorld(t)
	c := w.node()
	for _, email := range []domain.Email{"ada@gmail.com", "ada@mail.gmx.de", "ada@mailinator.com", "ada@[127.0.0.1]"} {
		w.account(c, email)
	}
	is.New(t).Equal(len(w.shared()), 0)
}

func TestWithoutASettingNobodyIsOnboarded(t *testing.T) {
	w := newWorld(t)
	w.account(w.node(), "ada@acme.example")
	is.New(t).Equal(len(w.organizationEvents()), 0)
}

func TestOnlyProvenAddressesCount(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	c := w.node()
	boss := w.account(c, "boss@school.example")
	by := commands.Request{Actor: domain.ByAccount(boss.AccountID)}
	school, _, err := c.ActivateOrganization(w.ctx, by, "moderated", "School", "boss")
	is.NoErr(err)
	_, _, err = c.AddMember(w.ctx, by, school, commands.Addition{Email: "new@acme.example", Password: "sesame-1906", Roles: []domain.Role{"participant"}, Language: "en"})
	is.NoErr(err)
	before := len(w.organizationEvents())
	_, err = c.SignIn(w.ctx, commands.Request{Actor: domain.Public()}, "new@acme.example", "sesame-1906")
	is.NoErr(err)
	is.Equal(len(w.organizationEvents()), before)
}

func TestANameThatIsTakenGetsANumber(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	c := w.node()
	squatter := w.account(c, "squatter@gmail.com")
	for _, name := range []domain.OrganizationName{"ACME.example", "acme.example 2"} {
		_, _, err := c.ActivateOrganization(w.ctx, commands.Request{Actor: domain.ByAccount(squatter.AccountID)}, "ownership", name, "s")
		is.NoErr(err)
	}
	w.account(c, "ada@acme.example")
	found := 0
	for _, s := range w.shared() {
		if s.EmailDomain == "acme.example" {
			is.Equal(s.Name, domain.OrganizationName("acme.example 3"))
			found++
		}
	}
	is.Equal(found, 1)
}

func TestOfManyOfADomainAtOnceOneFoundsAndTheOthersArePending(t *testing.T) {
	for range 5 {
		is := is.New(t)
		w := newOnboardingWorld(t)
		by := w.onboarding
		w.onboarding = ""
		plain := w.node()
		const crowd = 64
		for i := range crowd {
			w.account(plain, domain.Email(fmt.Sprintf("user%d@acme.example", i)))
		}
		w.onboarding = by
		nodes := []*commands.Commands{w.node(), w.node(), w.node()}
		var all sync.WaitGroup
		for i := range crowd {
			all.Go(func() {
				_, err := nodes[i%3].SignIn(w.ctx, commands.Request{Actor: domain.Public()}, domain.Email(fmt.Sprintf("user%d@acme.example", i)), secret)
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s := w.only()
		is.Equal(s.ActiveMembers(), 1)
		is.Equal(s.Requests(), crowd-1)
		is.True(s.HoldsEmailDomain("acme.example"))
		is.Equal(len(w.organizationEvents()), 1+crowd) // and everybody's own

		// The domain is free at once when it is given up.
		for id := range w.shared() {
			for n := range crowd {
				account := w.byEmail(domain.Email(fmt.Sprintf("user%d@acme.example", n)))
				if _, founder := s.ActiveMember(account); founder {
					_, err := nodes[0].GiveUpEmailDomain(w.ctx, commands.Request{Actor: domain.ByAccount(account)}, id)
					is.NoErr(err)
				}
			}
		}
		w.account(nodes[1], "late@acme.example")
		is.Equal(len(w.shared()), 2)
	}
}

// byEmail is the account that has an address.
func (w *world) byEmail(email domain.Email) domain.AccountID {
	w.t.Helper()
	recorded, err := w.store.ReadStream(w.ctx, "reservation-email-"+w.keys.Name("email", email.Key()), 0, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	_, id, _ := strings.Cut(string(recorded[0].Data), `"holder":"account:`)
	return domain.AccountID(id[:36])
}

type killed struct{}

// diesAt gives a command that stops at a step, and says whether it did.
func (w *world) diesAt(step string, give func(*commands.Commands)) (died bool) {
	w.step = func(name string) {
		if name == step {
			panic(killed{})
		}
	}
	c := w.node()
	w.step = nil
	defer func() {
		if r := recover(); r != nil {
			if r != (killed{}) {
				panic(r)
			}
			died = true
		}
	}()
	give(c)
	return false
}

// sessionOf is the newest session of an account.
func (w *world) sessionOf(id domain.AccountID) domain.SessionID {
	w.t.Helper()
	recorded, err := w.store.ReadStream(w.ctx, "account-"+string(id), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var session domain.SessionID
	for _, r := range recorded {
		e, err := w.codec.Decode(r)
		if err != nil {
			w.t.Fatal(err)
		}
		if started, ok := e.Event.(account.SessionStarted); ok {
			session = started.SessionID
		}
	}
	return session
}

func TestWhatAKilledSignInLeavesIsFinishedWhoeverComesFirst(t *testing.T) {
	for _, step := range []string{commands.StepPersonalSpaceMade, commands.StepDomainReserved, commands.StepNameReserved, commands.StepActivated} {
		for _, first := range []string{"the process", "somebody else"} {
			t.Run(step+", "+first, func(t *testing.T) {
				is := is.New(t)
				w := newOnboardingWorld(t)
				by := w.onboarding
				w.onboarding = ""
				ada := w.account(w.node(), "ada@acme.example")
				w.onboarding = by
				is.True(w.diesAt(step, func(c *commands.Commands) {
					_, _ = c.SignIn(w.ctx, commands.Request{Actor: domain.Public()}, "ada@acme.example", secret)
				}))
				c := w.node()
				process := func() {
					_, err := c.Onboard(w.ctx, commands.Request{Actor: domain.ByProcess("onboarding")}, ada.AccountID, w.sessionOf(ada.AccountID))
					is.NoErr(err)
				}
				if first == "the process" {
					process()
				}
				bob := w.account(c, "bob@acme.example")
				process()
				process()
				s := w.only()
				is.True(s.HoldsEmailDomain("acme.example"))
				_, adaIn := s.ActiveMember(ada.AccountID)
				_, bobIn := s.ActiveMember(bob.AccountID)
				is.True(adaIn != bobIn) // one of them is the founder
				is.Equal(s.Requests(), 1)
				is.True(adaIn || first == "somebody else")
			})
		}
	}
}

// A process that comes late, or again, does not bring back what is gone.
func TestASessionIsOnboardedOnce(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	c := w.node()
	ada := w.account(c, "ada@acme.example")
	s := w.only()
	by := commands.Request{Actor: domain.ByAccount(ada.AccountID)}
	_, err := c.GiveUpEmailDomain(w.ctx, by, s.ID)
	is.NoErr(err)
	again := func() {
		_, err := c.Onboard(w.ctx, commands.Request{Actor: domain.ByProcess("onboarding")}, ada.AccountID, ada.SessionID)
		is.NoErr(err)
	}
	again()
	is.Equal(w.only().EmailDomain, "")
	bob := w.account(c, "bob@acme.example") // the domain is free: he founds one
	is.Equal(len(w.shared()), 2)
	_, err = c.SignOut(w.ctx, commands.Request{Actor: domain.ByAccount(bob.AccountID)}, bob.AccountID, bob.SessionID)
	is.NoErr(err)
	before := w.organizationEvents()
	_, err = c.Onboard(w.ctx, commands.Request{Actor: domain.ByProcess("onboarding")}, bob.AccountID, bob.SessionID)
	is.NoErr(err)
	w.pass(2 * time.Hour) // ada's session has ended as well
	again()
	is.Equal(w.organizationEvents(), before)
}

func TestSelectingAnOrganizationToWorkIn(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	c := w.node()
	ada, bob := w.account(c, "ada@acme.example"), w.account(c, "bob@acme.example")
	org, asAda, asBob := w.only().ID, commands.Request{Actor: domain.ByAccount(ada.AccountID)}, commands.Request{Actor: domain.ByAccount(bob.AccountID)}
	worksIn := func(id domain.AccountID) domain.OrganizationID {
		s, err := c.Account(w.ctx, id)
		is.NoErr(err)
		in, err := c.WorksIn(w.ctx, s)
		is.NoErr(err)
		return in
	}
	is.Equal(worksIn(bob.AccountID), c.PersonalSpace(bob.AccountID))
	_, err := c.SelectOrganization(w.ctx, asBob, org)
	is.True(errors.Is(err, &domain.Error{Code: domain.CodeNotFound})) // he is pending
	_, err = c.DecideRequests(w.ctx, asAda, org, []commands.RequestDecision{{AccountID: bob.AccountID, Approve: true}})
	is.NoErr(err)
	_, err = c.SelectOrganization(w.ctx, asBob, org)
	is.NoErr(err)
	is.Equal(worksIn(bob.AccountID), org)
	_, err = c.RemoveMember(w.ctx, asAda, org, bob.AccountID)
	is.NoErr(err)
	is.Equal(worksIn(bob.AccountID), c.PersonalSpace(bob.AccountID))
	_, err = c.SelectOrganization(w.ctx, asBob, c.PersonalSpace(ada.AccountID))
	is.True(errors.Is(err, &domain.Error{Code: domain.CodeNotFound}))
}

// away is a log in which organizations cannot be written.
type away struct{ eventstore.Store }

func (s away) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	if strings.HasPrefix(stream, "organization-") {
		return eventstore.Result{}, errors.New("away")
	}
	return s.Store.Append(ctx, stream, expected, events)
}

func TestASignInDoesNotFailWithTheOnboarding(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	working := w.store
	w.store = away{working}
	ada := w.account(w.node(), "ada@acme.example")
	is.True(ada.Token != "")
	is.Equal(len(w.organizationEvents()), 0)
	w.store = working
	_, err := w.node().Onboard(w.ctx, commands.Request{Actor: domain.ByProcess("onboarding")}, ada.AccountID, ada.SessionID)
	is.NoErr(err)
	_, founder := w.only().ActiveMember(ada.AccountID)
	is.True(founder)
}

// published publishes a policy that is made of a built-in one.
func (w *world) published(name string, changes ...string) {
	w.t.Helper()
	builtin := policies.Builtin()
	p, _ := builtin.Latest(name)
	if _, _, err := w.node().PublishPolicy(w.ctx, operator, []byte(strings.NewReplacer(changes...).Replace(string(builtin.Document(p))))); err != nil {
		w.t.Fatal(err)
	}
}

func TestPeopleAreOnboardedByAPublishedPolicy(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.onboarding = "studio"
	err := w.node().CheckOnboarding(w.ctx)
	is.True(err != nil && strings.Contains(err.Error(), "one of capabilities, delegated, moderated, ownership, personal, seats, or publish it"))
	w.published("personal", "name: personal", "name: desk")
	w.published("capabilities", "name: capabilities", "name: studio", "personal: personal", "personal: desk")
	c := w.node()
	is.NoErr(c.CheckOnboarding(w.ctx))
	ada := w.account(c, "ada@acme.example")
	is.Equal(w.only().Policy, "studio")
	p, err := c.PolicyOf(w.ctx, c.PersonalSpace(ada.AccountID))
	is.NoErr(err)
	is.Equal(p.Name, "desk")

	// The newest version counts, from the next sign-in on.
	w.published("capabilities", "name: capabilities", "name: studio", "version: 1", "version: 2", "personal: personal", "personal: desk", "by_domain: true", "by_domain: false")
	w.account(c, "bob@other.example")
	is.Equal(len(w.shared()), 1)
}

func TestAServerOnboardsByAPolicyThatSaysHow(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.published("capabilities", "name: capabilities", "name: missing", "personal: personal", "personal: nothing")
	w.published("capabilities", "name: capabilities", "name: shared", "personal: personal", "personal: seats")
	for name, want := range map[string]string{
		"": "", "capabilities": "", "seats": "no rules for onboarding",
		"missing": "names nothing, which is no policy", "shared": "names seats, where members.personal is not true",
	} {
		w.onboarding = name
		err := w.node().CheckOnboarding(w.ctx)
		if want == "" {
			is.NoErr(err)
			continue
		}
		is.True(errors.As(err, new(*commands.UnfitPolicy)) && strings.Contains(err.Error(), want))
	}
}

// Accounts found organizations under the policies that the server offers; what was
// founded before stays as it is, and a retry is told the same.
func TestFoundingUnderWhatIsOffered(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	ada := w.account(c, "ada@example.com")
	by := commands.Request{Actor: domain.ByAccount(ada.AccountID), IdempotencyKey: "first"}
	first, _, err := c.ActivateOrganization(w.ctx, by, "", "First", "ada")
	is.NoErr(err)

	w.published("seats", "name: seats", "name: desks")
	w.founding = []string{"desks", "delegated"}
	c = w.node()
	is.NoErr(c.CheckFounding(w.ctx))
	again, _, err := c.ActivateOrganization(w.ctx, by, "", "First", "ada")
	is.NoErr(err)
	is.Equal(again, first)
	by.IdempotencyKey = ""
	for i, name := range []string{"", "desks", "delegated"} {
		id, _, err := c.ActivateOrganization(w.ctx, by, name, domain.OrganizationName(fmt.Sprint("Offered ", i)), "ada")
		is.NoErr(err)
		p, err := c.PolicyOf(w.ctx, id)
		is.NoErr(err)
		is.Equal(p.Name, cmp.Or(name, "desks"))
	}
	_, _, err = c.ActivateOrganization(w.ctx, by, "ownership", "Other", "ada")
	is.True(refusedWith(err, domain.CodeInvalid) && strings.Contains(err.Error(), "desks, delegated"))
	_, _, err = c.ActivateOrganization(w.ctx, by, "moderated", "Other", "ada")
	is.True(refusedWith(err, domain.CodeInvalid))
	_, err = c.Authorize(w.ctx, by.Actor, first, domain.ReadOrganization)
	is.NoErr(err) // it is under ownership still

	for name, want := range map[string]string{"nothing": "one of capabilities, delegated, desks", "personal": "personal space"} {
		w.founding = []string{"seats", name}
		err := w.node().CheckFounding(w.ctx)
		is.True(errors.As(err, new(*commands.UnfitPolicy)) && strings.Contains(err.Error(), name) && strings.Contains(err.Error(), want))
	}
}
