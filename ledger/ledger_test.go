package ledger_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/eventstore"
	"tenure/ledger"
	viewsqlite "tenure/projections/sqlite"
)

func TestItSignsWhatIsNew(t *testing.T) {
	w := newWorld(t)
	w.is.NoErr(w.ledger.Once(ctx)) // nothing to sign
	w.is.Equal(len(w.sizesOrNone()), 0)
	w.append("a", "b")
	w.sign()
	w.sign() // nothing new but its own event
	w.append("a")
	w.sign()
	w.is.Equal(w.sizes(), []uint64{2, 3})
	w.is.Equal(w.ledger.State().Size, uint64(3))
}

// until waits for something that comes soon.
func (w *world) until(holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatal("it does not come")
		}
	}
}

// sizesOrNone is sizes for a log that may have no checkpoint.
func (w *world) sizesOrNone() []uint64 {
	if _, err := w.log.ReadStream(ctx, "ledger", 0, 1); errors.Is(err, eventstore.ErrStreamNotFound) {
		return nil
	}
	return w.sizes()
}

func TestATreeThatWasLostIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	w.append("a", "b")
	w.sign()
	w.append("a", "a")
	w.sign()
	w.loseViews()
	w.sign()
	w.append("c")
	w.sign()
	w.is.Equal(w.sizes(), []uint64{2, 4, 5})
	w.is.NoErr(w.ledger.Recheck(ctx))
}

func (w *world) loseViews() {
	w.close()
	w.is.NoErr(viewsqlite.Remove(w.file("views.db")))
	w.open()
}

// TestManyNodesAtOnce has several sign at once while events come: sizes grow,
// and never are there two checkpoints of one size.
func TestManyNodesAtOnce(t *testing.T) {
	w := newWorld(t)
	running, stop := context.WithCancel(ctx)
	var nodes sync.WaitGroup
	_, second := w.node()
	_, third := w.node()
	for _, l := range []*ledger.Ledger{w.ledger, second, third} {
		nodes.Go(func() { _ = l.Run(running) })
	}
	for range 40 {
		w.append("a", "b")
	}
	w.until(func() bool { return slices.Max(append(w.sizesOrNone(), 0)) == 80 })
	stop()
	nodes.Wait()
	sizes := w.sizes()
	w.is.True(slices.IsSorted(sizes))
	w.is.Equal(len(slices.Compact(slices.Clone(sizes))), len(sizes))
	w.is.NoErr(w.ledger.Recheck(ctx))
}

// TestKilledBetweenAnyTwoSteps stops at each step, starts again, and finds one
// checkpoint of each size.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	for _, step := range []string{ledger.StepTreeGrown, ledger.StepCheckpointMade, ledger.StepCheckpointSigned} {
		for _, lost := range []bool{false, true} {
			w := newWorld(t)
			w.append("a")
			w.sign()
			w.append("a", "b")
			w.step = func(name string) {
				if name == step {
					panic(step)
				}
			}
			func() {
				defer func() { w.is.Equal(recover(), step) }()
				_ = w.ledger.Once(ctx)
			}()
			w.step = func(string) {}
			if lost {
				w.loseViews()
			} else {
				w.close()
				w.open()
			}
			w.sign()
			w.is.Equal(w.sizes(), []uint64{1, 3})
		}
	}
}

// tamper changes the log behind everybody's back.
func (w *world) tamper(statements ...string) {
	w.Helper()
	w.close()
	conn, err := sqlite.OpenConn(w.file("log.db"), sqlite.OpenReadWrite)
	w.is.NoErr(err)
	for _, s := range statements {
		w.is.NoErr(sqlitex.ExecuteScript(conn, s, nil))
		w.is.True(conn.Changes() > 0) // it is something that is there
	}
	w.is.NoErr(conn.Close())
}

