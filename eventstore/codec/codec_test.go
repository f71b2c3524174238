package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

func TestEnvelope(t *testing.T) {
	is := is.New(t)
	r := recorded(t, "api_key.revoked.v1")
	e, err := codec.New().Decode(r)
	is.NoErr(err)
	is.Equal(e, codec.Envelope{
		ID: r.ID, Event: apikey.Revoked{APIKeyID: anAPIKey}, Metadata: aMetadata(),
		Stream: r.Stream, Revision: r.Revision, Position: r.Position, RecordedAt: r.RecordedAt,
	})
}

func TestMetadataForm(t *testing.T) {
	is := is.New(t)
	east := time.FixedZone("east", 2*60*60)
	e, err := codec.New().Encode(anEventID(), apikey.Revoked{APIKeyID: anAPIKey}, codec.Metadata{
		Actor: domain.Public(), OccurredAt: time.Date(2030, 5, 6, 1, 8, 9, 120000001, east),
	})
	is.NoErr(err)
	is.Equal(string(e.Metadata), `{"actor":{"kind":"public"},"at":"2030-05-05T23:08:09.120000001Z"}`)
}

func TestUnknownEvents(t *testing.T) {
	is := is.New(t)
	c := codec.New()
	_, err := c.Encode(anEventID(), good{}, aMetadata())
	is.True(errors.Is(err, codec.ErrUnknownEvent))
	r := recorded(t, "api_key.revoked.v1")
	r.Type = "api_key.revoked.v2"
	_, err = c.Decode(r)
	is.True(errors.Is(err, codec.ErrUnknownEvent))
	is.Equal(err.Error(), "codec: unknown event: api_key.revoked.v2, stream stream-1, revision 7")
}

func TestUnknownFieldsAreLeftOut(t *testing.T) {
	is := is.New(t)
	r := recorded(t, "api_key.revoked.v1")
	r.Data = []byte(`{"added":{"later":[1]},"api_key_id":"k"}`)
	r.Metadata = []byte(`{"added":1,"actor":{"kind":"public","added":2},"at":"2030-05-06T06:08:09Z"}`)
	e, err := codec.New().Decode(r)
	is.NoErr(err)
	is.Equal(e.Event, apikey.Revoked{APIKeyID: "k"})
	is.Equal(e.Metadata.Actor, domain.Public())
}

// TestMalformedEvents checks that the error says where the event is, and
// nothing that stands in it.
func TestMalformedEvents(t *testing.T) {
	const private = "s3cr3t"
	for _, data := range []string{
		``, ` `, `null`, `[]`, `"s3cr3t"`, `{`, `{"account_id":"s3cr3t"`, `{"account_id":"s3cr3t"} s3cr3t`,
		`{"generation":"s3cr3t"}`, `{"generation":1.5}`, `{"expires_at":"s3cr3t"}`, `{"account_id":{"s3cr3t":1}}`, `{s3cr3t}`,
	} {
		for _, where := range []string{"data", "metadata"} {
			is := is.New(t)
			r := recorded(t, account.VerificationRequested{}.EventType())
			if where == "data" {
				r.Data = []byte(data)
			} else {
				r.Metadata = []byte(strings.NewReplacer("account_id", "reason", "generation", "actor", "expires_at", "at").Replace(data))
			}
			_, err := codec.New().Decode(r)
			is.True(errors.Is(err, codec.ErrMalformed))
			is.True(strings.Contains(err.Error(), "stream stream-1, revision 7"))
			is.True(strings.Contains(err.Error(), where))
			is.True(!strings.Contains(err.Error(), private))
		}
	}
}

func TestPersonalFields(t *testing.T) {
	is := is.New(t)
	c := codec.New()
	is.Equal(c.PersonalFields(account.PasswordSet{}.EventType()), []codec.Field{{Name: "hash", Subject: "account_id", Secret: true}})
	is.Equal(c.PersonalFields(organization.InvitationOpened{}.EventType()), []codec.Field{
		{Name: "email", Subject: "invitation_id"}, {Name: "username", Subject: "invitation_id"}, {Name: "notify", Subject: "invitation_id"},
	})
	is.Equal(len(c.PersonalFields(apikey.Created{}.EventType())), 0)
	is.Equal(len(c.PersonalFields("test.unknown.v1")), 0)
}

// moved is an event in its third form.
type moved struct {
	Who   string `json:"who"`
	Where string `json:"where"`
	Count int    `json:"count"`
}

func (moved) EventType() string { return "test.moved.v3" }

