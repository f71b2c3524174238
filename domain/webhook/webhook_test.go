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

func enable(s State) ([]domain.Event, error) { return Enable(s, hook) }
func disable(s State) ([]domain.Event, error) {
	return Disable(s, hook, CauseOperator, []domain.AccountID{"ada"})
}

func retry(events ...string) decision {
	return func(s State) ([]domain.Event, error) { return Retry(s, hook, events) }
}

func replay(s State) ([]domain.Event, error) { return Replay(s, hook, 3) }
func remove(s State) ([]domain.Event, error) { return Delete(s, hook) }

func fail(at time.Time) func(State) []domain.Event {
	return func(s State) []domain.Event {
		return Fail(s, hook, version(s), Attempt{EventID: "event", Cause: "status_500", After: 8, Position: 9}, at, []domain.AccountID{"ada"})
	}
}

func version(s State) int {
	w, _ := s.Webhook(hook)
	return w.Version
}

// Whoever registers and deletes webhooks for ever makes nothing grow.
func TestDeletedWebhooksAreForgottenInTheEnd(t *testing.T) {
	is := is.New(t)
	named := func(id string) Registered {
		r := registered()
		r.WebhookID = domain.WebhookID(id)
		return r
	}
	s := Evolve(State{}, named("first"))
	for i := range 3 * MaxDeleted {
		r := named(fmt.Sprint(i))
		s = Evolve(Evolve(s, r), Deleted{WebhookID: r.WebhookID})
	}
	s = Evolve(s, Deleted{WebhookID: "0"}) // of one that is forgotten
	s = Evolve(s, named("last"))
	is.Equal(len(s.Deleted()), MaxDeleted)
	is.Equal(s.Deleted()[MaxDeleted-1], domain.WebhookID(fmt.Sprint(3*MaxDeleted-1)))
	is.Equal(len(s.Webhooks()), 2)
	is.Equal(s.Webhooks()[0].ID, domain.WebhookID("first"))
	is.True(!s.Owns("", "0"))
	_, err := Delete(s, "0")
	is.True(err != nil)
	is.True(s.Owns("", s.Deleted()[0]))
	again, err := Delete(s, s.Deleted()[0])
	is.NoErr(err)
	is.Equal(again, nil)
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
	for _, none := range []string{"", "x", "ftp://example.com", "https://", "https://user:password@example.com", "https://example.com/#x", "https://e\x00", "https://e:99999/", "https://e:0/", "https://e:65536", "https://e:", "https://e:https", "https://e/" + strings.Repeat("a", 2000)} {
		bad := registered()
		bad.URL = none
		r.Refused("Register", domain.CodeInvalid, "no URL "+none[:min(len(none), 30)], nil, register(bad))
	}
	for _, some := range []string{"https://e:65535/x", "https://e:443", "https://[2606:4700::1111]:8443/x", "https://[2606:4700::1111]/"} {
		if _, err := Register(State{}, Registered{WebhookID: hook, URL: some}); err != nil {
			t.Errorf("%s: %v", some, err)
		}
	}
	_, err := Register(State{}, Registered{WebhookID: hook, URL: "https://user:password@example.com"})
	if err == nil || !strings.Contains(err.Error(), "user and password") {
		t.Errorf("a password in the address: %v", err)
	}
	r.Refused("Change", domain.CodeNotFound, "none", nil, change("https://example.com"))
	r.Refused("Change", domain.CodeInvalid, "no URL", given, change("x"))
	r.Refused("RotateSecret", domain.CodeNotFound, "deleted", gone, rotate(0))
	r.Refused("RotateSecret", domain.CodeInvalid, "too long", given, rotate(MaxOverlap+1))
	var own []domain.Event
	for i := range MaxPerOrganization {
		own = append(own, Registered{WebhookID: domain.WebhookID(fmt.Sprint(i)), URL: "https://example.com", Owner: "acme"})
	}
	r.Refused("Register", domain.CodeInvalid, "too many of an organization", own, register(Registered{WebhookID: hook, URL: "https://example.com", Owner: "acme"}))
	r.Refused("Enable", domain.CodeNotFound, "deleted", gone, enable)
	r.Refused("Disable", domain.CodeNotFound, "deleted", gone, disable)
	r.Refused("Retry", domain.CodeNotFound, "deleted", gone, retry())
	r.Refused("Retry", domain.CodeInvalid, "no dead letter", given, retry("event"))
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
	e.When(enable).Then()
	off := e.When(disable).Then(Disabled{WebhookID: hook, Cause: CauseOperator, Recipients: []domain.AccountID{"ada"}})
	off.When(disable).Then()
	off.When(domaintest.Always(func(s State) []domain.Event { return Fail(s, hook, 1, Attempt{EventID: "event"}, noon, nil) })).Then()
	off.When(domaintest.Always(func(s State) []domain.Event { return Reach(s, hook, 1, 99) })).Then()
	e = off.When(enable).Then(Enabled{WebhookID: hook})
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
		is.Equal(failed.At, at)
		is.True(failed.NextAt.After(at) && failed.NextAt.Sub(at) <= 7*time.Hour+12*time.Minute)
		e.State = Evolve(e.State, failed)
		at = failed.NextAt
	}
	is.True(at.Sub(noon) >= RetryFor && at.Sub(noon) < RetryFor+8*time.Hour)
	is.True(attempts > 15 && attempts < 40)
	w, _ := e.State.Webhook(hook)
	is.Equal(len(w.Letters), 1)
	is.Equal(w.Reached, uint64(9))
	is.True(w.Failing == nil)
}

