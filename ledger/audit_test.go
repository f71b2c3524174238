package ledger_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	logsqlite "tenure/eventstore/sqlite"
	"tenure/ledger"
	viewsqlite "tenure/projections/sqlite"
)

// audit verifies the log, with or without the tree as it was.
func (w *world) audit(withTree bool, kept ...string) *ledger.Report {
	w.Helper()
	log, err := logsqlite.OpenSnapshot(w.file("log.db"))
	w.is.NoErr(err)
	defer log.Close()
	options := ledger.Options{Key: w.key.Verifier(), Kept: kept}
	if withTree {
		views, err := viewsqlite.Open(w.file("views.db"), viewsqlite.Options{Readers: 1})
		w.is.NoErr(err)
		defer views.Close()
		options.Tree = ledger.NewTree(views)
	}
	report, err := ledger.Audit(ctx, log, options)
	w.is.NoErr(err)
	return report
}

func TestAWholeLogIsVerified(t *testing.T) {
	w := four(t)
	w.append("c") // not signed
	for _, withTree := range []bool{false, true} {
		r := w.audit(withTree)
		w.is.Equal(len(r.Findings), 0)
		w.is.True(r.OK)
		w.is.Equal([]uint64{r.Events, r.Unsigned, r.Size, uint64(r.Checkpoints)}, []uint64{8, 1, 8, 4})
		w.is.Equal(r.Signature, "valid")
		w.is.Equal(r.Origin, w.key.Origin())
	}
}

const swap = `UPDATE events SET position = -1 WHERE position = %[1]d; UPDATE events SET position = %[1]d WHERE position = %[2]d; UPDATE events SET position = %[2]d WHERE position = -1`

// tamperings are all that somebody can do to the file, and where it shows. Leaf
// is the first that is wrong as the tree says it, among those of from to last as
// the checkpoints say it; event is what the finding names otherwise.
var tamperings = map[string]struct {
	change     string
	leaf       uint64
	from, last uint64
	also       string // a problem that is named without the tree
	kept       bool   // it shows by a checkpoint that was kept elsewhere
	own        string // it is about the ledger's own stream: the problem
}{
	"data":               {change: `UPDATE events SET data = '{"n":7}' WHERE position = 4`, leaf: 2, from: 2, last: 3},
	"one bit of data":    {change: `UPDATE events SET data = replace(data, '0', '2') WHERE position = 1`, leaf: 0, from: 0, last: 1},
	"metadata":           {change: `UPDATE events SET metadata = '{"actor":{"kind":"process"}}' WHERE position = 8`, leaf: 5, from: 4, last: 5},
	"type":               {change: `INSERT INTO types (name) VALUES ('test.other.v1'); UPDATE events SET type = last_insert_rowid() WHERE position = 10`, leaf: 6, from: 6, last: 7},
	"name of a type":     {change: `UPDATE types SET name = 'test.other.v1' WHERE name = 'test.happened.v1'`, leaf: 0, from: 0, last: 1},
	"no type at all":     {change: `UPDATE events SET type = 99 WHERE position = 7`, leaf: 4, from: 4, last: 5},
	"stream":             {change: `INSERT INTO streams (name) VALUES ('x'); UPDATE events SET stream = last_insert_rowid(), revision = 0 WHERE position = 11`, leaf: 7, from: 6, last: 7},
	"name of a stream":   {change: `UPDATE streams SET name = 'x' WHERE name = 'b'`, leaf: 1, from: 0, last: 1},
	"no stream at all":   {change: `UPDATE events SET stream = 99 WHERE position = 2`, leaf: 1, from: 0, last: 1},
	"revision":           {change: `UPDATE events SET revision = 9 WHERE position = 10`, leaf: 6, from: 6, last: 7, also: "revision 9 where 3"},
	"id":                 {change: `UPDATE events SET id = x'00112233445566778899aabbccddeeff' WHERE position = 5`, leaf: 3, from: 2, last: 3},
	"order":              {change: fmt.Sprintf(swap, 4, 5), leaf: 2, from: 2, last: 3},
	"order of a stream":  {change: fmt.Sprintf(swap, 1, 10), leaf: 0, from: 0, last: 1, also: "revision 3 where 0"},
	"first deleted":      {change: `DELETE FROM events WHERE position = 1`, leaf: 0, from: 0, last: 1, also: "revision 1 where 0"},
	"middle deleted":     {change: `DELETE FROM events WHERE position = 5`, leaf: 3, from: 2, last: 3, also: "revision 2 where 1"},
	"last deleted":       {change: `DELETE FROM events WHERE position = 11`, leaf: 7, from: 7, last: 7, also: "the log ends after 7 events"},
	"inserted":           {change: `UPDATE events SET position = -position WHERE position > 4; UPDATE events SET position = 1 - position WHERE position < 0; INSERT INTO streams (name) VALUES ('x'); INSERT INTO events SELECT 5, last_insert_rowid(), 0, x'0011', type, data, metadata, recorded_at FROM events WHERE position = 4`, leaf: 3, from: 2, last: 3},
	"twice":              {change: `UPDATE events SET position = -position WHERE position > 4; UPDATE events SET position = 1 - position WHERE position < 0; INSERT INTO events SELECT 5, stream, revision, id, type, data, metadata, recorded_at FROM events WHERE position = 4`, leaf: 3, from: 2, last: 3, also: "revision 1 where 2"},
	"hidden":             {change: `UPDATE events SET position = -position WHERE position > 4; UPDATE events SET position = 1 - position WHERE position < 0; INSERT INTO types (name) VALUES ('organization.member_joined.v1'); INSERT INTO events SELECT 5, (SELECT id FROM streams WHERE name = 'ledger'), 99, x'00112233445566778899aabbccddeeff', last_insert_rowid(), data, metadata, recorded_at FROM events WHERE position = 4`, leaf: 3, from: 2, last: 3, also: "revision 99 where 4"},
	"longer id":          {change: `UPDATE events SET id = id || x'00' WHERE position = 5`, leaf: 3, from: 2, last: 3},
	"the end is cut":     {change: `DELETE FROM events WHERE position > 9`, kept: true},
	"checkpoint deleted": {change: `DELETE FROM events WHERE position = 6`, own: "revision 2 where 1"},
	"first checkpoint":   {change: `DELETE FROM events WHERE position = 3`, own: "revision 1 where 0"},
	"last checkpoint":    {change: `DELETE FROM events WHERE position = 12`, own: "", kept: true},
	"its root":           {change: `UPDATE events SET data = replace(data, '"root":"', '"root":"A') WHERE position = 9`, own: "the note says something else"},
	"its size":           {change: `UPDATE events SET data = replace(data, '"size":6', '"size":5') WHERE position = 9`, own: "the note says something else"},
	"size in the note":   {change: `UPDATE events SET data = replace(replace(data, '"size":6', '"size":5'), '\n6\n', '\n5\n') WHERE position = 9`, own: "not signed with the key"},
	"origin in the note": {change: `UPDATE events SET data = replace(data, '"note":"tenure', '"note":"Tenure') WHERE position = 9`, own: "not signed with the key"},
	"no note":            {change: `UPDATE events SET data = 'x' WHERE position = 9`, own: "cannot be read"},
	"an older note":      {change: `UPDATE events SET data = (SELECT data FROM events WHERE position = 3) WHERE position = 9`, own: "the checkpoint of size 2 follows one of size 4"},
}

