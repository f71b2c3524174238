package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/relay"
)

// The event feed (X9). Its three forms are the same loop over a relay.Reader: a
// page, everything up to the end of the log, everything from now on.

const (
	ndjson      = "application/x-ndjson"
	eventStream = "text/event-stream"

	defaultEvents = 100  // of a page
	mostEvents    = 1000 // of a page
	streamBatch   = 256  // events between two looks at everything else
	emptyBatches  = 20   // of a page, in which there was nothing of the type
	longestWait   = 20   // seconds

	// recheckEvery is how long a stream goes on for somebody who may not read it
	// any more.
	recheckEvery = time.Second
)

type feedInput struct {
	Cursor       string `query:"cursor" maxLength:"100" doc:"Answers with what comes after: a next_cursor, or the cursor of an event. Without one with the first event; head is the end of the log." example:"AAAAAAAAAAEAAAAA"`
	Limit        int    `query:"limit" minimum:"1" maximum:"1000" doc:"Most events of a page. Default 100. Not for streams."`
	Organization string `query:"organization" maxLength:"100" doc:"Only the events of this organization. A key may leave it out; a member names one."`
	Type         string `query:"type" maxLength:"100" doc:"Only events whose type begins with this." example:"organization.member_"`
	Wait         int    `query:"wait" minimum:"0" maximum:"20" doc:"Seconds to wait for an event where a page would have none. Not for streams."`
	LastEventID  string `header:"Last-Event-ID" doc:"What browsers send to go on with a stream of server-sent events: the same as cursor, and wins." example:"AAAAAAAAAAEAAAAA"`
}

// feedEvent is a relay.Event as its JSON is.
type feedEvent struct {
	SpecVersion     string         `json:"specversion" enum:"1.0" doc:"Of CloudEvents."`
	ID              string         `json:"id" format:"uuid" doc:"The same whenever and however the event is delivered."`
	Source          string         `json:"source" format:"uri" doc:"The organization's address."`
	Type            string         `json:"type"`
	Subject         string         `json:"subject,omitempty" doc:"What of the organization it is about, as a path below the source; missing where that is all of it."`
	Time            time.Time      `json:"time"`
	Sequence        string         `json:"sequence" pattern:"^[0-9]{20}$" doc:"The place in the organization, counted from 1 without gaps, with leading zeros."`
	Cursor          string         `json:"cursor" doc:"Send it as cursor to get what comes after the event."`
	Organization    string         `json:"organization" format:"uuid"`
	ActorKind       string         `json:"actorkind" enum:"account,api_key,process,public"`
	ActorID         string         `json:"actorid,omitempty"`
	Reason          string         `json:"reason,omitempty" doc:"The actor's own words."`
	CausationID     string         `json:"causationid,omitempty" doc:"The id of the event that led to this one."`
	CorrelationID   string         `json:"correlationid,omitempty" doc:"The X-Request-Id of the request that it began with."`
	DataContentType string         `json:"datacontenttype" enum:"application/json"`
	DataSchema      string         `json:"dataschema" format:"uri" doc:"Where the JSON Schema of data is."`
	Data            map[string]any `json:"data" doc:"What has changed, with the values before and after. Personal data is in it for keys with the scope events.read_personal; so are the values of settings. Where one may not read a section of the settings, its changes are missing as well, and withheld is true."`
}

type feedPage struct {
	Items      []feedEvent `json:"items"`
	NextCursor string      `json:"next_cursor" doc:"Where the next page begins, also when there is nothing there yet."`
	Head       bool        `json:"head" doc:"The page has come to the end of the log."`
}

