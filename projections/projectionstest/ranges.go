package projectionstest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/eventstore"
	"tenure/projections"
)

// rangesEqualSorting compares ranges over random entries with a sorted slice.
func rangesEqualSorting(t *testing.T, s projections.Storage) {
	text := rapid.OneOf(
		rapid.StringOfN(rapid.SampledFrom([]rune("abAé\u0301ß漢\U0001F600 ./-")), 0, 4, -1),
		rapid.SampledFrom([]string{"", "a", "ab", "\xff", "a\xff", "\x01", "\U0010FFFF"}))
	index := rapid.SampledFrom([]string{"", "i", "i.j", "é"})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		is := is.New(t)
		n++
		partition := fmt.Sprint("p", n)
		documents := map[string]bool{}
		entries := map[projections.IndexEntry]bool{}
		position := eventstore.Position(0)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			c := change(partition, position, position+1)
			for range rapid.IntRange(0, 20).Draw(t, "rows") {
				id := "d" + text.Draw(t, "id")
				e := projections.IndexEntry{Entry: projections.Entry{Index: rapid.SampledFrom([]string{"i", "i.j", "é"}).Draw(t, "index"), Sort: text.Draw(t, "sort")}, ID: id}
				if !documents[id] {
					documents[id] = true
					c.Puts = append(c.Puts, projections.Document{ID: id, Body: []byte(id)})
				}
				if !entries[e] {
					entries[e] = true
					c.Added = append(c.Added, e)
				}
			}
			for e := range entries {
				if rapid.IntRange(0, 5).Draw(t, "remove") == 0 && !slices.Contains(c.Added, e) {
					delete(entries, e)
					c.Removed = append(c.Removed, e)
				}
			}
			position++
			is.NoErr(s.Apply(context.Background(), batch(position, c)))
		}
		for range 10 {
			q := projections.RangeQuery{
				Partition: partition, Index: index.Draw(t, "q.index"), Prefix: text.Draw(t, "prefix"),
				Descending: rapid.Bool().Draw(t, "descending"), Limit: rapid.IntRange(1, 12).Draw(t, "limit"),
			}
			if q.Index == "" {
				q.Prefix = rapid.SampledFrom([]string{"", "d", "da", "d\xff"}).Draw(t, "id prefix")
			}
			if rapid.Bool().Draw(t, "after") {
				q.After = projections.Place{Sort: text.Draw(t, "after.sort"), ID: "d" + text.Draw(t, "after.id")}
				if q.Index == "" {
					q.After.Sort = ""
				}
			}
			got, at, err := s.Range(context.Background(), view, q)
			is.NoErr(err)
			is.Equal(at, position)
			want := naiveRange(documents, entries, q)
			if !slices.EqualFunc(got, want, func(a, b projections.Row) bool { return a.Place == b.Place && bytes.Equal(a.Body, b.Body) }) {
				t.Fatalf("%#v\n got %q\nwant %q", q, show(got), show(want))
			}
		}
	})
}

func naiveRange(documents map[string]bool, entries map[projections.IndexEntry]bool, q projections.RangeQuery) []projections.Row {
	var all []projections.Row
	if q.Index == "" {
		for id := range documents {
			if strings.HasPrefix(id, q.Prefix) {
				all = append(all, projections.Row{Place: projections.Place{ID: id}, Body: []byte(id)})
			}
		}
	}
	for e := range entries {
		if e.Index == q.Index && strings.HasPrefix(e.Sort, q.Prefix) {
			all = append(all, projections.Row{Place: projections.Place{Sort: e.Sort, ID: e.ID}, Body: []byte(e.ID)})
		}
	}
	slices.SortFunc(all, func(a, b projections.Row) int { return comparePlaces(a.Place, b.Place) })
	if q.Descending {
		slices.Reverse(all)
	}
	var rows []projections.Row
	for _, row := range all {
		order := comparePlaces(row.Place, q.After)
		past := q.After == projections.Place{} || !q.Descending && order > 0 || q.Descending && order < 0
		if past && len(rows) < q.Limit {
			rows = append(rows, row)
		}
	}
	return rows
}

func comparePlaces(a, b projections.Place) int {
	if order := strings.Compare(a.Sort, b.Sort); order != 0 {
		return order
	}
	return strings.Compare(a.ID, b.ID)
}
