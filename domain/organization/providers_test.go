package organization_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

// offering is the policy whose invitations may ask for these providers.
func offering(providers ...string) *policy.Policy {
	p := *ownership
	p.Invitations.Providers = providers
	return &p
}

func TestAnInvitationMayAskForAProvider(t *testing.T) {
	is := is.New(t)
	p := offering("google", policy.AnyProvider)
	in := newcomer("USER")
	in.Email, in.Provider, in.Tenant, in.Notify = "", "google", "example.com", "post@example.com"
	after := domaintest.Given(t, Evolve, staffed()...)
	events, err := Invite(after.State, p, domain.ByAccount(admin), in, noon)
	is.NoErr(err)
	opened := events[0].(InvitationOpened)
	is.Equal(opened.Provider, "google")
	is.Equal(opened.Tenant, "example.com")
	is.Equal(opened.Notify, domain.Email("post@example.com"))

	// An invitation without an address takes none.
	next := Evolve(after.State, opened)
	other := in
	other.InvitationID, other.Username = "other", "other"
	_, err = Invite(next, p, domain.ByAccount(admin), other, noon)
	is.NoErr(err)
	next = Evolve(next, InvitationClosed{OrganizationID: org, InvitationID: invited})
	_, err = Invite(next, p, domain.ByAccount(admin), newcomer("USER"), noon) // asks for none
	is.NoErr(err)
}

func TestAUsernameThatIsAnAddressIsTheAddressOfTheInvitation(t *testing.T) {
	is := is.New(t)
	p, boss := offering("google", policy.AnyProvider), domain.ByAccount(admin)
	after := domaintest.Given(t, Evolve, staffed()...)
	in := newcomer("USER")
	in.Email, in.Username, in.Provider = "", "Grace@Corp.example", "google"
	opened := func(s State, in Invitee) InvitationOpened {
		t.Helper()
		events, err := Invite(s, p, boss, in, noon)
		is.NoErr(err)
		return events[0].(InvitationOpened)
	}
	one := opened(after.State, in)
	is.Equal(one.Email, domain.Email("Grace@Corp.example"))
	is.Equal(one.Username, in.Username)
	is.Equal(one.MailedTo(), one.Email)

	// Nobody else is invited at the address, whichever field it comes in, and no
	// member is.
	open := Evolve(after.State, one)
	again := newcomer("USER")
	again.InvitationID, again.Username, again.Email = "other", "other", "grace@corp.example"
	for _, taken := range []struct {
		s     State
		email domain.Email
		field string
	}{{open, "grace@corp.example", "email"}, {after.State, "owner@example.com", "email"}, {after.State, "", "username"}} {
		other := again
		if other.Email = taken.email; taken.email == "" {
			other.Provider, other.Username = "google", "owner@example.com"
		}
		_, err := Invite(taken.s, p, boss, other, noon)
		var refusal *domain.Error
		is.True(errors.As(err, &refusal))
		is.Equal(refusal.Code, domain.CodeEmailTaken)
		is.Equal(refusal.Field, taken.field)
	}

	// For any provider as well; but what is given goes first, and a name is none.
	in.Provider = ""
	is.Equal(opened(after.State, in).Email, domain.Email("Grace@Corp.example"))
	in.Notify = "post@example.com"
	is.Equal(opened(after.State, in).MailedTo(), in.Notify)
	in.Email, in.Notify = "grace@example.com", ""
	is.Equal(opened(after.State, in).Email, in.Email)
	in.Email, in.Username, in.Provider = "", "grace", "google"
	is.Equal(opened(after.State, in).MailedTo(), domain.Email(""))
	in.Provider = ""
	_, err := Invite(after.State, p, boss, in, noon)
	is.True(errors.Is(err, &domain.Error{Code: domain.CodeInvalid}))

	// Where policies offer no providers, usernames are names inside.
	in.Username = "grace@corp.example"
	_, err = Invite(after.State, ownership, boss, in, noon)
	is.True(errors.Is(err, &domain.Error{Code: domain.CodeInvalid}))
}