func (a *API) addFeed() {
	shown := exampleReceipt(exampleRolesChanged()).Events[0]
	event := feedEvent{
		SpecVersion: "1.0", ID: exampleSession, Source: a.config.PublicURL + "/v1/organizations/" + exampleOrganization, Type: shown.Type,
		Subject: "members/" + exampleGrace, Time: exampleTime(), Sequence: "00000000000000000008", Cursor: exampleFeedCursor, Organization: exampleOrganization,
		ActorKind: "account", ActorID: exampleAda, Reason: "Takes over the office in Paris.", CorrelationID: exampleSession,
		DataContentType: fiber.MIMEApplicationJSON, DataSchema: a.config.PublicURL + "/v1/events/schemas/" + shown.Type, Data: shown.Data,
	}
	line := string(mustEncode(event))
	add(a, route{
		id: "events", method: http.MethodGet, path: "/v1/events", tag: "Events", access: MemberOrAll(domain.ReadHistory, apikey.ScopeReadEvents), status: http.StatusOK,
		summary: "The event feed",
		description: "What happens in organizations, as CloudEvents 1.0, in the order of the log: pages, or by the header Accept all of it up to now (" + ndjson +
			"), or all of it and whatever comes (" + eventStream + "). One cursor is good for all three, and for every filter. " +
			"Members read the events of an organization where their role allows history.read; API keys with the scope events.read those of all.",
		codes:    []domain.Code{domain.CodeInvalid, codeCursorAhead, codeTooManyStreams},
		response: feedPage{Items: []feedEvent{event}, NextCursor: event.Cursor, Head: true},
		streams: []stream{
			{ndjson, "An event on each line, up to the end of the log; then it ends. A connection that breaks off has not come there.", line + "\n"},
			{eventStream, "An event in each data field, its cursor in id; a heartbeat is an id alone.", "id: " + event.Cursor + "\ndata: " + line + "\n\n"},
		},
	}, a.feed)
	add(a, route{
		id: "event-schema", method: http.MethodGet, path: "/v1/events/schemas/{type}", tag: "Events", access: Public(), status: http.StatusOK, words: []string{"type"},
		summary: "The form of a type of events", description: "The JSON Schema of data.",
		response: map[string]any{"title": shown.Type, "type": "object"}, contentType: schemaType,
	}, a.eventSchema)
}

const (
	schemaType        = "application/schema+json"
	exampleFeedCursor = "AAAAAAAAAAEAAAAA"
)

func mustEncode(v any) []byte {
	text, err := encode(v)
	if err != nil {
		panic(err) // an example of our own
	}
	return text
}

func (a *API) eventSchema(_ context.Context, c *call, _ *struct {
	Type string `path:"type" doc:"A type of events." example:"organization.roles_changed.v1"`
}) (answer, error) {
	schema, ok, err := a.config.Feed.Schema(c.param("type"))
	if err == nil && !ok {
		err = domain.Refuse(domain.CodeNotFound, "No such type", "Take a type from /asyncapi.json.")
	}
	return answer{raw: schema, contentType: schemaType, cache: "no-cache"}, err
}

func (a *API) feed(ctx context.Context, c *call, in *feedInput) (answer, error) {
	cursor := in.Cursor
	if in.LastEventID != "" {
		cursor = in.LastEventID
	}
	now := a.config.Commands.Now()
	personal := c.caller.Key.Allows(apikey.ScopeReadPersonal, now)
	f := &follower{api: a, caller: c.caller.Actor, organization: c.organization(), membership: c.membership, checked: now}
	reads := relay.All(personal)
	if c.caller.Actor.Kind != domain.ActorAPIKey {
		reads = f.reads
	}
	var err error
	f.reader, err = a.config.Feed.Open(ctx, relay.Query{
		Organization: c.organization(), Newest: c.newest, Type: in.Type, Cursor: cursor, Personal: personal, Reads: reads,
	})
	if err != nil {
		return answer{}, err
	}
	accept := c.fiber.Get(fiber.HeaderAccept)
	f.secret, _ = a.secret(c)
	switch {
	case strings.Contains(accept, eventStream):
		return f.begin(c, "sse", eventStream, f.follow)
	case strings.Contains(accept, ndjson):
		return f.begin(c, "ndjson", ndjson, f.export)
	}
	return f.page(ctx, c, in)
}

