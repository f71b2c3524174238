package httpapi

import (
	"context"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/webhook"
	"tenure/relay"
	sending "tenure/relay/webhook"
)

func (c *call) webhook() domain.WebhookID { return domain.WebhookID(c.param("webhook")) }

func (a *API) registerWebhook(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body webhookBody
}) (answer, error) {
	b := in.Body
	return a.register(ctx, c, b.Cursor, b.Reason, webhook.Registered{URL: b.URL, OrganizationID: domain.OrganizationID(b.OrganizationID), Type: b.Type, Personal: b.Personal})
}

func (a *API) registerOwnWebhook(ctx context.Context, c *call, in *struct {
	OrgPath
	NewHeaders
	Body ownWebhookBody
}) (answer, error) {
	if err := a.mayManageWebhooks(ctx, c); err != nil {
		return answer{}, err
	}
	b := in.Body
	return a.register(ctx, c, b.Cursor, b.Reason, webhook.Registered{URL: b.URL, Type: b.Type, Personal: b.Personal, Owner: c.organization()})
}

// mayManageWebhooks refuses whoever may not, before they learn what is wrong with
// their request; the command decides.
func (a *API) mayManageWebhooks(ctx context.Context, c *call) error {
	_, err := a.config.Commands.Authorize(ctx, c.caller.Actor, c.organization(), domain.ManageWebhooks)
	return err
}

func (a *API) register(ctx context.Context, c *call, cursor, reason string, w webhook.Registered) (answer, error) {
	if err := a.config.Feed.CheckType(w.Type); err != nil {
		return answer{}, err
	}
	if cursor == "" {
		cursor = relay.FromHead
	}
	after, err := a.config.Feed.Position(ctx, cursor)
	if err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, reason)
	if err != nil {
		return answer{}, err
	}
	id, secret, done, err := do.RegisterWebhook(ctx, r, w, after)
	ans, err := withoutETag(commanded(done, err, func(r Receipt) any { return webhookMade{id, secretText(secret), r} }))
	ans.location = c.fiber.Path() + "/" + string(id)
	return ans, err
}

func secretText(secret []byte) string {
	if secret == nil {
		return "" // of a dry run
	}
	return sending.Text(secret)
}

func (a *API) changeWebhook(ctx context.Context, c *call, b webhookPatch) (answer, error) {
	do, r, err := a.request(c, b.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.ChangeWebhook(ctx, r, c.organization(), c.webhook(), commands.WebhookChange{URL: b.URL, Enabled: b.Enabled})
	return commanded(done, err, plainly)
}

func (a *API) rotateWebhook(ctx context.Context, c *call, b rotateBody) (answer, error) {
	do, r, err := a.request(c, b.Reason)
	if err != nil {
		return answer{}, err
	}
	secret, done, err := do.RotateWebhookSecret(ctx, r, c.organization(), c.webhook(), time.Duration(b.OverlapHours)*time.Hour)
	return commanded(done, err, func(r Receipt) any { return webhookMade{c.webhook(), secretText(secret), r} })
}

func (a *API) replayWebhook(ctx context.Context, c *call, b replayBody) (answer, error) {
	do, r, err := a.request(c, b.Reason)
	switch {
	case err != nil:
		return answer{}, err
	case (b.Cursor == nil) == (b.Since == nil):
		return answer{}, domain.Invalid("cursor", "Give either a cursor or since.")
	case b.Since != nil:
		done, err := do.ReplayWebhookSince(ctx, r, c.organization(), c.webhook(), *b.Since)
		return commanded(done, err, plainly)
	}
	after, err := a.config.Feed.Position(ctx, *b.Cursor)
	if err != nil {
		return answer{}, err
	}
	done, err := do.ReplayWebhook(ctx, r, c.organization(), c.webhook(), after)
	return commanded(done, err, plainly)
}

func (a *API) retryWebhook(ctx context.Context, c *call, b *retryBody) (answer, error) {
	if b == nil {
		b = &retryBody{}
	}
	do, r, err := a.request(c, b.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.RetryWebhook(ctx, r, c.organization(), c.webhook(), b.EventIDs)
	return commanded(done, err, plainly)
}

func (a *API) deleteWebhook(ctx context.Context, c *call, b *reasonBody) (answer, error) {
	do, r, err := a.request(c, b.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.DeleteWebhook(ctx, r, c.organization(), c.webhook())
	return commanded(done, err, plainly)
}

// withoutETag leaves out the revision of a stream that many things share.
func withoutETag(ans answer, err error) (answer, error) {
	ans.etag = ""
	return ans, err
}
