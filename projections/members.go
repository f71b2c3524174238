package projections

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
)

// Pending is the status of one who asks to join and is no member yet.
const Pending organization.Status = "pending"

// Member is the document of one who is, or was, a member of an organization, or
// asks to become one.
type Member struct {
	AccountID    domain.AccountID    `json:"account_id"`
	Email        domain.Email        `json:"email"`
	Username     domain.Username     `json:"username,omitempty"`
	DisplayName  string              `json:"display_name"`
	Roles        []domain.Role       `json:"roles"` // of a removed member, those it had
	Status       organization.Status `json:"status"`
	JoinedAt     time.Time           `json:"joined_at,omitzero"`
	InvitedBy    domain.AccountID    `json:"invited_by,omitempty"`
	InvitationID domain.InvitationID `json:"invitation_id,omitempty"`
	RequestedAt  *time.Time          `json:"requested_at,omitempty"` // of one who asks to join
	SuspendedAt  *time.Time          `json:"suspended_at,omitempty"`
	RemovedAt    *time.Time          `json:"removed_at,omitempty"`
}

// MembersQuery asks for a page of an organization's members.
type MembersQuery struct {
	Organization domain.OrganizationID
	Status       string // active (default), suspended, pending or removed
	Role         string // only holders of this role; empty for all
	// Q finds members by the beginnings of words in display name, username and
	// e-mail address; all words of Q must be found. Members come in the order
	// of the word that was found by the longest word of Q.
	Q      string
	Sort   string // display_name (default), joined_at (of those who ask, when they did); with "-" before it, descending; empty with Q
	Cursor string
	Limit  int // 1 to 200, default 50
}

const membersView = "members.v1"

// Member returns one member's document, of whatever status. It fails with
// CodeNotFound.
func (r *Reader) Member(ctx context.Context, org domain.OrganizationID, id domain.AccountID) ([]byte, error) {
	return r.document(ctx, membersView, Key{string(org), string(id)}, "No such member", "Look the member up in the list of members.")
}

// Members returns a page. It fails with CodeInvalid. A page of a search with a
// role, or for several words, can be short and still have a cursor.
func (r *Reader) Members(ctx context.Context, q MembersQuery) (Page, error) {
	return r.cached(ctx, membersView, string(q.Organization), q, func() (Page, error) {
		s, err := q.scan()
		if err != nil {
			return Page{}, err
		}
		return s.page(ctx, r.storage)
	})
}

func (q MembersQuery) scan() (scan, error) {
	status := organization.Status(q.Status)
	switch status {
	case "":
		status = organization.Active
	case organization.Active, organization.Suspended, Pending, organization.Removed:
	default:
		return scan{}, domain.Invalid("status", "Use active, suspended, pending or removed.")
	}
	if err := checkFilter("role", q.Role); err != nil {
		return scan{}, err
	}
	s := scan{view: membersView, partition: string(q.Organization), cursor: q.Cursor, limit: q.Limit}
	words, err := searchWords(q.Q)
	if err != nil {
		return scan{}, err
	}
	if len(words) > 0 {
		if q.Sort != "" {
			return scan{}, errSortedSearch()
		}
		s.index = string(status) + ".word"
		return s.search(words, []string{q.Role}, func(body []byte) ([]string, bool, error) {
			var m Member
			err := json.Unmarshal(body, &m)
			return m.words(), q.Role == "" || slices.Contains(m.Roles, domain.Role(q.Role)), err
		}), nil
	}
	field, descending, err := parseSort(q.Sort, "display_name", "joined_at")
	if err != nil {
		return scan{}, err
	}
	s.index, s.descending = memberIndex(status, domain.Role(q.Role), field), descending
	return s, nil
}

