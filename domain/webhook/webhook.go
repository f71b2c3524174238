// Package webhook is the aggregate of the webhooks of a deployment: where events
// are delivered to, and how that goes. All of them are one aggregate, so their
// list is never behind; what happens at an ordinary delivery is not in it.
//
// A webhook belongs to the operators, or to the organization whose events it
// gets; to nobody who has made or changed it.
package webhook

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/benbjohnson/immutable"

	"tenure/domain"
)

// Bounds.
const (
	MaxWebhooks        = 100 // of the operators
	MaxPerOrganization = 10
	// MaxLetters is how many dead letters a webhook keeps. There is at most one in
	// RetryFor.
	MaxLetters = 1000
	// MaxDeleted is how many webhooks that were deleted are remembered: so that
	// deleting one twice is no mistake, and that their delivery logs are dropped.
	MaxDeleted   = 1000
	maxURLBytes  = 2000
	MaxOverlap   = 7 * 24 * time.Hour // of two secrets
	RetryFor     = 3 * 24 * time.Hour // that one event is tried
	FailFor      = 5 * 24 * time.Hour // that nothing arrives, before a webhook is switched off
	firstRetry   = 5 * time.Second
	longestRetry = 6 * time.Hour
	jitter       = 5 // a pause is up to one part in so many longer
)

// State is all webhooks. States are immutable; two are the same where == says so.
type State struct {
	all        *immutable.Map[domain.WebhookID, Webhook]
	deleted    *immutable.List[domain.WebhookID] // of all, in the order of their end
	registered int                               // how many there ever were
}

