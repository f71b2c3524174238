package account_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/account"
	"tenure/domain/domaintest"
)

func TestErasedAccount(t *testing.T) {
	is := is.New(t)
	linked := IdentityLinked{AccountID: ada, Provider: "google", Issuer: "https://i", Subject: "s"}
	before := domaintest.Given(t, Evolve, registered, password, EmailVerified{AccountID: ada, By: ByVerification}, linked)
	after := before.When(Erase).Then(Erased{AccountID: ada})
	s := Evolve(fold(registered, password, EmailVerified{AccountID: ada, By: ByVerification}, linked), Erased{AccountID: ada})
	is.True(s.Erased() && !s.Exists() && !s.Usable() && s.PasswordHash == "" && len(s.Identities()) == 0)
	is.Equal(s.Held(), Held{Email: registered.Email, Identities: []Identity{{"google", "https://i", "s"}}})
	after.When(Erase).Then()
	_, err := StartSession(s, "s", noon, noon)
	is.True(err != nil)
	is.Equal(Evolve(s, registered), s) // nothing brings it back
	_, err = ChangeProfile(s, "Ada", "en")
	is.True(domain.CodeNotFound == err.(*domain.Error).Code)
}

func fold(events ...domain.Event) (s State) {
	for _, e := range events {
		s = Evolve(s, e)
	}
	return s
}
