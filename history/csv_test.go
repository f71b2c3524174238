package history_test

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/history"
)

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
