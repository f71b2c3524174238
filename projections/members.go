package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
)

// What the list of members shows besides members.
const (
	// Invited is the status of somebody whose invitation is open. Their display
	// name is their username, or else their address.
	Invited organization.Status = "invited"
	// Pending is the status of one who asks to join and is no member yet.
	Pending organization.Status = "pending"
)

// Member is the document of one who is, or was, a member of an organization, is
// invited to be, or asks to become one.
type Member struct {
	AccountID    domain.AccountID    `json:"account_id,omitempty"` // none while Invited
	Email        domain.Email        `json:"email"`
	Username     domain.Username     `json:"username,omitempty"`
	DisplayName  string              `json:"display_name"`
	Roles        []domain.Role       `json:"roles"` // of a removed member, those it had
	Status       organization.Status `json:"status"`
	JoinedAt     time.Time           `json:"joined_at,omitzero"` // while Invited, when the invitation was opened
	InvitedBy    domain.AccountID    `json:"invited_by,omitempty"`
	InvitationID domain.InvitationID `json:"invitation_id,omitempty"`
	RequestedAt  *time.Time          `json:"requested_at,omitempty"` // of one who asks to join
	SuspendedAt  *time.Time          `json:"suspended_at,omitempty"`
	RemovedAt    *time.Time          `json:"removed_at,omitempty"`
	Spaces       []domain.SpaceID    `json:"spaces,omitempty"`     // assigned
	AllSpaces    bool                `json:"all_spaces,omitempty"` // they may enter every space, whatever is assigned; see MembersQuery
	Profile                          // see MembersQuery
}

// MembersQuery asks for a page of an organization's members.
type MembersQuery struct {
	Organization domain.OrganizationID
	Status       string // active (default), suspended, pending, invited, removed; present for all but removed
	Role         string // only holders of this role; empty for all
	// Q finds members by the beginnings of words in display name, username and
	// e-mail address; all words of Q must be found. Members come in the order
	// of the word that was found by the longest word of Q.
	Q      string
	Sort   string // display_name (default), joined_at (of those who ask, when they did); with "-" before it, descending; empty with Q
	Cursor string
	Limit  int // 1 to 200, default 50

	NeverMoved  bool   // the organization's policy was never changed: one question less to the storage
	AllSpaces   string // the roles that open every space, separated by spaces: their holders' documents say so
	WithProfile bool   // adds the accounts' profiles
}

const membersView = "members.v2"

// Member returns one member's document with the account's profile, of whatever
// status. It fails with CodeNotFound. The holders of allSpaces may enter every
// space; the document says so.
func (r *Reader) Member(ctx context.Context, org domain.OrganizationID, id domain.AccountID, allSpaces ...domain.Role) ([]byte, error) {
	body, moves, err := r.documentOf(ctx, membersView, org, memberKey(org, id), "No such member", "Look the member up in the list of members.")
	if err != nil {
		return nil, err
	}
	shown, err := r.shownMembers(ctx, MembersQuery{Organization: org, AllSpaces: RoleList(allSpaces), WithProfile: true}, moves, [][]byte{body})
	if err != nil {
		return nil, err
	}
	return shown[0], nil
}

// RoleList is a list of roles as queries have it.
func RoleList(list []domain.Role) string {
	names := make([]string, len(list))
	for i, role := range list {
		names[i] = string(role)
	}
	return strings.Join(names, " ")
}

// Members returns a page. It fails with CodeInvalid. A page of a search with a
// role, or for several words, can be short and still have a cursor.
func (r *Reader) Members(ctx context.Context, q MembersQuery) (Page, error) {
	fill := func(storage Storage) (Page, error) {
		moves, err := readMoves(ctx, storage, membersView, q.Organization, q.NeverMoved)
		if err != nil {
			return Page{}, err
		}
		s, err := q.scan(moves)
		if err != nil {
			return Page{}, err
		}
		s.items = func(ctx context.Context, rows []Row) ([][]byte, error) {
			bodies := make([][]byte, len(rows))
			for i, row := range rows {
				bodies[i] = row.Body
			}
			return r.shownMembers(ctx, q, moves, bodies)
		}
		return s.page(ctx, storage)
	}
	if q.WithProfile { // which are not of the partition
		return fill(r.storage)
	}
	return r.cached(ctx, membersView, string(q.Organization), q, fill)
}

