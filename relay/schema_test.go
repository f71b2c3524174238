package relay_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
	"github.com/matryer/is"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/relay"
)

// golden writes every golden event of the feed, and answers with their types.
func (b *bench) golden() (types []string) {
	b.Helper()
	files, err := filepath.Glob("../eventstore/codec/testdata/golden/*.json")
	b.is.NoErr(err)
	inFeed := make(map[string]bool)
	for _, name := range b.feed.Types() {
		inFeed[name] = true
	}
	for _, file := range files {
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "+")
		if !inFeed[name] {
			continue
		}
		text, err := os.ReadFile(file)
		b.is.NoErr(err)
		var recorded struct{ Data, Metadata json.RawMessage }
		b.is.NoErr(json.Unmarshal(text, &recorded))
		b.append(stream(1), []eventstore.Event{{ID: eventstore.ID(uuid.New()), Type: name, Data: recorded.Data, Metadata: recorded.Metadata}})
		types = append(types, name)
	}
	return types
}

// compile compiles a schema as those do who get it from us.
func compile(t testing.TB, at string, text []byte, pointer string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(at, document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(at + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(schema *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// Every golden event of the feed is a CloudEvent to somebody else's library, and
// fits its schema and the AsyncAPI document, with and without personal data.
func TestEveryEventIsAValidCloudEvent(t *testing.T) {
	b := newBench(t)
	types := b.golden()
	b.is.True(len(types) > len(b.feed.Types()))
	asyncAPI, err := b.feed.AsyncAPI("1.2.3", nil, true)
	b.is.NoErr(err)
	known := codec.New()
	for _, personal := range []bool{false, true} {
		events := b.toHead(b.open(relay.Query{Personal: personal}), 1000)
		b.is.Equal(len(events), len(types))
		for i, shown := range events {
			is := is.New(t)
			is.Equal(shown.Type, types[i])
			var e event.Event
			is.NoErr(json.Unmarshal(shown.JSON, &e))
			is.NoErr(e.Validate())
			is.Equal(e.ID(), uuid.UUID(shown.ID).String())
			is.Equal(e.Type(), shown.Type)
			is.Equal(e.Source(), publicURL+"/v1/organizations/"+string(org(1)))
			is.Equal(e.Extensions()["organization"], string(org(1)))
			is.Equal(e.Extensions()["cursor"], b.feed.CursorOf(shown))
			words, there := e.Extensions()["reason"]
			is.Equal(there, personal) // somebody's own words may name anybody
			is.True(!there || words == `She asked for it: <"ünïcode">`)

			schema, ok, err := b.feed.Schema(shown.Type)
			is.NoErr(err)
			is.True(ok)
			is.Equal(e.DataSchema(), publicURL+"/v1/events/schemas/"+shown.Type)
			is.NoErr(validate(compile(t, e.DataSchema(), schema, ""), e.Data()))
			message := compile(t, "mem://asyncapi.json", asyncAPI, "#/components/messages/"+shown.Type+"/payload")
			is.NoErr(validate(message, shown.JSON))
			is.True(validate(message, bytes.Replace(shown.JSON, []byte(`"sequence":"`), []byte(`"sequence":"x`), 1)) != nil)

			var data map[string]any
			is.NoErr(json.Unmarshal(e.Data(), &data))
			for _, field := range known.PersonalFields(shown.Type) {
				_, there := data[field.Name]
				is.True(!there || personal) // personal data is for those who may have it
			}
			if !personal {
				for _, secret := range []string{"@example.com", "Grace", "grace", "Ada"} {
					is.True(!strings.Contains(string(shown.JSON), secret))
				}
			}
		}
	}
}

// A schema is more than a list of names: data of another form does not fit.
func TestSchemasRefuse(t *testing.T) {
	b := newBench(t)
	for _, name := range b.feed.Types() {
		text, _, err := b.feed.Schema(name)
		b.is.NoErr(err)
		schema := compile(t, "mem://"+name, text, "")
		b.is.True(validate(schema, []byte(`[]`)) != nil)
		if name != "command.changed_nothing.v1" {
			b.is.True(validate(schema, []byte(`{}`)) != nil)
			b.is.True(validate(schema, []byte(`{"organization_id":7}`)) != nil)
		}
	}
	_, ok, err := b.feed.Schema("account.password_set.v1")
	b.is.NoErr(err)
	b.is.True(!ok)
}

// The AsyncAPI document is whole: every reference leads somewhere in it, and every
// type is a message of the channel and the operation.
func TestAsyncAPIDocument(t *testing.T) {
	b := newBench(t)
	text, err := b.feed.AsyncAPI("1.2.3", []relay.Publication{
		{Name: "nats", Protocol: "nats", Hosts: []string{"one.internal:4222", "two.internal:4222"}, Address: "tenure.{organization}.{type}", Parameters: map[string]string{"organization": "…", "type": "…"}},
		{Name: "hub", Protocol: "amqps", Hosts: []string{"hub.internal:5671"}, Path: "host", Address: "{type}", Type: "organization.member_", Bindings: map[string]any{"amqp": map[string]any{}}},
		{Name: "nats-2", Protocol: "nats", Hosts: []string{"three.internal:4222"}, Address: "tenure"},
	}, true)
	b.is.NoErr(err)
	var document map[string]any
	b.is.NoErr(json.Unmarshal(text, &document))
	b.is.Equal(document["asyncapi"], "3.0.0")
	at := func(path ...string) map[string]any {
		t.Helper()
		var v any = document
		for _, name := range path {
			object, _ := v.(map[string]any)
			v = object[name]
		}
		object, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("there is no %v", path)
		}
		return object
	}
	b.is.Equal(at("info")["version"], "1.2.3")
	b.is.Equal(at("servers", "tenure")["host"], "members.example.com")
	b.is.Equal(at("servers", "tenure")["protocol"], "https")
	b.is.Equal(len(at("channels", "events", "messages")), len(b.feed.Types()))
	b.is.Equal(len(at("operations", "sendEvents")["messages"].([]any)), len(b.feed.Types()))
	references := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				references++
				path, local := strings.CutPrefix(ref, "#/")
				b.is.True(local)
				at(strings.Split(path, "/")...)
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(document)
	b.is.True(references > 4*len(b.feed.Types()))

	b.is.Equal(at("servers", "broker-nats_2")["host"], "two.internal:4222")
	b.is.Equal(at("servers", "broker-nats-2")["host"], "three.internal:4222") // of another one
	b.is.Equal(len(at("channels", "broker-nats")["servers"].([]any)), 2)
	b.is.Equal(len(at("channels", "broker-nats", "parameters")), 2)
	b.is.Equal(len(at("channels", "broker-nats", "messages")), len(b.feed.Types()))
	b.is.Equal(at("servers", "broker-hub")["pathname"], "/host")
	some := at("channels", "broker-hub", "messages")
	b.is.True(len(some) > 0 && len(some) < len(b.feed.Types()))
	b.is.Equal(len(at("operations", "publish-hub")["messages"].([]any)), len(some))

	// Everybody may read what there is, and not where.
	text, err = b.feed.AsyncAPI("1.2.3", []relay.Publication{{Name: "nats", Protocol: "nats", Hosts: []string{"one.internal:4222", "two.internal:4222"}, Path: "0", Address: "tenure",
		Bindings: map[string]any{"amqp": map[string]any{"exchange": map[string]any{"name": "events", "vhost": "internal"}}}}}, false)
	b.is.NoErr(err)
	b.is.True(!bytes.Contains(text, []byte("internal")) && bytes.Contains(text, []byte(`"exchange":{"name":"events"}`)))
	b.is.NoErr(json.Unmarshal(text, &document))
	b.is.Equal(at("servers", "broker-nats")["host"], "{host}")
	at("servers", "broker-nats", "variables", "host")
	walk(document)
}