// Webhook is one of them.
type Webhook struct {
	ID           domain.WebhookID
	Owner        domain.OrganizationID // empty for the operators
	URL          string
	Organization domain.OrganizationID // whose events; empty for all
	Type         string                // what the types begin with
	Personal     bool
	Generation   int // of the secret, from 1
	OverlapUntil time.Time
	Disabled     string // the cause, empty for none
	Deleted      bool

	Reached      uint64    // everything up to here was delivered or given up, perhaps more
	Replays      int       // how often it went back
	Version      int       // how often it was changed by people
	Failing      *Failure  // of the event whose turn it is
	FailingSince time.Time // nothing has arrived since; zero when something has
	Letters      []Letter  // the dead letters, the oldest first

	number int // in the order of registration
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

// Letter is a dead letter: an event that was given up, and has not arrived since.
type Letter struct {
	GivenUp
	Wanted bool // it is to be tried once more
}

// Wanted lists the dead letters that are to be tried once more.
func (w Webhook) Wanted() []Letter {
	return slices.DeleteFunc(slices.Clone(w.Letters), func(l Letter) bool { return !l.Wanted })
}

// Webhooks lists those that are not deleted, oldest first.
func (s State) Webhooks() []Webhook {
	return s.list(func(w Webhook) bool { return !w.Deleted })
}

// Of lists those of an organization, or of the operators, that are not deleted,
// oldest first.
func (s State) Of(owner domain.OrganizationID) []Webhook {
	return s.list(func(w Webhook) bool { return !w.Deleted && w.Owner == owner })
}

// Deleted lists those that are, and are remembered.
func (s State) Deleted() []domain.WebhookID {
	if s.deleted == nil {
		return nil
	}
	ids := make([]domain.WebhookID, 0, s.deleted.Len())
	for itr := s.deleted.Iterator(); !itr.Done(); {
		_, id := itr.Next()
		ids = append(ids, id)
	}
	return ids
}

func (s State) list(wanted func(Webhook) bool) (found []Webhook) {
	if s.all == nil {
		return nil
	}
	for itr := s.all.Iterator(); !itr.Done(); {
		if _, w, _ := itr.Next(); wanted(w) {
			found = append(found, w)
		}
	}
	slices.SortFunc(found, func(a, b Webhook) int { return cmp.Compare(a.number, b.number) })
	return found
}

// Webhook finds one that is not deleted.
func (s State) Webhook(id domain.WebhookID) (Webhook, bool) {
	w, ok := s.get(id)
	if !ok || w.Deleted {
		return Webhook{}, false
	}
	return w, true
}

// Owns reports whether a webhook is an organization's, also when it is deleted and
// remembered; the operators own all.
func (s State) Owns(owner domain.OrganizationID, id domain.WebhookID) bool {
	w, ok := s.get(id)
	return ok && (owner == "" || w.Owner == owner)
}

// Hopeless reports whether nothing has arrived for so long that the next failure
// switches the webhook off.
func (w Webhook) Hopeless(at time.Time) bool {
	return !w.FailingSince.IsZero() && at.Sub(w.FailingSince) >= FailFor
}

func (s State) get(id domain.WebhookID) (Webhook, bool) {
	if s.all == nil {
		return Webhook{}, false
	}
	return s.all.Get(id)
}

// Register makes a webhook. It fails with CodeInvalid for an id in use, a URL
// that is none, and one more than there may be.
func Register(s State, r Registered) ([]domain.Event, error) {
	if _, used := s.get(r.WebhookID); used {
		return nil, domain.Invalid("id", "Choose another id; this one is in use.")
	}
	most := MaxWebhooks
	if r.Owner != "" {
		most, r.OrganizationID = MaxPerOrganization, r.Owner
	}
	if len(s.Of(r.Owner)) >= most {
		return nil, domain.Invalid("url", fmt.Sprintf("Delete a webhook that is not needed any more; there are %d, as many as there may be.", most))
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
	return []domain.Event{Changed{WebhookID: id, URLBefore: w.URL, URLAfter: to, Owner: w.Owner}}, nil
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
	return []domain.Event{SecretRotated{WebhookID: id, Generation: w.Generation + 1, OverlapUntil: at.Add(overlap), Owner: w.Owner}}, nil
}

// Enable goes on with the deliveries. It fails with CodeNotFound.
func Enable(s State, id domain.WebhookID) ([]domain.Event, error) {
	w, ok := s.Webhook(id)
	switch {
	case !ok:
		return nil, notFound()
	case w.Disabled == "":
		return nil, nil
	}
	return []domain.Event{Enabled{WebhookID: id, Owner: w.Owner}}, nil
}

// Disable stops the deliveries where they are, for a cause, and has recipients
// told. It fails with CodeNotFound.
func Disable(s State, id domain.WebhookID, cause string, recipients []domain.AccountID) ([]domain.Event, error) {
	w, ok := s.Webhook(id)
	switch {
	case !ok:
		return nil, notFound()
	case w.Disabled != "":
		return nil, nil
	}
	return []domain.Event{Disabled{WebhookID: id, Cause: cause, Owner: w.Owner, Recipients: recipients}}, nil
}

// The causes of Disabled.
const (
	CauseOperator      = "operator"      // an operator has stopped it
	CauseAdministrator = "administrator" // a member of the organization has
	CauseGone          = "gone"          // the receiver says that it is gone
	CauseFailing       = "failing"       // nothing has arrived for FailFor
	CausePolicy        = "policy"        // no role of the organization may have it any more
)

// Replay delivers everything after a position again. It fails with CodeNotFound.
func Replay(s State, id domain.WebhookID, after uint64) ([]domain.Event, error) {
	w, ok := s.Webhook(id)
	if !ok {
		return nil, notFound()
	}
	return []domain.Event{Replayed{WebhookID: id, After: after, Owner: w.Owner}}, nil
}

// Retry has dead letters tried once more: those with these ids, or all for none.
// It fails with CodeNotFound, and with CodeInvalid for an id that is not of a dead
// letter.
func Retry(s State, id domain.WebhookID, events []string) ([]domain.Event, error) {
	w, ok := s.Webhook(id)
	if !ok {
		return nil, notFound()
	}
	for _, e := range events {
		if !slices.ContainsFunc(w.Letters, func(l Letter) bool { return l.EventID == e }) {
			return nil, domain.Invalid("event_ids", "Give ids of dead letters of this webhook; /dead-letters lists them.")
		}
	}
	var wanted []string
	for _, l := range w.Letters {
		if !l.Wanted && (len(events) == 0 || slices.Contains(events, l.EventID)) {
			wanted = append(wanted, l.EventID)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	return []domain.Event{RetryRequested{WebhookID: id, EventIDs: wanted, Owner: w.Owner}}, nil
}

// Settle records what has come of trying a dead letter once more: it has arrived,
// or not for a cause.
func Settle(s State, id domain.WebhookID, version int, event, cause string) []domain.Event {
	w, ok := s.Webhook(id)
	if !ok || w.Version != version || !slices.ContainsFunc(w.Letters, func(l Letter) bool { return l.EventID == event && l.Wanted }) {
		return nil
	}
	return []domain.Event{Retried{WebhookID: id, EventID: event, Cause: cause}}
}

// Delete ends a webhook for good. It fails with CodeNotFound for one that never
// was, or is not remembered.
func Delete(s State, id domain.WebhookID) ([]domain.Event, error) {
	w, ok := s.get(id)
	switch {
	case !ok:
		return nil, notFound()
	case w.Deleted:
		return nil, nil
	}
	return []domain.Event{Deleted{WebhookID: id, Owner: w.Owner}}, nil
}

// Attempt is one that has failed.
type Attempt struct {
	EventID         string
	Cause           string
	After, Position uint64 // the positions before the event, and of it

	NotBefore time.Duration // the receiver asks for so long a pause
}

// Fail records a failed attempt: it will be repeated after a pause that grows, or
// the event is given up because it was tried for RetryFor, or the webhook is
// switched off because nothing has arrived for FailFor, and recipients are told.
// What is said of another version of the webhook does not count any more.
func Fail(s State, id domain.WebhookID, version int, a Attempt, at time.Time, recipients []domain.AccountID) []domain.Event {
	w, ok := s.Webhook(id)
	if !ok || w.Version != version || w.Disabled != "" {
		return nil
	}
	attempt, since := 1, at
	if f := w.Failing; f != nil && f.EventID == a.EventID {
		attempt, since = f.Attempt+1, f.Since
	}
	switch {
	case w.Hopeless(at):
		return []domain.Event{Disabled{WebhookID: id, Cause: CauseFailing, Owner: w.Owner, Recipients: recipients}}
	case at.Sub(since) >= RetryFor:
		return []domain.Event{GivenUp{WebhookID: id, EventID: a.EventID, After: a.After, Position: a.Position, Attempts: attempt, Cause: a.Cause}}
	}
	wait := max(pause(id, a.EventID, attempt), min(a.NotBefore, longestRetry))
	return []domain.Event{DeliveryFailed{WebhookID: id, EventID: a.EventID, Attempt: attempt, Cause: a.Cause, NextAt: at.Add(wait), At: at}}
}

// pause is how long to wait after an attempt: 5 s, 10 s, 20 s, …, 6 hours, and up
// to a fifth longer, by chance that is the same for the same attempt, so that
// what has failed together does not come back together.
func pause(id domain.WebhookID, event string, attempt int) time.Duration {
	wait := firstRetry
	for n := attempt; n > 1 && wait < longestRetry; n-- {
		wait *= 2
	}
	wait = min(wait, longestRetry)
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %d", id, event, attempt)
	return wait + time.Duration(h.Sum64()%uint64(wait/jitter))
}

// Reach records how far the deliveries of a version of the webhook have got.
func Reach(s State, id domain.WebhookID, version int, position uint64) []domain.Event {
	if w, ok := s.Webhook(id); !ok || w.Version != version || w.Failing == nil && w.FailingSince.IsZero() && position <= w.Reached {
		return nil
	}
	return []domain.Event{Delivered{WebhookID: id, Position: position}}
}

func notFound() error {
	return domain.Refuse(domain.CodeNotFound, "No such webhook", "Look the webhook up in the list of webhooks.")
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		return domain.Invalid("url", "Leave user and password out of the address: they are not sent. Deliveries are signed, so have the receiver check the signature.")
	}
	if err != nil || len(text) > maxURLBytes || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Fragment != "" || !validPort(u) {
		return domain.Invalid("url", "Give an address such as https://hooks.example.com/tenure.")
	}
	return nil
}

// validPort reports whether an address names a port that there is, or none.
func validPort(u *url.URL) bool {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0 || u.Port() == "" && !strings.HasSuffix(u.Host, ":")
}
