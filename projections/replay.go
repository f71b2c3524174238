package projections

import (
	"context"

	"tenure/eventstore"
)

// Replay folds events into views of a storage that no projector follows, such as
// those of one organization as it was. It is for one goroutine, and for nobody
// else who applies to the storage.
type Replay struct {
	storage Storage
	views   []*followed
}

// NewReplay makes a replay that goes on from what the storage holds.
func NewReplay(storage Storage, views []Definition) (*Replay, error) {
	r := &Replay{storage: storage}
	for _, v := range views {
		folder, err := v.newFolder(storage, replayDocuments)
		if err != nil {
			return nil, err
		}
		r.views = append(r.views, &followed{Definition: v, folder: folder})
	}
	return r, nil
}

// replayDocuments is how many documents of each view a replay keeps decoded.
const replayDocuments = 16_384

// Apply folds events, in the order of the log, and applies what they change. If
// it fails, the replay is of no more use.
func (r *Replay) Apply(ctx context.Context, events []Event) error {
	var batches []Batch
	var last eventstore.Position
	for _, v := range r.views {
		v.events = v.events[:0]
		for i := range events {
			if e := &events[i]; wants(v, e.Event.EventType()) {
				v.events = append(v.events, e)
			}
			last = events[i].Position
		}
		changes, err := v.fold(ctx, v.events)
		if err != nil {
			return err
		}
		batches = append(batches, Batch{View: v.name(), Changes: changes, Checkpoint: last})
	}
	return failed(ClassStorage, r.storage.Apply(ctx, batches))
}

// OrganizationViews are those whose documents belong to one organization, and
// follow from its own events and those of its invitations. (So does the timeline,
// of which the past is a part of the present.)
func OrganizationViews() []Definition {
	return []Definition{members(), invitations(), organizations(), spaces(), work(), settings()}
}

// TimelineView is the view that Reader.Timeline reads.
func TimelineView() Definition { return timeline() }
