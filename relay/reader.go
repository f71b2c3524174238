package relay

import (
	"context"
	"errors"
	"strings"

	"tenure/eventstore"
)

// Reader is one way through the feed, for one goroutine. It reads the log until
// that has come to its end, and from then on what all readers share; one that
// falls behind that reads the log again.
type Reader struct {
	feed   *Feed
	query  Query
	filter eventstore.Filter

	told   eventstore.Position // what Cursor says
	after  eventstore.Position // everything wanted up to here was read
	placed bool                // next is known
	next   eventstore.Revision // of the organization's stream
	atEnd  bool                // the log's end was seen once
}

// Batch is a stretch of the feed.
type Batch struct {
	Events []Event
	Head   bool // there was nothing more
}

// Cursor is where another reader goes on after everything that this one has
// answered with.
func (r *Reader) Cursor() string { return string(r.feed.cursors.append(nil, r.told)) }

// Reached is the position up to which everything wanted was read.
func (r *Reader) Reached() eventstore.Position { return r.after }

// CursorOf is where a reader goes on after the event.
func (f *Feed) CursorOf(e Event) string { return string(f.cursors.append(nil, e.Position)) }

// Next answers with up to limit events, perhaps none of those that it has come
// by. It does not wait; where Head holds there was nothing more. It fails as the
// log does, and for an event that this program does not know.
func (r *Reader) Next(ctx context.Context, limit int) (Batch, error) {
	if r.atEnd {
		if batch, ok, err := r.fromTail(limit); ok || err != nil {
			return batch, err
		}
	}
	if r.query.Organization != "" {
		return r.fromStream(ctx, limit)
	}
	return r.fromLog(ctx, limit)
}

// Wait waits until there may be something more, or ctx ends.
func (r *Reader) Wait(ctx context.Context) error {
	news := r.feed.tail.wait(r.after)
	if news == nil {
		return ctx.Err()
	}
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wants reports whether an event is of the type asked for. An older form is
// shown as the current one, whose name begins the same up to the version.
func (r *Reader) wants(eventType string) bool { return strings.HasPrefix(eventType, r.query.Type) }

// fromTail reads what all readers share; ok is false where that does not reach
// back far enough.
func (r *Reader) fromTail(limit int) (_ Batch, ok bool, err error) {
	name := streamPrefix + string(r.query.Organization)
	entries, position, ok := r.feed.tail.read(r.after, limit, func(e *entry) bool {
		return r.query.Organization == "" || e.Stream == name
	})
	if !ok {
		return Batch{}, false, nil
	}
	batch := Batch{Head: len(entries) < limit, Events: make([]Event, 0, len(entries))}
	for _, e := range entries {
		if r.query.Organization != "" {
			if e.Revision < r.next {
				continue // read from the stream before
			}
			if e.Revision > r.next { // of the first one only: a tail has no holes
				return Batch{}, false, nil // the stream was read where it was behind
			}
			r.next = e.Revision + 1
		}
		if !r.wants(e.Type) {
			continue
		}
		shown, err := r.feed.tail.show(e, r.query.view())
		if err != nil {
			return Batch{}, false, err
		}
		batch.Events = append(batch.Events, shown)
	}
	r.after = position
	r.tell(batch.Events)
	return batch, true, nil
}

// fromLog reads the whole log.
func (r *Reader) fromLog(ctx context.Context, limit int) (Batch, error) {
	page, err := r.feed.config.Log.ReadAll(ctx, r.after, limit, r.filter)
	if err == nil {
		err = r.feed.config.Codec.Prefetch(ctx, page.Events)
	}
	if err != nil {
		return Batch{}, err
	}
	batch := Batch{Head: page.Head, Events: make([]Event, 0, len(page.Events))}
	for i := range page.Events {
		if _, ok := organizationOf(&page.Events[i]); ok {
			if err := r.add(&batch, page.Events[i]); err != nil {
				return Batch{}, err
			}
		}
	}
	r.after, r.atEnd = max(r.after, page.Position), r.atEnd || page.Head
	r.tell(batch.Events)
	return batch, nil
}

// fromStream reads the organization's stream.
func (r *Reader) fromStream(ctx context.Context, limit int) (Batch, error) {
	reached := r.feed.tail.reached() // before the stream: all up to here is in it
	if err := r.place(ctx); err != nil {
		return Batch{}, err
	}
	events, err := r.read(ctx, r.next, limit)
	if err == nil {
		err = r.feed.config.Codec.Prefetch(ctx, events)
	}
	if err != nil {
		return Batch{}, err
	}
	batch := Batch{Head: len(events) < limit, Events: make([]Event, 0, len(events))}
	for i := range events {
		if err := r.add(&batch, events[i]); err != nil {
			return Batch{}, err
		}
	}
	if n := len(events); n > 0 {
		r.next, r.told = events[n-1].Revision+1, events[n-1].Position
		r.after = max(r.after, r.told)
	}
	if batch.Head {
		// What the cursor says stays with the last event: it is found in the
		// stream again as fast, and rests on nothing else.
		r.atEnd, r.after = true, max(r.after, reached)
	}
	return batch, nil
}

func (r *Reader) add(batch *Batch, e eventstore.Recorded) error {
	if !r.wants(e.Type) {
		return nil
	}
	shown, err := r.feed.render.event(e, r.query.view())
	if err == nil {
		batch.Events = append(batch.Events, shown)
	}
	return err
}

// tell moves the cursor on: in the whole log past all that was read, in one
// organization to its last event.
func (r *Reader) tell(events []Event) {
	if r.query.Organization == "" {
		r.told = r.after
	} else if n := len(events); n > 0 {
		r.told = events[n-1].Position
	}
}

// place finds the first event of the organization's stream after the position
// that the reader begins at: positions and revisions grow together, so it is a
// search by halves.
func (r *Reader) place(ctx context.Context) error {
	if r.placed {
		return nil
	}
	if r.after == 0 {
		r.placed = true
		return nil
	}
	// Everything before low is at or before the position.
	low, high := uint64(0), uint64(0)
	if last, ok := r.query.Newest.Last(); ok {
		beyond, err := r.beyond(ctx, uint64(last))
		if err != nil {
			return err
		}
		if high = uint64(last); !beyond {
			low, high = high+1, high+1
		}
	}
	for step := uint64(1); ; step *= 2 {
		beyond, err := r.beyond(ctx, high)
		if err != nil {
			return err
		}
		if beyond {
			break
		}
		low, high = high+1, high+1+step
	}
	for low < high {
		middle := low + (high-low)/2
		beyond, err := r.beyond(ctx, middle)
		if err != nil {
			return err
		}
		if beyond {
			high = middle
		} else {
			low = middle + 1
		}
	}
	r.placed, r.next = true, eventstore.Revision(low)
	return nil
}

// beyond reports whether the event at a revision is after the position, or there
// is none.
func (r *Reader) beyond(ctx context.Context, revision uint64) (bool, error) {
	events, err := r.read(ctx, eventstore.Revision(revision), 1)
	return len(events) == 0 || events[0].Position > r.after, err
}

// read reads the organization's stream; one that is not there is empty.
func (r *Reader) read(ctx context.Context, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	events, err := r.feed.config.Log.ReadStream(ctx, streamPrefix+string(r.query.Organization), from, limit)
	if errors.Is(err, eventstore.ErrStreamNotFound) {
		return nil, nil
	}
	return events, err
}
