package history

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/projections"
	"tenure/projections/memory"
)

// Step is an event of an organization's life, for people: what has happened in
// words, by whom, and what was before and is after it.
type Step struct {
	projections.TimelineEntry
	Words   string
	By      string   // the name of the account whose decision it was, or what decided
	Changes []Became // in the order in which they matter
}

// Decider is By for who needs the id as well, as Decision.By is in a review.
func (s Step) Decider() string {
	if id, ok := s.Actor.Account(); ok && s.By != string(id) {
		return s.By + " (" + string(id) + ")"
	}
	return s.By
}

// Became is a value before and after an event; an empty one is none.
type Became struct{ What, Before, After string }

// Range is a stretch of time or of the log, with both ends; the zero Moment is no
// end. Like an instant of As of, an end goes by when events take effect.
type Range struct{ From, Until Moment }

func (r Range) has(p eventstore.Position, takes time.Time) bool {
	after := r.From.isNow() || r.From.Position > 0 && p >= r.From.Position || r.From.Position == 0 && !takes.Before(r.From.Instant)
	before := r.Until.isNow() || r.Until.Position > 0 && p <= r.Until.Position || r.Until.Position == 0 && !takes.After(r.Until.Instant)
	return after && before
}

// Timeline is a reader of the whole timeline of an organization, folded from the
// log; its entries are those of the view. It fails as At does.
func (h *History) Timeline(ctx context.Context, org domain.OrganizationID) (*projections.Reader, error) {
	x, n, err := h.locate(ctx, org, Moment{})
	if err != nil {
		return nil, err
	}
	storage := memory.New()
	replay, err := projections.NewReplay(storage, []projections.Definition{projections.TimelineView()})
	if err != nil {
		return nil, err
	}
	for from := 0; from < n; from += foldChunk {
		decoded, err := h.read(ctx, x, x.entries[from:min(n, from+foldChunk)])
		if err != nil {
			return nil, err
		}
		events := make([]projections.Event, len(decoded))
		for i, e := range decoded {
			events[i] = projections.Event{Envelope: e.Envelope, Recorded: e.recorded}
		}
		if err := replay.Apply(ctx, events); err != nil {
			return nil, err
		}
	}
	return projections.NewReader(storage, 0).Opening(h.commands.Codec), nil
}

// Steps goes through the life of an organization, or of one account in it, from
// its beginning. It fails as At does.
func (h *History) Steps(ctx context.Context, org domain.OrganizationID, account domain.AccountID, in Range, visit func(Step) error) error {
	reader, err := h.Timeline(ctx, org)
	if err != nil {
		return err
	}
	list := func(account domain.AccountID, each func(projections.TimelineEntry) error) error {
		var failed error
		err := everything(func(cursor string) (projections.Page, error) {
			if failed != nil {
				return projections.Page{}, failed
			}
			return reader.Timeline(ctx, projections.TimelineQuery{Organization: org, Account: account, Order: "asc", Cursor: cursor, Limit: pageLimit})
		}, func(e projections.TimelineEntry, _ []byte) {
			if failed == nil {
				failed = each(e)
			}
		})
		if err != nil {
			return err
		}
		return failed
	}
	about := make(map[eventstore.Position]projections.TimelineEntry)
	if account != "" {
		if err := list(account, func(e projections.TimelineEntry) error {
			about[e.Position] = e
			return nil
		}); err != nil {
			return err
		}
	}
	t := teller{names: make(map[string]string)}
	var takes time.Time
	return list("", func(e projections.TimelineEntry) error {
		if e.At.After(takes) {
			takes = e.At
		}
		step, err := t.tell(e)
		if err != nil {
			return err
		}
		if account != "" {
			shown, mine := about[e.Position]
			if !mine {
				return nil
			}
			if step.Roles = shown.Roles; step.Roles != nil {
				step.Changes = append(step.Changes, Became{"roles", joinAll(step.Roles.Before, ", "), joinAll(step.Roles.After, ", ")})
			}
		}
		if !in.has(e.Position, takes) {
			return nil
		}
		return visit(step)
	})
}