// follower is somebody who reads the feed.
type follower struct {
	api          *API
	reader       *relay.Reader
	caller       domain.Actor
	organization domain.OrganizationID
	secret       string
	membership   commands.Membership // of a member
	checked      time.Time           // when the caller was found to be allowed
	form         string
}

// place takes the caller's place among the open streams.
func (f *follower) place() (give func(), err error) {
	return f.api.streams.take(string(f.caller.Kind) + " " + f.caller.ID)
}

// begin answers with a stream.
func (f *follower) begin(c *call, form, contentType string, write func(context.Context, io.Writer) error) (answer, error) {
	give, err := f.place()
	if err != nil {
		return answer{}, err
	}
	f.form = form
	id := c.id
	f.api.stream(c, contentType, func(ctx context.Context, w io.Writer) error {
		defer give()
		err := write(ctx, w)
		if err != nil && ctx.Err() == nil && !errors.Is(err, io.ErrClosedPipe) {
			f.api.config.Logger.Error("event stream failed", "form", form, "request_id", id, "error", err.Error())
		}
		return err
	})
	if c.fiber.Context().IsHead() {
		give()
	}
	return answer{sent: true}, nil
}

// page answers with some events, and waits for one if it was asked to.
func (f *follower) page(ctx context.Context, c *call, in *feedInput) (answer, error) {
	limit := in.Limit
	if limit == 0 {
		limit = defaultEvents
	}
	waiting := ctx
	if in.Wait > 0 {
		give, err := f.place()
		if err != nil {
			return answer{}, err
		}
		defer give()
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, time.Duration(in.Wait)*time.Second)
		defer cancel()
		defer context.AfterFunc(f.api.stopping, cancel)()
	}
	var batch relay.Batch
	for tries := 0; ; tries++ {
		var err error
		if batch, err = f.reader.Next(ctx, limit); err != nil {
			return answer{}, err
		}
		if len(batch.Events) > 0 || !batch.Head && tries >= emptyBatches {
			break
		}
		if !batch.Head {
			continue
		}
		if in.Wait == 0 || f.reader.Wait(waiting) != nil {
			break
		}
		if err := f.recheck(ctx); err != nil {
			return answer{}, err // who waited may have lost their access meanwhile, or a role
		}
	}
	f.api.metrics.sent("json", len(batch.Events))
	body := append(make([]byte, 0, 256+700*len(batch.Events)), `{"items":[`...)
	for i, e := range batch.Events {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e.JSON...)
	}
	body = append(append(body, `],"next_cursor":"`...), f.reader.Cursor()...)
	body = append(body, `","head":`...)
	if batch.Head {
		return answer{raw: append(body, "true}"...)}, nil
	}
	return answer{raw: append(body, "false}"...)}, nil
}

// export writes everything up to the end of the log as it is when it gets there.
func (f *follower) export(ctx context.Context, w io.Writer) error {
	for {
		batch, err := f.next(ctx)
		if err != nil {
			return err
		}
		var lines bytes.Buffer
		for _, e := range batch.Events {
			lines.Write(e.JSON)
			lines.WriteByte('\n')
		}
		if err := f.send(w, lines.Bytes(), len(batch.Events)); err != nil || batch.Head {
			return err
		}
	}
}

