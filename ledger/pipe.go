package ledger

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"tenure/eventstore"
)

// pageWork is a page of the log on its way into an export.
type pageWork struct {
	entries  []entry
	leaves   uint64 // of the log up to its end
	prepared any
	done     chan struct{} // closed once it is prepared
}

// pipe takes the log through the export: one goroutine reads, some hash and
// prepare, and this one writes in the order of the log. keep says which entries are
// exported, once their leaf is known; add hears of these, with their hashes, before
// they are written. At no time are more than a few pages under way.
func (w *exporter) pipe(ctx context.Context, keep func(*entry) bool, add func(*entry) error) error {
	group, ctx := errgroup.WithContext(ctx)
	hashed, ordered := make(chan *pageWork), make(chan *pageWork, 2*runtime.GOMAXPROCS(0))
	group.Go(func() error {
		defer close(ordered)
		defer close(hashed)
		leaves := uint64(0)
		return readPages(ctx, w.log, func(page eventstore.Page) error {
			p := &pageWork{entries: make([]entry, 0, len(page.Events)), done: make(chan struct{})}
			for i := range page.Events {
				e := entry{Recorded: &page.Events[i], leaf: leaves}
				if IsLeaf(e.Recorded) {
					leaves++
				}
				if keep(&e) {
					p.entries = append(p.entries, e)
				}
			}
			p.leaves = leaves
			for _, queue := range []chan *pageWork{ordered, hashed} {
				select {
				case queue <- p:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	})
	// Of an organization the proofs come after the hashes, so the rest is for the
	// one that writes; that is little.
	late := w.Organization != ""
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		group.Go(func() error {
			for p := range hashed {
				for i := range p.entries {
					p.entries[i].hash = LeafHash(p.entries[i].Recorded)
				}
				if !late {
					p.prepared = w.form.prepare(p.entries)
				}
				close(p.done)
			}
			return nil
		})
	}
	group.Go(func() error {
		for p := range ordered {
			select {
			case <-p.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			for i := range p.entries {
				e := &p.entries[i]
				if err := add(e); err != nil {
					return err
				}
				w.sum.add(e.hash, e.Position)
			}
			if late {
				p.prepared = w.form.prepare(p.entries)
			}
			if err := w.form.write(p.prepared); err != nil {
				return err
			}
			w.rows += uint64(len(p.entries))
			w.leaves = p.leaves
			w.progressed()
		}
		return nil
	})
	return group.Wait()
}

// progressed says how far it is; the first half of an organization's export is the tree.
func (w *exporter) progressed() {
	all := w.newest.Size
	if done := min(w.leaves, all); w.Organization != "" {
		w.Progress(all/2+done/2, all)
	} else {
		w.Progress(done, all)
	}
}

// readPages hands over the log page by page.
func readPages(ctx context.Context, log Source, visit func(eventstore.Page) error) error {
	for at := eventstore.Position(0); ; {
		page, err := log.ReadAll(ctx, at, pageEvents, eventstore.Filter{})
		if err != nil {
			return err
		}
		if err := visit(page); err != nil {
			return err
		}
		if at = page.Position; page.Head {
			return nil
		}
	}
}
