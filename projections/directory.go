package projections

import (
	"context"
	"encoding/json"

	"tenure/domain"
	"tenure/domain/organization"
)

// DirectoryQuery asks for a page of all organizations, for the operator: those
// that people share, or all personal spaces.
type DirectoryQuery struct {
	Personal bool
	Q        string // beginnings of words in the name, as in MembersQuery
	Sort     string // name (default), -name; empty with Q
	Cursor   string
	Limit    int // 1 to 200, default 50
}

const (
	directoryView      = "directory.v1"
	directoryPartition = "all"
)

// Directory returns a page of the organizations' documents. It fails with
// CodeInvalid.
func (r *Reader) Directory(ctx context.Context, q DirectoryQuery) (Page, error) {
	s, err := q.scan()
	if err != nil {
		return Page{}, err
	}
	s.items = r.organizationItems
	return s.page(ctx, r.storage)
}

func (q DirectoryQuery) scan() (scan, error) {
	s := scan{view: directoryView, partition: directoryPartition, cursor: q.Cursor, limit: q.Limit}
	words, err := searchWords(q.Q)
	if err != nil {
		return scan{}, err
	}
	if len(words) > 0 {
		if q.Sort != "" {
			return scan{}, errSortedSearch()
		}
		s.index = directoryIndex("word", q.Personal)
		return s.search(words, nil, func(body []byte) ([]string, bool, error) {
			var e directoryEntry
			err := json.Unmarshal(body, &e)
			return e.words(), true, err
		}), nil
	}
	if s.index, s.descending, err = parseSort(q.Sort, "name"); err != nil {
		return scan{}, err
	}
	s.index = directoryIndex(s.index, q.Personal)
	return s, nil
}

// directoryIndex keeps personal spaces, of which there are as many as accounts,
// apart from the others.
func directoryIndex(index string, personal bool) string {
	if personal {
		return "personal." + index
	}
	return index
}

// organizationItems are the full documents of the organizations on a page: the
// directory itself changes only when a name does.
func (r *Reader) organizationItems(ctx context.Context, rows []Row) ([][]byte, error) {
	keys := make([]Key, len(rows))
	for i, row := range rows {
		keys[i] = organizationKey(domain.OrganizationID(row.ID))
	}
	documents, err := r.storage.Documents(ctx, organizationsView, keys)
	if err != nil {
		return nil, err
	}
	items := documents[:0]
	for _, d := range documents {
		if d != nil { // the two views can be an instant apart
			items = append(items, d)
		}
	}
	return items, nil
}

// directoryEntry is the document of an organization in the directory.
type directoryEntry struct {
	Name     domain.OrganizationName `json:"name"`
	Personal bool                    `json:"personal,omitempty"`
}

func directory() View[directoryEntry] {
	return View[directoryEntry]{
		Name:  directoryView,
		Types: []string{"organization.activated.", "organization.renamed.", "organization.personal_space_renamed.", "organization.member_erased."},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case organization.Activated:
				return []Key{{directoryPartition, string(x.OrganizationID)}}
			case organization.Renamed:
				return []Key{{directoryPartition, string(x.OrganizationID)}}
			case organization.PersonalSpaceRenamed:
				return []Key{{directoryPartition, string(x.OrganizationID)}}
			case organization.MemberErased:
				return []Key{{directoryPartition, string(x.OrganizationID)}}
			}
			return nil
		},
		Fold: func(e *directoryEntry, in In[directoryEntry]) *directoryEntry {
			switch x := in.Event.Event.(type) {
			case organization.Activated:
				return &directoryEntry{Name: x.Name, Personal: x.Personal}
			case organization.Renamed:
				if e != nil {
					e.Name = x.After
				}
			case organization.PersonalSpaceRenamed:
				if e != nil {
					e.Name = x.After
				}
			case organization.MemberErased:
				if e != nil && e.Personal {
					e.Name = domain.OrganizationName(x.Pseudonym.DisplayName())
				}
			}
			return e
		},
		Entries: func(_ Key, e *directoryEntry) []Entry {
			entries := []Entry{{directoryIndex("name", e.Personal), domain.Fold(string(e.Name))}}
			for _, word := range e.words() {
				entries = append(entries, Entry{directoryIndex("word", e.Personal), word})
			}
			return entries
		},
	}
}

func (e directoryEntry) words() []string { return findableWords("", string(e.Name)) }