// shownMembers are the documents of members as the query wants to see them:
// with what their roles have become and open, without spaces that were deleted
// since.
func (r *Reader) shownMembers(ctx context.Context, q MembersQuery, moves policyMoves, bodies [][]byte) ([][]byte, error) {
	allSpaces := strings.Fields(q.AllSpaces)
	for i, stored := range bodies {
		body, err := shown(stored, moves, func(m *Member) *[]domain.Role { return &m.Roles })
		if err != nil {
			return nil, err
		}
		bodies[i] = body
		if len(allSpaces) == 0 && !bytes.Contains(body, []byte(`"spaces":`)) {
			continue
		}
		var m Member
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, err
		}
		if m.Spaces, err = r.notDeleted(ctx, q.Organization, m.Spaces); err != nil {
			return nil, err
		}
		m.AllSpaces = m.Status != organization.Removed && slices.ContainsFunc(m.Roles, func(role domain.Role) bool { return slices.Contains(allSpaces, string(role)) })
		if bodies[i], err = json.Marshal(m); err != nil {
			return nil, err
		}
	}
	if !q.WithProfile {
		return bodies, nil
	}
	return r.withProfiles(ctx, bodies)
}

// notDeleted leaves out the spaces that were deleted. Their marks are documents
// of the view itself, so that its pages can be kept as long as nothing changes.
func (r *Reader) notDeleted(ctx context.Context, org domain.OrganizationID, spaces []domain.SpaceID) ([]domain.SpaceID, error) {
	if len(spaces) == 0 {
		return spaces, nil
	}
	keys := make([]Key, len(spaces))
	for i, id := range spaces {
		keys[i] = deletedSpaceKey(org, id)
	}
	marks, err := r.storage.Documents(ctx, membersView, keys)
	if err != nil {
		return nil, err
	}
	kept := make([]domain.SpaceID, 0, len(spaces))
	for i, id := range spaces {
		if marks[i] == nil {
			kept = append(kept, id)
		}
	}
	return kept, nil
}

func (q MembersQuery) scan(moves policyMoves) (scan, error) {
	statuses := []organization.Status{organization.Status(q.Status)}
	switch statuses[0] {
	case "":
		statuses[0] = organization.Active
	case organization.Active, organization.Suspended, organization.Removed, Invited, Pending:
	case "present":
		statuses = []organization.Status{organization.Active, organization.Suspended, Invited}
	default:
		return scan{}, domain.Invalid("status", "Use active, suspended, pending, invited, removed or present.")
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
		s.among(statuses, func(status organization.Status) string { return string(status) + ".word" })
		return s.search(words, []string{q.Role}, func(body []byte) ([]string, bool, error) {
			var m memberDoc
			err := json.Unmarshal(body, &m)
			return m.words(), q.Role == "" || slices.Contains(moves.now(m.Roles, m.heldRoles), domain.Role(q.Role)), err
		}), nil
	}
	field, descending, err := parseSort(q.Sort, "display_name", "joined_at")
	if err != nil {
		return scan{}, err
	}
	s.descending = descending
	s.among(statuses, func(status organization.Status) string { return memberIndex(status, domain.Role(q.Role), field) })
	if q.Role == "" || len(moves) == 0 {
		return s, nil
	}
	for _, source := range moves.sources(domain.Role(q.Role)) {
		for _, status := range statuses {
			s.also = append(s.also, memberIndex(status, source, field))
		}
	}
	s.keep = func(row Row) (bool, bool, error) {
		var m memberDoc
		err := json.Unmarshal(row.Body, &m)
		return slices.Contains(moves.now(m.Roles, m.heldRoles), domain.Role(q.Role)), false, err
	}
	return s, nil
}

func (s *scan) among(statuses []organization.Status, index func(organization.Status) string) {
	s.index = index(statuses[0])
	for _, status := range statuses[1:] {
		s.others = append(s.others, index(status))
	}
}

func (m *Member) entries() []Entry {
	if m.Status == "" { // a mark
		return nil
	}
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

// erase leaves of a former member what says nothing about the person.
func (m *Member) erase(p domain.Pseudonym) {
	m.Email, m.DisplayName = p.Email(), p.DisplayName()
	if m.Username != "" {
		m.Username = p.Username()
	}
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

// invitedKey and deletedSpaceKey name what no account's id can name.
func invitedKey(org domain.OrganizationID, id domain.InvitationID) Key {
	return Key{Partition: string(org), ID: "invited/" + string(id)}
}

func deletedSpaceKey(org domain.OrganizationID, id domain.SpaceID) Key {
	return Key{Partition: string(org), ID: "deleted-space/" + string(id)}
}

// roles makes sure that a document says [] for no roles, not null.
func roles(r []domain.Role) []domain.Role {
	if r == nil {
		return []domain.Role{}
	}
	return r
}