// follow writes everything that there is and comes, as server-sent events. It
// ends in order when the node stops, or the caller may not read on: whoever
// follows goes on elsewhere, or learns there why not.
func (f *follower) follow(ctx context.Context, w io.Writer) error {
	if err := f.send(w, []byte("retry: 1000\n\n"), 0); err != nil {
		return err
	}
	heartbeat := f.api.config.Streams.Heartbeat
	due := time.Now().Add(heartbeat) // whatever else goes on in the log meanwhile
	for {
		batch, err := f.next(ctx)
		if err != nil {
			return f.ended(ctx, err)
		}
		var events bytes.Buffer
		for _, e := range batch.Events {
			events.WriteString("id: ")
			events.WriteString(f.api.config.Feed.CursorOf(e))
			events.WriteString("\ndata: ")
			events.Write(e.JSON)
			events.WriteString("\n\n")
		}
		if events.Len() == 0 && !time.Now().Before(due) {
			events.WriteString("id: " + f.reader.Cursor() + "\n\n")
		}
		if events.Len() > 0 {
			if err := f.send(w, events.Bytes(), len(batch.Events)); err != nil {
				return err
			}
			due = time.Now().Add(heartbeat)
		}
		if !batch.Head {
			continue
		}
		waiting, cancel := context.WithDeadline(ctx, due)
		_ = f.reader.Wait(waiting) // its end says no more than that it is time
		cancel()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// ended tells an end in order, which is nil, from a failure.
func (f *follower) ended(ctx context.Context, err error) error {
	var refusal *domain.Error
	if ctx.Err() != nil || errors.As(err, &refusal) {
		return nil
	}
	return err
}

// next reads on for a caller who still may.
func (f *follower) next(ctx context.Context) (relay.Batch, error) {
	if ctx.Err() != nil {
		return relay.Batch{}, ctx.Err()
	}
	if now := f.api.config.Commands.Now(); now.Sub(f.checked) >= recheckEvery {
		if err := f.recheck(ctx); err != nil {
			return relay.Batch{}, err
		}
		f.checked = now
	}
	return f.reader.Next(ctx, streamBatch)
}

// recheck fails as the request would now: a session has ended, a key was revoked,
// a member was removed.
func (f *follower) recheck(ctx context.Context) error {
	caller, err := f.api.config.Commands.Authenticate(ctx, f.secret)
	if err != nil || caller.Actor.Kind == domain.ActorAPIKey {
		return err
	}
	if err := account.CheckEnters(caller.Account, f.organization); err != nil {
		return err
	}
	f.membership, err = f.api.config.Commands.Authorize(ctx, caller.Actor, f.organization, domain.ReadHistory)
	return err
}

// reads is as the caller's roles were when they were last looked at.
func (f *follower) reads(permission domain.Permission) bool { return allowed(f.membership, permission) }

func (f *follower) send(w io.Writer, text []byte, events int) error {
	if len(text) == 0 {
		return nil
	}
	_, err := w.Write(text)
	if err == nil {
		f.api.metrics.sent(f.form, events)
	}
	return err
}

// addAsyncAPI serves the AsyncAPI document, which is made once: for everybody, and
// for those who read events with where the brokers are.
func (a *API) addAsyncAPI() error {
	example := map[string]any{"asyncapi": "3.0.0", "info": map[string]any{"title": "Tenure events", "version": a.config.Version}}
	serve := func(hosts bool, r route) error {
		document, err := a.config.Feed.AsyncAPI(a.config.Version, a.config.Publications, hosts)
		if err != nil {
			return err
		}
		r.method, r.tag, r.status, r.response = http.MethodGet, "Events", http.StatusOK, example
		add(a, r, func(context.Context, *call, *struct{}) (answer, error) {
			return answer{raw: document, cache: "no-cache"}, nil
		})
		return nil
	}
	return errors.Join(serve(false, route{
		id: "asyncapi", path: "/asyncapi.json", access: Public(),
		summary: "The AsyncAPI document of the event feed", description: "Every type of events with the JSON Schema of its data, and the channels of the brokers that they are published to.",
	}), serve(true, route{
		id: "asyncapi-with-brokers", path: "/v1/events/asyncapi.json", access: Operator(apikey.ScopeReadEvents),
		summary: "The AsyncAPI document, with the brokers' hosts", description: "As /asyncapi.json, which leaves out where the brokers are. Users and passwords are in neither.",
	}))
}
