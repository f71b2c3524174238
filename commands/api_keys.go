package commands

import (
	"context"
	"errors"
	"time"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/apikey"
)

// CreateAPIKey makes a key for operators. Its text is in this answer only. It
// fails with CodeInvalid.
func (c *Commands) CreateAPIKey(ctx context.Context, r Request, name string, scopes []apikey.Scope, expiresAt *time.Time) (domain.APIKeyID, string, Receipt, error) {
	return c.createAPIKey(ctx, r, domain.APIKeyID(c.newID(r, "api key", "")), name, scopes, expiresAt)
}

// CheckSecret refuses a secret with which the log was not begun: under it, names
// that are taken would be free, and every link and key dead. The first event of a
// log is that of the first API key, whose id follows from the secret.
func (c *Commands) CheckSecret(ctx context.Context) error {
	head, err := c.Store.Head(ctx)
	if err != nil || head == 0 {
		return err
	}
	s, _, err := c.apiKeys.load(ctx, c.firstAPIKeyID())
	if err == nil && s.ID == "" {
		err = ErrOtherSecret
	}
	return err
}

// ErrOtherSecret says that the log was begun with another secret.
var ErrOtherSecret = errors.New("the log was begun with another secret: restore the one that belongs to it")

func (c *Commands) firstAPIKeyID() string { return c.Keys.ID("first api key").String() }

// FirstAPIKey makes the key of a new deployment's first operator, once, for all
// that keys can do in this version and in later ones. It is
// shown before it is made valid: a process that is killed in between shows the
// same key again when it starts next.
func (c *Commands) FirstAPIKey(ctx context.Context, show func(text string)) error {
	id := domain.APIKeyID(c.firstAPIKeyID())
	s, _, err := c.apiKeys.load(ctx, string(id))
	if err != nil || s.ID != "" {
		return err
	}
	text, err := c.Keys.Make(token.Token{Kind: token.APIKey, Subject: string(id)})
	if err != nil {
		return err
	}
	show(text)
	_, _, _, err = c.createAPIKey(ctx, Request{Actor: domain.ByProcess("setup")}, id, "first operator", []apikey.Scope{apikey.ScopeAll}, nil)
	return err
}

func (c *Commands) createAPIKey(ctx context.Context, r Request, id domain.APIKeyID, name string, scopes []apikey.Scope, expiresAt *time.Time) (domain.APIKeyID, string, Receipt, error) {
	receipt, err := c.apiKeys.execute(ctx, string(id), r, func(s apikey.State) ([]domain.Event, error) {
		return apikey.Create(s, id, name, scopes, expiresAt, c.Now())
	})
	if err != nil || c.dry {
		return id, "", receipt, err
	}
	text, err := c.Keys.Make(token.Token{Kind: token.APIKey, Subject: string(id)})
	return id, text, receipt, err
}

// RevokeAPIKey ends a key at once. It fails with CodeNotFound.
func (c *Commands) RevokeAPIKey(ctx context.Context, r Request, id domain.APIKeyID) (Receipt, error) {
	return c.apiKeys.execute(ctx, string(id), r, apikey.Revoke)
}
