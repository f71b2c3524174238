package apikey_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/apikey"
	"tenure/domain/domaintest"
)

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later = noon.Add(time.Hour)
)

type decision = func(State) ([]domain.Event, error)

func create(expiresAt *time.Time, scopes ...Scope) decision {
	return func(s State) ([]domain.Event, error) { return Create(s, "key", "Reports", scopes, expiresAt, noon) }
}

func created(expiresAt *time.Time, scopes ...Scope) domain.Event {
	return Created{APIKeyID: "key", Name: "Reports", Scopes: scopes, ExpiresAt: expiresAt}
}

func TestEveryRefusalOfEveryDecision(t *testing.T) {
	now := noon
	r := domaintest.NewRefusals(t, Evolve)
	r.Refused("Create", domain.CodeInvalid, "id in use", []domain.Event{created(nil, ScopeOperator)}, create(nil, ScopeOperator))
	r.Refused("Create", domain.CodeInvalid, "no scope", nil, create(nil))
	r.Refused("Create", domain.CodeInvalid, "unknown scope", nil, create(nil, ScopeOperator, "everything"))
	r.Refused("Create", domain.CodeInvalid, "time has passed", nil, create(&now, ScopeOperator))
	r.Refused("Revoke", domain.CodeNotFound, "never made", nil, Revoke)
	r.Complete()
	is := is.New(t)
	is.Equal(domaintest.Given(t, Evolve).When(create(nil)).Refused(domain.CodeInvalid).Field, "scopes")
	is.Equal(domaintest.Given(t, Evolve).When(create(&now, ScopeOperator)).Refused(domain.CodeInvalid).Field, "expires_at")
}

func TestAKeyWorksForItsScopesUntilItEnds(t *testing.T) {
	is := is.New(t)
	lasting := domaintest.Given(t, Evolve).When(create(nil, ScopeReadOrganizations)).Then(created(nil, ScopeReadOrganizations))
	is.True(lasting.State.Allows(ScopeReadOrganizations, noon.AddDate(100, 0, 0)))
	is.True(!lasting.State.Allows(ScopeOperator, noon))

	limited := domaintest.Given(t, Evolve).When(create(&later, Scopes()...)).Then(created(&later, ScopeAll, ScopeOperator, ScopeReadOrganizations, ScopeCheckAccess, ScopeManageWork, ScopeReadEvents, ScopeReadPersonal))
	is.True(limited.State.Valid(later.Add(-1)))
	is.True(!limited.State.Valid(later))
	is.True(!limited.State.Allows(ScopeOperator, later))

	ended := limited.When(Revoke).Then(Revoked{APIKeyID: "key"})
	is.True(!ended.State.Valid(noon))
	is.True(!ended.State.Allows(ScopeOperator, noon))
	ended.When(Revoke).Then()
	is.True(!State{}.Valid(noon)) // a key that was never made
}

// A scope that there will be once belongs to the keys that have all, and to no
// key that was made before with a list.
func TestOnlyAKeyForAllGainsAScopeThatIsNewLater(t *testing.T) {
	is := is.New(t)
	const added Scope = "something.new"
	all := domaintest.Given(t, Evolve).When(create(&later, ScopeAll)).Then(created(&later, ScopeAll))
	for _, scope := range append(Scopes(), added) {
		is.True(all.State.Allows(scope, noon))
		is.True(!all.State.Allows(scope, later))
	}
	listed := domaintest.Given(t, Evolve).When(create(nil, Scopes()[1:]...)).Then(created(nil, Scopes()[1:]...))
	is.True(listed.State.Allows(ScopeManageWork, noon))
	is.True(!listed.State.Allows(added, noon))
}