func TestUpcasts(t *testing.T) {
	is := is.New(t)
	c, err := codec.Build([]codec.Entry{codec.Registered[moved]()}, []codec.Upcast{
		codec.From("test.moved.v2", "test.moved.v3", func(data json.RawMessage) (json.RawMessage, error) {
			return bytes.Replace(data, []byte(`"place"`), []byte(`"where"`), 1), nil
		}),
		codec.From("test.went.v1", "test.moved.v2", func(data json.RawMessage) (json.RawMessage, error) {
			if string(data) == "{}" {
				return nil, errors.New("nobody went s3cr3t")
			}
			return append([]byte(`{"count":1,`), data[1:]...), nil
		}),
	})
	is.NoErr(err)
	for name, data := range map[string]string{
		"test.went.v1":  `{"who":"a","place":"b"}`,
		"test.moved.v2": `{"who":"a","place":"b","count":1}`,
		"test.moved.v3": `{"who":"a","where":"b","count":1}`,
	} {
		r := eventstore.Recorded{Event: eventstore.Event{Type: name, Data: []byte(data), Metadata: []byte(`{}`)}}
		e, err := c.Decode(r)
		is.NoErr(err)
		is.Equal(e.Event, moved{Who: "a", Where: "b", Count: 1})
		is.Equal(string(r.Data), data) // readers share it
	}
	_, err = c.Decode(eventstore.Recorded{Event: eventstore.Event{Type: "test.went.v1", Data: []byte(`{}`), Metadata: []byte(`{}`)}})
	is.True(errors.Is(err, codec.ErrMalformed))
	is.True(!strings.Contains(err.Error(), "s3cr3t"))
	is.Equal(c.WireNames(), []string{"test.moved.v3"})
}

func TestContradictoryTables(t *testing.T) {
	is := is.New(t)
	same := func(data json.RawMessage) (json.RawMessage, error) { return data, nil }
	form := codec.Registered[moved]()
	for name, c := range map[string]struct {
		events []codec.Entry
		ups    []codec.Upcast
	}{
		"a name twice":           {[]codec.Entry{form, form}, nil},
		"two ways from one form": {[]codec.Entry{form}, []codec.Upcast{codec.From("a.b.v1", "test.moved.v3", same), codec.From("a.b.v1", "test.moved.v3", same)}},
		"from a current form":    {[]codec.Entry{form}, []codec.Upcast{codec.From("test.moved.v3", "test.moved.v3", same)}},
		"to no form":             {[]codec.Entry{form}, []codec.Upcast{codec.From("a.b.v1", "a.b.v2", same)}},
		"round in circles":       {[]codec.Entry{form}, []codec.Upcast{codec.From("a.b.v1", "a.b.v2", same), codec.From("a.b.v2", "a.b.v1", same)}},
	} {
		if _, err := codec.Build(c.events, c.ups); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	_, err := codec.Build([]codec.Entry{form}, nil)
	is.NoErr(err)
}

func FuzzDecode(f *testing.F) {
	c := codec.New()
	for _, sample := range samples() {
		e, err := c.Encode(anEventID(), sample, aMetadata())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.Type, e.Data, e.Metadata)
	}
	f.Add("api_key.revoked.v1", []byte(`null`), []byte(`{"actor":{"kind":"public"},"at":"2030-05-06T06:08:09Z"}`))
	f.Add("api_key.revoked.v9", []byte(`{`), []byte(``))
	f.Fuzz(func(t *testing.T, name string, data, metadata []byte) {
		e, err := c.Decode(eventstore.Recorded{Event: eventstore.Event{Type: name, Data: data, Metadata: metadata}})
		if err != nil {
			if !errors.Is(err, codec.ErrMalformed) && !errors.Is(err, codec.ErrUnknownEvent) {
				t.Fatalf("%v", err)
			}
			return
		}
		if e.Event.EventType() != name {
			t.Fatalf("%s decodes to %s", name, e.Event.EventType())
		}
	})
}

// FuzzMetadata compares what is taken apart by hand with encoding/json.
func FuzzMetadata(f *testing.F) {
	for _, m := range []codec.Metadata{{}, aMetadata(), {Actor: domain.Public(), OccurredAt: aTime(), Trace: "t"}} {
		text, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"actor":{"kind":"a","id":"b"},"at":"2030-05-06T06:08:09.5+02:00","reason":"x\ty"}`))
	f.Add([]byte(`{"actor":{"kind":"a"},"at":"2030-5-6T06:08:09Z","correlation":"` + "\x80" + `"}`))
	f.Add([]byte(`{"actor":{"kind":"a"},"at":"2030-05-06T06:08:09Z","at":"2031-05-06T06:08:09Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := codec.ScanMetadata(text)
		if !ok {
			return // encoding/json decides
		}
		var want codec.Metadata
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("encoding/json refuses: %v", err)
		}
		if !got.OccurredAt.Equal(want.OccurredAt) {
			t.Fatalf("%v, encoding/json has %v", got.OccurredAt, want.OccurredAt)
		}
		got.OccurredAt = want.OccurredAt
		if got != want {
			t.Fatalf("%+v, encoding/json has %+v", got, want)
		}
	})
}

// TestMetadataIsScanned makes sure that the usual form takes the short way.
func TestMetadataIsScanned(t *testing.T) {
	is := is.New(t)
	_, m := typical()
	text, err := json.Marshal(m)
	is.NoErr(err)
	got, ok := codec.ScanMetadata(text)
	is.True(ok)
	is.Equal(got, m)
}
