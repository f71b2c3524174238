package invitation_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/invitation"
)

const (
	id  domain.InvitationID   = "invitation"
	org domain.OrganizationID = "org"
	ada domain.AccountID      = "ada"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	end  = noon.Add(7 * 24 * time.Hour)

	issued = Issued{
		InvitationID: id, OrganizationID: org, Email: "ada@example.com", Username: "ada", Roles: []domain.Role{"USER"},
		Language: "en", InvitedBy: "admin", ExpiresAt: end,
	}
	bound = Issued{
		InvitationID: id, OrganizationID: org, Email: "ada@example.com", Username: "ada", Roles: []domain.Role{"USER"},
		Language: "en", InvitedBy: "admin", ExpiresAt: end, Provider: "microsoft", Tenant: "t", Notify: "post@example.com",
	}
	resent   = Resent{InvitationID: id, OrganizationID: org, Generation: 2, InvitedBy: "resender", ExpiresAt: end.Add(time.Hour)}
	accepted = Accepted{InvitationID: id, OrganizationID: org, AccountID: ada}
	declined = Declined{InvitationID: id, OrganizationID: org}
	revoked  = Revoked{InvitationID: id, OrganizationID: org, Cause: CauseRevoked}
	expired  = Expired{InvitationID: id, OrganizationID: org, Generation: 1}
)

type decision = func(State) ([]domain.Event, error)

func issue(s State) []domain.Event { return Issue(s, Details(issued)) }

func resend(generation int) decision {
	return func(s State) ([]domain.Event, error) { return Resend(s, generation, "resender", end.Add(time.Hour)) }
}

func checkResend(s State) ([]domain.Event, error) { return nil, CheckResend(s) }

func checkLink(generation int, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return nil, CheckLink(s, generation, at) }
}

func accept(generation int, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return Accept(s, generation, ada, at) }
}

func decline(generation int, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return Decline(s, generation, at) }
}

func revoke(s State) ([]domain.Event, error) { return Revoke(s, CauseRevoked) }

func expire(at time.Time) decision {
	return domaintest.Always(func(s State) []domain.Event { return Expire(s, at) })
}

func TestEveryRefusalOfEveryDecision(t *testing.T) {
	r := domaintest.NewRefusals(t, Evolve)
	over := map[domain.Code]domain.Event{
		domain.CodeInvitationAccepted: accepted, domain.CodeInvitationDeclined: declined, domain.CodeInvitationRevoked: revoked,
	}
	for name, when := range map[string]decision{"Resend": resend(2), "CheckResend": checkResend} {
		r.Refused(name, domain.CodeNotFound, "never issued", nil, when)
		for code, event := range over {
			r.Refused(name, code, "over", []domain.Event{issued, event}, when)
		}
	}
	for name, when := range map[string]func(int, time.Time) decision{"CheckLink": checkLink, "Accept": accept, "Decline": decline} {
		r.Refused(name, domain.CodeNotFound, "never issued", nil, when(1, noon))
		r.Refused(name, domain.CodeLinkInvalid, "replaced", []domain.Event{issued, resent}, when(1, noon))
		r.Refused(name, domain.CodeLinkInvalid, "never made", []domain.Event{issued}, when(2, noon))
		r.Refused(name, domain.CodeLinkInvalid, "replaced, and expired besides", []domain.Event{issued, resent, expired}, when(1, end))
		r.Refused(name, domain.CodeInvitationExpired, "at its end", []domain.Event{issued}, when(1, end))
		r.Refused(name, domain.CodeInvitationExpired, "recorded", []domain.Event{issued, expired}, when(1, noon))
		for code, event := range over {
			r.Refused(name, code, "over", []domain.Event{issued, event}, when(1, noon))
		}
	}
	check := func(who Presented) decision {
		return func(s State) ([]domain.Event, error) { return nil, CheckPresented(s, who) }
	}
	named := Presented{Provider: "microsoft", Tenant: "t", Names: []string{"ada"}}
	elsewhere, outside, other := named, named, named
	elsewhere.Provider, outside.Tenant, other.Names = "google", "", []string{"", "ada@example.com"}
	r.Refused("CheckPresented", domain.CodeProviderRequired, "by a password", []domain.Event{bound}, check(Presented{}))
	r.Refused("CheckPresented", domain.CodeWrongProvider, "another", []domain.Event{bound}, check(elsewhere))
	r.Refused("CheckPresented", domain.CodeWrongTenant, "a personal account", []domain.Event{bound}, check(outside))
	r.Refused("CheckPresented", domain.CodeWrongAccount, "the address is not the username", []domain.Event{bound}, check(other))

	r.Refused("Revoke", domain.CodeNotFound, "never issued", nil, revoke)
	r.Refused("Revoke", domain.CodeInvitationAccepted, "accepted", []domain.Event{issued, accepted}, revoke)
	r.Complete()
}

