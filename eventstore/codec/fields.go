package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/keyring"
)

// sealedFields are the personal fields of a struct, and of the structs in its lists.
type sealedFields struct {
	fields []sealedField
	lists  []sealedList
}

func (s sealedFields) none() bool { return len(s.fields)+len(s.lists) == 0 }

// sealedList is a list of structs with personal fields.
type sealedList struct {
	index int // in the struct that has it
	of    sealedFields
}

// sealedField is a personal field with what sealing needs to know.
type sealedField struct {
	name     string // in JSON, after the names of the lists that it stands in
	index    int    // in the struct
	subject  int    // index of the field that says whose it is
	form     form
	pointer  bool // to a text, or nil
	optional bool // it may be nobody's
}

// text is the text of a field, the zero Value for none.
func (f sealedField) text(v reflect.Value) reflect.Value {
	text := v.Field(f.index)
	if f.pointer {
		return text.Elem()
	}
	return text
}

// set gives the field another text. A text behind a pointer may be somebody else's
// too, so it gets another one.
func (f sealedField) set(v reflect.Value, text string) {
	if f.pointer {
		own := text
		v.Field(f.index).Set(reflect.ValueOf(&own))
		return
	}
	v.Field(f.index).SetString(text)
}

// whose is the subject of a field.
func (f sealedField) whose(v reflect.Value) string { return v.Field(f.subject).String() }

// pseudonym stands for the value of an erased subject.
func (f sealedField) pseudonym(keys *keyring.Ring, subject string) string {
	p := domain.Pseudonym(keys.Pseudonym(subject))
	switch f.form {
	case formEmail:
		return string(p.Email())
	case formUsername:
		return string(p.Username())
	case formID:
		return p.Text()
	case formText:
		return domain.ErasedText
	case formEmpty:
		return ""
	}
	return p.DisplayName()
}

// seal gives the fields of a struct the form that the log holds. What v shares with
// others is not changed.
func (s sealedFields) seal(keys *keyring.Ring, id eventstore.ID, name string, v reflect.Value, find func(subject string) (person, error)) error {
	for _, f := range s.fields {
		text := f.text(v)
		if !text.IsValid() || text.Len() == 0 {
			continue
		}
		subject := f.whose(v)
		if subject == "" {
			if f.optional {
				continue
			}
			return fmt.Errorf("codec: %s does not say whose %s it holds", name, f.name)
		}
		p, err := find(subject)
		if err != nil {
			return err
		}
		if p.destroyed {
			f.set(v, f.pseudonym(keys, subject))
			continue
		}
		f.set(v, seal(p.key, text.String(), bound(id, name, f.name, subject)))
	}
	for _, list := range s.lists {
		field := v.Field(list.index)
		if field.Len() == 0 {
			continue
		}
		own := reflect.MakeSlice(field.Type(), field.Len(), field.Len())
		reflect.Copy(own, field)
		field.Set(own)
		for i := range own.Len() {
			if err := list.of.seal(keys, id, name, own.Index(i), find); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s sealedFields) open(c *Codec, id eventstore.ID, name string, v reflect.Value) error {
	for _, f := range s.fields {
		field := f.text(v)
		if !field.IsValid() {
			continue
		}
		text := field.String()
		if !strings.HasPrefix(text, sealedPrefix) {
			continue
		}
		subject := f.whose(v)
		if subject == "" && f.optional { // somebody has written what looks like it
			continue
		}
		plain, err := c.open(text, subject, bound(id, name, f.name, subject))
		switch {
		case errors.Is(err, keyring.ErrDestroyed):
			plain = f.pseudonym(c.keys, subject)
		case errors.Is(err, errWithheld):
			plain = f.form.withheld(subject)
		case err != nil:
			return err
		}
		f.set(v, plain)
	}
	for _, list := range s.lists {
		field := v.Field(list.index)
		for i := range field.Len() {
			if err := list.of.open(c, id, name, field.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}