// teller puts events into words. It knows what everything was called by then.
type teller struct{ names map[string]string }

func (t *teller) tell(e projections.TimelineEntry) (Step, error) {
	var data map[string]json.RawMessage
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return Step{}, fmt.Errorf("history: an event of the timeline at position %d: %w", e.Position, err)
	}
	t.learn(data, false)
	s := Step{TimelineEntry: e, Words: e.Type, By: strings.TrimSpace(string(e.Actor.Kind) + " " + e.Actor.ID)}
	if id, ok := e.Actor.Account(); ok {
		s.By = t.called(string(id))
	}
	told, known := words[e.Type]
	if known {
		s.Words = t.fill(told.text, data)
	}
	for _, side := range [...]struct{ what, before, after string }{
		{told.what, "before", "after"}, {t.called(text(data["from"])), "from_before", "from_after"}, {t.called(text(data["to"])), "to_before", "to_after"},
	} {
		if data[side.before] != nil || data[side.after] != nil {
			s.Changes = append(s.Changes, Became{side.what, t.value(data[side.before]), t.value(data[side.after])})
		}
	}
	var settings []struct {
		Name          string `json:"name"`
		Before, After json.RawMessage
	}
	if json.Unmarshal(data["changes"], &settings) == nil {
		for _, c := range settings {
			s.Changes = append(s.Changes, Became{c.Name, t.value(c.Before), t.value(c.After)})
		}
	}
	for _, field := range told.gone {
		if was := t.value(data[field]); was != "" {
			s.Changes = append(s.Changes, Became{What: spaced(field), Before: was})
		}
	}
	for _, field := range told.made {
		if is := t.value(data[field]); is != "" {
			s.Changes = append(s.Changes, Became{What: spaced(field), After: is})
		}
	}
	if told.status != (Became{}) {
		s.Changes = append(s.Changes, told.status)
	}
	t.learn(data, true)
	return s, nil
}

// spaced is the name of a field for people.
func spaced(field string) string { return strings.ReplaceAll(field, "_", " ") }

// learn takes note of what things are called: before they are spoken of, those
// that are new; and what they are called from now on.
func (t *teller) learn(data map[string]json.RawMessage, after bool) {
	for _, of := range [...]struct{ id, names string }{
		{"account_id", "display_name email"}, {"invitation_id", "email username"}, {"space_id", "name"},
	} {
		id := text(data[of.id])
		if id == "" {
			continue
		}
		for name := range strings.FieldsSeq(of.names) {
			if called := text(data[name]); called != "" && (after || t.names[id] == "") {
				t.names[id] = called
				break
			}
		}
	}
	if called := text(data["after"]); after && called != "" { // another name; values of other kinds are no text
		for _, of := range [...]string{"account_id", "space_id"} {
			if id := text(data[of]); id != "" {
				t.names[id] = called
			}
		}
	}
}

// called is the name of what has an id.
func (t *teller) called(id string) string {
	if name := t.names[id]; name != "" {
		return name
	}
	return id
}

// fill puts the values of fields into a text, where they stand in braces.
func (t *teller) fill(told string, data map[string]json.RawMessage) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(told, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		field, after, _ := strings.Cut(rest, "}")
		b.WriteString(t.value(data[field]))
		told = after
	}
}

// value is a JSON value in words.
func (t *teller) value(raw json.RawMessage) string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return ""
	}
	return t.say(v)
}

func (t *teller) say(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return t.called(v)
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case []any:
		all := make([]string, len(v))
		for i := range v {
			all[i] = t.say(v[i])
		}
		return strings.Join(all, ", ")
	case map[string]any:
		all := make([]string, 0, len(v))
		for name, is := range v {
			all = append(all, name+" "+t.say(is))
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	return fmt.Sprint(v)
}

// text is a JSON string; empty for anything else.
func text(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s)
	return s
}
