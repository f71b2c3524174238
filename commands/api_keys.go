package commands

import (
	"context"
	"time"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/apikey"
)

// CreateAPIKey makes a key for operators. Its text is in this answer only. It
// fails with CodeInvalid.
func (c *Commands) CreateAPIKey(ctx context.Context, r Request, name string, scopes []apikey.Scope, expiresAt *time.Time) (domain.APIKeyID, string, Receipt, error) {
	return c.createAPIKey(ctx, r, domain.APIKeyID(c.newID(r, "api key")), name, scopes, expiresAt)
}

// FirstAPIKey makes the key of a new deployment's first operator, once. It is
// shown before it is made valid: a process that is killed in between shows the
// same key again when it starts next.
func (c *Commands) FirstAPIKey(ctx context.Context, show func(text string)) error {
	id := domain.APIKeyID(c.Keys.ID("first api key").String())
	s, _, err := c.apiKeys.load(ctx, string(id))
	if err != nil || s.ID != "" {
		return err
	}
	text, err := c.Keys.Make(token.Token{Kind: token.APIKey, Subject: string(id)})
	if err != nil {
		return err
	}
	show(text)
	_, _, _, err = c.createAPIKey(ctx, Request{Actor: domain.ByProcess("setup")}, id, "first operator", apikey.Scopes(), nil)
	return err
}

func (c *Commands) createAPIKey(ctx context.Context, r Request, id domain.APIKeyID, name string, scopes []apikey.Scope, expiresAt *time.Time) (domain.APIKeyID, string, Receipt, error) {
	receipt, err := c.apiKeys.execute(ctx, string(id), r, func(s apikey.State) ([]domain.Event, error) {
		return apikey.Create(s, id, name, scopes, expiresAt, c.Now())
	})
	if err != nil || r.DryRun {
		return id, "", receipt, err
	}
	text, err := c.Keys.Make(token.Token{Kind: token.APIKey, Subject: string(id)})
	return id, text, receipt, err
}

// RevokeAPIKey ends a key at once. It fails with CodeNotFound.
func (c *Commands) RevokeAPIKey(ctx context.Context, r Request, id domain.APIKeyID) (Receipt, error) {
	return c.apiKeys.execute(ctx, string(id), r, apikey.Revoke)
}