// TestEveryTamperingIsFoundAndNamed does it all to the file.
func TestEveryTamperingIsFoundAndNamed(t *testing.T) {
	for name, c := range tamperings {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := four(t)
			kept := w.newest()
			w.tamper(c.change)
			if c.kept {
				is.True(w.audit(false).OK) // nobody could know
				r := w.audit(false, kept)
				is.True(!r.OK)
				if c.change == `DELETE FROM events WHERE position > 9` {
					is.Equal(*r.Findings[0].Leaf, uint64(6))
				}
				return
			}
			if c.own != "" {
				r := w.audit(true)
				is.True(!r.OK)
				is.True(strings.Contains(r.Findings[0].Problem, c.own))
				is.Equal(r.Findings[0].Stream, "ledger")
				return
			}
			// By the checkpoints alone.
			r := w.audit(false)
			is.True(!r.OK)
			problems := ""
			for _, f := range r.Findings {
				problems += f.Problem + "\n"
			}
			is.True(strings.Contains(problems, c.also))
			first := *r.Findings[0].Leaf
			is.True(first >= c.from && first <= c.last)
			// By the tree as it was, exactly.
			r = w.audit(true)
			is.True(!r.OK)
			exact := false
			for _, f := range r.Findings {
				exact = exact || f.Leaf != nil && *f.Leaf == c.leaf && f.Last == nil
			}
			is.True(exact)
			is.Equal(*r.Findings[0].Leaf, c.leaf)
		})
	}
}

// newest is the newest checkpoint, as somebody keeps it.
func (w *world) newest() string {
	signed, _, err := w.commands.Checkpoints(ctx)
	w.is.NoErr(err)
	c, ok := signed.Checkpoint(signed.Newest)
	w.is.True(ok)
	return c.Note
}

// TestAForgedLogNeedsTheKey: somebody who changes the log and makes checkpoints
// that fit it has not the key.
func TestAForgedLogNeedsTheKey(t *testing.T) {
	is := is.New(t)
	w := four(t)
	w.tamper(`UPDATE events SET data = '{}' WHERE position = 1`)
	var leaves []ledger.Hash
	log, err := logsqlite.OpenSnapshot(w.file("log.db"))
	is.NoErr(err)
	page, err := log.ReadAll(ctx, 0, 100, everything)
	is.NoErr(err)
	is.NoErr(log.Close())
	for i := range page.Events {
		if ledger.IsLeaf(&page.Events[i]) {
			leaves = append(leaves, ledger.LeafHash(&page.Events[i]))
		}
	}
	conn, err := sqlite.OpenConn(w.file("log.db"), sqlite.OpenReadWrite)
	is.NoErr(err)
	for i, size := range []uint64{2, 4, 6, 8} {
		was, err := ledger.InMemory(w.leaves).Root(size)
		is.NoErr(err)
		root, err := ledger.InMemory(leaves).Root(size)
		is.NoErr(err)
		is.NoErr(sqlitex.Execute(conn, `UPDATE events SET data = replace(data, ?, ?) WHERE position = ?`,
			&sqlitex.ExecOptions{Args: []any{was.String(), root.String(), 3 * (i + 1)}}))
	}
	is.NoErr(conn.Close())
	r := w.audit(false)
	is.True(!r.OK)
	is.Equal(r.Signature, "invalid")
	is.True(bytes.Contains([]byte(r.Findings[0].Problem), []byte("not signed with the key")))
}
