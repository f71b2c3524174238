package projections

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
)

// Space is the document of a space of an organization.
type Space struct {
	SpaceID   domain.SpaceID `json:"space_id"`
	Name      string         `json:"name"`
	CreatedAt time.Time      `json:"created_at"`
}

// SpacesQuery asks for a page of an organization's spaces.
type SpacesQuery struct {
	Organization domain.OrganizationID
	Q            string // beginnings of words in the name, as in MembersQuery
	Sort         string // name (default), -name; empty with Q
	Cursor       string
	Limit        int // 1 to 200, default 50
}

const spacesView = "spaces.v1"

// Spaces returns a page. It fails with CodeInvalid. A page of a search for
// several words can be short and still have a cursor.
func (r *Reader) Spaces(ctx context.Context, q SpacesQuery) (Page, error) {
	return r.cached(ctx, spacesView, string(q.Organization), q, func(storage Storage) (Page, error) {
		s, err := q.scan()
		if err != nil {
			return Page{}, err
		}
		return s.page(ctx, storage)
	})
}

// SpacesOf returns a page of the spaces that are assigned to a member. It fails
// with CodeInvalid. They are few (organization.MaxSpacesOfMember), so they are
// read at once.
func (r *Reader) SpacesOf(ctx context.Context, account domain.AccountID, q SpacesQuery) (Page, error) {
	s, err := q.scan()
	if err != nil {
		return Page{}, err
	}
	s.asks = append(s.asks, string(account))
	bodies, err := r.storage.Documents(ctx, membersView, []Key{memberKey(q.Organization, account)})
	if err != nil {
		return Page{}, err
	}
	var m Member
	if bodies[0] != nil {
		if err := json.Unmarshal(bodies[0], &m); err != nil {
			return Page{}, err
		}
	}
	rows, err := r.assigned(ctx, q.Organization, m.Spaces, s)
	if err != nil {
		return Page{}, err
	}
	return s.pageOf(rows)
}

// assigned are the rows that a scan would find if there were no other spaces.
func (r *Reader) assigned(ctx context.Context, org domain.OrganizationID, ids []domain.SpaceID, s scan) ([]Row, error) {
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = spaceKey(org, id)
	}
	documents, err := r.storage.Documents(ctx, spacesView, keys)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for i, body := range documents {
		if body == nil { // deleted
			continue
		}
		var space Space
		if err := json.Unmarshal(body, &space); err != nil {
			return nil, err
		}
		for _, entry := range space.entries() {
			row := Row{Place: Place{Sort: entry.Sort, ID: string(ids[i])}, Body: body}
			if entry.Index != s.index || !strings.HasPrefix(entry.Sort, s.prefix) {
				continue
			}
			if keep, _, err := s.decide(row); err != nil {
				return nil, err
			} else if keep {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

func (q SpacesQuery) scan() (scan, error) {
	s := scan{view: spacesView, partition: string(q.Organization), cursor: q.Cursor, limit: q.Limit}
	words, err := searchWords(q.Q)
	if err != nil {
		return scan{}, err
	}
	if len(words) > 0 {
		if q.Sort != "" {
			return scan{}, errSortedSearch()
		}
		s.index = "word"
		return s.search(words, nil, func(body []byte) ([]string, bool, error) {
			var space Space
			err := json.Unmarshal(body, &space)
			return space.words(), true, err
		}), nil
	}
	s.index, s.descending, err = parseSort(q.Sort, "name")
	return s, err
}

// pageOf is the page that a scan has of these rows, which are all there are.
func (s scan) pageOf(rows []Row) (Page, error) {
	limit, err := checkLimit(s.limit)
	if err != nil {
		return Page{}, err
	}
	slices.SortFunc(rows, func(a, b Row) int { return s.order(a.Place, b.Place) })
	if s.cursor != "" {
		after, err := parseCursor(s.fingerprint(), s.cursor)
		if err != nil {
			return Page{}, err
		}
		rows = slices.DeleteFunc(rows, func(r Row) bool { return s.order(r.Place, after) <= 0 })
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = makeCursor(s.fingerprint(), rows[limit-1].Place)
	}
	items := make([][]byte, len(rows))
	for i, row := range rows {
		items[i] = row.Body
	}
	return newPage(items, next), nil
}

func spaces() View[Space] {
	return View[Space]{
		Name:  spacesView,
		Types: []string{"organization.space_"},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case organization.SpaceCreated:
				return []Key{spaceKey(x.OrganizationID, x.SpaceID)}
			case organization.SpaceRenamed:
				return []Key{spaceKey(x.OrganizationID, x.SpaceID)}
			case organization.SpaceDeleted:
				return []Key{spaceKey(x.OrganizationID, x.SpaceID)}
			}
			return nil
		},
		Fold: func(s *Space, in In[Space]) *Space {
			switch x := in.Event.Event.(type) {
			case organization.SpaceCreated:
				return &Space{SpaceID: x.SpaceID, Name: x.Name, CreatedAt: in.Metadata.OccurredAt.UTC()}
			case organization.SpaceRenamed:
				if s != nil {
					s.Name = x.After
				}
				return s
			}
			return nil
		},
		Entries: func(_ Key, s *Space) []Entry { return s.entries() },
	}
}

func (s *Space) entries() []Entry {
	entries := []Entry{{"name", domain.Fold(s.Name)}}
	for _, word := range s.words() {
		entries = append(entries, Entry{"word", word})
	}
	return entries
}

func (s *Space) words() []string { return findableWords("", s.Name) }

func spaceKey(org domain.OrganizationID, id domain.SpaceID) Key {
	return Key{Partition: string(org), ID: string(id)}
}
