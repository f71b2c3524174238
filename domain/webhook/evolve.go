package webhook

import (
	"slices"
	"time"

	"github.com/benbjohnson/immutable"

	"tenure/domain"
)

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Registered:
		return s.register(e)
	case Changed:
		return s.managed(e.WebhookID, func(w *Webhook) { w.URL = e.URLAfter })
	case SecretRotated:
		return s.managed(e.WebhookID, func(w *Webhook) { w.Generation, w.OverlapUntil = e.Generation, e.OverlapUntil })
	case Disabled:
		return s.managed(e.WebhookID, func(w *Webhook) { w.Disabled = e.Cause })
	case Enabled:
		return s.managed(e.WebhookID, func(w *Webhook) { w.Disabled, w.Failing = "", nil })
	case Replayed:
		return s.managed(e.WebhookID, func(w *Webhook) {
			w.Reached, w.Replays, w.Failing = e.After, w.Replays+1, nil
			w.Letters = slices.DeleteFunc(slices.Clone(w.Letters), func(l Letter) bool { return l.Position > e.After })
		})
	case RetryRequested:
		return s.managed(e.WebhookID, func(w *Webhook) {
			w.letters(func(l *Letter) { l.Wanted = l.Wanted || slices.Contains(e.EventIDs, l.EventID) })
		})
	case Deleted:
		return s.delete(e.WebhookID)
	}
	return s.deliver(e)
}

// deliver folds what the deliveries themselves record.
func (s State) deliver(e domain.Event) State {
	switch e := e.(type) {
	case DeliveryFailed:
		return s.with(e.WebhookID, func(w *Webhook) {
			f := Failure{EventID: e.EventID, Since: e.At, At: e.At, Attempt: e.Attempt, Cause: e.Cause, NextAt: e.NextAt}
			if w.Failing != nil && w.Failing.EventID == e.EventID {
				f.Since = w.Failing.Since
			}
			if w.FailingSince.IsZero() {
				w.FailingSince = e.At
			}
			w.Failing = &f
		})
	case GivenUp:
		return s.with(e.WebhookID, func(w *Webhook) {
			w.Failing, w.Reached = nil, max(w.Reached, e.Position)
			letters := slices.DeleteFunc(slices.Clone(w.Letters), func(l Letter) bool { return l.EventID == e.EventID })
			letters = append(letters, Letter{GivenUp: e})
			w.Letters = letters[max(0, len(letters)-MaxLetters):]
		})
	case Retried:
		return s.with(e.WebhookID, func(w *Webhook) {
			if e.Cause != "" {
				w.letters(func(l *Letter) {
					if l.EventID == e.EventID {
						l.Wanted, l.Cause, l.Attempts = false, e.Cause, l.Attempts+1
					}
				})
				return
			}
			w.FailingSince = time.Time{}
			w.Letters = slices.DeleteFunc(slices.Clone(w.Letters), func(l Letter) bool { return l.EventID == e.EventID })
		})
	case Delivered:
		return s.with(e.WebhookID, func(w *Webhook) {
			w.FailingSince = time.Time{}
			w.Failing, w.Reached = nil, max(w.Reached, e.Position)
		})
	}
	return s
}

func (s State) register(e Registered) State {
	if _, ok := s.get(e.WebhookID); ok {
		return s
	}
	if s.all == nil {
		s.all, s.deleted = immutable.NewMap[domain.WebhookID, Webhook](nil), immutable.NewList[domain.WebhookID]()
	}
	w := Webhook{
		ID: e.WebhookID, Owner: e.Owner, URL: e.URL, Organization: e.OrganizationID, Type: e.Type, Personal: e.Personal, Generation: 1, Reached: e.After, Version: 1,
		number: s.registered,
	}
	s.all, s.registered = s.all.Set(w.ID, w), s.registered+1
	return s
}

// delete keeps of a webhook that there was one, and forgets the one that was
// deleted longest ago where that makes too many.
func (s State) delete(id domain.WebhookID) State {
	w, ok := s.Webhook(id)
	if !ok {
		return s
	}
	s.all = s.all.Set(id, Webhook{ID: id, Owner: w.Owner, Deleted: true, Version: w.Version + 1, number: w.number})
	if s.deleted = s.deleted.Append(id); s.deleted.Len() > MaxDeleted {
		s.all = s.all.Delete(s.deleted.Get(0))
		s.deleted = s.deleted.Slice(1, s.deleted.Len())
	}
	return s
}

// managed is with for what people do: deliveries begin anew with it, an event
// that has failed is tried at once, and whether the receiver fails for long is
// counted from then.
func (s State) managed(id domain.WebhookID, change func(*Webhook)) State {
	return s.with(id, func(w *Webhook) {
		w.Version++
		w.FailingSince = time.Time{}
		if w.Failing != nil {
			f := *w.Failing
			f.NextAt = f.At
			w.Failing = &f
		}
		change(w)
	})
}

// with changes a copy of one webhook that is not deleted.
func (s State) with(id domain.WebhookID, change func(*Webhook)) State {
	w, ok := s.Webhook(id)
	if !ok {
		return s
	}
	change(&w)
	s.all = s.all.Set(id, w)
	return s
}

// letters changes a copy of the dead letters.
func (w *Webhook) letters(change func(*Letter)) {
	w.Letters = slices.Clone(w.Letters)
	for i := range w.Letters {
		change(&w.Letters[i])
	}
}
