package projections

import (
	"context"
	"errors"

	"tenure/eventstore"
)

// Storage keeps the documents and index entries of views. It is safe for use by
// several goroutines. What it answers with is the caller's to keep, not to change.
type Storage interface {
	// Documents returns the documents with these keys in the order of the keys;
	// nil stands for one that is not there.
	Documents(ctx context.Context, view string, keys []Key) ([][]byte, error)

	// Range returns a stretch of an index together with the documents, and the
	// position of the partition. All rows are of one instant, at which the
	// partition was at that position or a later one.
	Range(ctx context.Context, view string, q RangeQuery) ([]Row, eventstore.Position, error)

	// Positions returns the positions of partitions in the order of their
	// names; zero stands for one that was never written.
	Positions(ctx context.Context, view string, partitions []string) ([]eventstore.Position, error)

	// Apply writes batches. The changes to one partition of a view and its new
	// position become visible at once; a batch's checkpoint is stored with or
	// after its changes. A partition that is not at Change.From makes it fail
	// with ErrSuperseded, with or without other partitions written.
	Apply(ctx context.Context, batches []Batch) error

	// Checkpoint is the position up to which a view was applied, or that a
	// consumer saved; zero for an unknown name.
	Checkpoint(ctx context.Context, name string) (eventstore.Position, error)

	// SaveCheckpoint keeps the position of a consumer that is not a view. A
	// position below the stored one changes nothing.
	SaveCheckpoint(ctx context.Context, name string, p eventstore.Position) error

	// Drop removes all of a view. The view must not be applied to meanwhile.
	Drop(ctx context.Context, view string) error

	// Close releases the storage; nothing may be under way.
	Close() error
}

// ErrSuperseded says that a partition is not at the position that a change
// starts from: another projector was there.
var ErrSuperseded = errors.New("projections: partition was written by another projector")

// ErrUnavailable says that the storage cannot be reached now, and may be later.
var ErrUnavailable = errors.New("projections: storage is unavailable")

// Watcher is a Storage that can lose what it has acknowledged, as a server does
// that fails over to another. It says so by itself when nothing is applied. Also
// after a loss no checkpoint is ahead of what the partitions hold, so that
// starting from there is enough.
type Watcher interface {
	// Watch fails with ErrSuperseded once changes of the views may be lost
	// since their checkpoints were read, and with ctx's error when that ends.
	Watch(ctx context.Context, views []string) error
}

// RangeQuery asks for a stretch of an index.
type RangeQuery struct {
	Partition string
	// Index names the index. The empty one holds every document of the
	// partition in the order of the ids, with an empty Sort.
	Index string
	// Prefix selects the entries whose Sort begins with it; in the empty index,
	// the documents whose id does.
	Prefix string
	// After is where to go on, exclusive, in the direction of the query. The
	// zero Place is the start. There need not be an entry at it.
	After      Place
	Descending bool
	Limit      int // at least 1
}

// Place is where a document stands in an index.
type Place struct {
	Sort string
	ID   string
}

// Row is a document at its place.
type Row struct {
	Place
	Body []byte
}

// Batch is what a stretch of the log does to one view.
type Batch struct {
	View       string
	Changes    []Change            // of one partition each
	Checkpoint eventstore.Position // zero leaves it where it is, as does one below
}

// Change is what a stretch of the log does to one partition of a view. An entry
// that is added where it stands already, and one that is removed where it does
// not, are no errors. Index, Sort and ID hold no zero bytes.
type Change struct {
	Partition string
	From      eventstore.Position // where the partition is before
	To        eventstore.Position // and after
	Puts      []Document
	Deletes   []string // ids
	Added     []IndexEntry
	Removed   []IndexEntry
}

// Document is a document's JSON under its id.
type Document struct {
	ID   string
	Body []byte
}

// IndexEntry is an entry of a document.
type IndexEntry struct {
	Entry
	ID string
}
