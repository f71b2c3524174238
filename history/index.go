package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// index says which events an organization has, without what is in them. An index
// is never changed; a later one shares what an earlier one has.
type index struct {
	org     domain.OrganizationID
	epoch   int     // of the cache
	entries []entry // in the order of the log
	streams []stream
	head    eventstore.Position // of the log: every event up to there is in entries
	clock   time.Time           // what the time was before the head was read
	began   time.Time           // the same by the clock of this machine, which nobody sets
}

// entry is an event.
type entry struct {
	position eventstore.Position
	takes    int64 // when it takes effect, in nanoseconds since 1970; see the package's comment
	stream   uint32
	revision uint32
}

// stream is the organization's own, the first, or that of an invitation.
type stream struct {
	name   string
	next   eventstore.Revision // that is not in entries
	closed bool                // no event can come
}

// The parameters of reading.
const (
	readPage    = 1000 // events of a stream at once
	readStreams = 16   // streams at once
	readIndexes = 8    // organizations at once
	// clockSkew is by how much the clocks of two nodes may differ, together with
	// how long a command may take to be written. What is older than that does not
	// change any more.
	clockSkew = 5 * time.Minute
)

// cost is about how many bytes the index takes.
func (x *index) cost() int { return 24*len(x.entries) + 96*len(x.streams) + 256 }

// founded is the first event.
func (x *index) founded() *NotFoundedError {
	return &NotFoundedError{Founded: x.entries[0].at(), Position: x.entries[0].position}
}

func (e entry) at() time.Time { return time.Unix(0, e.takes).UTC() }

// count is how many events a moment has; known is false where the index does not
// reach far enough to say.
func (x *index) count(m Moment, asked time.Time) (n int, known bool) {
	switch {
	case m.isNow():
		return len(x.entries), !x.began.Before(asked)
	case m.Position > 0:
		n = sort.Search(len(x.entries), func(i int) bool { return x.entries[i].position > m.Position })
		return n, m.Position <= x.head
	}
	if m.Instant.Before(time.Unix(0, 0)) { // a time that nanoseconds may not be able to say
		return 0, len(x.entries) > 0
	}
	at := m.Instant.UnixNano()
	n = sort.Search(len(x.entries), func(i int) bool { return x.entries[i].takes > at })
	settled := m.Instant.Add(clockSkew).Before(x.clock)
	return n, n < len(x.entries) || settled || !x.began.Before(asked)
}

