package projections

import (
	"context"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
)

// Work is the document of a piece of the host product's work that is assigned to
// a member.
type Work struct {
	AccountID  domain.AccountID `json:"account_id"`
	Kind       string           `json:"kind"`
	WorkID     string           `json:"work_id"`
	SpaceID    domain.SpaceID   `json:"space_id,omitempty"`
	AssignedAt time.Time        `json:"assigned_at"` // and to the space
}

// WorkQuery asks for a page of the work of a member, in the order of kind and id.
type WorkQuery struct {
	Organization domain.OrganizationID
	Account      domain.AccountID
	Kind         string // only work of this kind; empty for all
	Cursor       string
	Limit        int // 1 to 200, default 50
}

const workView = "work.v1"

// Work returns a page. It fails with CodeInvalid.
func (r *Reader) Work(ctx context.Context, q WorkQuery) (Page, error) {
	return r.cached(ctx, workView, string(q.Organization), q, func(storage Storage) (Page, error) {
		if err := checkFilter("kind", q.Kind); err != nil {
			return Page{}, err
		}
		s := scan{view: workView, partition: string(q.Organization), index: "account", prefix: string(q.Account) + " ", cursor: q.Cursor, limit: q.Limit}
		if q.Kind != "" {
			s.prefix += q.Kind + " "
		}
		return s.page(ctx, storage)
	})
}

func work() View[Work] {
	return View[Work]{
		Name:  workView,
		Types: []string{"organization.work_"},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case organization.WorkAssigned:
				return []Key{{string(x.OrganizationID), workPlace(x.AccountID, x.Kind, x.WorkID)}}
			case organization.WorkReleased:
				return []Key{{string(x.OrganizationID), workPlace(x.AccountID, x.Kind, x.WorkID)}}
			}
			return nil
		},
		Fold: func(_ *Work, in In[Work]) *Work {
			x, ok := in.Event.Event.(organization.WorkAssigned)
			if !ok {
				return nil
			}
			return &Work{AccountID: x.AccountID, Kind: x.Kind, WorkID: x.WorkID, SpaceID: x.SpaceID, AssignedAt: in.Metadata.OccurredAt.UTC()}
		},
		Entries: func(key Key, _ *Work) []Entry { return []Entry{{"account", key.ID}} },
	}
}

// workPlace names a piece of work, and where it stands. None of the three has a
// space in it.
func workPlace(account domain.AccountID, kind, id string) string {
	return string(account) + " " + kind + " " + id
}