func TestIssueOnce(t *testing.T) {
	is := is.New(t)
	first := domaintest.Given(t, Evolve).When(domaintest.Always(issue)).Then(issued)
	is.Equal(first.State, State{
		ID: id, Organization: org, Email: "ada@example.com", Username: "ada", Roles: []domain.Role{"USER"}, Language: "en",
		InvitedBy: "admin", Generation: 1, ExpiresAt: end, Status: StatusPending,
	})
	first.When(domaintest.Always(issue)).Then()
}

func TestAnInvitationAsksForAnAccountAtAProvider(t *testing.T) {
	is := is.New(t)
	s := domaintest.Given(t, Evolve, bound).State
	is.Equal(s.Notify, domain.Email("post@example.com"))
	is.NoErr(CheckPresented(s, Presented{Provider: "microsoft", Tenant: "T", Names: []string{"x@example.com", "ADA"}}))

	s.Tenant = "" // then any will do, and a personal account, which has none
	is.NoErr(CheckPresented(s, Presented{Provider: "microsoft", Tenant: "other", Names: []string{"ada"}}))
	is.NoErr(CheckPresented(s, Presented{Provider: "microsoft", Names: []string{"ada"}}))
	s.Username = "" // then it is the address
	is.NoErr(CheckPresented(s, Presented{Provider: "microsoft", Names: []string{"Ada@Example.com"}}))
	is.True(CheckPresented(s, Presented{Provider: "microsoft", Names: []string{""}}) != nil)

	open := domaintest.Given(t, Evolve, issued).State
	is.NoErr(CheckPresented(open, Presented{}))
	is.NoErr(CheckPresented(open, Presented{Provider: "google"}))
}

func TestALinkIsUsedOnce(t *testing.T) {
	is := is.New(t)
	pending := domaintest.Given(t, Evolve, issued)
	pending.When(checkLink(1, end.Add(-1))).Then()
	in := pending.When(accept(1, end.Add(-1))).Then(accepted)
	is.Equal(in.State.Status, StatusAccepted)
	is.Equal(in.State.AcceptedBy, ada)
	in.When(accept(1, noon)).Refused(domain.CodeInvitationAccepted)
	no := pending.When(decline(1, noon)).Then(declined)
	is.Equal(no.State.Status, StatusDeclined)
	no.When(accept(1, noon)).Refused(domain.CodeInvitationDeclined)
}

func TestAResendKillsTheLinkBefore(t *testing.T) {
	is := is.New(t)
	again := domaintest.Given(t, Evolve, issued).When(resend(2)).Then(resent)
	is.Equal(again.State.Generation, 2)
	is.Equal(again.State.ExpiresAt, end.Add(time.Hour))
	again.When(resend(2)).Then() // made already
	again.When(resend(1)).Then() // slower than the next
	again.When(accept(1, noon)).Refused(domain.CodeLinkInvalid)
	again.When(accept(2, end)).Then(accepted)

	back := domaintest.Given(t, Evolve, issued, expired).When(resend(2)).Then(resent) // an expired one lives again
	is.Equal(back.State.Status, StatusPending)
	back.When(accept(2, end)).Then(accepted)
}

func TestRevoking(t *testing.T) {
	is := is.New(t)
	pending := domaintest.Given(t, Evolve, issued)
	is.Equal(pending.When(revoke).Then(revoked).State.Status, StatusRevoked)
	pending.When(func(s State) ([]domain.Event, error) { return Revoke(s, CauseInviterLeft) }).Then(
		Revoked{InvitationID: id, OrganizationID: org, Cause: CauseInviterLeft})
	for _, event := range []domain.Event{revoked, declined, expired} {
		domaintest.Given(t, Evolve, issued, event).When(revoke).Then() // stays as it is
	}
}

func TestExpiring(t *testing.T) {
	is := is.New(t)
	pending := domaintest.Given(t, Evolve, issued)
	pending.When(expire(end.Add(-1))).Then()
	is.Equal(pending.When(expire(end)).Then(expired).State.Status, StatusExpired)
	for _, event := range []domain.Event{accepted, declined, revoked, expired} {
		domaintest.Given(t, Evolve, issued, event).When(expire(end.Add(time.Hour))).Then()
	}
	domaintest.Given(t, Evolve).When(expire(end)).Then()
	domaintest.Given(t, Evolve, issued, resent).When(expire(end)).Then() // the resend has prolonged it
	domaintest.Given(t, Evolve, issued, resent).When(expire(end.Add(time.Hour))).Then(Expired{InvitationID: id, OrganizationID: org, Generation: 2})
}

func TestWhatIsOver(t *testing.T) {
	is := is.New(t)
	for _, event := range []domain.Event{accepted, declined, revoked} {
		is.True(domaintest.Given(t, Evolve, issued, event).State.Over())
	}
	is.True(!domaintest.Given(t, Evolve, issued).State.Over())
	is.True(!domaintest.Given(t, Evolve, issued, expired).State.Over()) // a resend brings it back
	is.True(!State{}.Over())
	is.True(!State{}.Exists())
}
