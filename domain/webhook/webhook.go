// Package webhook is the aggregate of the webhooks of a deployment: where events
// are delivered to, and how that goes. All of them are one aggregate, since they
// are few; so their list is never behind.
package webhook

import (
	"net/url"
	"slices"
	"time"

	"tenure/domain"
)

// Bounds.
const (
	MaxWebhooks  = 100
	maxURLBytes  = 2000
	maxKept      = 50                 // dead letters and failures that a Webhook shows
	MaxOverlap   = 7 * 24 * time.Hour // of two secrets
	RetryFor     = 3 * 24 * time.Hour // that one event is tried
	firstRetry   = 5 * time.Second
	longestRetry = 6 * time.Hour
)

// State is all webhooks. States are immutable.
type State struct{ all []Webhook }

// Webhook is one of them.
type Webhook struct {
	ID           domain.WebhookID
	URL          string
	Organization domain.OrganizationID // empty for all
	Type         string                // what the types begin with
	Personal     bool
	Generation   int // of the secret, from 1
	OverlapUntil time.Time
	Disabled     string // the cause, empty for none
	Deleted      bool

	Reached  uint64    // everything up to here was delivered or given up, perhaps more
	Replays  int       // how often it went back
	Version  int       // how often it was changed by an operator
	Failing  *Failure  // of the event whose turn it is
	Failures []Failure // the latest ones
	Letters  []GivenUp // the latest dead letters
}

// Failure is an attempt that failed.
type Failure struct {
	EventID string
	Since   time.Time // when the first attempt at the event failed
	At      time.Time
	Attempt int
	Cause   string
	NextAt  time.Time
}

// Webhooks lists those that are not deleted, oldest first. Do not change them.
func (s State) Webhooks() []Webhook {
	return slices.DeleteFunc(slices.Clone(s.all), func(w Webhook) bool { return w.Deleted })
}

// Webhook finds one that is not deleted.
func (s State) Webhook(id domain.WebhookID) (Webhook, bool) {
	i := s.index(id)
	if i < 0 || s.all[i].Deleted {
		return Webhook{}, false
	}
	return s.all[i], true
}

func (s State) index(id domain.WebhookID) int {
	return slices.IndexFunc(s.all, func(w Webhook) bool { return w.ID == id })
}

// Register makes a webhook. It fails with CodeInvalid for an id in use, a URL
// that is none, and one more than MaxWebhooks.
func Register(s State, r Registered) ([]domain.Event, error) {
	if s.index(r.WebhookID) >= 0 {
		return nil, domain.Invalid("id", "Choose another id; this one is in use.")
	}
	if len(s.Webhooks()) >= MaxWebhooks {
		return nil, domain.Invalid("url", "Delete a webhook that is not needed any more; there are as many as there may be.")
	}
	if err := checkURL(r.URL); err != nil {
		return nil, err
	}
	return []domain.Event{r}, nil
}

// Change has the events delivered to another URL. It fails with CodeNotFound and
// CodeInvalid.
func Change(s State, id domain.WebhookID, to string) ([]domain.Event, error) {
	w, ok := s.Webhook(id)
	if !ok {
		return nil, notFound()
	}
	if err := checkURL(to); err != nil {
		return nil, err
	}
	if w.URL == to {
		return nil, nil
	}
	return []domain.Event{Changed{WebhookID: id, URLBefore: w.URL, URLAfter: to}}, nil
}

// RotateSecret begins to sign with a new secret, and for the time of the overlap
// also with the one before. It fails with CodeNotFound and CodeInvalid.
func RotateSecret(s State, id domain.WebhookID, overlap time.Duration, at time.Time) ([]domain.Event, error) {
	w, ok := s.Webhook(id)
	if !ok {
		return nil, notFound()
	}
	if overlap < 0 || overlap > MaxOverlap {
		return nil, domain.Invalid("overlap_hours", "Give 0 to 168 hours.")
	}
	return []domain.Event{SecretRotated{WebhookID: id, Generation: w.Generation + 1, OverlapUntil: at.Add(overlap)}}, nil
}

// Enable goes on with the deliveries, or stops them; for a cause, which is empty
// to go on. It fails with CodeNotFound.
func Enable(s State, id domain.WebhookID, disabled string) ([]domain.Event, error) {
	w, ok := s.Webhook(id)
	switch {
	case !ok:
		return nil, notFound()
	case (w.Disabled == "") == (disabled == ""):
		return nil, nil
	case disabled == "":
		return []domain.Event{Enabled{WebhookID: id}}, nil
	}
	return []domain.Event{Disabled{WebhookID: id, Cause: disabled}}, nil
}

// The causes of Disabled.
const (
	CauseOperator = "operator"
	CauseGone     = "gone"
)

// Replay delivers everything after a position again. It fails with CodeNotFound.
func Replay(s State, id domain.WebhookID, after uint64) ([]domain.Event, error) {
	if _, ok := s.Webhook(id); !ok {
		return nil, notFound()
	}
	return []domain.Event{Replayed{WebhookID: id, After: after}}, nil
}

// Delete ends a webhook for good. It fails with CodeNotFound for one that never
// was.
func Delete(s State, id domain.WebhookID) ([]domain.Event, error) {
	i := s.index(id)
	switch {
	case i < 0:
		return nil, notFound()
	case s.all[i].Deleted:
		return nil, nil
	}
	return []domain.Event{Deleted{WebhookID: id}}, nil
}

// Attempt is one that has failed.
type Attempt struct {
	EventID         string
	Cause           string
	After, Position uint64 // the positions before the event, and of it
}

// Fail records a failed attempt: it will be repeated after a pause that grows, or
// the event is given up because it was tried for RetryFor. What is said of
// another version of the webhook does not count any more.
func Fail(s State, id domain.WebhookID, version int, a Attempt, at time.Time) []domain.Event {
	w, ok := s.Webhook(id)
	if !ok || w.Version != version {
		return nil
	}
	attempt, since := 1, at
	if f := w.Failing; f != nil && f.EventID == a.EventID {
		attempt, since = f.Attempt+1, f.Since
	}
	if at.Sub(since) >= RetryFor {
		return []domain.Event{GivenUp{WebhookID: id, EventID: a.EventID, After: a.After, Position: a.Position, Attempts: attempt, Cause: a.Cause}}
	}
	return []domain.Event{DeliveryFailed{WebhookID: id, EventID: a.EventID, Attempt: attempt, Cause: a.Cause, NextAt: at.Add(pause(attempt))}}
}

// pause is how long to wait after an attempt: 5 s, 10 s, 20 s, …, 6 hours.
func pause(attempt int) time.Duration {
	wait := firstRetry
	for ; attempt > 1 && wait < longestRetry; attempt-- {
		wait *= 2
	}
	return min(wait, longestRetry)
}

// Reach records how far the deliveries of a version of the webhook have got.
func Reach(s State, id domain.WebhookID, version int, position uint64) []domain.Event {
	if w, ok := s.Webhook(id); !ok || w.Version != version || w.Failing == nil && position <= w.Reached {
		return nil
	}
	return []domain.Event{Delivered{WebhookID: id, Position: position}}
}

func notFound() error {
	return domain.Refuse(domain.CodeNotFound, "No such webhook", "Look the webhook up in the list of webhooks.")
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURLBytes || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return domain.Invalid("url", "Give an address such as https://hooks.example.com/tenure, without a password in it.")
	}
	return nil
}
