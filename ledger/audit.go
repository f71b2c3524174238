package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"tenure/domain/checkpoint"
	"tenure/eventstore"
)

// Source is a log that is read from its beginning to its end.
type Source interface {
	ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error)
}

// Options of a verification.
type Options struct {
	// Key is the verifier key of the log; empty leaves the signatures unchecked.
	Key string
	// Kept are signed checkpoints that somebody has kept elsewhere: the log
	// has to fit them as well. They are what shows that the end of a log is
	// missing together with its checkpoints.
	Kept []string
	// Consistency are proofs that link what was kept to the checkpoint of an export,
	// where its events do not: an organization's are some of the log's, and what
	// was kept after an export was made is of more than it has.
	Consistency []Consistency
	// Witnesses are those of whom Quorum, or all where it is zero, have to have
	// cosigned the checkpoint at the end, or one that was kept and is of more.
	Witnesses []*Witness
	Quorum    int
	// UnsignedEnd accepts an export whose end nobody has signed.
	UnsignedEnd bool
	// Tree is the stored tree, to name the first event that is wrong; nil
	// without one. It is believed only where it fits a checkpoint.
	Tree *Tree
	// Progress hears how many leaves are done.
	Progress func(leaves uint64)

	// visit hears of every event of an export that can be read, in its order. What
	// it hears of is verified only once the Report says so.
	visit func(organization string, e *entry)
}

