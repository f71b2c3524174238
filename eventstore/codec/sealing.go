package codec

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/keyring"
)

// # Sealing
//
// A personal field that is not empty stands in the log as a JSON string
//
//	tnr_sealed1.<generation>.<base64url of nonce and ciphertext>
//
// AES-256-GCM under the key of the subject that the field's tag names, bound to
// the event's id, its wire name, the field's name and the subject: a sealed value
// that is moved elsewhere does not open. What the log holds in plain, from before
// there was sealing, is read as it is.
//
// A subject need not be a person. What somebody has written, and may be about
// anybody, has a subject of its own (domain.ValueID), so that it can be erased alone.
// An event may have lists of such values; their keys are made and fetched together.
//
// The reason of a decision may name people, so it is sealed as well: under the
// person that the event is about (its account_id, or else its invitation_id, or
// else who is to become the owner, or else the erasure_id of one who has no
// account), and where there is none, under the account whose words they are. The reason that an
// operator gives for what is about nobody stays in plain.
//
// A value whose subject was erased reads as a pseudonym in the right form, always
// the same, so that folds and views need to know nothing of it; see
// sealedField.pseudonym. One whose key is missing and was not destroyed is an
// error: the keys do not belong to this log.

// ErrSealed says that a sealed value cannot be opened: the codec has no keys, its
// key is missing, or the value is not what was sealed there.
var ErrSealed = errors.New("codec: a sealed value does not open")

// sealedPrefix says what a sealed value is, and in which version of the form.
const sealedPrefix = "tnr_sealed1."

// reasonField is what a sealed reason is bound to; no field has this name.
const reasonField = "metadata.reason"

// NewSealing is the codec for every event of Tenure, with the keys to seal and
// open what is personal in them.
func NewSealing(keys *keyring.Ring) *Codec {
	c := New()
	c.keys, c.seals = keys, true
	return c
}

// Drafting is the codec for events that are not to be kept, as those of a dry
// run: it opens what c opens and seals nothing, so that no key is made for them.
func (c *Codec) Drafting() *Codec {
	d := *c
	d.seals, d.drafts = false, true
	return &d
}

// form is the form of a field's pseudonym.
type form int

const (
	formName     form = iota // a person's name
	formEmail                // an address that no mail reaches
	formUsername             // a username
	formID                   // an opaque text
	formText                 // what somebody has written
	formEmpty                // nothing
)

// person is a subject with the newest key, or the mark that there is none.
type person struct {
	key       *keyring.Key
	destroyed bool
}

// ErasedReason stands for the reason of a decision about an erased person.
const ErasedReason = domain.ErasedText

// subjectOfReason is the person under whom the reason of an event is sealed; empty where
// there is none.
func (e *entry) subjectOfReason(v reflect.Value, by domain.Actor) string {
	if e.about >= 0 {
		if subject := v.Field(e.about).String(); subject != "" {
			return subject
		}
	}
	if id, ok := by.Account(); ok {
		return string(id)
	}
	return ""
}

// sealAll gives the fields of an event, and its reason, the form that the log
// holds. Find answers with the newest key of a subject.
func (e *entry) sealAll(keys *keyring.Ring, id eventstore.ID, v reflect.Value, m *Metadata, find func(subject string) (person, error)) error {
	if err := e.sealed.seal(keys, id, e.name, v, find); err != nil {
		return err
	}
	if m.Reason == "" {
		return nil
	}
	subject := e.subjectOfReason(v, m.Actor)
	if subject == "" {
		return nil
	}
	switch p, err := find(subject); {
	case err != nil:
		return err
	case p.destroyed:
		m.Reason = ErasedReason
	default:
		m.Reason = seal(p.key, m.Reason, bound(id, e.name, reasonField, subject))
	}
	return nil
}

// openAll takes back what sealAll did, in a struct of the form e.
func (e *entry) openAll(c *Codec, id eventstore.ID, v reflect.Value) error {
	if len(e.sealed.lists) > 0 {
		if err := c.prefetchLists(e.sealed, v); err != nil {
			return err
		}
	}
	return e.sealed.open(c, id, e.name, v)
}

// aboutAsked reports whether an event is about who is asked to become the owner.
func (e *entry) aboutAsked() bool {
	return e.about >= 0 && jsonName(e.form.Field(e.about)) == askedField
}

