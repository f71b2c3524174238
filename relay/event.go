package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Event is an event as it leaves the log.
type Event struct {
	ID           eventstore.ID
	Type         string
	Organization domain.OrganizationID
	Position     eventstore.Position
	Revision     eventstore.Revision // in the organization's stream
	JSON         []byte              // a CloudEvent in the JSON format; shared, never changed
}

// streamPrefix is what the names of organizations' streams begin with.
const streamPrefix = "organization-"

// organizationOf is the organization whose stream an event stands in; ok is
// false for other streams, which are not in the feed.
func organizationOf(r *eventstore.Recorded) (id domain.OrganizationID, ok bool) {
	rest, ok := strings.CutPrefix(r.Stream, streamPrefix)
	return domain.OrganizationID(rest), ok
}

// renderer makes CloudEvents. It does not change.
type renderer struct {
	codec     *codec.Codec
	publicURL string
	cursors   cursors
	forms     map[string]*form // of the types in the feed
}

// form is how the events of one type are shown.
type form struct {
	decision
	guarded  bool // some may see it without its values
	name     string
	event    reflect.Type
	subject  int // the field with the subject's id, -1 for none
	personal part
	plain    part
}

func newRenderer(c *codec.Codec, publicURL string, cursors cursors) (*renderer, error) {
	r := &renderer{codec: c, publicURL: publicURL, cursors: cursors, forms: make(map[string]*form)}
	for _, name := range c.WireNames() {
		d, decided := decisions[name]
		if !decided {
			return nil, fmt.Errorf("relay: whether %s leaves the log is not decided", name)
		}
		if d.says == "" {
			continue
		}
		f := &form{decision: d, name: name, event: c.Form(name), subject: -1}
		f.guarded = f.event.Implements(reflect.TypeFor[domain.Guarded]())
		for i := range f.event.NumField() {
			if d.field != "" && jsonName(f.event.Field(i)) == d.field {
				f.subject = i
			}
		}
		if d.field != "" && f.subject < 0 {
			return nil, fmt.Errorf("relay: %s has no field %s", name, d.field)
		}
		f.personal, f.plain = partOf(f.event, true), partOf(f.event, false)
		r.forms[name] = f
	}
	return r, nil
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// types lists the types of the feed, sorted.
func (r *renderer) types() []string { return slices.Sorted(maps.Keys(r.forms)) }

// filter selects the types of the feed that begin with prefix. Of what the log
// hands out, only what stands in an organization's stream is in the feed. It
// fails with ErrType.
func (r *renderer) filter(prefix string) (eventstore.Filter, error) {
	kinds := make(map[string]bool)
	for name := range r.forms {
		if strings.HasPrefix(name, prefix) {
			kind, _, _ := strings.Cut(name, ".")
			kinds[kind+"."] = true
		}
	}
	switch {
	case len(kinds) == 0:
		return eventstore.Filter{}, ErrType
	case prefix != "":
		return eventstore.Filter{TypePrefixes: []string{prefix}}, nil
	}
	return eventstore.Filter{TypePrefixes: slices.Sorted(maps.Keys(kinds))}, nil
}

// view is what somebody may see of events.
type view struct {
	personal bool
	reads    func(domain.Permission) bool // the values of guarded events; nil for none
}

func (v view) may(p domain.Permission) bool { return v.reads != nil && v.reads(p) }

// guarded reports whether events of a type, as the log has it, may look different to
// who may read their values. Of an older form nobody knows before it is decoded.
func (r *renderer) guarded(recordedType string) bool {
	f, current := r.forms[recordedType]
	return !current || f.guarded
}

// event shows one. It fails for an event that this program does not know.
func (r *renderer) event(recorded eventstore.Recorded, to view) (Event, error) {
	e, err := r.codec.Decode(recorded)
	if err != nil {
		return Event{}, err
	}
	e.Event = domain.ShownTo(e.Event, to.may)
	f, ok := r.forms[e.Event.EventType()]
	organization, ofOne := organizationOf(&recorded)
	if !ok || !ofOne {
		return Event{}, fmt.Errorf("relay: %s in stream %s, revision %d: %w", recorded.Type, recorded.Stream, recorded.Revision, errNotInFeed)
	}
	value := reflect.ValueOf(e.Event)
	shown := f.plain
	if to.personal {
		shown = f.personal
	}
	data, err := shown.of(value)
	if err != nil {
		return Event{}, err
	}
	return Event{
		ID: e.ID, Type: f.name, Organization: organization, Position: e.Position, Revision: e.Revision,
		JSON: r.envelope(f, &e, organization, value, data, to.personal),
	}, nil
}

var errNotInFeed = errors.New("the event is not for the feed")

// envelope writes the attributes. Those that need no quoting are written as
// they are. The actor's words may name anybody: they are personal data, as they
// are in the log.
func (r *renderer) envelope(f *form, e *codec.Envelope, organization domain.OrganizationID, value reflect.Value, data []byte, personal bool) []byte {
	m := &e.Metadata
	b := make([]byte, 0, 600+len(m.Reason)+len(data))
	b = append(append(b, `{"specversion":"1.0","id":"`...), uuid.UUID(e.ID).String()...)
	b = append(append(append(b, `","source":"`...), r.publicURL...), "/v1/organizations/"...)
	b = append(append(append(b, organization...), `","type":"`...), f.name...)
	if f.subject >= 0 {
		b = append(append(append(b, `","subject":"`...), f.collection...), '/')
		b = append(b, value.Field(f.subject).String()...)
	}
	b = m.OccurredAt.UTC().AppendFormat(append(b, `","time":"`...), time.RFC3339Nano)
	b = appendSequence(append(b, `","sequence":"`...), e.Revision)
	b = r.cursors.append(append(b, `","cursor":"`...), e.Position)
	b = append(append(b, `","organization":"`...), organization...)
	b = append(append(b, `","actorkind":"`...), m.Actor.Kind...)
	b = append(b, '"')
	b = appendOptional(b, "actorid", m.Actor.ID)
	if personal {
		b = appendOptional(b, "reason", m.Reason)
	}
	b = appendOptional(b, "causationid", m.Causation)
	b = appendOptional(b, "correlationid", m.Correlation)
	b = append(append(b, `,"datacontenttype":"application/json","dataschema":"`...), r.schemaURL(f.name)...)
	return append(append(append(b, `","data":`...), data...), '}')
}

func (r *renderer) schemaURL(name string) string { return r.publicURL + schemaPath + name }

const schemaPath = "/v1/events/schemas/"

// sequenceDigits are those that a uint64 can have: sequences have to be in order
// as texts too.
const sequenceDigits = 20

// appendSequence writes the place in the stream, counted from 1.
func appendSequence(b []byte, revision eventstore.Revision) []byte {
	var digits [sequenceDigits]byte
	written := strconv.AppendUint(digits[:0], uint64(revision)+1, 10)
	for range sequenceDigits - len(written) {
		b = append(b, '0')
	}
	return append(b, written...)
}

// appendOptional writes an attribute that is not empty. CloudEvents have no
// control characters in them: each becomes a space.
func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	quoted, err := json.Marshal(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, value))
	if err != nil {
		panic(err) // strings can be marshaled
	}
	return append(b, quoted...)
}
