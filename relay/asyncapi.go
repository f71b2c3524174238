package relay

import (
	"encoding/json"
	"net/url"
	"strings"
)

type object = map[string]any

// AsyncAPI is the AsyncAPI 3 document of the feed, made of the same types as the
// events, and of the brokers that it is published to; with hosts it says where
// these are. Version is that of the program.
func (f *Feed) AsyncAPI(version string, brokers []Publication, hosts bool) ([]byte, error) {
	public, err := url.Parse(f.config.PublicURL)
	if err != nil {
		return nil, err
	}
	schemas, messages := object{"event": envelopeSchema()}, object{}
	inChannel, sent := object{}, []any{}
	for _, name := range f.Types() {
		shown := f.render.forms[name]
		data, err := shown.document()
		if err != nil {
			return nil, err
		}
		schemas[name] = inComponents(data, name)
		messages[name] = object{
			"name": name, "title": name, "summary": shown.says, "contentType": "application/cloudevents+json",
			"payload": object{"allOf": []any{
				object{"$ref": "#/components/schemas/event"},
				object{"type": "object", "properties": object{"type": object{"const": name}, "data": object{"$ref": "#/components/schemas/" + name}}},
			}},
		}
		inChannel[name] = object{"$ref": "#/components/messages/" + name}
		sent = append(sent, object{"$ref": "#/channels/events/messages/" + name})
	}
	document := object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": "Tenure events", "version": version,
			"description": "What happens in organizations, as CloudEvents 1.0: pages, NDJSON and server-sent events at GET /v1/events, with one cursor; and webhooks, whose deliveries have one event each as the body.",
		},
		"defaultContentType": "application/json",
		"servers":            object{"tenure": object{"host": public.Host, "pathname": strings.TrimSuffix("/"+strings.Trim(public.Path, "/"), "/") + "/", "protocol": public.Scheme, "security": []any{object{"$ref": "#/components/securitySchemes/bearer"}}}},
		"channels": object{"events": object{
			"address": "v1/events", "title": "Events", "servers": []any{object{"$ref": "#/servers/tenure"}}, "messages": inChannel,
			"description": "Ordered by position; the sequence of an organization's events counts from 1 without gaps.",
		}},
		"operations": object{"sendEvents": object{
			"action": "send", "channel": object{"$ref": "#/channels/events"}, "messages": sent,
			"summary":  "Answers with the events after a cursor.",
			"bindings": object{"http": object{"method": "GET", "query": querySchema(), "bindingVersion": "0.3.0"}},
		}},
		"components": object{
			"schemas": schemas, "messages": messages,
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer", "description": "An API key with the scope events.read, or the session of a member who may read the history."}},
		},
	}
	for _, b := range brokers {
		b.describe(document, f.Types(), hosts)
	}
	return json.Marshal(document)
}

// inComponents moves the definitions that a schema brings along to where its
// references lead in the document.
func inComponents(schema object, name string) any {
	text, err := json.Marshal(schema)
	if err != nil {
		panic(err) // it was made of JSON
	}
	moved := strings.ReplaceAll(string(text), `"#/$defs/`, `"#/components/schemas/`+name+`/$defs/`)
	var document any
	if err := json.Unmarshal([]byte(moved), &document); err != nil {
		panic(err)
	}
	return document
}

func querySchema() object {
	return object{"type": "object", "properties": object{
		"cursor": object{"type": "string"}, "limit": object{"type": "integer"}, "organization": object{"type": "string", "format": "uuid"},
		"type": object{"type": "string"}, "wait": object{"type": "integer"},
	}}
}

// envelopeSchema is that of the attributes of every event.
func envelopeSchema() object {
	text := func(says string, more ...any) object {
		property := object{"type": "string", "description": says}
		for i := 0; i+1 < len(more); i += 2 {
			property[more[i].(string)] = more[i+1]
		}
		return property
	}
	return object{
		"type": "object", "description": "A CloudEvent 1.0 in the JSON format.",
		"required": []any{"specversion", "id", "source", "type", "time", "sequence", "cursor", "organization", "actorkind", "datacontenttype", "dataschema", "data"},
		"properties": object{
			"specversion":     text("The version of CloudEvents.", "const", "1.0"),
			"id":              text("The event's id: the same whenever and however it is delivered.", "format", "uuid"),
			"source":          text("The organization's address.", "format", "uri"),
			"type":            text("The event's type; its name ends in the version of its form."),
			"subject":         text("What of the organization it is about, as a path below the source; missing where that is all of it."),
			"time":            text("When it happened, by the clock of the node that decided.", "format", "date-time"),
			"sequence":        text("The event's place in its organization, counted from 1 without gaps, with leading zeros.", "pattern", "^[0-9]{20}$"),
			"cursor":          text("Send it as cursor, or as Last-Event-ID, to get what comes after the event."),
			"organization":    text("The organization's id.", "format", "uuid"),
			"actorkind":       text("By whose decision.", "enum", []any{"account", "api_key", "process", "public"}),
			"actorid":         text("The id of the account or key, or the name of the process."),
			"reason":          text("The actor's own words. Personal data: left out for keys without the scope."),
			"causationid":     text("The id of the event that led to this one."),
			"correlationid":   text("The X-Request-Id of the request that it began with."),
			"datacontenttype": text("What data is.", "const", "application/json"),
			"dataschema":      text("Where the JSON Schema of data is.", "format", "uri"),
			"data":            object{"type": "object", "description": "What has changed, with the values before and after."},
		},
	}
}
