package ledger

import (
	"context"

	"tenure/eventstore"
)

// pageWork is a page of the log on its way to where its events go.
type pageWork struct {
	page     eventstore.Page
	entries  []entry // of the page, those that were asked for
	leaves   uint64  // of the log up to its end
	leaf     []byte  // the one that is hashed
	summed   []byte  // what the checksum is of
	prepared any     // for the file
}

// pipe takes the log through the export. keep says which entries are exported, once
// their leaf is known; add hears of these, with their hashes, before they are
// written. Both are called in the order of the log.
func (w *exporter) pipe(ctx context.Context, keep func(*entry) bool, add func(*entry) error) error {
	log := walkthrough{log: w.log, keep: keep}
	// Of an organization the proofs come after the hashes, so the rest is for the
	// one whose turn it is to write; that is little.
	late := w.Organization != ""
	return inTurns(ctx, log.next, func(p *pageWork) {
		p.hash()
		p.summed = p.summed[:0]
		for i := range p.entries {
			p.summed = appendSummed(p.summed, p.entries[i].hash, p.entries[i].Position)
		}
		if !late {
			p.prepared = w.form.prepare(p.entries, p.prepared)
		}
	}, func(p *pageWork) error {
		for i := range p.entries {
			if err := add(&p.entries[i]); err != nil {
				return err
			}
		}
		if late {
			p.prepared = w.form.prepare(p.entries, p.prepared)
		}
		w.sum.Write(p.summed)
		if err := w.form.write(p.prepared); err != nil {
			return err
		}
		w.rows += uint64(len(p.entries))
		w.leaves = p.leaves
		w.progressed()
		return nil
	})
}

// progressed says how far it is; the first half of an organization's export is the tree.
func (w *exporter) progressed() {
	all := w.newest.Size
	if done := min(w.leaves, all); w.Organization != "" {
		w.Progress((all+done)/2, all)
	} else {
		w.Progress(done, all)
	}
}

// hash hashes the events as leaves.
func (p *pageWork) hash() {
	for i := range p.entries {
		p.entries[i].hash, p.leaf = hashLeaf(p.leaf, p.entries[i].Recorded)
	}
}

// walkthrough goes through a log, page by page.
type walkthrough struct {
	log    Source
	keep   func(*entry) bool // which ones are handed over
	at     eventstore.Position
	leaves uint64
	ended  bool
}

// next reads the next page, if there is one.
func (w *walkthrough) next(ctx context.Context, p *pageWork) (more bool, err error) {
	if w.ended {
		return false, nil
	}
	if err := readPage(ctx, w.log, w.at, &p.page); err != nil {
		return false, err
	}
	p.entries = p.entries[:0]
	for i := range p.page.Events {
		e := entry{Recorded: &p.page.Events[i], leaf: w.leaves}
		if IsLeaf(e.Recorded) {
			w.leaves++
		}
		if w.keep(&e) {
			p.entries = append(p.entries, e)
		}
	}
	p.leaves, w.at, w.ended = w.leaves, p.page.Position, p.page.Head
	return true, nil
}

// reuser is a log that reads into the memory of a page that is done with.
type reuser interface {
	ReadInto(ctx context.Context, after eventstore.Position, limit int, page *eventstore.Page) error
}

// workEvents is how many events are worked on at a time: as many as stay, with
// what is made of them, in the cache of a core.
const workEvents = 400

// readPage reads the page after a position; what was in the page before is gone.
func readPage(ctx context.Context, log Source, after eventstore.Position, page *eventstore.Page) (err error) {
	if log, can := log.(reuser); can {
		return log.ReadInto(ctx, after, workEvents, page)
	}
	*page, err = log.ReadAll(ctx, after, pageEvents, eventstore.Filter{})
	return err
}
