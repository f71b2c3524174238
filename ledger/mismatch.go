package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tenure/commands"
	"tenure/domain/checkpoint"
	"tenure/eventstore"
)

// Mismatch says that the log is not what was signed, or not what the tree was
// made from: somebody has changed it, or it is an older copy of it.
type Mismatch struct {
	// First and Last are the leaves of which one is the first that does not
	// fit; the same where that is known.
	First, Last uint64
	// Position is that of the first one's event, or what the tree has as that.
	Position eventstore.Position
	// Size is that of the smallest checkpoint that does not fit; zero where the
	// log does not fit the tree.
	Size uint64
	// Problem says in words what is wrong.
	Problem string

	beside bool // the events are right, and what they are found by is not: there is no leaf to name
}

// Error implements error.
func (m *Mismatch) Error() string {
	if m.beside {
		return fmt.Sprintf("ledger: %s: position %d", m.Problem, m.Position)
	}
	if m.First == m.Last {
		return fmt.Sprintf("ledger: %s: leaf %d, position %d", m.Problem, m.First, m.Position)
	}
	return fmt.Sprintf("ledger: %s: one of the leaves %d to %d, from position %d on", m.Problem, m.First, m.Last, m.Position)
}

// locate finds by halves the smallest checkpoint that the tree does not fit. The
// first leaf that was changed is after the one before that.
func (l *Ledger) locate(ctx context.Context, tree *growing) error {
	stream := checkpointStream{l.Log}
	below, above := uint64(0), uint64(1)
	for { // how many events the stream has, or more
		_, _, err := stream.at(ctx, above)
		if errors.Is(err, errNoCheckpoint) {
			break
		} else if err != nil {
			return err
		}
		above *= 2
	}
	fitting, wrong := uint64(0), uint64(0) // sizes
	for below < above {
		middle := (below + above) / 2
		c, revision, err := stream.at(ctx, middle)
		if errors.Is(err, errNoCheckpoint) {
			above = middle
			continue
		} else if err != nil {
			return err
		}
		fits, err := l.fits(ctx, tree, c.Size, c.Root)
		switch {
		case err != nil:
			return err
		case fits:
			fitting, below = c.Size, revision+1
		default:
			wrong, above = c.Size, middle
		}
	}
	return l.name(ctx, tree, fitting, wrong)
}

// name makes the Mismatch of the leaves between a checkpoint that fits and the
// next one.
func (l *Ledger) name(ctx context.Context, tree *growing, fitting, wrong uint64) error {
	if wrong == 0 {
		return errors.New("ledger: the newest checkpoint did not fit, and all do now")
	}
	m := &Mismatch{First: fitting, Last: wrong - 1, Size: wrong, Problem: fmt.Sprintf("the checkpoint of size %d does not fit the log", wrong)}
	switch {
	case wrong > tree.size && fitting >= tree.size:
		m.First = tree.size
		m.Problem = fmt.Sprintf("the log has %d events, the checkpoint of size %d more", tree.size, wrong)
	}
	if m.First < tree.size {
		_, position, err := tree.Leaf(ctx, m.First)
		if err != nil {
			return err
		}
		m.Position = position
	}
	return m
}

var errNoCheckpoint = errors.New("ledger: there is no checkpoint from this revision on")

// checkpointStream reads the checkpoints of the log by their revisions.
type checkpointStream struct{ log eventstore.Store }

// at is the first checkpoint at the revision or after it, and its revision.
func (s checkpointStream) at(ctx context.Context, revision uint64) (checkpoint.Signed, uint64, error) {
	const most = 16
	for {
		events, err := s.log.ReadStream(ctx, commands.LedgerStream, eventstore.Revision(revision), most)
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			err = nil
		}
		if err != nil {
			return checkpoint.Signed{}, 0, err
		}
		for _, e := range events {
			if e.Type == (checkpoint.Signed{}).EventType() {
				var c checkpoint.Signed
				err := json.Unmarshal(e.Data, &c)
				return c, uint64(e.Revision), err
			}
		}
		if len(events) < most {
			return checkpoint.Signed{}, 0, errNoCheckpoint
		}
		revision += most
	}
}