func members() View[Member] {
	return View[Member]{
		Name: membersView,
		Types: []string{
			"organization.activated.", "organization.member_", "organization.join_request", "organization.roles_changed.", "organization.ownership_transferred.",
		},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case organization.Activated:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberJoined:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberRenamed:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.RolesChanged:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberRemoved:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberSuspended:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.MemberReactivated:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.JoinRequested:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.JoinRequestClosed:
				return []Key{memberKey(x.OrganizationID, x.AccountID)}
			case organization.OwnershipTransferred:
				return []Key{memberKey(x.OrganizationID, x.From), memberKey(x.OrganizationID, x.To)}
			}
			return nil
		},
		Fold:    foldMember,
		Entries: func(_ Key, m *Member) []Entry { return m.entries() },
	}
}

func foldMember(m *Member, in In[Member]) *Member {
	at := in.Metadata.OccurredAt.UTC()
	switch x := in.Event.Event.(type) {
	case organization.Activated:
		return &Member{
			AccountID: x.AccountID, Email: x.Email, Username: x.Username, DisplayName: x.DisplayName,
			Roles: roles(x.Roles), Status: organization.Active, JoinedAt: at,
		}
	case organization.MemberJoined:
		return &Member{
			AccountID: x.AccountID, Email: x.Email, Username: x.Username, DisplayName: x.DisplayName,
			Roles: roles(x.Roles), Status: organization.Active, JoinedAt: at, InvitedBy: x.InvitedBy, InvitationID: x.InvitationID,
		}
	case organization.JoinRequested:
		return &Member{
			AccountID: x.AccountID, Email: x.Email, DisplayName: x.DisplayName, Roles: roles(nil), Status: Pending, RequestedAt: &at,
		}
	case organization.JoinRequestClosed:
		return nil
	}
	if m == nil {
		return nil
	}
	switch x := in.Event.Event.(type) {
	case organization.MemberRenamed:
		m.DisplayName = x.After
	case organization.RolesChanged:
		m.Roles = roles(x.After)
	case organization.MemberRemoved:
		m.Status, m.RemovedAt, m.SuspendedAt = organization.Removed, &at, nil
	case organization.MemberSuspended:
		m.Status, m.SuspendedAt = organization.Suspended, &at
	case organization.MemberReactivated:
		m.Status, m.SuspendedAt = organization.Active, nil
	case organization.OwnershipTransferred:
		if m.AccountID == x.From {
			m.Roles = roles(x.FromAfter)
		} else {
			m.Roles = roles(x.ToAfter)
		}
	}
	return m
}

func (m *Member) entries() []Entry {
	name, joined := domain.Fold(m.DisplayName), sortTime(m.JoinedAt)
	if m.RequestedAt != nil {
		joined = sortTime(*m.RequestedAt)
	}
	words := m.words()
	entries := make([]Entry, 0, 2+2*len(m.Roles)+len(words))
	entries = append(entries,
		Entry{memberIndex(m.Status, "", "display_name"), name},
		Entry{memberIndex(m.Status, "", "joined_at"), joined})
	for _, role := range m.Roles {
		entries = append(entries,
			Entry{memberIndex(m.Status, role, "display_name"), name},
			Entry{memberIndex(m.Status, role, "joined_at"), joined})
	}
	index := string(m.Status) + ".word"
	for _, word := range words {
		entries = append(entries, Entry{index, word})
	}
	return entries
}

func (m *Member) words() []string {
	return findableWords(m.Email, m.DisplayName, string(m.Username))
}

// memberIndex names the index of members with a status, and with a role unless
// it is empty, in the order of a field.
func memberIndex(status organization.Status, role domain.Role, field string) string {
	if role == "" {
		return string(status) + "." + field
	}
	return string(status) + "." + field + "." + string(role)
}

func memberKey(org domain.OrganizationID, id domain.AccountID) Key {
	return Key{Partition: string(org), ID: string(id)}
}

// roles makes sure that a document says [] for no roles, not null.
func roles(r []domain.Role) []domain.Role {
	if r == nil {
		return []domain.Role{}
	}
	return r
}
