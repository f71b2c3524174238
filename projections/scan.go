package projections

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tenure/domain"
)

// Bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 200
	// scanRows is how many rows a page that is filtered may look at. A page
	// that has looked at them all ends there, with a cursor.
	scanRows = 1000
)

// scan is a query over one index: the rows of it that keep holds for.
type scan struct {
	view, partition string
	index, prefix   string
	others          []string // further indexes; all are read as one
	also            []string // more of them, whose rows may stand in several: a cursor does not depend on which they are
	more            []Row    // further rows, which no index has
	descending      bool
	cursor          string
	limit           int // 0 is the default
	// asks tells queries over the same index apart, so that a cursor works
	// with its own query only.
	asks []string
	// from is where a query without a cursor starts.
	from Place
	// keep decides on a row; nil keeps all. With last nothing after the row is
	// of interest.
	keep func(row Row) (keep, last bool, err error)
	// items makes the answer's items of the rows; nil takes the documents as they are.
	items func(ctx context.Context, rows []Row) ([][]byte, error)
}

// page reads one page.
func (s scan) page(ctx context.Context, storage Storage) (Page, error) {
	rows, next, err := s.rows(ctx, storage)
	if err != nil {
		return Page{}, err
	}
	items := make([][]byte, len(rows))
	for i, row := range rows {
		items[i] = row.Body
	}
	if s.items != nil {
		if items, err = s.items(ctx, rows); err != nil {
			return Page{}, err
		}
	}
	return newPage(items, next), nil
}

func (s scan) rows(ctx context.Context, storage Storage) (kept []Row, next string, err error) {
	limit, err := checkLimit(s.limit)
	if err != nil {
		return nil, "", err
	}
	after := s.from
	query := s.fingerprint()
	if s.cursor != "" {
		if after, err = parseCursor(query, s.cursor); err != nil {
			return nil, "", err
		}
	}
	const most = 256  // rows at a time
	want := limit + 1 // one more than needed tells whether there is more
	for seen := 0; seen < scanRows; {
		rows, err := s.read(ctx, storage, after, want)
		if err != nil {
			return nil, "", err
		}
		for _, row := range rows {
			if len(kept) == limit {
				return kept, makeCursor(query, after), nil
			}
			keep, last, err := s.decide(row)
			if err != nil {
				return nil, "", err
			}
			if last {
				return kept, "", nil
			}
			if keep {
				kept = append(kept, row)
			}
			after = row.Place
		}
		if len(rows) < want {
			return kept, "", nil
		}
		seen += len(rows)
		want = min(2*want, most)
	}
	return kept, makeCursor(query, after), nil
}

// read answers with the rows after a place: of several indexes the first of all
// their first ones.
func (s scan) read(ctx context.Context, storage Storage, after Place, limit int) ([]Row, error) {
	q := RangeQuery{Partition: s.partition, Index: s.index, Prefix: s.prefix, After: after, Descending: s.descending, Limit: limit}
	rows, _, err := storage.Range(ctx, s.view, q)
	if err != nil || len(s.others)+len(s.also)+len(s.more) == 0 {
		return rows, err
	}
	rows = slices.Clone(rows)
	for _, q.Index = range slices.Concat(s.others, s.also) {
		more, _, err := storage.Range(ctx, s.view, q)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	for _, row := range s.more {
		if after == (Place{}) || s.order(row.Place, after) > 0 {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return s.order(a.Place, b.Place) })
	rows = slices.CompactFunc(rows, func(a, b Row) bool { return a.Place == b.Place })
	return rows[:min(limit, len(rows))], nil
}

func (s scan) order(a, b Place) int {
	order := cmp.Or(strings.Compare(a.Sort, b.Sort), strings.Compare(a.ID, b.ID))
	if s.descending {
		return -order
	}
	return order
}

func (s scan) decide(row Row) (keep, last bool, err error) {
	if s.keep == nil {
		return true, false, nil
	}
	return s.keep(row)
}

// search narrows the scan of an index of words down to the documents in which
// all of words are beginnings. The first word drives; inspect answers with a
// document's words, and with whether the rest of the query, asks, holds for it.
func (s scan) search(words, asks []string, inspect func(body []byte) (words []string, matches bool, err error)) scan {
	s.prefix = words[0]
	s.asks = append(append(s.asks, words...), asks...)
	s.keep = func(row Row) (bool, bool, error) {
		found, matches, err := inspect(row.Body)
		if err != nil || !matches {
			return false, false, err
		}
		// A document stands under each of its words: it counts under the first.
		if first, ok := smallestMatch(found, words[0]); !ok || first != row.Sort {
			return false, false, nil
		}
		for _, word := range words[1:] {
			if _, ok := smallestMatch(found, word); !ok {
				return false, false, nil
			}
		}
		return true, false, nil
	}
	return s
}

func (s scan) fingerprint() string {
	direction := "ascending"
	if s.descending {
		direction = "descending"
	}
	return strings.Join(slices.Concat([]string{s.view, s.partition, s.index, s.prefix, direction}, s.others, s.asks), "\x00")
}

func checkLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return defaultLimit, nil
	case limit < 0 || limit > maxLimit:
		return 0, domain.Invalid("limit", "Give a number from 1 to 200.")
	}
	return limit, nil
}

// parseSort reads one of the fields, of which the first is the default, with
// "-" before it for the reverse order.
func parseSort(text string, fields ...string) (field string, descending bool, err error) {
	if text == "" {
		return fields[0], false, nil
	}
	field, descending = strings.CutPrefix(text, "-")
	if !slices.Contains(fields, field) {
		return "", false, domain.Invalid("sort", "Use "+strings.Join(fields, " or ")+", with - before it for the reverse order.")
	}
	return field, descending, nil
}

func errSortedSearch() error {
	return domain.Invalid("sort", "Leave sort out with q: what is found is ordered by the word that was found.")
}

// checkFilter refuses a value that no document can have, before it becomes part
// of an index's name.
func checkFilter(field, value string) error {
	if len(value) > 200 || strings.IndexByte(value, 0) >= 0 {
		return domain.Invalid(field, "Give a shorter value without control characters.")
	}
	return nil
}

// sortTime is a time as text that sorts by time, for the years 0 to 9999.
func sortTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}
