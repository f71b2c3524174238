package projections

import (
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Key names a document of a view.
type Key struct {
	// Partition is what the document belongs to: an organization's id, an
	// account's id, or a word for what there is only one of. The documents of a
	// partition change together, and a range never spans two.
	Partition string
	// ID is unique in the partition. It is not empty and holds no zero byte.
	ID string
}

// Entry puts a document into an index of its partition.
type Entry struct {
	Index string // one of at most some thousand names; empty is taken: that is the documents by their ids
	Sort  string // compared by bytes; documents with the same Sort are ordered by id
}

// Event is what a view folds: the decoded event, and how the log holds it.
type Event struct {
	codec.Envelope
	// Recorded is the event before decoding. Personal data may be sealed in it.
	Recorded *eventstore.Recorded
}

// View is a read model: how documents of type D come from events. Documents are
// stored as JSON; one that has a method AppendJSON([]byte) []byte is asked for
// it. All functions are pure, and are called by one goroutine at a time.
type View[D any] struct {
	// Name identifies the view in the storage and ends in its version,
	// "members.v2". A view whose functions answer differently than before
	// needs a new name, and is then built from the log.
	Name string

	// Types are the beginnings of the types of the events that matter.
	Types []string

	// Touches lists the documents that an event may change, each once.
	Touches func(e Event) []Key

	// Fold answers with the document after the event, nil for none. It is
	// called once for each key that the event touches, in that order, with the
	// document before the event or nil; it may change and return that one.
	// What becomes of a document depends on nothing but the event and the
	// documents of the same partition.
	Fold func(doc *D, in In[D]) *D

	// Entries lists where the document stands; nil for a view that is read by
	// id only.
	Entries func(key Key, doc *D) []Entry

	// Once says that every document is touched by one event only, so that
	// there is nothing to look up before it is written.
	Once bool
}

// In is what a Fold has to go by.
type In[D any] struct {
	Key Key
	Event
	// Other is another document of the same partition that the event touches,
	// nil for none: folded already if it stands before Key in Touches.
	Other func(Key) *D
}

// Definition is a View of whatever type of document.
type Definition interface {
	name() string
	as(name string) Definition
	types() []string
	newFolder(storage Storage, documents int) (folder, error)
}

func (v View[D]) name() string    { return v.Name }
func (v View[D]) types() []string { return v.Types }

// as is the same view, stored under another name.
func (v View[D]) as(name string) Definition {
	v.Name = name
	return v
}

// Views are all read models of this package.
func Views() []Definition {
	return []Definition{
		members(), invitations(), organizations(), directory(), memberships(), invitees(),
		timeline(), deadlines(), apiKeys(), spaces(), work(), settings(), profiles(), checkpoints(),
	}
}
