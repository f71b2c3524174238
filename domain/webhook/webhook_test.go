package webhook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/webhook"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const hook = domain.WebhookID("hook")

func registered() Registered {
	return Registered{WebhookID: hook, URL: "https://hooks.example.com/a", After: 7}
}

type decision = func(State) ([]domain.Event, error)

func register(r Registered) decision {
	return func(s State) ([]domain.Event, error) { return Register(s, r) }
}

func change(to string) decision {
	return func(s State) ([]domain.Event, error) { return Change(s, hook, to) }
}

func rotate(overlap time.Duration) decision {
	return func(s State) ([]domain.Event, error) { return RotateSecret(s, hook, overlap, noon) }
}

func enable(disabled string) decision {
	return func(s State) ([]domain.Event, error) { return Enable(s, hook, disabled) }
}

func replay(s State) ([]domain.Event, error) { return Replay(s, hook, 3) }
func remove(s State) ([]domain.Event, error) { return Delete(s, hook) }

func fail(at time.Time) func(State) []domain.Event {
	return func(s State) []domain.Event {
		return Fail(s, hook, version(s), Attempt{EventID: "event", Cause: "status_500", After: 8, Position: 9}, at)
	}
}

func version(s State) int {
	w, _ := s.Webhook(hook)
	return w.Version
}

func TestEveryRefusalOfEveryDecision(t *testing.T) {
	given, gone := []domain.Event{registered()}, []domain.Event{registered(), Deleted{WebhookID: hook}}
	var full []domain.Event
	for i := range MaxWebhooks {
		r := registered()
		r.WebhookID = domain.WebhookID(fmt.Sprint(i))
		full = append(full, r)
	}
	r := domaintest.NewRefusals(t, Evolve)
	r.Refused("Register", domain.CodeInvalid, "id in use", gone, register(registered()))
	r.Refused("Register", domain.CodeInvalid, "too many", full, register(registered()))
	for _, none := range []string{"", "x", "ftp://example.com", "https://", "https://user:password@example.com", "https://example.com/#x", "https://e\x00", "https://e/" + strings.Repeat("a", 2000)} {
		bad := registered()
		bad.URL = none
		r.Refused("Register", domain.CodeInvalid, "no URL "+none[:min(len(none), 30)], nil, register(bad))
	}
	r.Refused("Change", domain.CodeNotFound, "none", nil, change("https://example.com"))
	r.Refused("Change", domain.CodeInvalid, "no URL", given, change("x"))
	r.Refused("RotateSecret", domain.CodeNotFound, "deleted", gone, rotate(0))
	r.Refused("RotateSecret", domain.CodeInvalid, "too long", given, rotate(MaxOverlap+1))
	r.Refused("Enable", domain.CodeNotFound, "deleted", gone, enable(""))
	r.Refused("Replay", domain.CodeNotFound, "deleted", gone, replay)
	r.Refused("Delete", domain.CodeNotFound, "never was", nil, remove)
	r.Complete()
}

func TestTheLifeOfAWebhook(t *testing.T) {
	is := is.New(t)
	e := domaintest.Given(t, Evolve).When(register(registered())).Then(registered())
	is.Equal(len(e.State.Webhooks()), 1)
	e.When(change("https://hooks.example.com/a")).Then()
	e = e.When(change("https://b.example.com")).Then(Changed{WebhookID: hook, URLBefore: "https://hooks.example.com/a", URLAfter: "https://b.example.com"})
	e = e.When(rotate(time.Hour)).Then(SecretRotated{WebhookID: hook, Generation: 2, OverlapUntil: noon.Add(time.Hour)})
	e.When(enable("")).Then()
	off := e.When(enable(CauseOperator)).Then(Disabled{WebhookID: hook, Cause: CauseOperator})
	off.When(domaintest.Always(func(s State) []domain.Event { return Fail(s, hook, 1, Attempt{EventID: "event"}, noon) })).Then()
	off.When(domaintest.Always(func(s State) []domain.Event { return Reach(s, hook, 1, 99) })).Then()
	e = off.When(enable("")).Then(Enabled{WebhookID: hook})
	w, ok := e.State.Webhook(hook)
	is.True(ok)
	is.Equal(w.Version, 5) // each of these begins the deliveries anew
	is.Equal(w.Reached, uint64(7))
	e = e.When(domaintest.Always(func(s State) []domain.Event { return Reach(s, hook, version(s), 8) })).Then(Delivered{WebhookID: hook, Position: 8})
	e.When(domaintest.Always(func(s State) []domain.Event { return Reach(s, hook, version(s), 8) })).Then()
	e = e.When(replay).Then(Replayed{WebhookID: hook, After: 3})
	w, _ = e.State.Webhook(hook)
	is.Equal(w.Reached, uint64(3))
	is.Equal(w.Replays, 1)
	e = e.When(remove).Then(Deleted{WebhookID: hook})
	is.Equal(len(e.State.Webhooks()), 0)
	e.When(remove).Then()
}

// Attempts at one event come further and further apart, for three days; then it
// is a dead letter.
func TestAnEventIsTriedForThreeDays(t *testing.T) {
	is := is.New(t)
	e := domaintest.Given(t, Evolve, registered())
	at, attempts := noon, 0
	for {
		events := fail(at)(e.State)
		is.Equal(len(events), 1)
		attempts++
		if up, ok := events[0].(GivenUp); ok {
			is.Equal(up, GivenUp{WebhookID: hook, EventID: "event", After: 8, Position: 9, Attempts: attempts, Cause: "status_500"})
			e.State = Evolve(e.State, up)
			break
		}
		failed := events[0].(DeliveryFailed)
		is.Equal(failed.Attempt, attempts)
		is.True(failed.NextAt.After(at) && failed.NextAt.Sub(at) <= 6*time.Hour)
		e.State = Evolve(e.State, failed)
		at = failed.NextAt
	}
	is.True(at.Sub(noon) >= RetryFor && at.Sub(noon) < RetryFor+7*time.Hour)
	is.True(attempts > 15 && attempts < 40)
	w, _ := e.State.Webhook(hook)
	is.Equal(len(w.Letters), 1)
	is.Equal(w.Reached, uint64(9))
	is.True(w.Failing == nil)
	is.True(len(w.Failures) <= 50)
}

func TestAnOperatorsChangeIsTriedAtOnce(t *testing.T) {
	is := is.New(t)
	e := domaintest.Given(t, Evolve, registered()).When(domaintest.Always(fail(noon))).Then(
		DeliveryFailed{WebhookID: hook, EventID: "event", Attempt: 1, Cause: "status_500", NextAt: noon.Add(5 * time.Second)})
	before, _ := e.State.Webhook(hook)
	after, _ := Evolve(e.State, Changed{WebhookID: hook, URLAfter: "https://b.example.com"}).Webhook(hook)
	is.Equal(before.Failing.NextAt, noon.Add(5*time.Second))
	is.Equal(after.Failing.NextAt, noon)
	is.Equal(after.Failing.Attempt, 1)
}
