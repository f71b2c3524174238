package webhook

import (
	"slices"

	"tenure/domain"
)

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Registered:
		if s.index(e.WebhookID) >= 0 {
			return s
		}
		w := Webhook{
			ID: e.WebhookID, URL: e.URL, Organization: e.OrganizationID, Type: e.Type, Personal: e.Personal, Generation: 1, Reached: e.After, Version: 1,
		}
		return State{append(slices.Clip(s.all), w)}
	case Changed:
		return s.operated(e.WebhookID, func(w *Webhook) { w.URL = e.URLAfter })
	case SecretRotated:
		return s.operated(e.WebhookID, func(w *Webhook) { w.Generation, w.OverlapUntil = e.Generation, e.OverlapUntil })
	case Disabled:
		return s.operated(e.WebhookID, func(w *Webhook) { w.Disabled = e.Cause })
	case Enabled:
		return s.operated(e.WebhookID, func(w *Webhook) { w.Disabled = "" })
	case Replayed:
		return s.operated(e.WebhookID, func(w *Webhook) {
			w.Reached, w.Replays, w.Failing = e.After, w.Replays+1, nil
		})
	case Deleted:
		return s.operated(e.WebhookID, func(w *Webhook) { *w = Webhook{ID: w.ID, Deleted: true, Version: w.Version} })
	case DeliveryFailed:
		return s.with(e.WebhookID, func(w *Webhook) {
			f := Failure{EventID: e.EventID, At: e.NextAt.Add(-pause(e.Attempt)), Attempt: e.Attempt, Cause: e.Cause, NextAt: e.NextAt}
			f.Since = f.At
			if w.Failing != nil && w.Failing.EventID == e.EventID {
				f.Since = w.Failing.Since
			}
			w.Failing = &f
			w.Failures = latest(w.Failures, f)
		})
	case GivenUp:
		return s.with(e.WebhookID, func(w *Webhook) {
			w.Failing, w.Reached = nil, max(w.Reached, e.Position)
			w.Letters = latest(w.Letters, e)
		})
	case Delivered:
		return s.with(e.WebhookID, func(w *Webhook) { w.Failing, w.Reached = nil, max(w.Reached, e.Position) })
	}
	return s
}

// operated is with for what an operator does: deliveries begin anew with it, and
// an event that has failed is tried at once.
func (s State) operated(id domain.WebhookID, change func(*Webhook)) State {
	return s.with(id, func(w *Webhook) {
		w.Version++
		if w.Failing != nil {
			f := *w.Failing
			f.NextAt = f.At
			w.Failing = &f
		}
		change(w)
	})
}

// with changes a copy of one webhook.
func (s State) with(id domain.WebhookID, change func(*Webhook)) State {
	i := s.index(id)
	if i < 0 || s.all[i].Deleted {
		return s
	}
	all := slices.Clone(s.all)
	change(&all[i])
	return State{all}
}

// latest adds one to a list of which the newest are kept.
func latest[T any](list []T, one T) []T {
	return append(slices.Clone(list[max(0, len(list)-maxKept+1):]), one)
}
