package account_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/account"
	"tenure/domain/domaintest"
)

func registerAdded(r Registration) decision {
	return func(s State) ([]domain.Event, error) { return RegisterAdded(s, r, "acme") }
}

func assignPassword(s State) ([]domain.Event, error) { return AssignPassword(s, "acme", "temporary") }

func checkProven(s State) ([]domain.Event, error) { return nil, CheckProven(s) }

func checkOwner(s State) ([]domain.Event, error) { return nil, CheckOwner(s) }

func checkEnters(org domain.OrganizationID) decision {
	return func(s State) ([]domain.Event, error) { return nil, CheckEnters(s, org) }
}

func TestAnAccountThatAnAdministratorMade(t *testing.T) {
	is := is.New(t)
	assigned := PasswordAssigned{AccountID: ada, OrganizationID: "acme", Hash: "hash"}
	added := domaintest.Given(t, Evolve).When(registerAdded(registration())).Then(registered, assigned)
	is.True(added.State.Usable())
	is.True(added.State.MustChange)
	added.When(start("s", noon)).Then(SessionStarted{AccountID: ada, SessionID: "s", ExpiresAt: link})

	// Nobody gets at it by signing up; a link in a mail takes it over.
	stranger := registration()
	stranger.PasswordHash = "other"
	added.When(register(stranger)).Then(RegistrationRepeated{AccountID: ada})
	own := added.When(changePassword("")).Then(PasswordSet{AccountID: ada, Hash: "new"})
	is.True(!own.State.MustChange)
	own.When(checkProven).Refused(domain.CodeEmailUnverified) // the administrator could have done that
	is.Equal(own.State.MadeBy, domain.OrganizationID("acme"))
	own.When(checkOwner).Then() // nobody else has proven that it is theirs
	own.When(checkEnters("acme")).Then()
	own.When(checkEnters("other")).Refused(domain.CodeEmailUnverified)
	taken := own.When(requestReset).Then(resettable).When(reset(1, noon)).Then(
		PasswordSet{AccountID: ada, Hash: "new"}, EmailVerified{AccountID: ada, By: ByPasswordReset})
	taken.When(checkProven).Then()
	taken.When(checkEnters("other")).Then()
	added.When(registerInvited(registration())).Then(password, EmailVerified{AccountID: ada, By: ByInvitation}).When(checkProven).Then()

	// It starts over one that somebody signed up for and never proved; the link
	// of that is dead.
	over := domaintest.Given(t, Evolve, fresh...).When(registerAdded(registration())).Then(assigned)
	over.When(verify(1, noon)).Refused(domain.CodeLinkInvalid)
}

func TestATemporaryPassword(t *testing.T) {
	is := is.New(t)
	given := domaintest.Given(t, Evolve, with(known, SessionStarted{AccountID: ada, SessionID: "s", ExpiresAt: link}, resettable)...).
		When(assignPassword).Then(PasswordAssigned{AccountID: ada, OrganizationID: "acme", Hash: "temporary"})
	_, signedIn := given.State.Session("s", noon)
	is.True(!signedIn)
	is.True(given.State.MustChange)
	is.Equal(given.State.MadeBy, domain.OrganizationID("")) // it was there before
	given.When(identified(registration(), ByInvitation)).Refused(domain.CodeNotSignedIn)
	atProvider := registration()
	atProvider.PasswordHash = ""
	linked := given.When(identified(atProvider, ByProvider)).Then( // whoever gave the password does not stay in
		PasswordSet{AccountID: ada}, EmailVerified{AccountID: ada, By: ByProvider},
		IdentityLinked{AccountID: ada, Provider: identity.Provider, Issuer: identity.Issuer, Subject: identity.Subject})
	is.Equal(linked.State.PasswordHash, "")
	linked.When(checkProven).Then()
	given.When(reset(1, noon)).Refused(domain.CodeLinkInvalid) // a link from before is dead
	given.When(start("t", noon)).Then(SessionStarted{AccountID: ada, SessionID: "t", ExpiresAt: link})
	given.When(requestReset).Then(PasswordResetRequested{AccountID: ada, Generation: 2, ExpiresAt: link}).When(reset(2, noon)).Then(
		PasswordSet{AccountID: ada, Hash: "new"}, EmailVerified{AccountID: ada, By: ByPasswordReset}).When(checkProven).Then()
}
