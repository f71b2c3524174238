package projections

import (
	"context"

	"tenure/domain"
	"tenure/eventstore"
)

// Reader answers queries from the views. It is safe for use by several
// goroutines. How fresh the answers are is decided by Projector.Wait before.
//
// A list of one partition is answered from memory while the partition does not
// change; the answer is the same as from the storage.
type Reader struct {
	storage served
	pages   *pageCache
}

func newReader(storage Storage, g *generations, cacheBytes int) *Reader {
	return &Reader{storage: served{storage, g}, pages: newPageCache(cacheBytes)}
}

// NewReader makes a reader of views of the first generation, that keeps up to
// cacheBytes of pages in memory. See Projector.Reader.
func NewReader(storage Storage, cacheBytes int) *Reader {
	return newReader(storage, newGenerations(storage, nil), cacheBytes)
}

// document returns one document, or CodeNotFound with these words.
func (r *Reader) document(ctx context.Context, view string, key Key, title, message string) ([]byte, error) {
	bodies, err := r.storage.Documents(ctx, view, []Key{key})
	if err != nil {
		return nil, err
	}
	if bodies[0] == nil {
		return nil, domain.Refuse(domain.CodeNotFound, title, message)
	}
	return bodies[0], nil
}

// cached answers a query with the page in memory if the partition is where it
// was when that page was read, and with fill otherwise. All that fill reads
// must be of the partition.
func (r *Reader) cached(ctx context.Context, view, partition string, query any, fill func() (Page, error)) (Page, error) {
	at, err := r.position(ctx, view, partition)
	if err != nil {
		return Page{}, err
	}
	key := pageKey{view: r.storage.generations.serving(view), partition: partition, query: query}
	if page, ok := r.pages.get(key, at); ok {
		return page, nil
	}
	page, err := fill()
	if err != nil {
		return Page{}, err
	}
	// The position was read first, so the page is not older than it says. One
	// that was read during a change is not kept, nor is one of a partition that
	// was never written: anybody can ask for those.
	if after, err := r.position(ctx, view, partition); err == nil && after == at && at > 0 {
		r.pages.put(key, page, at)
	}
	return page, nil
}

func (r *Reader) position(ctx context.Context, view, partition string) (eventstore.Position, error) {
	at, err := r.storage.Positions(ctx, view, []string{partition})
	if err != nil {
		return 0, err
	}
	return at[0], nil
}
