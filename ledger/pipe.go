package ledger

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"tenure/eventstore"
)

// pageWork is a page of the log on its way into an export, and the memory that it
// takes: each page after it takes the same.
type pageWork struct {
	page     eventstore.Page
	entries  []entry
	leaves   uint64 // of the log up to its end
	summed   []byte // what the checksum is of
	leaf     []byte // the one that is hashed
	prepared any
}

// pipe takes the log through the export. Some workers take page after page in
// turn: they read one after the other and write in the same order; between these
// each hashes and prepares its own page beside the others. keep says which entries
// are exported, once their leaf is known; add hears of these, with their hashes,
// before they are written. There are as many pages in memory as workers.
func (w *exporter) pipe(ctx context.Context, keep func(*entry) bool, add func(*entry) error) error {
	group, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0) + 1 // one waits for its turn or the disk
	reading, writing := newTurns(workers), newTurns(workers)
	log := walker{log: w.log}
	// Of an organization the proofs come after the hashes, so the rest is for the
	// one whose turn it is to write; that is little.
	late := w.Organization != ""
	for me := range workers {
		group.Go(func() error {
			for p := new(pageWork); ; {
				if err := reading.await(ctx, me); err != nil {
					return err
				}
				more, err := log.next(ctx, p, keep)
				if err != nil {
					return err
				}
				reading.pass(me)
				if !more {
					return nil
				}
				p.hash()
				if !late {
					p.prepared = w.form.prepare(p.entries, p.prepared)
				}
				if err := writing.await(ctx, me); err != nil {
					return err
				}
				for i := range p.entries {
					if err := add(&p.entries[i]); err != nil {
						return err
					}
				}
				if late {
					p.prepared = w.form.prepare(p.entries, p.prepared)
				}
				if err := w.write(p); err != nil {
					return err
				}
				writing.pass(me)
			}
		})
	}
	return group.Wait()
}

// write writes a page, in the order of the log.
func (w *exporter) write(p *pageWork) error {
	w.sum.Write(p.summed)
	if err := w.form.write(p.prepared); err != nil {
		return err
	}
	w.rows += uint64(len(p.entries))
	w.leaves = p.leaves
	// The first half of an organization's export is the tree.
	all := w.newest.Size
	if done := min(w.leaves, all); w.Organization != "" {
		w.Progress(all/2+done/2, all)
	} else {
		w.Progress(done, all)
	}
	return nil
}

// hash hashes the leaves, and says what the checksum is of.
func (p *pageWork) hash() {
	p.summed = p.summed[:0]
	for i := range p.entries {
		e := &p.entries[i]
		e.hash, p.leaf = hashLeaf(p.leaf, e.Recorded)
		p.summed = appendSummed(p.summed, e.hash, e.Position)
	}
}

// walker goes through the log.
type walker struct {
	log    Source
	at     eventstore.Position
	leaves uint64
	ended  bool
}

// next reads the next page, if there is one.
func (r *walker) next(ctx context.Context, p *pageWork, keep func(*entry) bool) (more bool, err error) {
	if r.ended {
		return false, nil
	}
	if err := readPage(ctx, r.log, r.at, &p.page); err != nil {
		return false, err
	}
	p.entries = p.entries[:0]
	for i := range p.page.Events {
		e := entry{Recorded: &p.page.Events[i], leaf: r.leaves}
		if IsLeaf(e.Recorded) {
			r.leaves++
		}
		if keep(&e) {
			p.entries = append(p.entries, e)
		}
	}
	p.leaves, r.at, r.ended = r.leaves, p.page.Position, p.page.Head
	return true, nil
}

// turns let one worker after the other do what only one may do at a time, in a
// fixed order: each waits for the one before it.
type turns []chan struct{}

func newTurns(workers int) turns {
	t := make(turns, workers)
	for i := range t {
		t[i] = make(chan struct{}, 1)
	}
	t[0] <- struct{}{}
	return t
}

func (t turns) await(ctx context.Context, me int) error {
	select {
	case <-t[me]:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turns) pass(me int) { t[(me+1)%len(t)] <- struct{}{} }

// reuser is a log that reads into the memory of a page that is done with.
type reuser interface {
	ReadInto(ctx context.Context, after eventstore.Position, limit int, page *eventstore.Page) error
}

// readPage reads the page after a position; what was in the page before is gone.
func readPage(ctx context.Context, log Source, after eventstore.Position, page *eventstore.Page) (err error) {
	if log, can := log.(reuser); can {
		return log.ReadInto(ctx, after, pageEvents, page)
	}
	*page, err = log.ReadAll(ctx, after, pageEvents, eventstore.Filter{})
	return err
}
