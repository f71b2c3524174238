package projections

import (
	"context"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Reader answers queries from the views. It is safe for use by several
// goroutines. How fresh the answers are is decided by Projector.Wait before.
//
// A list of one partition is answered from memory while the partition does not
// change; the answer is the same as from the storage.
type Reader struct {
	storage  served
	pages    *pageCache
	decode   func(eventstore.Recorded) (codec.Envelope, error)
	prefetch func(context.Context, []eventstore.Recorded) error
}

func newReader(storage Storage, g *generations, cacheBytes int) *Reader {
	c := codec.New()
	return &Reader{storage: served{storage, g}, pages: newPageCache(cacheBytes), decode: c.Decode, prefetch: c.Prefetch}
}

// NewReader makes a reader of views of the first generation, that keeps up to
// cacheBytes of pages in memory. See Projector.Reader.
func NewReader(storage Storage, cacheBytes int) *Reader {
	return newReader(storage, newGenerations(storage, nil), cacheBytes)
}

// Opening is the reader with a codec that opens what stands sealed in the views.
// One that a Projector makes opens what that decodes.
func (r *Reader) Opening(c *codec.Codec) *Reader {
	r.decode, r.prefetch = c.Decode, c.Prefetch
	return r
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
// must be ranges of the partition.
func (r *Reader) cached(ctx context.Context, view, partition string, query any, fill func(Storage) (Page, error)) (Page, error) {
	key := pageKey{view: r.storage.generations.serving(view), partition: partition, query: query}
	if page, ok := r.pages.get(key); ok {
		at, err := r.position(ctx, view, partition)
		if err != nil {
			return Page{}, err
		}
		if at == page.position {
			return page.Page, nil
		}
	}
	w := witness{Storage: r.storage}
	page, err := fill(&w)
	if err != nil {
		return Page{}, err
	}
	// The page is not older than the position says. One that was read during a
	// change is not kept, nor is one of a partition that was never written:
	// anybody can ask for those.
	if w.at > 0 && !w.moved {
		r.pages.put(key, page, w.at)
	}
	return page, nil
}

// witness sees at which position of a partition ranges are read.
type witness struct {
	Storage
	at    eventstore.Position
	asked bool
	moved bool // not all were at the same
}

// Range implements Storage.
func (w *witness) Range(ctx context.Context, view string, q RangeQuery) ([]Row, eventstore.Position, error) {
	rows, at, err := w.Storage.Range(ctx, view, q)
	w.moved = w.moved || w.asked && at != w.at
	w.at, w.asked = at, true
	return rows, at, err
}

func (r *Reader) position(ctx context.Context, view, partition string) (eventstore.Position, error) {
	at, err := r.storage.Positions(ctx, view, []string{partition})
	if err != nil {
		return 0, err
	}
	return at[0], nil
}
