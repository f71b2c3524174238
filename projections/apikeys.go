package projections

import (
	"context"
	"time"

	"tenure/domain"
	"tenure/domain/apikey"
)

// APIKey is the document of an operator's API key.
type APIKey struct {
	APIKeyID  domain.APIKeyID `json:"api_key_id"`
	Name      string          `json:"name"`
	Scopes    []apikey.Scope  `json:"scopes"`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt *time.Time      `json:"expires_at,omitempty"`
	RevokedAt *time.Time      `json:"revoked_at,omitempty"`
}

// APIKeysQuery asks for a page of all API keys, the newest first.
type APIKeysQuery struct {
	Cursor string
	Limit  int // 1 to 200, default 50
}

const (
	apiKeysView      = "api_keys.v1"
	apiKeysPartition = "all"
)

// APIKey returns one key's document. It fails with CodeNotFound.
func (r *Reader) APIKey(ctx context.Context, id domain.APIKeyID) ([]byte, error) {
	return r.document(ctx, apiKeysView, Key{apiKeysPartition, string(id)}, "No such API key", "Look the key up in the list of API keys.")
}

// APIKeys returns a page. It fails with CodeInvalid.
func (r *Reader) APIKeys(ctx context.Context, q APIKeysQuery) (Page, error) {
	return r.cached(ctx, apiKeysView, apiKeysPartition, q, func(storage Storage) (Page, error) {
		s := scan{
			view: apiKeysView, partition: apiKeysPartition, index: "created_at", descending: true,
			cursor: q.Cursor, limit: q.Limit,
		}
		return s.page(ctx, storage)
	})
}

func apiKeys() View[APIKey] {
	return View[APIKey]{
		Name:  apiKeysView,
		Types: []string{"api_key."},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case apikey.Created:
				return []Key{{apiKeysPartition, string(x.APIKeyID)}}
			case apikey.Revoked:
				return []Key{{apiKeysPartition, string(x.APIKeyID)}}
			}
			return nil
		},
		Fold: func(k *APIKey, in In[APIKey]) *APIKey {
			at := in.Metadata.OccurredAt.UTC()
			switch x := in.Event.Event.(type) {
			case apikey.Created:
				return &APIKey{APIKeyID: x.APIKeyID, Name: x.Name, Scopes: x.Scopes, CreatedAt: at, ExpiresAt: x.ExpiresAt}
			case apikey.Revoked:
				if k != nil {
					k.RevokedAt = &at
				}
			}
			return k
		},
		Entries: func(_ Key, k *APIKey) []Entry { return []Entry{{"created_at", sortTime(k.CreatedAt)}} },
	}
}