// recheckOften compares the log with the tree, and what streams are read by with
// the log, when either was not done for a day. A round that fails ends it, and the next
// one goes on with what was not done yet.
func (l *Ledger) recheckOften(ctx context.Context) error {
	for {
		if time.Since(l.checkedBeside) >= recheckEvery {
			if err := l.checkBeside(ctx); err != nil {
				return err
			}
		}
		if time.Since(l.compared) >= recheckEvery {
			size, position, err := l.Tree.Size(ctx)
			if err == nil {
				err = l.compareAll(ctx, size, position)
			}
			if err != nil {
				return err
			}
		}
		last := l.checkedBeside
		if l.compared.Before(last) {
			last = l.compared
		}
		sleep(ctx, time.Until(last.Add(recheckEvery)))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// recheck is all that is done now and then.
func (l *Ledger) recheck(ctx context.Context, size uint64, end eventstore.Position) error {
	if err := l.checkBeside(ctx); err != nil {
		return err
	}
	return l.compareAll(ctx, size, end)
}

// compareAll reads the log up to a position and compares each event with its leaf
// in the stored tree, at most half of the time. So a change of an old event
// shows although the tree has it as it was.
func (l *Ledger) compareAll(ctx context.Context, size uint64, end eventstore.Position) error {
	c := comparison{tree: l.Tree}
	for at := eventstore.Position(0); at < end; {
		began := time.Now()
		page, err := l.Log.ReadAll(ctx, at, pageEvents, eventstore.Filter{})
		if err != nil {
			return err
		}
		for i := range page.Events {
			if e := &page.Events[i]; IsLeaf(e) && e.Position <= end {
				if err := c.compare(ctx, e); err != nil {
					return err
				}
			}
		}
		if at = page.Position; page.Head {
			break
		}
		sleep(ctx, time.Since(began))
	}
	if c.index < size {
		_, position, err := l.Tree.Leaf(ctx, c.index)
		if err != nil {
			return err
		}
		return &Mismatch{First: c.index, Last: c.index, Position: position, Problem: "an event is missing at the end of the log"}
	}
	l.compared = time.Now()
	return nil
}

// checkBeside has the log compare what it is read by with its events. Who reads a stream
// goes by that, and whoever changes it shows a past that was not, with every event in
// its place.
func (l *Ledger) checkBeside(ctx context.Context) error {
	log, has := l.Log.(eventstore.Checked)
	if !has {
		l.checkedBeside = time.Now()
		return nil
	}
	flaws, err := log.Check(ctx)
	if err != nil {
		return err
	}
	if len(flaws) == 0 {
		l.checkedBeside = time.Now()
		return nil
	}
	f := flaws[0]
	m := &Mismatch{Position: f.Position, Problem: f.Problem, beside: true}
	if f.Stream != "" {
		m.Problem = fmt.Sprintf("%s: %s revision %d", f.Problem, f.Stream, f.Revision)
	}
	return m
}

// comparison goes through the leaves of a stored tree, one after the other.
type comparison struct {
	tree      *Tree
	index     uint64
	hashes    []Hash
	positions []eventstore.Position
}

func (c *comparison) compare(ctx context.Context, e *eventstore.Recorded) (err error) {
	i := c.index % tileWidth
	if i == 0 || int(i) >= len(c.hashes) {
		if c.hashes, c.positions, err = c.tree.load(ctx, tileID{0, c.index / tileWidth}); err != nil {
			return err
		}
	}
	m := &Mismatch{First: c.index, Last: c.index, Position: e.Position}
	switch {
	case int(i) >= len(c.hashes):
		m.Problem = "an event is in the log that the tree does not have"
	case c.positions[i] < e.Position:
		m.Problem, m.Position = "an event is missing in the log", c.positions[i]
	case c.positions[i] > e.Position:
		m.Problem = "an event is in the log that the tree does not have"
	case c.hashes[i] != LeafHash(e):
		m.Problem = "an event is not what it was"
	default:
		c.index++
		return nil
	}
	return m
}
