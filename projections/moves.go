package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/eventstore"
)

// A change of policy (X10) gives every member and every invitation other roles
// at once, and there may be very many. So documents keep roles as an event has
// written them, with the position of that event, and the partition of an
// organization keeps the changes of policy: readers translate. One document
// more is read for a page, however many items it has, and none where the caller
// knows from the log that the policy was never changed.

// policyMove is what a change of policy makes of roles.
type policyMove struct {
	Position eventstore.Position           `json:"position"`
	Roles    map[domain.Role][]domain.Role `json:"roles"`
	NoRole   []domain.Role                 `json:"no_role,omitempty"`
}

func newMove(at eventstore.Position, e organization.PolicyChanged) policyMove {
	return policyMove{Position: at, Roles: e.Roles, NoRole: e.NoRole}
}

// become is what it makes of roles.
func (m policyMove) become(roles []domain.Role) []domain.Role {
	return domain.MapRoles(roles, m.Roles, m.NoRole)
}

// policyMoves are those of an organization, the oldest first.
type policyMoves []policyMove

// heldRoles says which changes of policy a document's roles have been through. It
// stands at the end of what is stored, and clients do not see it.
type heldRoles struct {
	RolesAt    eventstore.Position `json:"roles_at,omitempty"`    // of the event that has written them
	RolesUntil eventstore.Position `json:"roles_until,omitempty"` // of the one after which they stay what they are; 0 for none
}

// after are those of a document after an event that it is touched by.
func (h heldRoles) after(e Event) heldRoles {
	switch e.Event.(type) {
	case organization.Activated, organization.InvitationOpened, organization.MemberJoined, organization.RolesChanged, organization.OwnershipTransferred:
		return heldRoles{RolesAt: e.Position}
	case organization.JoinRequested: // there are none yet, and no change of policy gives some
		return heldRoles{RolesAt: e.Position, RolesUntil: e.Position}
	case organization.MemberRemoved, invitation.Accepted, invitation.Declined, invitation.Revoked:
		h.RolesUntil = e.Position
	}
	return h
}

// and adds the change of policy that an event is.
func (m policyMoves) and(e Event) policyMoves {
	if x, ok := e.Event.(organization.PolicyChanged); ok {
		m = append(m, newMove(e.Position, x))
	}
	return m
}

// now is what roles have become.
func (m policyMoves) now(roles []domain.Role, h heldRoles) []domain.Role {
	for _, move := range m {
		if move.Position > h.RolesAt && (h.RolesUntil == 0 || move.Position < h.RolesUntil) {
			roles = move.become(roles)
		}
	}
	return roles
}

// sources are the other names under which documents may keep what is a role by
// now, or was when their roles became what they stay. An empty one, which then is
// the only one, stands for all documents: no role has become this one.
func (m policyMoves) sources(role domain.Role) []domain.Role {
	wanted := []domain.Role{role}
	all := slices.Clone(wanted)
	for _, move := range slices.Backward(m) {
		var before []domain.Role
		for _, r := range wanted {
			if _, other := move.Roles[r]; !other {
				before = append(before, r)
			}
		}
		for old, become := range move.Roles {
			if slices.ContainsFunc(become, func(r domain.Role) bool { return slices.Contains(wanted, r) }) {
				before = append(before, old)
			}
		}
		if slices.ContainsFunc(move.NoRole, func(r domain.Role) bool { return slices.Contains(wanted, r) }) {
			return []domain.Role{""}
		}
		wanted, all = append(before, role), append(all, before...)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(r domain.Role) bool { return r == role })
}

// movesKey names what no other document of an organization's partition is named.
func movesKey(org domain.OrganizationID) Key { return Key{Partition: string(org), ID: "moves"} }

func decodeMoves(body []byte) (policyMoves, error) {
	if body == nil {
		return nil, nil
	}
	var d struct{ Moves policyMoves }
	err := json.Unmarshal(body, &d)
	return d.Moves, err
}

// readMoves reads those that a view knows, unless there are none. It is a range,
// as all that a page in memory may rest on.
func readMoves(ctx context.Context, storage Storage, view string, org domain.OrganizationID, none bool) (policyMoves, error) {
	if none {
		return nil, nil
	}
	key := movesKey(org)
	rows, _, err := storage.Range(ctx, view, RangeQuery{Partition: key.Partition, Prefix: key.ID, Limit: 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return decodeMoves(rows[0].Body)
}

// documentOf returns one document of an organization, or CodeNotFound with these
// words, and the changes of policy.
func (r *Reader) documentOf(ctx context.Context, view string, org domain.OrganizationID, key Key, title, message string) ([]byte, policyMoves, error) {
	bodies, err := r.storage.Documents(ctx, view, []Key{key, movesKey(org)})
	if err != nil {
		return nil, nil, err
	}
	if bodies[0] == nil {
		return nil, nil, domain.Refuse(domain.CodeNotFound, title, message)
	}
	moves, err := decodeMoves(bodies[1])
	return bodies[0], moves, err
}

// shown is a stored document as clients see it: with what its roles have become,
// and without what it keeps for that. Within a text of the document a quotation
// mark is never bare, so only its own field is found.
func shown[D any](body []byte, moves policyMoves, rolesOf func(*D) *[]domain.Role) ([]byte, error) {
	end := bytes.LastIndex(body, []byte(`,"roles_at":`))
	if end < 0 {
		return body, nil
	}
	clean := append(body[:end:end], '}')
	if len(moves) == 0 {
		return clean, nil
	}
	var held heldRoles
	if err := json.Unmarshal(append([]byte{'{'}, body[end+1:]...), &held); err != nil {
		return nil, err
	}
	var d D
	if err := json.Unmarshal(clean, &d); err != nil {
		return nil, err
	}
	list := rolesOf(&d)
	now := moves.now(*list, held)
	if slices.Equal(now, *list) {
		return clean, nil
	}
	*list = now
	return json.Marshal(d)
}