func TestAChangeIsTriedAtOnce(t *testing.T) {
	is := is.New(t)
	failed := fail(noon)(domaintest.Given(t, Evolve, registered()).State)[0].(DeliveryFailed)
	wait := failed.NextAt.Sub(noon)
	is.True(wait >= 5*time.Second && wait < 6*time.Second) // not all come back at once
	e := domaintest.Given(t, Evolve, registered(), failed)
	before, _ := e.State.Webhook(hook)
	after, _ := Evolve(e.State, Changed{WebhookID: hook, URLAfter: "https://b.example.com"}).Webhook(hook)
	is.Equal(before.Failing.NextAt, failed.NextAt)
	is.Equal(after.Failing.NextAt, noon)
	is.Equal(after.Failing.Attempt, 1)
}

// A receiver may ask for a longer pause, within bounds, and not for a shorter one.
func TestPausesThatReceiversAskFor(t *testing.T) {
	is := is.New(t)
	s := domaintest.Given(t, Evolve, registered()).State
	wait := func(asked time.Duration) time.Duration {
		return Fail(s, hook, 1, Attempt{EventID: "event", NotBefore: asked}, noon, nil)[0].(DeliveryFailed).NextAt.Sub(noon)
	}
	is.Equal(wait(time.Hour), time.Hour)
	is.Equal(wait(time.Second), wait(0))
	is.Equal(wait(1000*time.Hour), 6*time.Hour)
}

// Where nothing arrives for five days, the webhook is switched off with the event
// in its turn, and those who manage it are told. Switched on again, it begins anew.
func TestAWebhookAtWhichNothingArrivesIsSwitchedOff(t *testing.T) {
	is := is.New(t)
	s := domaintest.Given(t, Evolve, registered()).State
	at, letters := noon, 0
	for {
		e := fail(at)(s)[0]
		s = Evolve(s, e)
		if off, ok := e.(Disabled); ok {
			is.Equal(off, Disabled{WebhookID: hook, Cause: CauseFailing, Recipients: []domain.AccountID{"ada"}})
			break
		}
		if _, ok := e.(GivenUp); ok {
			letters++
		}
		at = at.Add(time.Hour)
	}
	is.Equal(at.Sub(noon), FailFor)
	is.Equal(letters, 1)
	is.Equal(len(fail(at)(s)), 0)
	s = Evolve(s, Enabled{WebhookID: hook})
	again := fail(at.Add(time.Hour))(s)[0].(DeliveryFailed)
	is.Equal(again.Attempt, 1)
	// Whatever arrives begins the five days anew.
	s = Evolve(Evolve(s, again), Delivered{WebhookID: hook, Position: 9})
	w, _ := s.Webhook(hook)
	is.True(w.FailingSince.IsZero() && w.Failing == nil)
}

// Dead letters are tried once more when somebody says so, and stay until they have
// arrived.
func TestDeadLettersAreTriedOnceMore(t *testing.T) {
	is := is.New(t)
	up := func(event string, position uint64) GivenUp {
		return GivenUp{WebhookID: hook, EventID: event, After: position - 1, Position: position, Attempts: 20, Cause: "status_500"}
	}
	e := domaintest.Given(t, Evolve, registered(), up("a", 8), up("b", 9), up("c", 10))
	e = e.When(retry("b")).Then(RetryRequested{WebhookID: hook, EventIDs: []string{"b"}})
	e.When(retry("b")).Then()
	e = e.When(retry()).Then(RetryRequested{WebhookID: hook, EventIDs: []string{"a", "c"}})
	wanted := func(s State) (ids string) {
		w, _ := s.Webhook(hook)
		for _, l := range w.Wanted() {
			ids += l.EventID
		}
		return ids
	}
	is.Equal(wanted(e.State), "abc")
	settle := func(event, cause string) func(State) ([]domain.Event, error) {
		return domaintest.Always(func(s State) []domain.Event { return Settle(s, hook, version(s), event, cause) })
	}
	e = e.When(settle("a", "")).Then(Retried{WebhookID: hook, EventID: "a"})
	e = e.When(settle("b", "timed_out")).Then(Retried{WebhookID: hook, EventID: "b", Cause: "timed_out"})
	e.When(settle("b", "")).Then() // that was settled
	is.Equal(wanted(e.State), "c")
	w, _ := e.State.Webhook(hook)
	is.Equal(len(w.Letters), 2)
	is.Equal(w.Letters[0].Cause, "timed_out")
	is.Equal(w.Letters[0].Attempts, 21)
	w, _ = Evolve(e.State, Replayed{WebhookID: hook, After: 9}).Webhook(hook) // "c" comes again by itself
	is.Equal(len(w.Letters), 1)
}

// An organization's webhooks are its own, and get its own events.
func TestWebhooksOfOrganizations(t *testing.T) {
	is := is.New(t)
	own := Registered{WebhookID: "own", URL: "https://example.com", OrganizationID: "elsewhere", Owner: "acme"}
	e := domaintest.Given(t, Evolve, registered())
	stored := own
	stored.OrganizationID = "acme"
	e = e.When(register(own)).Then(stored)
	is.Equal(len(e.State.Of("acme")), 1)
	is.Equal(len(e.State.Of("")), 1)
	is.Equal(len(e.State.Of("elsewhere")), 0)
	is.Equal(len(e.State.Webhooks()), 2)
	is.True(e.State.Owns("acme", "own") && e.State.Owns("", "own") && !e.State.Owns("acme", hook) && !e.State.Owns("", "none"))
	s := Evolve(e.State, Deleted{WebhookID: "own"})
	is.Equal(s.Deleted(), []domain.WebhookID{"own"})
	is.True(s.Owns("acme", "own"))
}
