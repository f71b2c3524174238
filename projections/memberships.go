package projections

import (
	"context"
	"encoding/json"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
)

// Membership is the document of an account's membership in an organization, or,
// while it is Pending, of its request to join one.
type Membership struct {
	OrganizationID domain.OrganizationID `json:"organization_id"`
	Roles          []domain.Role         `json:"roles"`
	Status         organization.Status   `json:"status"`
	JoinedAt       time.Time             `json:"joined_at,omitzero"`
	RequestedAt    *time.Time            `json:"requested_at,omitempty"` // while Pending
	Personal       bool                  `json:"personal,omitempty"`     // the account's own space
}

// MembershipsQuery asks for a page of the organizations of an account: those
// that it is a member of now, suspended or not, in the order of joining; or those
// that it asks to join, in the order of asking.
type MembershipsQuery struct {
	Account domain.AccountID
	Cursor  string
	Limit   int // 1 to 200, default 50
}

const membershipsView = "memberships.v2"

// Memberships returns a page of Membership documents, each with the
// organization's "name" and "policy" besides. It fails with CodeInvalid. Those of
// an organization that was deleted are left out: a page can be short and still
// have a cursor.
func (r *Reader) Memberships(ctx context.Context, q MembershipsQuery) (Page, error) {
	return r.memberships(ctx, q, "joined_at")
}

// OwnRequests is Memberships for the open requests of an account.
func (r *Reader) OwnRequests(ctx context.Context, q MembershipsQuery) (Page, error) {
	return r.memberships(ctx, q, "requested_at")
}

func (r *Reader) memberships(ctx context.Context, q MembershipsQuery, index string) (Page, error) {
	s := scan{view: membershipsView, partition: string(q.Account), index: index, cursor: q.Cursor, limit: q.Limit}
	s.items = func(ctx context.Context, rows []Row) ([][]byte, error) {
		orgs := make([]domain.OrganizationID, len(rows))
		for i, row := range rows {
			orgs[i] = domain.OrganizationID(row.ID)
		}
		return r.withOrganization(ctx, orgs, func(i int, moves policyMoves) ([]byte, error) {
			return shown(rows[i].Body, moves, func(m *Membership) *[]domain.Role { return &m.Roles })
		})
	}
	return s.page(ctx, r.storage)
}

// withOrganization adds name and policy of the organizations to what show makes
// of the rows, and leaves out the rows of organizations that were deleted: the
// event of that does not list the members.
func (r *Reader) withOrganization(ctx context.Context, orgs []domain.OrganizationID, show func(i int, moves policyMoves) ([]byte, error)) ([][]byte, error) {
	keys := make([]Key, 2*len(orgs))
	for i, id := range orgs {
		keys[i], keys[len(orgs)+i] = organizationKey(id), movesKey(id)
	}
	documents, err := r.storage.Documents(ctx, organizationsView, keys)
	if err != nil {
		return nil, err
	}
	items := make([][]byte, 0, len(orgs))
	for i := range orgs {
		moves, err := decodeMoves(documents[len(orgs)+i])
		if err != nil {
			return nil, err
		}
		body, err := show(i, moves)
		if err != nil {
			return nil, err
		}
		if documents[i] == nil { // the two views can be an instant apart
			items = append(items, body)
			continue
		}
		var found struct {
			Name   string `json:"name"`
			Policy string `json:"policy"`
			Status string `json:"status"`
		}
		if err := json.Unmarshal(documents[i], &found); err != nil {
			return nil, err
		}
		if found.Status == "deleted" {
			continue
		}
		tail, err := json.Marshal(struct {
			Name   string `json:"name"`
			Policy string `json:"policy"`
		}{found.Name, found.Policy})
		if err != nil {
			return nil, err
		}
		// {…} and {…} make {…,…}
		item := append(make([]byte, 0, len(body)+len(tail)), body[:len(body)-1]...)
		items = append(items, append(append(item, ','), tail[1:]...))
	}
	return items, nil
}

// membershipDoc is what is stored.
type membershipDoc struct {
	Membership
	heldRoles
}

func memberships() View[membershipDoc] {
	return View[membershipDoc]{
		Name: membershipsView,
		Types: []string{
			"organization.activated.", "organization.member_joined.", "organization.member_removed.",
			"organization.member_suspended.", "organization.member_reactivated.",
			"organization.roles_changed.", "organization.ownership_transferred.", "organization.join_request",
		},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case organization.Activated:
				return []Key{membershipKey(x.AccountID, x.OrganizationID)}
			case organization.MemberJoined:
				return []Key{membershipKey(x.AccountID, x.OrganizationID)}
			case organization.JoinRequested:
				return []Key{membershipKey(x.AccountID, x.OrganizationID)}
			case organization.JoinRequestClosed:
				return []Key{membershipKey(x.AccountID, x.OrganizationID)}
			case organization.MemberRemoved:
				return []Key{membershipKey(x.AccountID, x.OrganizationID)}
			case organization.MemberSuspended:
				return []Key{membershipKey(x.AccountID, x.OrganizationID)}
			case organization.MemberReactivated:
				return []Key{membershipKey(x.AccountID, x.OrganizationID)}
			case organization.RolesChanged:
				return []Key{membershipKey(x.AccountID, x.OrganizationID)}
			case organization.OwnershipTransferred:
				return []Key{membershipKey(x.From, x.OrganizationID), membershipKey(x.To, x.OrganizationID)}
			}
			return nil
		},
		Fold: func(d *membershipDoc, in In[membershipDoc]) *membershipDoc {
			if d == nil {
				d = &membershipDoc{}
			}
			m := &d.Membership
			if m.Status == "" {
				m = nil
			}
			if m = foldMembership(m, in.Key, in.Event); m == nil {
				return nil
			}
			return &membershipDoc{Membership: *m, heldRoles: d.heldRoles.after(in.Event)}
		},
		Entries: func(_ Key, m *membershipDoc) []Entry {
			if m.RequestedAt != nil {
				return []Entry{{"requested_at", sortTime(*m.RequestedAt)}}
			}
			return []Entry{{"joined_at", sortTime(m.JoinedAt)}}
		},
	}
}

func foldMembership(m *Membership, key Key, e Event) *Membership {
	at := e.Metadata.OccurredAt.UTC()
	switch x := e.Event.(type) {
	case organization.Activated:
		return &Membership{OrganizationID: x.OrganizationID, Roles: roles(x.Roles), Status: organization.Active, JoinedAt: at, Personal: x.Personal}
	case organization.JoinRequested:
		return &Membership{OrganizationID: x.OrganizationID, Roles: roles(nil), Status: Pending, RequestedAt: &at}
	case organization.MemberJoined:
		return &Membership{OrganizationID: x.OrganizationID, Roles: roles(x.Roles), Status: organization.Active, JoinedAt: at}
	case organization.MemberRemoved, organization.JoinRequestClosed:
		return nil
	}
	if m == nil {
		return nil
	}
	switch x := e.Event.(type) {
	case organization.MemberSuspended:
		m.Status = organization.Suspended
	case organization.MemberReactivated:
		m.Status = organization.Active
	case organization.RolesChanged:
		m.Roles = roles(x.After)
	case organization.OwnershipTransferred:
		if key.Partition == string(x.From) {
			m.Roles = roles(x.FromAfter)
		} else {
			m.Roles = roles(x.ToAfter)
		}
	}
	return m
}

func membershipKey(account domain.AccountID, org domain.OrganizationID) Key {
	return Key{Partition: string(account), ID: string(org)}
}
