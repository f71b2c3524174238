package memory

import (
	"slices"
	"sort"
	"strings"

	"tenure/projections"
)

// entry is an index entry as one text, so that the order of texts is that of
// entries: none of the three holds a zero byte.
func entry(index, sort, id string) string { return index + "\x00" + sort + "\x00" + id }

// place takes the text of an entry apart again.
func place(e string) projections.Place {
	_, rest, _ := strings.Cut(e, "\x00")
	sort, id, _ := strings.Cut(rest, "\x00")
	return projections.Place{Sort: sort, ID: id}
}

// after is the partition with a change.
func (p *partition) after(c projections.Change) *partition {
	next := &partition{position: c.To, documents: p.documents, entries: p.entries}
	if len(c.Puts)+len(c.Deletes) > 0 {
		next.documents = mergeDocuments(p.documents, c)
	}
	if len(c.Added)+len(c.Removed) > 0 {
		next.entries = merge(p.entries, texts(c.Added), texts(c.Removed))
	}
	return next
}

func texts(entries []projections.IndexEntry) []string {
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = entry(e.Index, e.Sort, e.ID)
	}
	slices.Sort(all)
	return all
}

// merge makes a sorted list of what is in a sorted list, and is added, and is
// not removed.
func merge(before, added, removed []string) []string {
	after := make([]string, 0, len(before)+len(added))
	for len(before)+len(added) > 0 {
		var next string
		switch {
		case len(added) == 0 || len(before) > 0 && before[0] < added[0]:
			next, before = before[0], before[1:]
		case len(before) == 0 || added[0] < before[0]:
			next, added = added[0], added[1:]
		default:
			next, before, added = before[0], before[1:], added[1:]
		}
		for len(removed) > 0 && removed[0] < next {
			removed = removed[1:]
		}
		if len(removed) > 0 && removed[0] == next {
			continue
		}
		if n := len(after); n == 0 || after[n-1] != next {
			after = append(after, next)
		}
	}
	return after
}

// mergeDocuments is merge for documents: those that are put replace the ones
// before.
func mergeDocuments(before []projections.Document, c projections.Change) []projections.Document {
	puts := slices.Clone(c.Puts)
	slices.SortStableFunc(puts, func(a, b projections.Document) int { return strings.Compare(a.ID, b.ID) })
	deleted := make(map[string]bool, len(c.Deletes))
	for _, id := range c.Deletes {
		deleted[id] = true
	}
	after := make([]projections.Document, 0, len(before)+len(puts))
	keep := func(d projections.Document) {
		if !deleted[d.ID] {
			after = append(after, d)
		}
	}
	for _, put := range puts {
		for len(before) > 0 && before[0].ID < put.ID {
			keep(before[0])
			before = before[1:]
		}
		if len(before) > 0 && before[0].ID == put.ID {
			before = before[1:]
		}
		keep(put)
	}
	for _, d := range before {
		keep(d)
	}
	return after
}

// byID answers a query of the documents in the order of their ids.
func (p *partition) byID(q projections.RangeQuery) []projections.Row {
	from, to := stretch(len(p.documents), q.Prefix, q.After.ID, q.Descending, func(i int) string { return p.documents[i].ID })
	rows := make([]projections.Row, 0, min(q.Limit, to-from))
	for i := range cap(rows) {
		d := p.documents[at(from, to, i, q.Descending)]
		rows = append(rows, projections.Row{Place: projections.Place{ID: d.ID}, Body: d.Body})
	}
	return rows
}

// byEntry answers a query of an index.
func (p *partition) byEntry(q projections.RangeQuery) []projections.Row {
	after := ""
	if q.After != (projections.Place{}) {
		after = entry(q.Index, q.After.Sort, q.After.ID)
	}
	from, to := stretch(len(p.entries), q.Index+"\x00"+q.Prefix, after, q.Descending, func(i int) string { return p.entries[i] })
	rows := make([]projections.Row, 0, min(q.Limit, to-from))
	for i := range cap(rows) {
		place := place(p.entries[at(from, to, i, q.Descending)])
		rows = append(rows, projections.Row{Place: place, Body: p.document(place.ID)})
	}
	return rows
}

// at is the i-th place of a stretch from its beginning, or from its end.
func at(from, to, i int, descending bool) int {
	if descending {
		return to - 1 - i
	}
	return from + i
}

// stretch finds the part of a sorted list that begins with a prefix and comes
// after a text, in the direction of the query; an empty text is none.
func stretch(n int, prefix, after string, descending bool, text func(int) string) (from, to int) {
	from = sort.Search(n, func(i int) bool { return text(i) >= prefix })
	to = from + sort.Search(n-from, func(i int) bool { return !strings.HasPrefix(text(from+i), prefix) })
	switch {
	case after == "":
	case descending:
		to = max(from, min(to, sort.Search(n, func(i int) bool { return text(i) >= after })))
	default:
		from = min(to, max(from, sort.Search(n, func(i int) bool { return text(i) > after })))
	}
	return from, to
}
