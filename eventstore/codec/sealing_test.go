package codec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/keyring"
	"tenure/keyring/sqlite"
)

// vault is a keyring with its file, and counts the looks into it.
type vault struct {
	*keyring.Ring
	path           string
	stored, loaded int
}

func newVault(t testing.TB) *vault {
	t.Helper()
	return openVault(t, filepath.Join(t.TempDir(), "keys.db"))
}

// openVault opens the keys again, as another node does.
func openVault(t testing.TB, path string) *vault {
	t.Helper()
	store, err := sqlite.Open(path, sqlite.Options{MayMake: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	masters, err := keyring.NewMasters(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	v := &vault{path: path}
	v.Ring, err = keyring.New(store, masters, keyring.Options{
		Pseudonyms: bytes.Repeat([]byte{2}, 32),
		OnStored:   func(int, time.Duration) { v.stored++ },
		OnLoaded:   func(int, time.Duration) { v.loaded++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func everySample() []domain.Event {
	all := samples()
	for _, e := range additions() {
		all = append(all, e)
	}
	return all
}

// personalTexts are those of an event that must not be in the log.
func personalTexts(e domain.Event) (texts []string) {
	eachPersonal(reflect.ValueOf(e), func(_ reflect.StructField, text, _ string) { texts = append(texts, text) })
	return texts
}

// eachPersonal visits the personal fields that are not empty, and are somebody's.
func eachPersonal(v reflect.Value, visit func(field reflect.StructField, text, subject string)) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct {
			for j := range value.Len() {
				eachPersonal(value.Index(j), visit)
			}
		}
		name, personal := field.Tag.Lookup("personal")
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		if !personal || !value.IsValid() || value.Len() == 0 {
			continue
		}
		for j := range v.NumField() {
			if of, _, _ := strings.Cut(v.Type().Field(j).Tag.Get("json"), ","); of == name && v.Field(j).Len() > 0 {
				visit(field, value.String(), v.Field(j).String())
			}
		}
	}
}

// TestEveryPersonalFieldIsSealed goes through all events that there are.
func TestEveryPersonalFieldIsSealed(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	c, other := codec.NewSealing(v.Ring), codec.NewSealing(openVault(t, v.path).Ring)
	sealed := 0
	for _, sample := range everySample() {
		e, err := c.Encode(anEventID(), sample, aMetadata())
		is.NoErr(err)
		for _, text := range personalTexts(sample) {
			quoted, err := json.Marshal(text)
			is.NoErr(err)
			is.True(!bytes.Contains(e.Data, quoted))
			sealed++
		}
		is.True(!bytes.Contains(e.Metadata, []byte("asked for it")))
		r := eventstore.Recorded{Event: e, Stream: "stream-1"}
		decoded, err := other.Decode(r)
		is.NoErr(err)
		is.Equal(decoded.Event, sample)
		is.Equal(decoded.Metadata, aMetadata())
		_, err = codec.New().Decode(r)
		is.True(errors.Is(err, codec.ErrSealed)) // never what is sealed in place of what is
	}
	is.True(sealed > 20)
}

func TestPlainEventsStayReadable(t *testing.T) {
	is := is.New(t)
	c := codec.NewSealing(newVault(t).Ring)
	for _, sample := range samples() {
		decoded, err := c.Decode(recorded(t, sample.EventType()))
		is.NoErr(err)
		is.Equal(decoded.Event, sample)
	}
	e, err := c.Drafting().Encode(anEventID(), domain.Event(registered()), aMetadata())
	is.NoErr(err)
	plain, err := codec.New().Encode(anEventID(), domain.Event(registered()), aMetadata())
	is.NoErr(err)
	is.Equal(e, plain)
}

func registered() account.Registered {
	return account.Registered{AccountID: anAccount, Email: "ada@example.com", DisplayName: "Ada", Language: "en"}
}

// TestSealedValuesAreBound moves a sealed value to where it was not sealed.
func TestSealedValuesAreBound(t *testing.T) {
	is := is.New(t)
	c := codec.NewSealing(newVault(t).Ring)
	encode := func(e domain.Event) eventstore.Event {
		encoded, err := c.Encode(anEventID(), e, aMetadata())
		is.NoErr(err)
		return encoded
	}
	whole := encode(registered())
	_, err := c.Decode(eventstore.Recorded{Event: whole})
	is.NoErr(err)
	other := registered()
	other.AccountID = anotherAccount
	var mine, others map[string]string
	is.NoErr(json.Unmarshal(whole.Data, &mine))
	is.NoErr(json.Unmarshal(encode(other).Data, &others))

	moved := map[string]func(*eventstore.Event){
		"to another event": func(e *eventstore.Event) { e.ID[0]++ },
		"to another type": func(e *eventstore.Event) {
			e.Type = "organization.join_requested.v1"
		},
		"to another field": func(e *eventstore.Event) {
			e.Data = bytes.Replace(e.Data, []byte(mine["display_name"]), []byte(mine["email"]), 1)
		},
		"to another person": func(e *eventstore.Event) {
			e.Data = bytes.Replace(e.Data, []byte(mine["email"]), []byte(others["email"]), 1)
		},
		"with a bit less": func(e *eventstore.Event) {
			e.Data = bytes.Replace(e.Data, []byte(mine["email"]), []byte(mine["email"][:40]), 1)
		},
		"of another form": func(e *eventstore.Event) {
			e.Data = bytes.Replace(e.Data, []byte(mine["email"]), []byte("tnr_sealed1.zzzz"), 1)
		},
		"with a key that is lost": func(e *eventstore.Event) {
			e.Data = bytes.Replace(e.Data, []byte("tnr_sealed1.0001"), []byte("tnr_sealed1.0002"), 1)
		},
		"with another reason": func(e *eventstore.Event) {
			e.Metadata = []byte(`{"actor":{"kind":"public"},"at":"2030-05-06T06:08:09Z","reason":"` + mine["email"] + `"}`)
		},
	}
	for name, move := range moved {
		e := whole
		e.Data, e.Metadata = bytes.Clone(whole.Data), bytes.Clone(whole.Metadata)
		move(&e)
		_, err := c.Decode(eventstore.Recorded{Event: e, Stream: "stream-1"})
		if !errors.Is(err, codec.ErrSealed) || strings.Contains(err.Error(), "ada@") || strings.Contains(err.Error(), mine["email"]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestErasedPeople have a pseudonym in the form of each field, at every node.
func TestErasedPeople(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	c := codec.NewSealing(v.Ring)
	var encoded []eventstore.Recorded
	all, subjects := everySample(), []string{string(anAccount), string(anotherAccount), string(anInvitation), string(anErasure)}
	for _, sample := range all {
		e, err := c.Encode(anEventID(), sample, aMetadata())
		is.NoErr(err)
		encoded = append(encoded, eventstore.Recorded{Event: e})
		eachPersonal(reflect.ValueOf(sample), func(_ reflect.StructField, _, subject string) { subjects = append(subjects, subject) })
	}
	is.NoErr(v.Destroy(context.Background(), subjects...))
	other := codec.NewSealing(openVault(t, v.path).Ring)
	for i, sample := range all {
		e, err := c.Decode(encoded[i])
		is.NoErr(err)
		again, err := other.Decode(encoded[i])
		is.NoErr(err)
		is.Equal(e, again)
		is.Equal(e.Metadata.Reason, codec.ErasedReason)
		for _, text := range personalTexts(e.Event) {
			for _, before := range personalTexts(sample) {
				is.True(text != before)
			}
		}
		checkForms(t, e.Event)
		// Written now it is the same, without a key.
		w, err := c.Encode(anEventID(), sample, aMetadata())
		is.NoErr(err)
		is.True(!bytes.Contains(w.Data, []byte("tnr_sealed")))
		now, err := codec.New().Decode(eventstore.Recorded{Event: w})
		is.NoErr(err)
		is.Equal(now.Event, e.Event)
		is.Equal(now.Metadata.Reason, codec.ErasedReason)
	}
}

func checkForms(t *testing.T, e domain.Event) {
	t.Helper()
	is := is.New(t)
	eachPersonal(reflect.ValueOf(e), func(field reflect.StructField, text, _ string) {
		erased := field.Tag.Get("erased")
		switch {
		case field.Type == reflect.TypeFor[domain.Email]():
			_, err := domain.ParseEmail("email", text)
			is.NoErr(err)
			is.True(strings.HasSuffix(text, ".invalid"))
		case field.Type == reflect.TypeFor[domain.Username]():
			_, err := domain.ParseUsername("username", text)
			is.NoErr(err)
		case erased == "text":
			is.Equal(text, domain.ErasedText)
		case field.Tag.Get("secret") == "true" || erased == "empty":
			is.Fail() // there is nothing
		case erased == "":
			_, err := domain.ParseDisplayName("display_name", text)
			is.NoErr(err)
			is.True(strings.HasPrefix(text, "Erased person "))
		}
	})
}

// TestReasons are sealed under whom the event is about, or who said it.
func TestReasons(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	c := codec.NewSealing(v.Ring)
	m := aMetadata()
	m.Reason = "Grace is ill."
	encode := func(e domain.Event, by domain.Actor) eventstore.Recorded {
		m.Actor = by
		encoded, err := c.Encode(anEventID(), e, m)
		is.NoErr(err)
		return eventstore.Recorded{Event: encoded}
	}
	about := encode(organization.MemberRemoved{OrganizationID: anOrganization, AccountID: anotherAccount, Roles: []domain.Role{"ADMIN"}}, domain.ByAccount(anAccount))
	said := encode(organization.Renamed{OrganizationID: anOrganization, Before: "a", After: "b"}, domain.ByAccount(anAccount))
	nobody := encode(organization.Renamed{OrganizationID: anOrganization, Before: "a", After: "b"}, domain.ByAPIKey(anAPIKey))
	is.True(!bytes.Contains(about.Metadata, []byte("Grace")))
	is.True(!bytes.Contains(said.Metadata, []byte("Grace")))
	is.True(bytes.Contains(nobody.Metadata, []byte("Grace")))
	reason := func(r eventstore.Recorded) string {
		e, err := c.Decode(r)
		is.NoErr(err)
		return e.Metadata.Reason
	}
	is.NoErr(v.Destroy(context.Background(), string(anotherAccount)))
	is.Equal(reason(about), codec.ErasedReason)
	is.Equal(reason(said), m.Reason)
	is.NoErr(v.Destroy(context.Background(), string(anAccount)))
	is.Equal(reason(said), codec.ErasedReason)
	is.Equal(reason(nobody), m.Reason)
}

// TestBatch has two nodes begin batches about the same new people.
func TestBatch(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	v := newVault(t)
	w := openVault(t, v.path)
	one, two := codec.NewSealing(v.Ring).Batch(), codec.NewSealing(w.Ring).Batch()
	var ofOne, ofTwo []eventstore.Event
	for i := range 40 {
		e := registered()
		e.AccountID = domain.AccountID([]byte{'a' + byte(i/2)})
		id := eventstore.ID{1, byte(i)}
		first, err := one.Encode(id, e, aMetadata())
		is.NoErr(err)
		second, err := two.Encode(id, e, aMetadata())
		is.NoErr(err)
		ofOne, ofTwo = append(ofOne, first), append(ofTwo, second)
	}
	sizes := make([]int, len(ofTwo))
	for i := range ofTwo {
		sizes[i] = ofTwo[i].Size()
	}
	is.NoErr(one.Settle(ctx, ofOne))
	is.NoErr(v.Destroy(ctx, "a"))
	is.NoErr(two.Settle(ctx, ofTwo))
	is.Equal(v.stored, 1) // all keys in one commit
	is.Equal(w.stored, 1)

	late := openVault(t, v.path)
	c := codec.NewSealing(late.Ring)
	for i, events := range [][]eventstore.Event{ofOne, ofTwo} {
		for j, e := range events {
			decoded, err := c.Decode(eventstore.Recorded{Event: e})
			is.NoErr(err)
			email := decoded.Event.(account.Registered).Email
			is.Equal(email == "ada@example.com", j > 1)
			is.True(i == 0 || j < 2 || e.Size() == sizes[j])
		}
	}
}

// TestPrefetch decodes many events about many people with one look for keys.
func TestPrefetch(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	c := codec.NewSealing(v.Ring)
	var page []eventstore.Recorded
	for i := range 300 {
		for _, sample := range samples() {
			if j, ok := sample.(organization.MemberJoined); ok {
				j.AccountID = domain.AccountID(string(rune('a' + i)))
				j.DisplayName = `"account_id":"nobody"`
				sample = j
			}
			encoded, err := c.Encode(anEventID(), sample, aMetadata())
			is.NoErr(err)
			page = append(page, eventstore.Recorded{Event: encoded})
		}
	}
	other := openVault(t, v.path)
	c = codec.NewSealing(other.Ring)
	for range 2 {
		is.NoErr(c.Prefetch(context.Background(), page))
		for _, r := range page {
			_, err := c.Decode(r)
			is.NoErr(err)
		}
	}
	is.Equal(other.loaded, 1)
	is.NoErr(codec.New().Prefetch(context.Background(), page))
}

// went is moved in an older form, of which only the JSON is left.
type went struct {
	Who   string `json:"who"`
	Place string `json:"place" personal:"who"`
}

func (went) EventType() string { return "test.went.v1" }

func TestOlderFormsAreOpenedBeforeTheUpcast(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	then, err := codec.Build([]codec.Entry{codec.Registered[went]()}, nil)
	is.NoErr(err)
	encoded, err := then.Sealing(v.Ring).Encode(anEventID(), went{Who: "ada", Place: "London"}, aMetadata())
	is.NoErr(err)
	is.True(!bytes.Contains(encoded.Data, []byte("London")))

	now, err := codec.Build([]codec.Entry{codec.Registered[moved]()}, []codec.Upcast{
		codec.From("test.went.v1", "test.moved.v3", func(data json.RawMessage) (json.RawMessage, error) {
			return bytes.Replace(data, []byte(`"place"`), []byte(`"where"`), 1), nil
		}).Sealed(codec.OlderField{Name: "place", Subject: "who", Erased: "id"}),
	})
	is.NoErr(err)
	now.Sealing(v.Ring)
	r := eventstore.Recorded{Event: encoded}
	is.NoErr(now.Prefetch(context.Background(), []eventstore.Recorded{r}))
	e, err := now.Decode(r)
	is.NoErr(err)
	is.Equal(e.Event, moved{Who: "ada", Where: "London"})
	is.NoErr(v.Destroy(context.Background(), "ada"))
	e, err = now.Decode(r)
	is.NoErr(err)
	is.Equal(e.Event, moved{Who: "ada", Where: "erased-" + v.Pseudonym("ada")})
}
