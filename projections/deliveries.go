package projections

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"tenure/domain"
	"tenure/eventstore"
)

// Bounds of the delivery log.
const (
	// MaxDeliveries is how many attempts of a webhook it keeps.
	MaxDeliveries = 1000
	// DeliveriesFor is for how long.
	DeliveriesFor = 30 * 24 * time.Hour
)

// Delivery is the document of an attempt to deliver an event to a webhook. It
// holds no personal data.
type Delivery struct {
	EventID    string     `json:"event_id" format:"uuid"`
	Type       string     `json:"type"`
	At         time.Time  `json:"at"`
	DurationMS int64      `json:"duration_ms" doc:"0 for organizations where the cause is unreachable."`
	Attempt    int        `json:"attempt" doc:"At this event, counted from 1."`
	Outcome    string     `json:"outcome" enum:"delivered,failed,given_up"`
	Status     int        `json:"status,omitempty" doc:"Of the answer; missing where there was none."`
	Cause      string     `json:"cause,omitempty" doc:"Why it failed: unreachable, tls_failed, timed_out, not_https, or status_ and the answer's; to operators also refused_address, which organizations see as unreachable."`
	NextAt     *time.Time `json:"next_at,omitempty" doc:"When it is tried again."`
	Retry      bool       `json:"retry,omitempty" doc:"A dead letter was tried once more."`
}

// The outcomes of a Delivery.
const (
	OutcomeDelivered = "delivered"
	OutcomeFailed    = "failed"
	OutcomeGivenUp   = "given_up"
)

// DeliveryLog is what was tried lately, for people to look at. It is no view: the
// log of events does not hold it, and whoever delivers writes it. Nothing rests
// on it, so losing it with the storage loses nothing else.
type DeliveryLog struct {
	storage Storage
	now     func() time.Time
}

// NewDeliveryLog keeps the log in a storage.
func NewDeliveryLog(s Storage, now func() time.Time) *DeliveryLog { return &DeliveryLog{s, now} }

const deliveriesView = "deliveries.v1"

// DeliveriesQuery asks for a page of the attempts of a webhook, the latest first.
type DeliveriesQuery struct {
	Webhook domain.WebhookID
	Outcome string // only these; empty for all
	Cursor  string
	Limit   int // 1 to 200, default 50
}

// Page returns a page. It fails with CodeInvalid. A page with an outcome can be
// short and still have a cursor.
func (l *DeliveryLog) Page(ctx context.Context, q DeliveriesQuery) (Page, error) {
	oldest := l.now().Add(-DeliveriesFor)
	s := scan{view: deliveriesView, partition: string(q.Webhook), descending: true, cursor: q.Cursor, limit: q.Limit, asks: []string{q.Outcome}}
	s.keep = func(row Row) (keep, last bool, err error) {
		var d Delivery
		err = json.Unmarshal(row.Body, &d)
		return q.Outcome == "" || q.Outcome == d.Outcome, d.At.Before(oldest), err
	}
	return s.page(ctx, l.storage)
}

// Add adds attempts in their order, and drops the oldest ones beyond the bounds.
// Two nodes that add at the same time can lose what one of them adds.
func (l *DeliveryLog) Add(ctx context.Context, id domain.WebhookID, attempts []Delivery) error {
	attempts = attempts[max(0, len(attempts)-MaxDeliveries):]
	last, err := l.last(ctx, id)
	if err != nil {
		return err
	}
	change := Change{Partition: string(id)}
	for i, d := range attempts {
		body, err := json.Marshal(d)
		if err != nil {
			return err
		}
		number := last + 1 + eventstore.Position(i)
		change.Puts = append(change.Puts, Document{ID: timelineID(number), Body: body})
		if number > MaxDeliveries {
			change.Deletes = append(change.Deletes, timelineID(number-MaxDeliveries))
		}
	}
	expired, err := l.expired(ctx, id)
	if err != nil {
		return err
	}
	for _, old := range expired {
		if !slices.Contains(change.Deletes, old) {
			change.Deletes = append(change.Deletes, old)
		}
	}
	return l.storage.Apply(ctx, []Batch{{View: deliveriesView, Changes: []Change{change}}})
}

// last is the number of the newest attempt, zero for none.
func (l *DeliveryLog) last(ctx context.Context, id domain.WebhookID) (number eventstore.Position, err error) {
	rows, _, err := l.storage.Range(ctx, deliveriesView, RangeQuery{Partition: string(id), Descending: true, Limit: 1})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	for _, digit := range rows[0].ID {
		number = 10*number + eventstore.Position(digit-'0')
	}
	return number, nil
}

// expired lists some of those that are too old, the oldest first.
func (l *DeliveryLog) expired(ctx context.Context, id domain.WebhookID) (ids []string, err error) {
	const some = 20
	rows, _, err := l.storage.Range(ctx, deliveriesView, RangeQuery{Partition: string(id), Limit: some})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		var d Delivery
		if err := json.Unmarshal(row.Body, &d); err != nil {
			return nil, err
		}
		if d.At.Before(l.now().Add(-DeliveriesFor)) {
			ids = append(ids, row.ID)
		}
	}
	return ids, nil
}

// Forget drops all attempts of a webhook.
func (l *DeliveryLog) Forget(ctx context.Context, id domain.WebhookID) error {
	rows, _, err := l.storage.Range(ctx, deliveriesView, RangeQuery{Partition: string(id), Limit: 2 * MaxDeliveries})
	if err != nil || len(rows) == 0 {
		return err
	}
	change := Change{Partition: string(id)}
	for _, row := range rows {
		change.Deletes = append(change.Deletes, row.ID)
	}
	return l.storage.Apply(ctx, []Batch{{View: deliveriesView, Changes: []Change{change}}})
}
