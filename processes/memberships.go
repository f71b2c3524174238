package processes

import (
	"context"
	"encoding/json"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/projections"
)

// ViewMemberships finds the organizations of an account in the views.
type ViewMemberships struct {
	Reader    *projections.Reader
	Projector *projections.Projector
}

// viewsWithin is how long the views may take to get to an event.
const viewsWithin = 10 * time.Second

// OrganizationsOf implements Memberships.
func (v ViewMemberships) OrganizationsOf(ctx context.Context, account domain.AccountID, atLeast eventstore.Position) ([]domain.OrganizationID, error) {
	waiting, cancel := context.WithTimeout(ctx, viewsWithin)
	defer cancel()
	if err := v.Projector.Wait(waiting, atLeast); err != nil {
		return nil, err
	}
	var all []domain.OrganizationID
	q := projections.MembershipsQuery{Account: account, Limit: 200}
	for {
		page, err := v.Reader.Memberships(ctx, q)
		if err != nil {
			return nil, err
		}
		var list struct {
			Items []struct {
				OrganizationID domain.OrganizationID `json:"organization_id"`
			} `json:"items"`
		}
		if err := json.Unmarshal(page.JSON(), &list); err != nil {
			return nil, err
		}
		for _, m := range list.Items {
			all = append(all, m.OrganizationID)
		}
		if q.Cursor = page.NextCursor(); q.Cursor == "" {
			return all, nil
		}
	}
}
