package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/projections"
)

func TestProjectorStopsAtAnEventItCannotDecodeAndGoesOnWhenItCan(t *testing.T) {
	f := newFixture(t)
	good := f.append(activated(), joined(1, "Ada"))
	f.reader() // the views are complete up to here
	f.appendRaw(eventstore.Event{ID: eventstore.ID(uuid.New()), Type: "organization.from_the_future.v1", Data: []byte("{}"), Metadata: []byte("{}")})
	f.append(joined(2, "Bob"))

	var understood atomic.Bool
	decode := func(r eventstore.Recorded) (codec.Envelope, error) {
		if r.Type == "organization.from_the_future.v1" && understood.Load() {
			return codec.Envelope{Event: organization.Renamed{OrganizationID: org, After: "Future"}, Stream: r.Stream, Position: r.Position}, nil
		}
		return codec.New().Decode(r)
	}
	p, _ := f.run(decode, projections.Views())

	f.is.NoErr(p.Wait(patience(t), good)) // what comes before is there
	state := eventually(t, p, func(s projections.State) bool { return s.Halted })
	f.is.Equal(state.ErrorClass, projections.ClassDecode)
	f.is.True(errors.Is(state.Err, codec.ErrUnknownEvent))
	f.is.Equal(state.Position, good)
	f.is.Equal(state.Head, f.head)
	f.is.Equal(state.Lag, uint64(f.head-good))
	f.is.True(!state.Live)
	r := projections.NewReader(f.views, 0)
	page, err := r.Members(t.Context(), projections.MembersQuery{Organization: org})
	f.is.NoErr(err)
	f.is.Equal(page.Len(), 2) // nothing after it is

	understood.Store(true)
	f.is.NoErr(p.Wait(patience(t), f.head))
	state = eventually(t, p, func(s projections.State) bool { return s.Live })
	f.is.True(!state.Halted)
	f.is.NoErr(state.Err)
	f.is.Equal(state.Lag, uint64(0))
	page, err = r.Members(t.Context(), projections.MembersQuery{Organization: org})
	f.is.NoErr(err)
	f.is.Equal(page.Len(), 3)
	body, err := r.Organization(t.Context(), org)
	f.is.NoErr(err)
	f.is.True(strings.Contains(string(body), `"Future"`))
}

func TestProjectorHaltsOnAViewThatPanics(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	bad := projections.View[struct{}]{
		Name: "bad.v1", Types: []string{"organization."},
		Touches: func(projections.Event) []projections.Key { panic("not this one") },
	}
	p, _ := f.run(codec.New().Decode, []projections.Definition{bad})
	state := eventually(t, p, func(s projections.State) bool { return s.Halted })
	f.is.Equal(state.ErrorClass, projections.ClassFold)
	f.is.True(strings.Contains(state.Err.Error(), "bad.v1"))
	f.is.Equal(state.Position, eventstore.Position(0))
}

func TestProjectorHaltsWhileTheStorageFails(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	storage := &broken{Storage: f.views}
	storage.down.Store(true)
	f.views = storage
	p, _ := f.run(codec.New().Decode, projections.Views())
	state := eventually(t, p, func(s projections.State) bool { return s.Halted })
	f.is.Equal(state.ErrorClass, projections.ClassStorage)
	storage.down.Store(false)
	f.is.NoErr(p.Wait(patience(t), f.head))
	f.is.True(!p.State().Halted)
}

type broken struct {
	projections.Storage
	down atomic.Bool
}

func (b *broken) Apply(ctx context.Context, batches []projections.Batch) error {
	if b.down.Load() {
		return errors.New("disk is gone")
	}
	return b.Storage.Apply(ctx, batches)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	p, _ := f.run(codec.New().Decode, projections.Views())
	f.is.NoErr(p.Wait(patience(t), f.head))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.is.NoErr(p.Wait(ctx, f.head)) // there already
	err := p.Wait(ctx, f.head+1)
	f.is.True(errors.Is(err, projections.ErrBehind))
	f.is.True(errors.Is(err, context.Canceled))
	behind, ok := errors.AsType[*projections.BehindError](err)
	f.is.True(ok)
	f.is.Equal(behind.Wanted, f.head+1)
	f.is.Equal(behind.Position, f.head)
}

func TestThousandsWaitForTheirEvent(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	p, _ := f.run(codec.New().Decode, projections.Views())
	const waiters = 5000
	start := f.head
	ctx := patience(t)
	var waiting sync.WaitGroup
	results := make([]error, waiters)
	for i := range waiters {
		waiting.Go(func() { results[i] = p.Wait(ctx, start+eventstore.Position(i%50)) })
	}
	for i := range 50 {
		f.append(joined(i+1, "Somebody"))
	}
	waiting.Wait()
	for _, err := range results {
		f.is.NoErr(err)
	}
}

// A view that is new beside others is built without touching them.
func TestANewViewIsBuiltFromTheLog(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	for i := range 250 {
		f.append(joined(i+1, fmt.Sprint("Member ", i)))
	}
	f.reader()
	type count struct{ Members int }
	counts := projections.View[count]{
		Name: "counts.v1", Types: []string{"organization.member_joined."},
		Touches: func(e projections.Event) []projections.Key {
			return []projections.Key{{Partition: "all", ID: "count"}}
		},
		Fold: func(doc *count, in projections.In[count]) *count {
			if doc == nil {
				doc = &count{}
			}
			doc.Members++
			return doc
		},
	}
	p, stop := f.run(codec.New().Decode, append(projections.Views(), counts))
	f.append(joined(1000, "Late"))
	f.is.NoErr(p.Wait(patience(t), f.head))
	stop()
	bodies, err := f.views.Documents(t.Context(), "counts.v1", []projections.Key{{Partition: "all", ID: "count"}})
	f.is.NoErr(err)
	var c count
	f.is.NoErr(json.Unmarshal(bodies[0], &c))
	f.is.Equal(c.Members, 251)
	body, err := projections.NewReader(f.views, 0).Organization(t.Context(), org)
	f.is.NoErr(err)
	var o projections.Organization
	f.is.NoErr(json.Unmarshal(body, &o))
	f.is.Equal(o.Members, 252) // counted once
}

func eventually(t *testing.T, p *projections.Projector, holds func(projections.State) bool) projections.State {
	t.Helper()
	for ctx := patience(t); ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if s := p.State(); holds(s) {
			return s
		}
	}
	is.New(t).Fail() // the projector never got there
	return projections.State{}
}