// openReason opens the reason of an event that was recorded under name.
func (e *entry) openReason(c *Codec, id eventstore.ID, name string, event domain.Event, m *Metadata) error {
	if !strings.HasPrefix(m.Reason, sealedPrefix) {
		return nil
	}
	subject := e.subjectOfReason(reflect.ValueOf(event), m.Actor)
	if subject == "" { // nothing is sealed under nobody: somebody has written what looks like it
		return nil
	}
	open := func(subject string) (string, error) {
		return c.unseal(m.Reason, subject, bound(id, name, reasonField, subject))
	}
	plain, err := open(subject)
	if actor, ok := m.Actor.Account(); ok && errors.Is(err, ErrSealed) && e.aboutAsked() {
		// Reasons of transfers were sealed under the owner's key once.
		if former, failed := open(string(actor)); failed == nil || errors.Is(failed, keyring.ErrDestroyed) {
			plain, err = former, failed
		}
	}
	if c.drafts && errors.Is(err, ErrSealed) {
		return nil
	}
	switch {
	case errors.Is(err, keyring.ErrDestroyed):
		plain = ErasedReason
	case errors.Is(err, errWithheld):
		plain = WithheldReason
	case err != nil:
		return err
	}
	m.Reason = plain
	return nil
}

// openRaw opens an event in an older form, before it is upcast.
func (c *Codec) openRaw(id eventstore.ID, name string, personal []OlderField, data json.RawMessage) (json.RawMessage, error) {
	if len(personal) == 0 || !strings.Contains(string(data), sealedPrefix) {
		return data, nil
	}
	var object map[string]json.RawMessage
	if err := unmarshal(data, &object); err != nil {
		return nil, malformed("data", err)
	}
	for _, older := range personal {
		var text, subject string
		if json.Unmarshal(object[older.Name], &text) != nil || !strings.HasPrefix(text, sealedPrefix) {
			continue
		}
		if err := json.Unmarshal(object[older.Subject], &subject); err != nil {
			return nil, malformed("data", err)
		}
		plain, err := c.open(text, subject, bound(id, name, older.Name, subject))
		switch {
		case errors.Is(err, keyring.ErrDestroyed):
			plain = sealedField{form: older.form()}.pseudonym(c.keys, subject)
		case errors.Is(err, errWithheld):
			plain = older.form().withheld(subject)
		case err != nil:
			return nil, err
		}
		if object[older.Name], err = json.Marshal(plain); err != nil {
			return nil, err
		}
	}
	return json.Marshal(object)
}

func (c *Codec) open(text, subject string, bound []byte) (string, error) {
	plain, err := c.unseal(text, subject, bound)
	if c.drafts && errors.Is(err, ErrSealed) { // a draft holds in plain what people write, whatever it looks like
		return text, nil
	}
	return plain, err
}

func (c *Codec) unseal(text, subject string, bound []byte) (string, error) {
	switch {
	case c.withholds:
		return "", errWithheld
	case c.keys == nil:
		return "", fmt.Errorf("%w: this program reads without keys", ErrSealed)
	}
	generation, encoded, ok := strings.Cut(text[len(sealedPrefix):], ".")
	n, err := strconv.ParseUint(generation, 16, 16)
	if !ok || err != nil {
		return "", fmt.Errorf("%w: it has another form", ErrSealed)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("%w: it has another form", ErrSealed)
	}
	key, err := c.keys.Find(subject, int(n))
	if err != nil {
		return "", unavailable(err)
	}
	plain, err := key.Open(sealed, bound)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSealed, err)
	}
	return string(plain), nil
}

// unavailable says of keys that cannot be reached that the log cannot: it is of
// no use without them.
func unavailable(err error) error {
	switch {
	case errors.Is(err, keyring.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	case errors.Is(err, keyring.ErrDestroyed), errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("%w: %w", ErrSealed, err)
}

// seal makes a sealed value. Its length depends on nothing but that of the text.
func seal(key *keyring.Key, text string, bound []byte) string {
	sealed := key.Seal(make([]byte, 0, len(text)+keyring.Overhead), []byte(text), bound)
	b := make([]byte, 0, len(sealedPrefix)+5+base64.RawURLEncoding.EncodedLen(len(sealed)))
	b = append(b, sealedPrefix...)
	for shift := 12; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[key.Generation>>shift&0xf])
	}
	return string(base64.RawURLEncoding.AppendEncode(append(b, '.'), sealed))
}

// bound is what a sealed value belongs to.
func bound(id eventstore.ID, name, field, subject string) []byte {
	b := make([]byte, 0, len(id)+len(name)+len(field)+len(subject)+2)
	b = append(append(b, id[:]...), name...)
	b = append(append(b, 0), field...)
	return append(append(b, 0), subject...)
}
