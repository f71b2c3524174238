package reservation_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/reservation"
)

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	until = noon.Add(time.Minute)

	made      = Made{Kind: KindEmail, Key: "key", Holder: "ada", ExpiresAt: until}
	confirmed = Confirmed{Kind: KindEmail, Key: "key", Holder: "ada"}
	released  = Released{Kind: KindEmail, Key: "key", Holder: "ada"}
)

type decision = func(State) ([]domain.Event, error)

// reserve gives the text to holder; whether it is taken is asked besides.
func reserve(holder string, expiresAt time.Time) decision {
	return domaintest.Always(func(s State) []domain.Event {
		events, _ := Make(s, KindEmail, "key", holder, expiresAt)
		return events
	})
}

func taken(s State, holder string) bool {
	_, taken := Make(s, KindEmail, "key", holder, until)
	return taken
}

func confirm(holder string) decision {
	return domaintest.Always(func(s State) []domain.Event { return Confirm(s, holder) })
}

func release(holder string) decision {
	return domaintest.Always(func(s State) []domain.Event { return Release(s, holder) })
}

func TestOneHolderAtATime(t *testing.T) {
	is := is.New(t)
	free := domaintest.Given(t, Evolve)
	held := free.When(reserve("ada", until)).Then(made)
	is.Equal(held.State.Holder, "ada")
	is.True(!taken(free.State, "ada"))
	is.True(taken(held.State, "bob"))
	held.When(reserve("bob", until)).Then()
	is.True(taken(Evolve(held.State, confirmed), "bob"))

	is.True(!taken(held.State, "ada"))
	again := held.When(reserve("ada", until.Add(time.Minute))).Then(Made{Kind: KindEmail, Key: "key", Holder: "ada", ExpiresAt: until.Add(time.Minute)})
	is.True(!again.State.Outdated(until)) // prolonged, so that who wanted to give it back sees a change
}

func TestConfirming(t *testing.T) {
	is := is.New(t)
	held := domaintest.Given(t, Evolve, made)
	held.When(confirm("bob")).Then()
	is.True(held.State.Outdated(until))
	is.True(!held.State.Outdated(until.Add(-1)))
	lasts := held.When(confirm("ada")).Then(confirmed)
	is.True(lasts.State.Confirmed)
	is.True(!lasts.State.Outdated(until))
	lasts.When(confirm("ada")).Then()
	free := domaintest.Given(t, Evolve)
	free.When(confirm("ada")).Then()
	free.When(confirm("")).Then() // nobody holds nothing
	is.True(!free.State.Outdated(until))
}

func TestReleasing(t *testing.T) {
	is := is.New(t)
	for _, given := range [][]domain.Event{{made}, {made, confirmed}} {
		held := domaintest.Given(t, Evolve, given...)
		held.When(release("bob")).Then()
		free := held.When(release("ada")).Then(released)
		is.True(!taken(free.State, "bob"))
		free.When(release("ada")).Then()
		free.When(release("")).Then()
		free.When(confirm("ada")).Then() // too late
		free.When(reserve("bob", until)).Then(Made{Kind: KindEmail, Key: "key", Holder: "bob", ExpiresAt: until})
	}
}
