package projections

import (
	"context"
	"encoding/json"
	"time"

	"tenure/domain"
	"tenure/domain/account"
)

// Profile is what an account shows of itself in every organization, besides its
// name.
type Profile struct {
	AvatarURL string `json:"avatar_url,omitempty"`
	// LastActiveAt is when a session was started or, at most once a day, in use.
	LastActiveAt *time.Time `json:"last_active_at,omitempty"`
}

const profilesView = "profiles.v1"

// withProfiles adds the profiles of their accounts to the documents of members.
func (r *Reader) withProfiles(ctx context.Context, documents [][]byte) ([][]byte, error) {
	keys := make([]Key, len(documents))
	for i, body := range documents {
		var m struct {
			AccountID domain.AccountID `json:"account_id"`
		}
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, err
		}
		keys[i] = profileKey(m.AccountID)
	}
	profiles, err := r.storage.Documents(ctx, profilesView, keys)
	if err != nil {
		return nil, err
	}
	joined := make([][]byte, len(documents))
	for i, body := range documents {
		joined[i] = body
		if tail := profiles[i]; len(tail) > len("{}") {
			// {…} and {…} make {…,…}
			item := append(make([]byte, 0, len(body)+len(tail)), body[:len(body)-1]...)
			joined[i] = append(append(item, ','), tail[1:]...)
		}
	}
	return joined, nil
}

func profiles() View[Profile] {
	return View[Profile]{
		Name:  profilesView,
		Types: []string{"account.session_started.", "account.seen.", "account.avatar_changed.", "account.erased."},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case account.SessionStarted:
				return []Key{profileKey(x.AccountID)}
			case account.Seen:
				return []Key{profileKey(x.AccountID)}
			case account.AvatarChanged:
				return []Key{profileKey(x.AccountID)}
			case account.Erased:
				return []Key{profileKey(x.AccountID)}
			}
			return nil
		},
		Fold: func(p *Profile, in In[Profile]) *Profile {
			if _, erased := in.Event.Event.(account.Erased); erased {
				return nil
			}
			if p == nil {
				p = &Profile{}
			}
			at := in.Metadata.OccurredAt.UTC()
			switch x := in.Event.Event.(type) {
			case account.SessionStarted, account.Seen:
				p.LastActiveAt = &at
			case account.AvatarChanged:
				p.AvatarURL = x.After
			}
			return p
		},
	}
}

// profileKey is of one whose id is no account's, for those who have none yet.
func profileKey(id domain.AccountID) Key {
	if id == "" {
		id = "none"
	}
	return Key{Partition: string(id), ID: string(id)}
}
