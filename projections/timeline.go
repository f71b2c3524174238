package projections

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// TimelineEntry is the document of an event in an organization's timeline.
type TimelineEntry struct {
	Position    eventstore.Position `json:"position,string"` // opaque, so that nobody counts with it
	Stream      string              `json:"stream"`          // organization, invitation or webhook
	Revision    eventstore.Revision `json:"revision"`        // in that stream
	Type        string              `json:"type"`
	At          time.Time           `json:"at"`
	Actor       domain.Actor        `json:"actor"`
	Reason      string              `json:"reason,omitempty"`
	Correlation string              `json:"correlation,omitempty"`
	CausedBy    string              `json:"caused_by,omitempty"` // an event's id
	Data        json.RawMessage     `json:"data"`                // the event without secrets
	Roles       *RolesMoved         `json:"roles,omitempty"`     // of a change of policy, in the history of a member: the member's own
}

// TimelineQuery asks for a page of an organization's events.
type TimelineQuery struct {
	Organization domain.OrganizationID
	Account      domain.AccountID // only events about this account; empty for all
	Type         string           // only events whose type begins with this; empty for all
	Since        time.Time        // only events that occurred then or later; zero for all
	Until        time.Time        // only events that occurred before; zero for all
	Order        string           // desc (default): the newest first; asc
	Cursor       string
	Limit        int  // 1 to 200, default 50
	NeverMoved   bool // see MembersQuery
}

const timelineView = "timeline.v3"

// clockSkew is by how much the clocks of two nodes may differ. An event whose
// clock was further away can be missing from a page with Since or Until.
const clockSkew = 5 * time.Minute

// Timeline returns a page. It fails with CodeInvalid. A page with a type can be
// short and still have a cursor.
func (r *Reader) Timeline(ctx context.Context, q TimelineQuery) (Page, error) {
	page, err := r.cached(ctx, timelineView, string(q.Organization), q, func(storage Storage) (Page, error) {
		s, err := q.scan()
		if err != nil {
			return Page{}, err
		}
		if q.Account != "" && !q.NeverMoved {
			if s.more, err = q.moved(ctx, storage); err != nil {
				return Page{}, err
			}
		}
		if s.cursor == "" {
			if s.from, err = q.start(ctx, s, storage); err != nil {
				return Page{}, err
			}
		}
		return s.page(ctx, storage)
	})
	if err != nil {
		return Page{}, err
	}
	return r.opened(ctx, page)
}

// InTimeline reports whether the event at a position is in the organization's
// timeline.
func (r *Reader) InTimeline(ctx context.Context, org domain.OrganizationID, p eventstore.Position) (bool, error) {
	bodies, err := r.storage.Documents(ctx, timelineView, []Key{{string(org), timelineID(p)}})
	return err == nil && bodies[0] != nil, err
}

func (q TimelineQuery) scan() (scan, error) {
	if err := checkFilter("account", string(q.Account)); err != nil {
		return scan{}, err
	}
	if err := checkFilter("type", q.Type); err != nil {
		return scan{}, err
	}
	s := scan{
		view: timelineView, partition: string(q.Organization), cursor: q.Cursor, limit: q.Limit,
		asks: []string{q.Type, sortTime(q.Since), sortTime(q.Until)},
	}
	if q.Account != "" {
		s.index, s.prefix = "account", timelineSort(q.Account, "")
	}
	switch q.Order {
	case "", "desc":
		s.descending = true
	case "asc":
	default:
		return scan{}, domain.Invalid("order", "Use desc or asc.")
	}
	if q.Type != "" || !q.Since.IsZero() || !q.Until.IsZero() {
		s.keep = q.keep
	}
	return s, nil
}

func (q TimelineQuery) keep(row Row) (keep, last bool, err error) {
	var e struct {
		Type string    `json:"type"`
		At   time.Time `json:"at"`
	}
	if err := json.Unmarshal(row.Body, &e); err != nil {
		return false, false, err
	}
	early := !q.Since.IsZero() && e.At.Before(q.Since)
	late := !q.Until.IsZero() && !e.At.Before(q.Until)
	if q.Order == "asc" {
		last = late && !e.At.Before(q.Until.Add(clockSkew))
	} else {
		last = early && e.At.Before(q.Since.Add(-clockSkew))
	}
	return !early && !late && strings.HasPrefix(e.Type, q.Type), last, nil
}

