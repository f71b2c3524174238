package commands

import (
	"context"
	"errors"
	"sync"

	"tenure/eventstore"
)

// DryRun answers with commands that decide as c does on the log as it is now,
// in every stream that they would write, and write nothing (X11). They are for
// one command each: what it would write stays in a draft of the log that goes
// away with them. They hand out no tokens and no keys.
func (c *Commands) DryRun() *Commands {
	d := c.Dependencies
	d.Store = &draft{Store: c.Store, streams: make(map[string][]eventstore.Recorded)}
	d.Step = func(string) {}
	d.Codec = c.Codec.Drafting()
	return &Commands{
		Dependencies:  d,
		dry:           true,
		organizations: c.organizations.drafted(d),
		invitations:   c.invitations.drafted(d),
		accounts:      c.accounts.drafted(d),
		reservations:  c.reservations.drafted(d),
		apiKeys:       c.apiKeys.drafted(d),
		mails:         c.mails.drafted(d),
		checkpoints:   c.checkpoints.drafted(d),
		webhooks:      c.webhooks.drafted(d),
		brokers:       c.brokers.drafted(d),
		keyrings:      c.keyrings.drafted(d),
		erasures:      c.erasures.drafted(d),
		trails:        c.trails.drafted(d),
		publications:  c.publications.drafted(d),
		known:         &knownPolicies{}, // a draft may hold versions that will never be
	}
}

// drafted are aggregates that go on from what a has folded, on a draft.
func (a *aggregates[S]) drafted(d Dependencies) *aggregates[S] {
	made := newAggregates(d, a.prefix, a.evolve)
	made.origin, made.traceless = a, a.traceless
	return made
}

// draft is a log that keeps to itself what is appended. What others append to
// the log in the meantime shows, except in the streams that the draft has
// written itself.
type draft struct {
	eventstore.Store

	mu      sync.Mutex
	streams map[string][]eventstore.Recorded
}

// Append implements eventstore.Store.
func (d *draft) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	if err := eventstore.Check(stream, expected, events); err != nil {
		return eventstore.Result{}, err
	}
	first := expected.Next()
	switch found, err := d.ends(ctx, stream, expected); {
	case err != nil:
		return eventstore.Result{}, err
	case !found:
		return eventstore.Result{}, &eventstore.ConflictError{Stream: stream, Expected: expected}
	}
	head, err := d.Store.Head(ctx)
	if err != nil {
		return eventstore.Result{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, e := range events {
		d.streams[stream] = append(d.streams[stream], eventstore.Recorded{
			Event: e, Stream: stream, Revision: first + eventstore.Revision(i), Position: head,
		})
	}
	return eventstore.Result{LastRevision: first + eventstore.Revision(len(events)-1), Position: head}, nil
}

// ends reports whether the stream is where expected says.
func (d *draft) ends(ctx context.Context, stream string, expected eventstore.Expected) (bool, error) {
	last, some := expected.Last()
	news, err := d.ReadStream(ctx, stream, last, 2)
	if errors.Is(err, eventstore.ErrStreamNotFound) {
		err = nil
	}
	return some == (len(news) == 1) && len(news) < 2, err
}

// ReadStream implements eventstore.Store.
func (d *draft) ReadStream(ctx context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	d.mu.Lock()
	own := d.streams[stream]
	d.mu.Unlock()
	if len(own) == 0 {
		return d.Store.ReadStream(ctx, stream, from, limit)
	}
	var all []eventstore.Recorded
	if first := own[0].Revision; from < first {
		before, err := d.Store.ReadStream(ctx, stream, from, int(min(uint64(first-from), uint64(limit))))
		if err != nil {
			return nil, err
		}
		all = append(all, before...)
		from = first
	}
	own = own[min(uint64(from-own[0].Revision), uint64(len(own))):]
	return append(all, own[:min(len(own), limit-len(all))]...), nil
}

// fork is an aggregate of a draft: it begins with what the one that it stands
// for has folded.
func (a *aggregates[S]) fork(made *aggregate[S], id string) {
	if a.origin == nil {
		return
	}
	made.origin = a.origin.get(id)
	made.current.Store(made.origin.current.Load())
}
