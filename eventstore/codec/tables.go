package codec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tenure/domain"
)

// Field is a field of an event that holds personal data.
type Field struct {
	Name    string // in JSON; that of a struct in a list has the list's name and a dot before it
	Subject string // the JSON name of the field beside it that says whose data it is
	Secret  bool   // a secret's hash: leaves the log in no feed, history or export
}

// PersonalFields lists the fields with personal data of the event with that
// wire name, in the order of its struct; nil when there are none, or the wire
// name is not that of a current form. Do not change the result.
func (c *Codec) PersonalFields(wireName string) []Field { return c.events[wireName].personal }

// Public is the JSON of an event without its secret fields: what of it may leave
// the log. It fails with ErrUnknownEvent.
func (c *Codec) Public(e domain.Event) (json.RawMessage, error) {
	row, ok := c.events[e.EventType()]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownEvent, e.EventType())
	}
	data, err := json.Marshal(e)
	if err != nil || !slices.ContainsFunc(row.personal, func(f Field) bool { return f.Secret }) {
		return data, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	for _, field := range row.personal {
		if field.Secret {
			delete(object, field.Name)
		}
	}
	return json.Marshal(object)
}

// entry is one row of the registry.
type entry struct {
	name     string
	decode   func(data []byte, open func(reflect.Value) error) (domain.Event, error)
	personal []Field
	form     reflect.Type
	sealed   sealedFields
	about    int          // index of the field that says whom the event is about, or -1
	subjects []subjectsAt // where the JSON names subjects
}

// upcast turns the raw JSON of an older form into that of the next one. Personal
// lists what the older form had of personal fields, which are opened before.
type upcast struct {
	from, to string
	personal []OlderField
	change   func(json.RawMessage) (json.RawMessage, error)
}

// OlderField is a personal field of a form that there is no struct of any more.
type OlderField struct {
	Name, Subject string // in JSON
	Erased        string // form of its pseudonym: name, email, username, id, text or empty
}

var forms = map[string]form{"name": formName, "email": formEmail, "username": formUsername, "id": formID, "text": formText, "empty": formEmpty}

func (f OlderField) form() form { return forms[f.Erased] }

func (u upcast) subjects() []subjectsAt {
	var begins []subjectsAt
	for _, f := range u.personal {
		begins = append(begins, subjectsAt{begin: member(f.Subject), ofReason: true})
	}
	return begins
}

// event is the row of one type of events, which has to be a plain struct.
func event[E domain.Event]() entry {
	var zero E
	form := reflect.TypeFor[E]()
	sealed, about := sealedIn(form, ""), aboutWhom(form)
	return entry{
		name:     zero.EventType(),
		form:     form,
		personal: personalFields(form, ""),
		sealed:   sealed,
		about:    about,
		subjects: subjectsIn(form, sealed, about),
		decode: func(data []byte, open func(reflect.Value) error) (domain.Event, error) {
			var e E
			if err := unmarshal(data, &e); err != nil {
				return nil, err
			}
			if !sealed.none() {
				if err := open(reflect.ValueOf(&e).Elem()); err != nil {
					return nil, err
				}
			}
			return e, nil
		},
	}
}

// sealedIn finds the personal fields and their subjects in a struct, and in the
// structs of its lists, whose names begin with prefix. One that is no text, or has no
// subject, is left to the test of the tags.
func sealedIn(form reflect.Type, prefix string) sealedFields {
	var found sealedFields
	for index := range form.NumField() {
		field := form.Field(index)
		if of, ok := structOf(field); ok {
			if inner := sealedIn(of, prefix+jsonName(field)+"."); !inner.none() {
				found.lists = append(found.lists, sealedList{index: index, of: inner})
			}
			continue
		}
		name, personal := field.Tag.Lookup("personal")
		subject := fieldByJSON(form, name)
		if !personal || subject < 0 || form.Field(subject).Type.Kind() != reflect.String || !isText(field.Type) {
			continue
		}
		_, option, _ := strings.Cut(form.Field(subject).Tag.Get("json"), ",")
		found.fields = append(found.fields, sealedField{
			name: prefix + jsonName(field), index: index, subject: subject, form: formOf(field),
			pointer: field.Type.Kind() == reflect.Pointer, optional: option == "omitempty",
		})
	}
	return found
}

// structOf is the struct that a field has a list of.
func structOf(field reflect.StructField) (reflect.Type, bool) {
	if field.Type.Kind() != reflect.Slice || field.Type.Elem().Kind() != reflect.Struct {
		return nil, false
	}
	return field.Type.Elem(), true
}