// start finds where to begin reading, so that a page in the middle of a long
// timeline costs no more than one at its end: positions and times grow
// together, give or take the clocks, so it is a search by halves.
func (q TimelineQuery) start(ctx context.Context, s scan, storage Storage) (Place, error) {
	bound := q.Since.Add(-clockSkew)
	if s.descending {
		bound = q.Until.Add(clockSkew)
	}
	if s.descending && q.Until.IsZero() || !s.descending && q.Since.IsZero() {
		return Place{}, nil
	}
	probe := RangeQuery{Partition: s.partition, Index: s.index, Prefix: s.prefix, Limit: 1, Descending: true}
	newest, _, err := storage.Range(ctx, s.view, probe)
	if err != nil || len(newest) == 0 {
		return Place{}, err
	}
	probe.Descending = false
	var e TimelineEntry
	if err := json.Unmarshal(newest[0].Body, &e); err != nil {
		return Place{}, err
	}
	// All up to low is before bound; what comes after high is not.
	low, high := eventstore.Position(0), e.Position
	for low < high {
		middle := low + (high-low)/2
		probe.After = q.place(middle)
		rows, _, err := storage.Range(ctx, s.view, probe)
		if err != nil {
			return Place{}, err
		}
		if len(rows) == 0 {
			high = middle
			continue
		}
		if err := json.Unmarshal(rows[0].Body, &e); err != nil {
			return Place{}, err
		}
		if e.At.Before(bound) {
			low = e.Position
		} else {
			high = middle
		}
	}
	if !s.descending {
		return q.place(low), nil
	}
	for _, row := range s.more { // which are not among those that were looked at
		if err := json.Unmarshal(row.Body, &e); err != nil {
			return Place{}, err
		}
		if e.At.Before(bound) {
			low = max(low, e.Position)
		}
	}
	return q.place(low + 1), nil
}

// place is where an event at the position would stand, after all before it.
func (q TimelineQuery) place(p eventstore.Position) Place {
	id := timelineID(p)
	if q.Account == "" {
		return Place{ID: id}
	}
	return Place{Sort: timelineSort(q.Account, id), ID: id}
}

// timelineDoc makes a TimelineEntry; it is written once and never read back.
type timelineDoc struct {
	event    Event
	data     []byte
	reason   string
	sealed   bool // data or reason are
	accounts []domain.AccountID
}

func timeline() View[timelineDoc] {
	public := codec.New()
	return View[timelineDoc]{
		Name:  timelineView,
		Types: []string{"organization.", "invitation.", "webhook."},
		Once:  true,
		Touches: func(e Event) []Key {
			if org := organizationOf(e.Event); org != "" {
				return []Key{{string(org), timelineID(e.Position)}}
			}
			return nil
		},
		Fold: func(_ *timelineDoc, in In[timelineDoc]) *timelineDoc {
			return newTimelineDoc(public, in.Event)
		},
		Entries: func(key Key, d *timelineDoc) []Entry {
			entries := make([]Entry, 0, 2*len(d.accounts)+1)
			for _, account := range d.accounts {
				entries = append(entries, Entry{"account", timelineSort(account, key.ID)})
			}
			return append(entries, rolesEntries(d, key.ID)...)
		},
	}
}

// AppendJSON appends what json.Marshal makes of the TimelineEntry.
func (d *timelineDoc) AppendJSON(b []byte) []byte {
	e, m := &d.event, &d.event.Metadata
	eventType := e.Event.EventType()
	stream, _, _ := strings.Cut(eventType, ".")
	b = slices.Grow(b, 320+len(d.data))
	b = append(b, `{"position":"`...)
	b = strconv.AppendUint(b, uint64(e.Position), 10)
	b = appendString(append(b, `","stream":`...), stream)
	b = strconv.AppendUint(append(b, `,"revision":`...), uint64(e.Revision), 10)
	b = appendString(append(b, `,"type":`...), eventType)
	b = m.OccurredAt.UTC().AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano)
	b = appendString(append(b, `","actor":{"kind":`...), string(m.Actor.Kind))
	b = appendOptional(b, "id", m.Actor.ID)
	b = append(b, '}')
	b = appendOptional(b, "reason", d.reason)
	b = appendOptional(b, "correlation", m.Correlation)
	b = appendOptional(b, "caused_by", m.Causation)
	b = append(append(b, `,"data":`...), d.data...)
	if d.sealed {
		b = d.appendRecorded(b)
	}
	return append(b, '}')
}

// timelineSort orders the events about an account by position.
func timelineSort(account domain.AccountID, id string) string { return string(account) + "." + id }

// timelineID is the position in the 20 digits that a uint64 can have.
func timelineID(p eventstore.Position) string {
	var digits [20]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = '0' + byte(p%10)
		p /= 10
	}
	return string(digits[:])
}
