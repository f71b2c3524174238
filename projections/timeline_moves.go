package projections

import (
	"context"
	"encoding/json"
	"slices"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
)

// A change of policy is about every member, so it stands in no index of an
// account: it is added to the history of a member when that is read. Which roles
// the member had then says the last event before that gave or took them; for
// that, and for the changes of policy, there are indexes of their own.
const (
	movedIndex = "moved"
	rolesIndex = "roles"
)

// RolesMoved are a member's roles before and after a change of policy.
type RolesMoved struct {
	Before []domain.Role `json:"before"`
	After  []domain.Role `json:"after"`
}

// rolesEntries put an event into the indexes above.
func rolesEntries(d *timelineDoc, id string) []Entry {
	switch d.event.Event.(type) {
	case organization.PolicyChanged:
		return []Entry{{movedIndex, id}}
	case organization.Activated, organization.MemberJoined, organization.RolesChanged, organization.OwnershipTransferred, organization.MemberRemoved:
		entries := make([]Entry, len(d.accounts))
		for i, account := range d.accounts {
			entries[i] = Entry{rolesIndex, timelineSort(account, id)}
		}
		return entries
	}
	return nil
}

// moved are the changes of policy that the account was a member at, as rows of
// its own history. It reads one row for each change.
func (q TimelineQuery) moved(ctx context.Context, storage Storage) ([]Row, error) {
	var rows []Row
	var moves policyMoves
	all := RangeQuery{Partition: string(q.Organization), Index: movedIndex, Limit: maxLimit}
	for {
		found, _, err := storage.Range(ctx, timelineView, all)
		if err != nil {
			return nil, err
		}
		for _, row := range found {
			var e sealedEntry
			var changed organization.PolicyChanged
			if err := json.Unmarshal(row.Body, &e); err != nil {
				return nil, err
			}
			if err := json.Unmarshal(e.Data, &changed); err != nil {
				return nil, err
			}
			move := newMove(e.Position, changed)
			held, at, err := q.rolesBefore(ctx, storage, e.Position)
			if err != nil {
				return nil, err
			}
			if at > 0 {
				before := moves.now(held, heldRoles{RolesAt: at})
				e.Roles = &RolesMoved{Before: before, After: move.become(before)}
				body, err := json.Marshal(e)
				if err != nil {
					return nil, err
				}
				rows = append(rows, Row{Place: q.place(e.Position), Body: body})
			}
			moves = append(moves, move)
			all.After = row.Place
		}
		if len(found) < all.Limit {
			return rows, nil
		}
	}
}

// rolesBefore are the roles that the last event before a position has given the
// account, and where that is; 0 for somebody who was no member then.
func (q TimelineQuery) rolesBefore(ctx context.Context, storage Storage, p eventstore.Position) ([]domain.Role, eventstore.Position, error) {
	last := RangeQuery{
		Partition: string(q.Organization), Index: rolesIndex, Prefix: timelineSort(q.Account, ""), After: q.place(p), Descending: true, Limit: 1,
	}
	rows, _, err := storage.Range(ctx, timelineView, last)
	if err != nil || len(rows) == 0 {
		return nil, 0, err
	}
	var e struct {
		Position eventstore.Position `json:"position,string"`
		Type     string              `json:"type"`
		Data     struct {
			Roles     []domain.Role    `json:"roles"`
			After     []domain.Role    `json:"after"`
			From      domain.AccountID `json:"from"`
			FromAfter []domain.Role    `json:"from_after"`
			ToAfter   []domain.Role    `json:"to_after"`
		} `json:"data"`
	}
	if err := json.Unmarshal(rows[0].Body, &e); err != nil {
		return nil, 0, err
	}
	switch e.Type {
	case organization.MemberRemoved{}.EventType():
		return nil, 0, nil
	case organization.RolesChanged{}.EventType():
		return roles(e.Data.After), e.Position, nil
	case organization.OwnershipTransferred{}.EventType():
		if e.Data.From == q.Account {
			return roles(e.Data.FromAfter), e.Position, nil
		}
		return roles(e.Data.ToAfter), e.Position, nil
	}
	return roles(slices.Clip(e.Data.Roles)), e.Position, nil
}
