package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/domain/webhook"
	"tenure/eventstore"
	"tenure/projections"
	sending "tenure/relay/webhook"
)

// hookView is what somebody may know of webhooks besides how their deliveries go.
type hookView struct {
	// addresses: where they lead to, in full. An address may hold a token, so who
	// may not manage webhooks sees the scheme and the host.
	addresses bool
	// network: that an address was refused since it is not of the public internet.
	// To others that looks like a name that leads nowhere: an organization could
	// find out the names of the server's own network.
	network bool
}

func (c *call) hookView() hookView {
	operator := slices.Contains(c.caller.Key.Scopes, apikey.ScopeOperator) || slices.Contains(c.caller.Key.Scopes, apikey.ScopeAll)
	p := c.membership.Policy
	return hookView{addresses: operator || p != nil && p.Allows(c.membership.Roles, domain.ManageWebhooks), network: operator}
}

func (v hookView) cause(cause string) string {
	if cause == sending.CauseAddress && !v.network {
		return sending.CauseUnreachable
	}
	return cause
}

// masked is the scheme and the host of an address, and a keyed hash, the same for
// the same address: whether it has changed can be seen.
func (a *API) masked(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/…#" + a.config.Commands.Keys.Name("webhook-address", address)[:8]
}

func (a *API) listWebhooks(ctx context.Context, c *call) (answer, error) {
	s, err := a.config.Commands.Webhooks(ctx)
	shown := list[webhookDocument]{Items: []webhookDocument{}}
	for _, w := range s.Of(c.organization()) {
		shown.Items = append(shown.Items, a.shownWebhook(c, w))
	}
	return answer{body: shown}, err
}

func (a *API) showWebhook(_ context.Context, c *call, w webhook.Webhook, _ *DeliveriesInput) (answer, error) {
	return answer{body: a.shownWebhook(c, w)}, nil
}

func (a *API) shownWebhook(c *call, w webhook.Webhook) webhookDocument {
	view := c.hookView()
	shown := webhookDocument{
		WebhookID: w.ID, URL: w.URL, OrganizationID: w.Organization, Type: w.Type, Personal: w.Personal, Generation: w.Generation,
		Enabled: w.Disabled == "", Cause: w.Disabled, DeadLetters: len(w.Letters),
	}
	if !view.addresses {
		shown.URL = a.masked(w.URL)
	}
	if f := w.Failing; f != nil {
		shown.Failing = &webhookFailure{f.EventID, f.Attempt, f.At, view.cause(f.Cause), f.NextAt}
		if !view.network && shown.Failing.Cause == sending.CauseUnreachable { // when it ended would tell them apart as well
			shown.Failing.At, shown.Failing.NextAt = f.At.Truncate(time.Minute), f.NextAt.Truncate(time.Minute)
		}
	}
	if !w.FailingSince.IsZero() {
		shown.FailingSince = &w.FailingSince
	}
	return shown
}

func (a *API) listDeliveries(ctx context.Context, c *call, w webhook.Webhook, in *DeliveriesInput) (answer, error) {
	p, err := a.config.Deliveries.Page(ctx, projections.DeliveriesQuery{Webhook: w.ID, Outcome: in.Outcome, Cursor: in.Cursor, Limit: in.Limit})
	view := c.hookView()
	if err != nil || view.network {
		return page(p, err)
	}
	items, err := p.Items()
	if err != nil {
		return answer{}, err
	}
	shown := list[projections.Delivery]{Items: make([]projections.Delivery, len(items)), NextCursor: p.NextCursor()}
	for i, item := range items {
		d := &shown.Items[i]
		if err := json.Unmarshal(item, d); err != nil {
			return answer{}, err
		}
		if d.Cause = view.cause(d.Cause); d.Cause == sending.CauseUnreachable {
			d.DurationMS = 0 // which would tell them apart
		}
	}
	return answer{body: shown}, nil
}

func (a *API) listLetters(_ context.Context, c *call, w webhook.Webhook, _ *DeliveriesInput) (answer, error) {
	view := c.hookView()
	shown := list[deadLetter]{Items: []deadLetter{}}
	for i := len(w.Letters) - 1; i >= 0; i-- {
		l := w.Letters[i]
		shown.Items = append(shown.Items, deadLetter{l.EventID, l.Attempts, view.cause(l.Cause), l.Wanted, a.config.Feed.CursorAt(eventstore.Position(l.After))})
	}
	return answer{body: shown}, nil
}

// addressFields are those of events of webhooks that hold an address.
var addressFields = []string{"url", "url_before", "url_after"}

// holdsAddress reports whether the log has the address of a webhook in the event.
func holdsAddress(e *eventstore.Recorded) bool {
	if !strings.HasPrefix(e.Type, "webhook.") {
		return false
	}
	var data map[string]json.RawMessage
	if json.Unmarshal(e.Data, &data) != nil {
		return true // for all that is known
	}
	return slices.ContainsFunc(addressFields, func(field string) bool { return data[field] != nil })
}

// withoutAddresses answers with a page of a history, where addresses of webhooks
// are masked for those who may not manage them.
func (a *API) withoutAddresses(c *call, p projections.Page, err error) (answer, error) {
	if err != nil || c.hookView().addresses || !bytes.Contains(p.JSON(), []byte(`"stream":"webhook"`)) {
		return page(p, err)
	}
	items, err := p.Items()
	if err != nil {
		return answer{}, err
	}
	for i, item := range items {
		var e projections.TimelineEntry
		var data map[string]any
		if err := json.Unmarshal(item, &e); err != nil {
			return answer{}, err
		}
		if e.Stream != "webhook" {
			continue
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return answer{}, err
		}
		for _, field := range addressFields {
			if address, ok := data[field].(string); ok {
				data[field] = a.masked(address)
			}
		}
		if e.Data, err = json.Marshal(data); err == nil {
			items[i], err = json.Marshal(e)
		}
		if err != nil {
			return answer{}, err
		}
	}
	return answer{body: list[json.RawMessage]{Items: items, NextCursor: p.NextCursor()}}, nil
}