func isText(kind reflect.Type) bool {
	return kind.Kind() == reflect.String || kind == reflect.TypeFor[*string]()
}

// formOf is the form of a field's pseudonym: by its type, or its tag "erased".
func formOf(field reflect.StructField) form {
	if tag, ok := field.Tag.Lookup("erased"); ok {
		return forms[tag]
	}
	switch {
	case field.Type == reflect.TypeFor[domain.Email]():
		return formEmail
	case field.Type == reflect.TypeFor[domain.Username]():
		return formUsername
	case field.Tag.Get("secret") == "true":
		return formEmpty // no password matches an empty hash
	}
	return formName
}

const askedField = "to"

// aboutWhom is the field that says whom an event is about. Who is asked to become
// the owner is that, rather than the owner who asks: reasons are about them.
func aboutWhom(form reflect.Type) int {
	if i := fieldByJSON(form, "account_id"); i >= 0 {
		return i
	}
	if i := fieldByJSON(form, "invitation_id"); i >= 0 {
		return i
	}
	if i := fieldByJSON(form, askedField); i >= 0 && form.Field(i).Type == reflect.TypeFor[domain.AccountID]() {
		return i
	}
	return fieldByJSON(form, "erasure_id")
}

// subjectsAt is where the JSON of an event names subjects.
type subjectsAt struct {
	begin    string // of the member
	many     bool   // it stands in a list
	ofReason bool   // the reason may be sealed under that one
}

func subjectsIn(form reflect.Type, sealed sealedFields, about int) []subjectsAt {
	var all []subjectsAt
	if about >= 0 {
		all = append(all, subjectsAt{begin: member(jsonName(form.Field(about))), ofReason: true})
	}
	add := func(form reflect.Type, fields []sealedField, many bool) {
		for _, f := range fields {
			begin := member(jsonName(form.Field(f.subject)))
			if !slices.ContainsFunc(all, func(at subjectsAt) bool { return at.begin == begin }) {
				all = append(all, subjectsAt{begin: begin, many: many})
			}
		}
	}
	add(form, sealed.fields, false)
	var walk func(reflect.Type, []sealedList)
	walk = func(form reflect.Type, lists []sealedList) {
		for _, list := range lists {
			of := form.Field(list.index).Type.Elem()
			add(of, list.of.fields, true)
			walk(of, list.of.lists)
		}
	}
	walk(form, sealed.lists)
	return all
}

// member is how a text begins that is a member of an object.
func member(name string) string { return `"` + name + `":"` }

func fieldByJSON(form reflect.Type, name string) int {
	for i := range form.NumField() {
		if jsonName(form.Field(i)) == name {
			return i
		}
	}
	return -1
}

// personalFields reads the tags of a struct, and of the structs in its lists, once.
func personalFields(form reflect.Type, prefix string) []Field {
	var fields []Field
	for field := range form.Fields() {
		if of, ok := structOf(field); ok {
			fields = append(fields, personalFields(of, prefix+jsonName(field)+".")...)
		}
		if subject, ok := field.Tag.Lookup("personal"); ok {
			fields = append(fields, Field{Name: prefix + jsonName(field), Subject: subject, Secret: field.Tag.Get("secret") == "true"})
		}
	}
	return fields
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// build checks that every wire name is there once, and that every chain of
// upcasts ends in a current form.
func build(events []entry, ups []upcast) (*Codec, error) {
	c := &Codec{events: map[string]entry{}, upcasts: map[string]upcast{}}
	for _, e := range events {
		if _, twice := c.events[e.name]; twice {
			return nil, fmt.Errorf("codec: %s is registered twice", e.name)
		}
		e.personal = slices.Clip(e.personal)
		c.events[e.name] = e
	}
	for _, up := range ups {
		if _, twice := c.upcasts[up.from]; twice {
			return nil, fmt.Errorf("codec: two upcasts from %s", up.from)
		}
		if _, current := c.events[up.from]; current {
			return nil, fmt.Errorf("codec: an upcast from %s, which is current", up.from)
		}
		c.upcasts[up.from] = up
	}
	for _, up := range ups {
		name := up.to
		for range ups {
			if next, older := c.upcasts[name]; older {
				name = next.to
			}
		}
		if _, current := c.events[name]; !current {
			return nil, fmt.Errorf("codec: the upcast from %s leads nowhere", up.from)
		}
	}
	return c, nil
}
