package organization_test

import (
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