// extend reads what the log has by now.
func (h *History) extend(ctx context.Context, x *index) (*index, error) {
	if err := h.reads.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer h.reads.Release(1)
	next := &index{org: x.org, epoch: x.epoch, entries: x.entries, streams: slices.Clone(x.streams), clock: h.commands.Now(), began: time.Now()}
	head, err := h.commands.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("history: the end of the log: %w", err)
	}
	next.head = head
	if len(next.streams) == 0 {
		next.streams = []stream{{name: "organization-" + string(x.org)}}
	}
	known := len(next.streams)
	news, err := h.news(ctx, next, 0)
	if err != nil {
		return nil, err
	}
	// The invitations that are new, and those that something may have happened to.
	var group errgroup.Group
	group.SetLimit(readStreams)
	found := make([][]stamped, len(next.streams))
	for i := 1; i < len(next.streams); i++ {
		if i < known && next.streams[i].closed {
			continue
		}
		group.Go(func() (err error) {
			found[i], err = h.news(ctx, next, i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	next.add(slices.Concat(append(found, news)...))
	return next, nil
}

// stamped is an entry before it is known when it takes effect.
type stamped struct {
	entry
	at time.Time
}

// add puts events at the end. All are after what is there: that has every event
// up to a position, and these are later ones.
func (x *index) add(news []stamped) {
	slices.SortFunc(news, func(a, b stamped) int {
		if a.position < b.position {
			return -1
		}
		return 1
	})
	latest := int64(0)
	if n := len(x.entries); n > 0 {
		latest = x.entries[n-1].takes
	}
	x.entries = slices.Grow(x.entries, len(news))
	for _, e := range news {
		latest = max(latest, e.at.UnixNano())
		e.takes = latest
		x.entries = append(x.entries, e.entry)
	}
}

// news reads the events of a stream that are not in the index, up to its head.
// Of the organization's own stream it adds the streams of the invitations that
// it names.
func (h *History) news(ctx context.Context, x *index, number int) ([]stamped, error) {
	s := &x.streams[number]
	var found []stamped
	for {
		recorded, err := h.readStream(ctx, s.name, s.next, readPage)
		if err == nil {
			err = h.commands.Codec.Prefetch(ctx, recorded)
		}
		if err != nil {
			return nil, err
		}
		var opened []stream
		for _, r := range recorded {
			if r.Position > x.head {
				recorded = nil // and the stream has no more that counts
				break
			}
			e, err := h.commands.Codec.Decode(r)
			if err != nil {
				return nil, err
			}
			found = append(found, stamped{entry{position: e.Position, stream: uint32(number), revision: uint32(e.Revision)}, e.Metadata.OccurredAt})
			s.next = e.Revision + 1
			s.closed = ends(e.Event)
			if o, ok := e.Event.(organization.InvitationOpened); ok && o.Generation <= 1 {
				opened = append(opened, stream{name: "invitation-" + string(o.InvitationID)})
			}
		}
		if len(opened) > 0 {
			x.streams = append(x.streams, opened...)
			s = &x.streams[number]
		}
		if len(recorded) < readPage {
			return found, nil
		}
	}
}

// ends reports whether nothing happens to an invitation after this.
func ends(e domain.Event) bool {
	switch e.(type) {
	case invitation.Accepted, invitation.Declined, invitation.Revoked:
		return true
	}
	return false
}

func (h *History) readStream(ctx context.Context, name string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	recorded, err := h.commands.Store.ReadStream(ctx, name, from, limit)
	if errors.Is(err, eventstore.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("history: reading %s: %w", name, err)
	}
	return recorded, nil
}

// read reads entries that follow one another, and decodes their events.
func (h *History) read(ctx context.Context, x *index, entries []entry) ([]decoded, error) {
	type part struct{ from, to eventstore.Revision }
	parts := make(map[uint32]part)
	for _, e := range entries {
		p, ok := parts[e.stream]
		if !ok {
			p.from = eventstore.Revision(e.revision)
		}
		p.to = eventstore.Revision(e.revision)
		parts[e.stream] = p
	}
	place := make(map[eventstore.Position]int, len(entries))
	for i, e := range entries {
		place[e.position] = i
	}
	events := make([]decoded, len(entries))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readStreams)
	for number, p := range parts {
		group.Go(func() error {
			name := x.streams[number].name
			for from := p.from; from <= p.to; {
				recorded, err := h.readStream(inner, name, from, min(readPage, int(p.to-from)+1))
				if err == nil {
					err = h.commands.Codec.Prefetch(inner, recorded)
				}
				if err != nil {
					return err
				}
				if len(recorded) == 0 {
					return fmt.Errorf("history: revision %d of %s was there and is not", from, name)
				}
				for i := range recorded {
					e, err := h.commands.Codec.Decode(recorded[i])
					if err != nil {
						return err
					}
					if at, ok := place[e.Position]; ok {
						events[at] = decoded{e, &recorded[i], number == 0}
					}
				}
				from = recorded[len(recorded)-1].Revision + 1
			}
			return nil
		})
	}
	return events, group.Wait()
}

// decoded is an event of an organization.
type decoded struct {
	codec.Envelope
	recorded *eventstore.Recorded
	own      bool // of the organization's own stream
}

// of names an event of an invitation.
type of struct {
	stream     uint32
	revision   eventstore.Revision
	generation int // not 0: the event that began it, at revision or before
}

// is reports whether an event is the one that is named, or may be. A command that
// found everything as wanted has decided nothing: the one before it counts.
func (o of) is(e domain.Event) bool {
	switch e := e.(type) {
	case domain.ChangedNothing:
		return false
	case invitation.Resent:
		return o.generation == 0 || o.generation == e.Generation
	}
	return o.generation == 0
}

// named reads events of other streams than the organization's own.
func (h *History) named(ctx context.Context, x *index, entries []of) (map[of]commands.AccessEvent, error) {
	events := make([]commands.AccessEvent, len(entries))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readStreams)
	for i, e := range entries {
		group.Go(func() error {
			for revision := e.revision; ; revision-- {
				recorded, err := h.readStream(inner, x.streams[e.stream].name, revision, 1)
				if err != nil || len(recorded) == 0 {
					return err
				}
				decoded, err := h.commands.Codec.Decode(recorded[0])
				if err != nil {
					return err
				}
				if e.is(decoded.Event) || revision == 0 {
					events[i] = commands.Named(decoded)
					return nil
				}
			}
		})
	}
	err := group.Wait()
	found := make(map[of]commands.AccessEvent, len(entries))
	for i, e := range entries {
		if events[i].Type != "" {
			found[e] = events[i]
		}
	}
	return found, err
}
