package history_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/history"
)

// The time of a row, asked for, has what the row says.
func TestTimesOfTablesAreExact(t *testing.T) {
	w := newWorld(t, history.Options{})
	s := newStory(w, 5, 0)
	s.tell(60)
	events := w.logged()[s.id]
	d, err := w.history.Diff(t.Context(), s.id, history.Moment{Position: events[10].Position}, history.Moment{})
	w.is.NoErr(err)
	text, err := d.CSV()
	w.is.NoErr(err)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\xef\xbb\xbf"))).ReadAll()
	w.is.NoErr(err)
	w.is.True(len(rows) > 5)
	for i, row := range rows[1:] {
		m, err := history.ParseMoment("as_of", row[0])
		w.is.NoErr(err)
		w.is.True(m.Instant.Equal(d.Changes[i].Event.At))
		p, err := w.history.At(t.Context(), s.id, m)
		w.is.NoErr(err)
		w.is.True(!p.At.After(m.Instant))
	}
	review, err := w.history.Review(t.Context(), s.id, history.Moment{})
	w.is.NoErr(err)
	text, err = review.CSV()
	w.is.NoErr(err)
	w.is.True(strings.Contains(string(text), review.Members[0].Joined.At.UTC().Format(time.RFC3339Nano)))
}

func TestNoCellOfATableIsAFormula(t *testing.T) {
	is := is.New(t)
	for name, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", " =1": "' =1", "\t=1": "'\t'=1", "＝1": "'＝1", "": "", "a=1": "a=1",
		"\r=1": "''=1", "\n": "'\n", "\"=1\"": "'\"=1\"", "\xff=1": "\ufffd=1",
		// Cells of their own where the semicolon is between them.
		"Ada;=1": "Ada;'=1", "Ada; \"=1\"": "Ada;' \"=1\"", "a\n@b\tc;d": "a\n'@b\tc;d", "Zoë; 代理": "Zoë; 代理",
		"Ada, \"the\" Countess": "Ada, \"the\" Countess",
	} {
		table, err := history.Diff{Changes: []history.Change{{Kind: history.Joined, Name: name, After: &history.Value{Roles: []domain.Role{"A", "B"}}}}}.CSV()
		is.NoErr(err)
		text, marked := strings.CutPrefix(string(table), "\xef\xbb\xbf") // or Excel takes it for Latin-1
		is.True(marked && !strings.Contains(text, "\ufeff"))
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		is.NoErr(err)
		is.Equal(len(rows), 2)
		is.Equal(len(rows[0]), len(rows[1]))
		is.Equal(rows[1][2], want)
		is.Equal(rows[1][7], "roles=A B")
	}
}
