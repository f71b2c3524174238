package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/domain/webhook"
	"tenure/eventstore"
	"tenure/relay"
	sending "tenure/relay/webhook"
)

// WebhookPath is the input of routes below a webhook.
type WebhookPath struct {
	Webhook string `path:"webhook" doc:"The webhook's id." example:"0190d5a1-c3da-7f54-9507-91a2bd6e8f66"`
}

type webhookBody struct {
	URL            string `json:"url" maxLength:"2000" doc:"Where events are delivered to: https, and an address of the public internet, unless the server has --webhooks-private."`
	OrganizationID string `json:"organization_id,omitempty" format:"uuid" doc:"Only the events of this organization."`
	Type           string `json:"type,omitempty" maxLength:"100" doc:"Only events whose type begins with this."`
	Personal       bool   `json:"personal,omitempty" doc:"Leave the personal data in the events."`
	Cursor         string `json:"cursor,omitempty" maxLength:"100" doc:"Deliver what comes after this cursor of the feed. Default head: what happens from now on."`
	Reason         string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type webhookPatch struct {
	URL     *string `json:"url,omitempty" maxLength:"2000" doc:"Where events are delivered to from now on."`
	Enabled *bool   `json:"enabled,omitempty" doc:"false stops the deliveries where they are; true goes on."`
	Reason  string  `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type rotateBody struct {
	OverlapHours int    `json:"overlap_hours,omitempty" minimum:"0" maximum:"168" doc:"How long the secret before signs as well. Default 0."`
	Reason       string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type replayBody struct {
	Cursor string `json:"cursor" maxLength:"100" doc:"Everything after it is delivered again: the replay_cursor of a dead letter, or a cursor of the feed. Empty is everything."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type webhookMade struct {
	WebhookID domain.WebhookID `json:"webhook_id" format:"uuid"`
	Secret    string           `json:"secret,omitempty" doc:"What deliveries are signed with. It is shown in this answer only; rotate it to get another."`
	Receipt
}

type webhookDocument struct {
	WebhookID      domain.WebhookID      `json:"webhook_id" format:"uuid"`
	URL            string                `json:"url"`
	OrganizationID domain.OrganizationID `json:"organization_id,omitempty"`
	Type           string                `json:"type,omitempty"`
	Personal       bool                  `json:"personal"`
	Generation     int                   `json:"secret_generation"`
	Enabled        bool                  `json:"enabled"`
	Cause          string                `json:"disabled_cause,omitempty" enum:"operator,gone" doc:"gone: the receiver has answered 410."`
	Failing        *webhookFailure       `json:"failing,omitempty" doc:"The event whose turn it is, while it cannot be delivered."`
	Failures       []webhookFailure      `json:"recent_failures" doc:"The last 50 attempts that failed, the latest first."`
	DeadLetters    []deadLetter          `json:"dead_letters" doc:"The last 50 events that were given up after three days, the latest first."`
}

type webhookFailure struct {
	EventID string    `json:"event_id"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Cause   string    `json:"cause" doc:"refused_address, unreachable, timed_out, or status_ and the answer's."`
	NextAt  time.Time `json:"next_at" doc:"When it was, or is, tried again."`
}

type deadLetter struct {
	EventID  string `json:"event_id"`
	Attempts int    `json:"attempts"`
	Cause    string `json:"cause"`
	Replay   string `json:"replay_cursor" doc:"Send it to /replay to have this event, and all after it, delivered again."`
}

func (a *API) addWebhooks() {
	operator := Operator(apikey.ScopeOperator)
	const path, hook = "/v1/webhooks", "/v1/webhooks/{webhook}"
	failure := webhookFailure{exampleSession, 2, exampleTime(), "status_503", exampleTime().Add(10 * time.Second)}
	shown := webhookDocument{
		WebhookID: exampleWebhook, URL: exampleHookURL, Type: "organization.member_", Generation: 1, Enabled: true, Failing: &failure,
		Failures: []webhookFailure{failure}, DeadLetters: []deadLetter{{exampleSession, 24, "timed_out", exampleFeedCursor}},
	}
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
	registered := webhook.Registered{WebhookID: exampleWebhook, URL: exampleHookURL, Type: "organization.member_", After: 1042}
	add(a, route{
		id: "list-webhooks", method: http.MethodGet, path: path, tag: "Events", access: operator, status: http.StatusOK,
		summary: "Webhooks", description: "All of them, and how their deliveries go.", response: list[webhookDocument]{Items: []webhookDocument{shown}},
	}, a.listWebhooks)
	add(a, route{
		id: "register-webhook", method: http.MethodPost, path: path, tag: "Events", access: operator, status: http.StatusCreated, created: true,
		summary: "Register a webhook", description: "Has the events of the feed delivered to a URL, signed as Standard Webhooks says, in order, each until it has arrived. At most 100.",
		codes:    []domain.Code{codeCursorAhead},
		request:  webhookBody{URL: exampleHookURL, Type: "organization.member_"},
		response: webhookMade{exampleWebhook, secret, exampleReceipt(registered)},
	}, a.registerWebhook)
	add(a, route{
		id: "webhook", method: http.MethodGet, path: hook, tag: "Events", access: operator, status: http.StatusOK,
		summary: "A webhook", description: "And how its deliveries go.", response: shown,
	}, a.showWebhook)
	add(a, route{
		id: "change-webhook", method: http.MethodPatch, path: hook, tag: "Events", access: operator, status: http.StatusOK,
		summary: "Change a webhook", description: "An event that could not be delivered is tried at once.",
		request:  webhookPatch{URL: new(exampleHookURL)},
		response: exampleReceipt(webhook.Changed{WebhookID: exampleWebhook, URLBefore: "https://old.example.com", URLAfter: exampleHookURL}),
	}, a.changeWebhook)
	add(a, route{
		id: "rotate-webhook-secret", method: http.MethodPost, path: hook + "/rotate-secret", tag: "Events", access: operator, status: http.StatusOK,
		summary: "Give a webhook another secret", description: "For the time of the overlap deliveries have two signatures.",
		request:  rotateBody{OverlapHours: 24},
		response: webhookMade{exampleWebhook, secret, exampleReceipt(webhook.SecretRotated{WebhookID: exampleWebhook, Generation: 2, OverlapUntil: exampleTime()})},
	}, a.rotateWebhook)
	add(a, route{
		id: "replay-webhook", method: http.MethodPost, path: hook + "/replay", tag: "Events", access: operator, status: http.StatusOK,
		summary: "Deliver again", description: "Everything after a cursor, with the same webhook-ids.", codes: []domain.Code{codeCursorAhead},
		request: replayBody{Cursor: exampleFeedCursor}, response: exampleReceipt(webhook.Replayed{WebhookID: exampleWebhook, After: 1042}),
	}, a.replayWebhook)
	add(a, route{
		id: "delete-webhook", method: http.MethodDelete, path: hook, tag: "Events", access: operator, status: http.StatusOK,
		summary: "Delete a webhook", description: "Ends the deliveries.",
		request: reasonBody{"The receiver is gone."}, response: exampleReceipt(webhook.Deleted{WebhookID: exampleWebhook}),
	}, a.deleteWebhook)
}

const (
	exampleWebhook = domain.WebhookID(exampleKey)
	exampleHookURL = "https://hooks.example.com/tenure"
)

func (a *API) listWebhooks(ctx context.Context, _ *call, _ *struct{}) (answer, error) {
	s, err := a.config.Commands.Webhooks(ctx)
	shown := list[webhookDocument]{Items: []webhookDocument{}}
	for _, w := range s.Webhooks() {
		shown.Items = append(shown.Items, a.webhookDocument(w))
	}
	return answer{body: shown}, err
}

func (a *API) showWebhook(ctx context.Context, c *call, _ *WebhookPath) (answer, error) {
	s, err := a.config.Commands.Webhooks(ctx)
	w, ok := s.Webhook(c.webhook())
	if err == nil && !ok {
		err = domain.Refuse(domain.CodeNotFound, "No such webhook", "Look the webhook up in the list of webhooks.")
	}
	return answer{body: a.webhookDocument(w)}, err
}

func (a *API) webhookDocument(w webhook.Webhook) webhookDocument {
	shown := webhookDocument{
		WebhookID: w.ID, URL: w.URL, OrganizationID: w.Organization, Type: w.Type, Personal: w.Personal, Generation: w.Generation,
		Enabled: w.Disabled == "", Cause: w.Disabled, Failures: []webhookFailure{}, DeadLetters: []deadLetter{},
	}
	as := func(f webhook.Failure) webhookFailure {
		return webhookFailure{f.EventID, f.Attempt, f.At, f.Cause, f.NextAt}
	}
	if w.Failing != nil {
		failing := as(*w.Failing)
		shown.Failing = &failing
	}
	for i := len(w.Failures) - 1; i >= 0; i-- {
		shown.Failures = append(shown.Failures, as(w.Failures[i]))
	}
	for i := len(w.Letters) - 1; i >= 0; i-- {
		l := w.Letters[i]
		shown.DeadLetters = append(shown.DeadLetters, deadLetter{l.EventID, l.Attempts, l.Cause, a.config.Feed.CursorAt(eventstore.Position(l.After))})
	}
	return shown
}

func (c *call) webhook() domain.WebhookID { return domain.WebhookID(c.param("webhook")) }

func (a *API) registerWebhook(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body webhookBody
}) (answer, error) {
	b := in.Body
	if err := a.config.Feed.CheckType(b.Type); err != nil {
		return answer{}, err
	}
	if b.Cursor == "" {
		b.Cursor = relay.FromHead
	}
	after, err := a.config.Feed.Position(ctx, b.Cursor)
	if err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, b.Reason)
	if err != nil {
		return answer{}, err
	}
	w := webhook.Registered{URL: b.URL, OrganizationID: domain.OrganizationID(b.OrganizationID), Type: b.Type, Personal: b.Personal}
	id, secret, done, err := do.RegisterWebhook(ctx, r, w, after)
	ans, err := commanded(done, err, func(r Receipt) any { return webhookMade{id, secretText(secret), r} })
	ans.etag = ""
	ans.location = c.fiber.Path() + "/" + string(id)
	return ans, err
}

func secretText(secret []byte) string {
	if secret == nil {
		return "" // of a dry run
	}
	return sending.Text(secret)
}

func (a *API) changeWebhook(ctx context.Context, c *call, in *struct {
	WebhookPath
	NewHeaders
	Body webhookPatch
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.ChangeWebhook(ctx, r, c.webhook(), commands.WebhookChange{URL: in.Body.URL, Enabled: in.Body.Enabled})
	return withoutETag(commanded(done, err, plainly))
}

func (a *API) rotateWebhook(ctx context.Context, c *call, in *struct {
	WebhookPath
	NewHeaders
	Body rotateBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	secret, done, err := do.RotateWebhookSecret(ctx, r, c.webhook(), time.Duration(in.Body.OverlapHours)*time.Hour)
	return withoutETag(commanded(done, err, func(r Receipt) any { return webhookMade{c.webhook(), secretText(secret), r} }))
}

func (a *API) replayWebhook(ctx context.Context, c *call, in *struct {
	WebhookPath
	NewHeaders
	Body replayBody
}) (answer, error) {
	after, err := a.config.Feed.Position(ctx, in.Body.Cursor)
	if err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.ReplayWebhook(ctx, r, c.webhook(), after)
	return withoutETag(commanded(done, err, plainly))
}

func (a *API) deleteWebhook(ctx context.Context, c *call, in *struct {
	WebhookPath
	NewHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.DeleteWebhook(ctx, r, c.webhook())
	return withoutETag(commanded(done, err, plainly))
}

// withoutETag leaves out the revision of a stream that many things share.
func withoutETag(ans answer, err error) (answer, error) {
	ans.etag = ""
	return ans, err
}