// Audit reads a whole log, computes its tree again and compares it with every
// checkpoint that the log holds or somebody has kept, and has the log compare what
// else it is read by with its events (eventstore.Checked). What is wrong is in the
// Report; the error says that the log could not be read.
func Audit(ctx context.Context, log Source, options Options) (*Report, error) {
	w := newWalk(options)
	err := readLog(ctx, log, eventstore.Filter{TypePrefixes: []string{ownTypes}}, func(e *eventstore.Recorded) error {
		w.note(e, 0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	w.begin()
	claims := comparison{tree: options.Tree}
	leaves := walkthrough{log: log, keep: func(e *entry) bool { return IsLeaf(e.Recorded) }}
	err = inTurns(ctx, leaves.next, (*pageWork).hash, func(p *pageWork) error {
		for i := range p.entries {
			claimed, err := claims.next(ctx)
			if err != nil {
				return err
			}
			w.leaf(p.entries[i].Recorded, p.entries[i].hash, claimed, 0)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	w.end()
	w.witnessed(w.last)
	if err := w.check(ctx, log); err != nil {
		return nil, err
	}
	return w.report.finish(options), nil
}

// check looks at what else there is in a log than its events: what it finds streams
// by is read as well, and no hash is of it.
func (w *walk) check(ctx context.Context, log Source) error {
	also, has := log.(eventstore.Checked)
	if !has {
		return nil
	}
	flaws, err := also.Check(ctx)
	for _, f := range flaws {
		w.report.found(Finding{whole: true, Problem: f.Problem, Position: f.Position, Stream: f.Stream, Revision: f.Revision})
	}
	return err
}

func readLog(ctx context.Context, log Source, filter eventstore.Filter, visit func(*eventstore.Recorded) error) error {
	for at := eventstore.Position(0); ; {
		page, err := log.ReadAll(ctx, at, pageEvents, filter)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if err := visit(&page.Events[i]); err != nil {
				return err
			}
		}
		if at = page.Position; page.Head {
			return nil
		}
	}
}

// claim is what a leaf is said to be by something that need not be right.
type claim struct {
	hash     Hash
	position eventstore.Position // zero where it is not known
}

// next is what the stored tree has as the next leaf, nil for nothing.
func (c *comparison) next(ctx context.Context) (*claim, error) {
	if c.tree == nil {
		return nil, nil
	}
	i := c.index % tileWidth
	if i == 0 {
		var err error
		if c.hashes, c.positions, err = c.tree.load(ctx, tileID{0, c.index / tileWidth}); err != nil {
			return nil, err
		}
	}
	c.index++
	if int(i) >= len(c.hashes) {
		return nil, nil
	}
	return &claim{c.hashes[i], c.positions[i]}, nil
}

// expectation is a checkpoint that the tree has to fit.
type expectation struct {
	Checkpoint
	kept bool // elsewhere
}

// walk verifies a log event by event, first the ledger's own events and then the
// leaves.
type walk struct {
	options Options
	report  *Report
	place   func(event int) (line, row int)
	expect  []expectation // by size once the leaves begin
	streams map[string]uint64
	newest  uint64      // size of the checkpoint before
	last    string      // its note, with its cosignatures
	export  *Checkpoint // that an export ends with; nil for a log

	tree    frontier
	claimed *frontier // another tree, of what is claimed, once a claim differs
	unclear bool      // a leaf has no claim
	broken  bool      // a checkpoint did not fit: no later one will
	fitting uint64    // the last size that did
	first   *Finding  // the first leaf after that
	suspect *Finding  // the first leaf after that which is not as claimed
}

func newWalk(options Options) *walk {
	if options.Progress == nil {
		options.Progress = func(uint64) {}
	}
	return &walk{
		options: options, report: &Report{Scope: "log", Findings: []Finding{}}, streams: make(map[string]uint64),
		place: func(int) (int, int) { return 0, 0 }, // a log has none
	}
}

// about is a finding about an event; number is which of an export it is.
func (w *walk) about(e *eventstore.Recorded, number int, problem string) Finding {
	f := Finding{Problem: problem, Position: e.Position, Stream: e.Stream, Revision: e.Revision, Type: e.Type}
	f.Line, f.Row = w.place(number)
	return f
}

// contiguous checks that the event is the next one of its stream.
func (w *walk) contiguous(e *eventstore.Recorded, number int, leaf *uint64) {
	want := w.streams[e.Stream]
	w.streams[e.Stream] = uint64(e.Revision) + 1
	if uint64(e.Revision) == want {
		return
	}
	f := w.about(e, number, fmt.Sprintf("revision %d where %d should be: an event of the stream is missing, or is there twice", e.Revision, want))
	f.Leaf = leaf
	w.report.found(f)
}

// note takes an event of the ledger's own stream.
func (w *walk) note(e *eventstore.Recorded, number int) {
	if IsLeaf(e) {
		return // a type of the ledger in another stream: it is a leaf like any
	}
	w.contiguous(e, number, nil)
	if e.Type != (checkpoint.Signed{}).EventType() {
		var by checkpoint.Cosigned
		if e.Type == by.EventType() && json.Unmarshal(e.Data, &by) == nil && by.Size == w.newest {
			w.last = cosignedNote(w.last, by) // which is checked where it is asked for
		}
		return
	}
	wrong := func(problem string) { w.report.found(w.about(e, number, problem)) }
	var signed checkpoint.Signed
	if err := json.Unmarshal(e.Data, &signed); err != nil {
		wrong("the checkpoint cannot be read")
		return
	}
	c, err := w.open(signed.Note)
	switch {
	case err != nil:
		w.report.Signature = "invalid"
		wrong("the note is not signed with the key, or is no checkpoint")
	case c.Size != signed.Size || c.Root.String() != signed.Root:
		wrong("the note says something else than the event")
	case c.Size <= w.newest:
		wrong(fmt.Sprintf("the checkpoint of size %d follows one of size %d", c.Size, w.newest))
	case w.report.Origin != "" && w.report.Origin != c.Origin:
		wrong("the note is of another log")
	default:
		w.newest, w.report.Origin, w.report.Size, w.report.Root = c.Size, c.Origin, c.Size, signed.Root
		w.expect = append(w.expect, expectation{Checkpoint: c})
		w.last = signed.Note
	}
}

// open reads a note, and checks the signature if there is a key for that.
func (w *walk) open(text string) (Checkpoint, error) {
	if w.options.Key == "" {
		return ParseNote(text)
	}
	c, err := Verify(text, w.options.Key)
	w.report.signed = w.report.signed || err == nil
	return c, err
}

// begin comes between the ledger's own events and the leaves.
func (w *walk) begin() {
	linked := 0
	for _, text := range w.options.Kept {
		c, err := w.open(text)
		switch {
		case err != nil:
			w.report.found(Finding{whole: true, Problem: "the kept checkpoint is not signed with the key, or is none"})
		case w.report.Origin != "" && c.Origin != w.report.Origin:
			w.report.found(Finding{whole: true, Problem: "the kept checkpoint is of another log"})
		case w.export != nil && c.Size > w.export.Size:
			if w.link(c, *w.export) {
				linked++
			}
		default:
			if !slices.ContainsFunc(w.expect, func(x expectation) bool { return x.Size == c.Size }) {
				w.report.found(Finding{whole: true, Problem: fmt.Sprintf("the checkpoint of size %d, which was kept, is not in the log: its event was removed", c.Size)})
			}
			w.expect = append(w.expect, expectation{Checkpoint: c, kept: true})
		}
	}
	slices.SortStableFunc(w.expect, func(a, b expectation) int { return cmp.Compare(a.Size, b.Size) })
	if len(w.expect) == 0 {
		w.report.found(Finding{whole: true, Problem: "there is no checkpoint: nothing was signed"})
	}
	w.report.Checkpoints = len(w.expect) + linked
}

// leaf takes the next leaf, its hash, and what it is claimed to be, if anything is.
func (w *walk) leaf(e *eventstore.Recorded, hash Hash, claimed *claim, number int) {
	index := w.tree.size
	w.contiguous(e, number, &index)
	here := w.about(e, number, "")
	here.Leaf = &index
	if w.first == nil {
		w.first = &here
	}
	w.claim(hash, claimed, here)
	w.tree.add(hash)
	if w.options.Progress(index + 1); w.broken {
		return
	}
	for len(w.expect) > 0 && w.expect[0].Size == index+1 && !w.broken {
		w.compare(w.expect[0])
		w.expect = w.expect[1:]
	}
}

// claim keeps the tree of what is claimed beside the other one, and remembers
// the first difference.
func (w *walk) claim(hash Hash, claimed *claim, here Finding) {
	if claimed == nil {
		w.unclear = true
		return
	}
	differs := claimed.hash != hash
	if differs && w.suspect == nil {
		switch {
		case claimed.position == 0 || claimed.position == here.Position:
			here.Problem = "the event is not what was signed"
		case claimed.position < here.Position:
			here.Problem = fmt.Sprintf("an event is missing before this one, at position %d", claimed.position)
		default:
			here.Problem = "the event was not there when the log was signed"
		}
		w.suspect = &here
	}
	if differs && w.claimed == nil && !w.unclear {
		w.claimed = &frontier{w.tree.size, slices.Clone(w.tree.roots)}
	}
	if w.claimed != nil {
		w.claimed.add(claimed.hash)
	}
}

// compare compares the tree with a checkpoint of its size.
func (w *walk) compare(x expectation) {
	if w.tree.root() == x.Root {
		w.fitting, w.first, w.suspect, w.claimed = x.Size, nil, nil, nil
		w.report.Events = x.Size
		return
	}
	w.broken = true
	if w.suspect != nil && w.claimed != nil && !w.unclear && w.claimed.root() == x.Root {
		w.report.found(*w.suspect) // what is claimed was signed
		return
	}
	f := *w.first
	last := x.Size - 1
	f.Problem = fmt.Sprintf("the checkpoint of size %d does not fit: of the events from this one on, up to leaf %d, one was altered, removed, added or moved", x.Size, last)
	if last > *f.Leaf {
		f.Last = &last
	}
	if w.suspect != nil {
		f.Problem += fmt.Sprintf("; the first that differs from what is kept beside it is leaf %d", *w.suspect.Leaf)
	}
	w.report.found(f)
}

// end comes after the last leaf.
func (w *walk) end() {
	size := w.tree.size
	if len(w.expect) > 0 && !w.broken {
		x := w.expect[len(w.expect)-1]
		if w.suspect != nil { // what is claimed cannot be compared any more, and says where to look
			w.report.found(*w.suspect)
		}
		whose := "a signed checkpoint"
		if x.kept {
			whose = "a kept checkpoint"
		}
		w.report.found(Finding{Leaf: &size, Problem: fmt.Sprintf("the log ends after %d events; %s says that there were %d: leaf %d is the first that is missing", size, whose, x.Size, size)})
	}
	if size > w.report.Events {
		w.report.Unsigned = size - max(w.report.Events, min(size, w.report.Size))
	}
}
