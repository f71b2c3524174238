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

	released = Released{Kind: KindEmail, Key: "key", Holder: "ada"}
)

func made(attempt int, expiresAt time.Time) Made {
	return Made{Kind: KindEmail, Key: "key", Holder: "ada", Attempt: attempt, ExpiresAt: expiresAt}
}

func confirmed(attempt int) Confirmed {
	return Confirmed{Kind: KindEmail, Key: "key", Holder: "ada", Attempt: attempt}
}

type decision = func(State) ([]domain.Event, error)

// reserve gives the text to holder; whether it is taken is asked besides.
func reserve(holder string, expiresAt time.Time) decision {
	return domaintest.Always(func(s State) []domain.Event {
		_, events := Make(s, KindEmail, "key", holder, expiresAt)
		return events
	})
}

func taken(s State, holder string) bool {
	number, _ := Make(s, KindEmail, "key", holder, until)
	return number == 0
}

func confirm(at time.Time, attempts ...int) decision {
	return domaintest.Always(func(s State) []domain.Event { return Confirm(s, at, attempts...) })
}

var release decision = domaintest.Always(Release)

func TestOneHolderAtATime(t *testing.T) {
	is := is.New(t)
	free := domaintest.Given(t, Evolve)
	held := free.When(reserve("ada", until)).Then(made(1, until))
	is.Equal(held.State.Holder, "ada")
	is.True(!taken(free.State, "ada"))
	is.True(taken(held.State, "bob"))
	held.When(reserve("bob", until)).Then()
	is.True(taken(held.When(confirm(noon, 1)).Then(confirmed(1)).State, "bob"))
	is.True(!taken(held.State, "ada"))
}

func TestAnAttemptIsUnderWayUntilItIsConfirmedOrItsTimeIsOver(t *testing.T) {
	is := is.New(t)
	held := domaintest.Given(t, Evolve, made(1, until))
	is.True(!held.State.Settled())
	held.When(confirm(until.Add(-1))).Then()
	held.When(confirm(noon, 2)).Then()
	held.When(confirm(until)).Then(confirmed(1))
	lasts := held.When(confirm(noon, 1)).Then(confirmed(1))
	is.True(lasts.State.Settled())
	lasts.When(confirm(noon, 1)).Then()
	domaintest.Given(t, Evolve).When(confirm(until, 1)).Then()
}

// Of several attempts for one holder, each counts until it is confirmed itself.
func TestATextIsReleasedWhenNoAttemptIsUnderWay(t *testing.T) {
	later := until.Add(time.Minute)
	held := domaintest.Given(t, Evolve, made(1, until)).When(reserve("ada", later)).Then(made(2, later))
	held.When(release).Then()
	second := held.When(confirm(noon, 1)).Then(confirmed(1))
	second.When(release).Then()
	second.When(confirm(noon, 2)).Then(confirmed(2)).When(release).Then(released)

	first := held.When(confirm(noon, 2)).Then(confirmed(2))
	first.When(release).Then()
	first.When(confirm(until)).Then(confirmed(1)).When(release).Then(released) // its command was killed
	held.When(confirm(until)).Then(confirmed(1))
	held.When(confirm(later)).Then(confirmed(1), confirmed(2))
}

func TestReleasing(t *testing.T) {
	is := is.New(t)
	held := domaintest.Given(t, Evolve, made(1, until), confirmed(1))
	free := held.When(release).Then(released)
	is.True(!taken(free.State, "bob"))
	free.When(release).Then()
	free.When(confirm(until, 1)).Then() // too late
	// Attempts are counted on: that of Bob is not Ada's.
	free.When(reserve("bob", until)).Then(Made{Kind: KindEmail, Key: "key", Holder: "bob", Attempt: 2, ExpiresAt: until}).
		When(confirm(noon, 1)).Then()
	domaintest.Given(t, Evolve).When(release).Then()
}

// Events from before attempts were counted mean what they meant.
func TestEventsWithoutAttempts(t *testing.T) {
	is := is.New(t)
	again := domaintest.Given(t, Evolve, made(0, noon), made(0, until))
	again.When(confirm(noon)).Then()
	lasts := domaintest.Given(t, Evolve, made(0, noon), made(0, until), confirmed(0))
	is.True(lasts.State.Settled())
	lasts.When(reserve("ada", until)).Then(made(1, until))
}
