package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/domain/webhook"
	"tenure/projections"
)

// Webhooks are the same for operators and for organizations: two sets of routes
// over one machinery. An organization finds its own alone.

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

type ownWebhookBody struct {
	URL      string `json:"url" maxLength:"2000" doc:"Where events are delivered to: https, and an address of the public internet."`
	Type     string `json:"type,omitempty" maxLength:"100" doc:"Only events whose type begins with this."`
	Personal bool   `json:"personal,omitempty" doc:"Leave the personal data in the events. Takes members.read besides."`
	Cursor   string `json:"cursor,omitempty" maxLength:"100" doc:"Deliver what comes after this cursor of the feed. Default head: what happens from now on."`
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
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
	Cursor *string    `json:"cursor,omitempty" maxLength:"100" doc:"Everything after it is delivered again: the replay_cursor of a dead letter, or a cursor of the feed. Empty is everything."`
	Since  *time.Time `json:"since,omitempty" doc:"Instead of the cursor: everything since then is delivered again, and what happened a few minutes before; an instant of the last 30 days." example:"2031-03-01T00:00:00Z"`
	Reason string     `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type retryBody struct {
	EventIDs []string `json:"event_ids,omitempty" maxItems:"1000" doc:"The dead letters to try once more. Default all."`
	Reason   string   `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type webhookMade struct {
	WebhookID domain.WebhookID `json:"webhook_id" format:"uuid"`
	Secret    string           `json:"secret,omitempty" doc:"What deliveries are signed with. It is shown in this answer only; rotate it to get another."`
	Receipt
}

type webhookDocument struct {
	WebhookID      domain.WebhookID      `json:"webhook_id" format:"uuid"`
	URL            string                `json:"url" doc:"In full for operators and for those who may manage webhooks; for others scheme and host, and a hash that changes with the address."`
	OrganizationID domain.OrganizationID `json:"organization_id,omitempty"`
	Type           string                `json:"type,omitempty"`
	Personal       bool                  `json:"personal"`
	Generation     int                   `json:"secret_generation"`
	Enabled        bool                  `json:"enabled"`
	Cause          string                `json:"disabled_cause,omitempty" enum:"operator,administrator,gone,failing,policy" doc:"Who has stopped it, or why it was stopped. gone: the receiver has answered 410. failing: nothing has arrived for five days. policy: no role of the organization may have it any more."`
	Failing        *webhookFailure       `json:"failing,omitempty" doc:"The event whose turn it is, while it cannot be delivered."`
	FailingSince   *time.Time            `json:"failing_since,omitempty" doc:"Nothing has arrived since; after five days it is switched off."`
	DeadLetters    int                   `json:"dead_letters" doc:"How many events were given up after three days and have not arrived since."`
}

type webhookFailure struct {
	EventID string    `json:"event_id"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Cause   string    `json:"cause" doc:"unreachable, tls_failed, timed_out, not_https, or status_ and the answer's; to operators also refused_address, for an address that is not of the public internet, which organizations see as unreachable."`
	NextAt  time.Time `json:"next_at" doc:"When it is tried again."`
}

type deadLetter struct {
	EventID  string `json:"event_id" format:"uuid"`
	Attempts int    `json:"attempts"`
	Cause    string `json:"cause"`
	Retrying bool   `json:"retrying" doc:"It is about to be tried once more."`
	Replay   string `json:"replay_cursor" doc:"Send it to /replay to have this event, and all after it, delivered again."`
}

// DeliveriesInput is the input of the delivery log.
type DeliveriesInput struct {
	Cursor  string `query:"cursor" maxLength:"4096" doc:"The next_cursor of the page before." example:"Qx3vUu0lYV9kC1mTn8b2Jr5oWq7ZsE4hGtPdAiLf"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" doc:"Items of a page. Default 50."`
	Outcome string `query:"outcome" enum:"delivered,failed,given_up" doc:"Only these. A page can be short then, and still have a next one."`
}

const (
	exampleWebhook = domain.WebhookID(exampleKey)
	exampleHookURL = "https://hooks.example.com/tenure"
	exampleSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
)

// hooks is one of the two sets of routes.
type hooks struct {
	id, path     string // what ids begin with, and paths
	whose        string
	owner        domain.OrganizationID // of the examples; empty for the operators
	read, change Access
}

func (a *API) addWebhooks() {
	operators := hooks{id: "", path: "/v1/webhooks", whose: "of the operators", read: Operator(apikey.ScopeOperator), change: Operator(apikey.ScopeOperator)}
	own := hooks{
		id: "organization-", path: "/v1/organizations/{org}/webhooks", whose: "of an organization", owner: exampleOrganization,
		read: Member(domain.ReadWebhooks), change: Member(domain.ManageWebhooks),
	}
	list, register := a.listing(operators), a.registering(operators)
	list.description = "All of them, and how their deliveries go. Those of organizations are at /v1/organizations/{org}/webhooks; the routes below take the id of any."
	add(a, list, func(ctx context.Context, c *call, _ *struct{}) (answer, error) { return a.listWebhooks(ctx, c) })
	register.request = webhookBody{URL: exampleHookURL, Type: "organization.member_"}
	register.description += " At most 100."
	add(a, register, a.registerWebhook)
	a.addEachWebhook(operators)

	list, register = a.listing(own), a.registering(own)
	add(a, list, func(ctx context.Context, c *call, _ *struct{ OrgPath }) (answer, error) {
		return a.listWebhooks(ctx, c)
	})
	register.request = ownWebhookBody{URL: exampleHookURL, Type: "organization.member_"}
	register.description += " Of this organization alone. At most 10. Takes history.read besides: what is delivered is the history. It belongs to the organization, whoever has made it."
	add(a, register, a.registerOwnWebhook)
	a.addEachWebhook(own)
}

func (a *API) listing(h hooks) route {
	return route{
		id: "list-" + h.id + "webhooks", method: http.MethodGet, path: h.path, tag: "Events", access: h.read, status: http.StatusOK,
		summary: "Webhooks " + h.whose, description: "All of them, and how their deliveries go.", response: list[webhookDocument]{Items: []webhookDocument{exampleHook()}},
	}
}

func (a *API) registering(h hooks) route {
	registered := webhook.Registered{WebhookID: exampleWebhook, URL: exampleHookURL, OrganizationID: h.owner, Type: "organization.member_", After: 1042, Owner: h.owner}
	return route{
		id: "register-" + h.id + "webhook", method: http.MethodPost, path: h.path, tag: "Events", access: h.change, status: http.StatusCreated, created: true,
		summary: "Register a webhook " + h.whose, description: "Has the events of the feed delivered to a URL, signed as Standard Webhooks says, in order, each until it has arrived.",
		codes:    []domain.Code{codeCursorAhead},
		response: webhookMade{exampleWebhook, exampleSecret, exampleReceipt(registered)},
	}
}

// addEachWebhook adds the routes below a webhook.
func (a *API) addEachWebhook(h hooks) {
	const id = "/{webhook}"
	reading := func(name, path, summary, says string, response any) route {
		return route{id: h.id + name, method: http.MethodGet, path: h.path + id + path, tag: "Events", access: h.read, status: http.StatusOK, summary: summary, description: says, response: response}
	}
	command := func(name, method, path, summary, says string, request, response any) route {
		before, after, _ := strings.Cut(name, "-")
		return route{
			id: before + "-" + h.id + after, method: method, path: h.path + id + path, tag: "Events", access: h.change, status: http.StatusOK,
			summary: summary + " " + h.whose, description: says, request: request, response: response,
		}
	}
	next := exampleTime().Add(10 * time.Second)
	tried := projections.Delivery{EventID: exampleSession, Type: "organization.renamed.v1", At: exampleTime(), DurationMS: 41, Attempt: 2, Outcome: projections.OutcomeFailed, Status: 503, Cause: "status_503", NextAt: &next}
	addReadOfHook(a, h, reading("webhook", "", "A webhook "+h.whose, "And how its deliveries go.", exampleHook()), a.showWebhook)
	deliveries := reading("webhook-deliveries", "/deliveries", "The delivery log of a webhook "+h.whose, "What was tried, the latest first: the last 1,000 attempts of the last 30 days.",
		list[projections.Delivery]{Items: []projections.Delivery{tried}})
	deliveries.codes = []domain.Code{domain.CodeInvalid}
	addReadOfHook(a, h, deliveries, a.listDeliveries)
	addReadOfHook(a, h, reading("webhook-dead-letters", "/dead-letters", "Dead letters of a webhook "+h.whose, "Events that were given up after three days and have not arrived since, the latest first; at most 1,000.",
		list[deadLetter]{Items: []deadLetter{{exampleSession, 24, "timed_out", false, exampleFeedCursor}}}), a.listLetters)
	addHookCommand(a, h, command("change-webhook", http.MethodPatch, "", "Change a webhook", "An event that could not be delivered is tried at once.", webhookPatch{URL: new(exampleHookURL)},
		exampleReceipt(webhook.Changed{WebhookID: exampleWebhook, URLBefore: "https://old.example.com", URLAfter: exampleHookURL, Owner: h.owner})), a.changeWebhook)
	addHookCommand(a, h, command("rotate-webhook-secret", http.MethodPost, "/rotate-secret", "Give another secret to a webhook", "For the time of the overlap deliveries have two signatures.", rotateBody{OverlapHours: 24},
		webhookMade{exampleWebhook, exampleSecret, exampleReceipt(webhook.SecretRotated{WebhookID: exampleWebhook, Generation: 2, OverlapUntil: exampleTime(), Owner: h.owner})}), a.rotateWebhook)
	replay := command("replay-webhook", http.MethodPost, "/replay", "Deliver again to a webhook", "Everything after a cursor, or since an instant, with the same webhook-ids.", replayBody{Cursor: new(exampleFeedCursor)},
		exampleReceipt(webhook.Replayed{WebhookID: exampleWebhook, After: 1042, Owner: h.owner}))
	replay.codes = []domain.Code{codeCursorAhead}
	addHookCommand(a, h, replay, a.replayWebhook)
	addHookCommand(a, h, command("retry-webhook", http.MethodPost, "/retry", "Try dead letters again at a webhook", "Each once, before the next event, in their order; what does not arrive stays a dead letter. The delivery log says what has come of it.", retryBody{},
		exampleReceipt(webhook.RetryRequested{WebhookID: exampleWebhook, EventIDs: []string{exampleSession}, Owner: h.owner})), a.retryWebhook)
	addHookCommand(a, h, command("delete-webhook", http.MethodDelete, "", "Delete a webhook", "Ends the deliveries.", reasonBody{"The receiver is gone."},
		exampleReceipt(webhook.Deleted{WebhookID: exampleWebhook, Owner: h.owner})), a.deleteWebhook)
}

// addReadOfHook adds a read below the webhooks of one set.
func addReadOfHook(a *API, h hooks, r route, run func(context.Context, *call, webhook.Webhook, *DeliveriesInput) (answer, error)) {
	found := func(ctx context.Context, c *call, in *DeliveriesInput) (answer, error) {
		w, err := a.config.Commands.Webhook(ctx, c.organization(), c.webhook())
		if err != nil {
			return answer{}, err
		}
		return run(ctx, c, w, in)
	}
	paged := strings.HasSuffix(r.path, "/deliveries")
	switch {
	case h.owner == "" && paged:
		add(a, r, func(ctx context.Context, c *call, in *struct {
			WebhookPath
			DeliveriesInput
		}) (answer, error) {
			return found(ctx, c, &in.DeliveriesInput)
		})
	case h.owner == "":
		add(a, r, func(ctx context.Context, c *call, _ *WebhookPath) (answer, error) { return found(ctx, c, nil) })
	case paged:
		add(a, r, func(ctx context.Context, c *call, in *struct {
			OrgPath
			WebhookPath
			DeliveriesInput
		}) (answer, error) {
			return found(ctx, c, &in.DeliveriesInput)
		})
	default:
		add(a, r, func(ctx context.Context, c *call, _ *struct {
			OrgPath
			WebhookPath
		}) (answer, error) {
			return found(ctx, c, nil)
		})
	}
}

// addHookCommand adds a command below the webhooks of one set.
func addHookCommand[B any](a *API, h hooks, r route, run func(context.Context, *call, B) (answer, error)) {
	if h.owner == "" {
		add(a, r, func(ctx context.Context, c *call, in *struct {
			WebhookPath
			NewHeaders
			Body B
		}) (answer, error) {
			return withoutETag(run(ctx, c, in.Body))
		})
		return
	}
	add(a, r, func(ctx context.Context, c *call, in *struct {
		OrgPath
		WebhookPath
		NewHeaders
		Body B
	}) (answer, error) {
		if err := a.mayManageWebhooks(ctx, c); err != nil {
			return answer{}, err
		}
		return withoutETag(run(ctx, c, in.Body))
	})
}

func exampleHook() webhookDocument {
	at := exampleTime()
	return webhookDocument{
		WebhookID: exampleWebhook, URL: exampleHookURL, Type: "organization.member_", Generation: 1, Enabled: true, FailingSince: &at, DeadLetters: 1,
		Failing: &webhookFailure{exampleSession, 2, at, "status_503", at.Add(10 * time.Second)},
	}
}
