package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/projections"
	"tenure/projections/sqlite"
)

// TestScrub looks for the bytes of documents and entries that were replaced, in
// trees whose pages were split again and again.
func TestScrub(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	folder := t.TempDir()
	s, err := sqlite.Open(filepath.Join(folder, "views.db"), sqlite.Options{})
	is.NoErr(err)
	defer s.Close()
	const documents, secret = 2000, "the secret of "
	name := func(i int) string { return fmt.Sprint(secret, i*7919%documents, ".") }
	at := eventstore.Position(0)
	apply := func(c projections.Change) {
		c.Partition, c.From, c.To = "a", at, at+1
		is.NoErr(s.Apply(ctx, []projections.Batch{{View: "v.v1", Changes: []projections.Change{c}}}))
		at++
	}
	for i := range documents {
		id := fmt.Sprint(i * 4409 % documents)
		apply(projections.Change{
			Puts:  []projections.Document{{ID: id, Body: []byte(strings.Repeat(name(i), 1+i%9))}},
			Added: []projections.IndexEntry{{Entry: projections.Entry{Index: "word", Sort: name(i)}, ID: id}},
		})
	}
	for i := range documents {
		id := fmt.Sprint(i * 4409 % documents)
		apply(projections.Change{
			Puts:    []projections.Document{{ID: id, Body: []byte("{}")}},
			Removed: []projections.IndexEntry{{Entry: projections.Entry{Index: "word", Sort: name(i)}, ID: id}},
		})
	}
	is.NoErr(s.Scrub(ctx))
	files, err := os.ReadDir(folder)
	is.NoErr(err)
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		is.NoErr(err)
		is.Equal(bytes.Count(text, []byte(secret)), 0)
	}
	bodies, err := s.Documents(ctx, "v.v1", []projections.Key{{Partition: "a", ID: "7"}})
	is.NoErr(err)
	is.Equal(string(bodies[0]), "{}")
	apply(projections.Change{Puts: []projections.Document{{ID: "7", Body: []byte("[]")}}}) // it goes on
}