// four makes a log of checkpoints of sizes 2, 4, 6 and 8, with positions 1 2 (3)
// 4 5 (6) 7 8 (9) 10 11 (12); those in brackets are of the checkpoints.
func four(t testing.TB) *world {
	w := newWorld(t)
	for range 4 {
		w.append("a", "b")
		w.sign()
	}
	return w
}

// TestALogThatWasChangedIsNotSigned rebuilds the tree of a log that was changed:
// nothing is signed any more, and it says between which checkpoints the change is.
func TestALogThatWasChangedIsNotSigned(t *testing.T) {
	for name, c := range map[string]struct {
		change      string
		first, last uint64
		size        uint64
	}{
		"first":           {`UPDATE events SET data = '{}' WHERE position = 1`, 0, 1, 2},
		"in the middle":   {`UPDATE events SET metadata = '{}' WHERE position = 7`, 4, 5, 6},
		"last":            {`UPDATE events SET data = '{"n":9}' WHERE position = 11`, 6, 7, 8},
		"the end is gone": {`DELETE FROM events WHERE position = 11`, 6, 7, 8},
	} {
		t.Run(name, func(t *testing.T) {
			w := four(t)
			w.tamper(c.change)
			w.is.NoErr(viewsqlite.Remove(w.file("views.db")))
			w.open()
			err := w.ledger.Once(ctx)
			var wrong *ledger.Mismatch
			w.is.True(errors.As(err, &wrong))
			w.is.Equal([]uint64{wrong.First, wrong.Last, wrong.Size}, []uint64{c.first, c.last, c.size})
			w.is.True(wrong.Position > 0)

			running, stop := context.WithCancel(ctx)
			done := make(chan error)
			go func() { done <- w.ledger.Run(running) }()
			w.until(func() bool { return w.ledger.State().Mismatched() })
			w.append("z") // is not signed
			w.until(func() bool { return w.ledger.State().Failing })
			stop()
			w.is.True(errors.Is(<-done, context.Canceled))
			signed, _, err := w.commands.Checkpoints(ctx)
			w.is.NoErr(err)
			w.is.Equal(signed.Newest, uint64(8))
		})
	}
}

// TestAnOldEventThatWasChangedIsNamed compares the log with the tree as it was.
func TestAnOldEventThatWasChangedIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change   string
		leaf     uint64
		position eventstore.Position
		problem  string
	}{
		"data":    {`UPDATE events SET data = '{}' WHERE position = 4`, 2, 4, "an event is not what it was"},
		"deleted": {`DELETE FROM events WHERE position = 5`, 3, 5, "an event is missing in the log"},
		"last":    {`DELETE FROM events WHERE position = 11`, 7, 11, "an event is missing at the end of the log"},
		// Somebody's event takes the place of a checkpoint.
		"inserted": {`INSERT INTO streams (name) VALUES ('x'); UPDATE events SET stream = last_insert_rowid(), revision = 0 WHERE position = 3`,
			2, 3, "an event is in the log that the tree does not have"},
	} {
		t.Run(name, func(t *testing.T) {
			w := four(t)
			w.tamper(c.change)
			w.open()
			var wrong *ledger.Mismatch
			w.is.True(errors.As(w.ledger.Recheck(ctx), &wrong))
			w.is.Equal(wrong, &ledger.Mismatch{First: c.leaf, Last: c.leaf, Position: c.position, Problem: c.problem})
		})
	}
}

// TestACheckpointThatShrinksStops: no decision makes one, so somebody else did.
func TestACheckpointThatShrinksStops(t *testing.T) {
	is := is.New(t)
	w := four(t)
	w.tamper(`UPDATE events SET data = (SELECT data FROM events WHERE position = 3) WHERE position = 12`)
	w.open()
	w.append("c")
	var wrong *ledger.Mismatch
	is.True(errors.As(w.ledger.Once(ctx), &wrong))
	is.Equal(wrong.Problem, "a checkpoint follows a larger one")
}
