package projections_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/projections"
	"tenure/projections/sqlite"
)

// fragile is a storage that can lose what it holds while it is in use, as Redis
// does when it is restarted without its files.
type fragile struct {
	mu sync.RWMutex
	projections.Storage
}

func (f *fixture) fragile() *fragile {
	return &fragile{Storage: f.views}
}

// replace puts other contents in the place of the storage's.
func (s *fragile) replace(other projections.Storage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Storage = other
}

func (s *fragile) now() projections.Storage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.Storage
}

func (s *fragile) Documents(ctx context.Context, view string, keys []projections.Key) ([][]byte, error) {
	return s.now().Documents(ctx, view, keys)
}
func (s *fragile) Range(ctx context.Context, view string, q projections.RangeQuery) ([]projections.Row, eventstore.Position, error) {
	return s.now().Range(ctx, view, q)
}
func (s *fragile) Positions(ctx context.Context, view string, partitions []string) ([]eventstore.Position, error) {
	return s.now().Positions(ctx, view, partitions)
}
func (s *fragile) Apply(ctx context.Context, batches []projections.Batch) error {
	return s.now().Apply(ctx, batches)
}
func (s *fragile) Checkpoint(ctx context.Context, name string) (eventstore.Position, error) {
	return s.now().Checkpoint(ctx, name)
}
func (s *fragile) SaveCheckpoint(ctx context.Context, name string, p eventstore.Position) error {
	return s.now().SaveCheckpoint(ctx, name, p)
}
func (s *fragile) Drop(ctx context.Context, view string) error { return s.now().Drop(ctx, view) }

func (f *fixture) storage() projections.Storage {
	f.t.Helper()
	views, err := sqlite.Open(filepath.Join(f.t.TempDir(), "views.db"), sqlite.Options{})
	f.is.NoErr(err)
	f.t.Cleanup(func() { f.is.NoErr(views.Close()) })
	return views
}

func (f *fixture) members(r *projections.Reader) int {
	f.t.Helper()
	page, err := r.Members(context.Background(), projections.MembersQuery{Organization: org, Limit: 200})
	f.is.NoErr(err)
	return page.Len()
}

func TestAStorageThatIsEmptiedIsFilledAgainWithoutARestart(t *testing.T) {
	f := newFixture(t)
	storage := f.fragile()
	f.views = storage
	f.append(activated())
	for i := range 100 {
		f.append(joined(i+1, fmt.Sprint("Member ", i)))
	}
	p, _ := f.run(codec.New().Decode, projections.Views())
	f.is.NoErr(p.Wait(patience(t), f.head))
	r := p.Reader(1 << 20)
	f.is.Equal(f.members(r), 101)

	storage.replace(f.storage()) // nothing is appended: the projector has to notice by itself
	eventually(t, p, func(projections.State) bool {
		at, err := storage.Positions(t.Context(), "complete.v1", []string{"views"})
		f.is.NoErr(err)
		return at[0] == f.head
	})
	f.is.NoErr(p.Wait(patience(t), 0))
	f.is.Equal(f.members(r), 101)
}

// A part of the storage can be lost while the record of completeness is not: one
// server of a cluster, or a view that is new in this version. Readers at all nodes
// wait until it is there again.
func TestReadsAtAllNodesWaitWhileOneViewIsFilledAgain(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	f.append(joined(1, "Ada"))
	f.reader()
	f.is.NoErr(f.views.Drop(t.Context(), "members.v2"))

	other := f.projector()
	go func() { _ = other.Watch(t.Context()) }()
	f.is.NoErr(other.Wait(patience(t), f.head)) // nobody has noticed yet
	begun, gate := make(chan struct{}), make(chan struct{})
	decode := codec.New().Decode
	var once sync.Once
	p, _ := f.run(func(r eventstore.Recorded) (codec.Envelope, error) {
		once.Do(func() { close(begun) })
		select {
		case <-gate:
		case <-t.Context().Done():
		}
		return decode(r)
	}, projections.Views())
	<-begun
	eventually(t, other, func(s projections.State) bool { return s.Position < f.head })
	for _, node := range []*projections.Projector{p, other} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		f.is.True(errors.Is(node.Wait(ctx, f.head), projections.ErrBehind))
	}
	close(gate)
	for _, node := range []*projections.Projector{p, other} {
		f.is.NoErr(node.Wait(patience(t), f.head))
		f.is.Equal(f.members(node.Reader(0)), 2)
	}
}

// Nobody is shown views that lack a part of what they held.
func TestReadsWaitWhileViewsAreFilledAgain(t *testing.T) {
	f := newFixture(t)
	storage := f.fragile()
	f.views = storage
	f.append(activated())
	f.append(joined(1, "Ada"))
	p, _ := f.run(codec.New().Decode, projections.Views())
	f.is.NoErr(p.Wait(patience(t), 0))

	lame := &broken{Storage: f.storage()}
	lame.down.Store(true)
	storage.replace(lame)
	eventually(t, p, func(s projections.State) bool { return s.Position == 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f.is.True(errors.Is(p.Wait(ctx, 0), projections.ErrBehind))
	lame.down.Store(false)
	f.is.NoErr(p.Wait(patience(t), 0))
	f.is.Equal(f.members(p.Reader(0)), 2)
}

func TestANodeThatDoesNotApplyTheLogKnowsHowFarTheViewsAre(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	options := projections.Options{Shared: true, RetryAfter: time.Millisecond}
	one := projections.NewProjector(f.log, codec.New().Decode, f.views, projections.Views(), options)
	two := projections.NewProjector(f.log, codec.New().Decode, f.views, projections.Views(), options)
	go func() { _ = two.Watch(t.Context()) }()
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = one.Run(ctx) }()
	for i := range 50 {
		f.append(joined(i+1, "Somebody"))
		f.is.NoErr(two.Wait(patience(t), f.head))
		f.is.Equal(f.members(two.Reader(0)), i+2) // reads what was written through the other node
	}
	f.is.True(two.State().Live)

	stop()
	<-stopped
	f.append(joined(51, "Late"))
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f.is.True(errors.Is(two.Wait(short, f.head), projections.ErrBehind))
	ctx, stop = context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = two.Run(ctx) }() // takes over
	f.is.NoErr(two.Wait(patience(t), f.head))
	f.is.Equal(f.members(two.Reader(0)), 52)
	stop()
	<-done
}

// Two nodes may apply the log at the same time for moments, as when one that
// hung wakes up.
func TestTwoProjectorsAtTheSameTimeDoNoHarm(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	options := projections.Options{Shared: true, RetryAfter: time.Millisecond, BatchEvents: 7}
	var both []*projections.Projector
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		p := projections.NewProjector(f.log, codec.New().Decode, f.views, projections.Views(), options)
		both = append(both, p)
		running.Go(func() { _ = p.Run(ctx) })
	}
	for i := range 150 {
		f.append(joined(i+1, fmt.Sprint("Member ", i)))
	}
	for _, p := range both {
		f.is.NoErr(p.Wait(patience(t), f.head))
	}
	stop()
	running.Wait()
	f.is.Equal(f.members(projections.NewReader(f.views, 0)), 151)
	f.is.Equal(f.dump(f.views), f.dump(f.rebuilt()))
}

// rebuilt are views that one projector has made of the whole log.
func (f *fixture) rebuilt() projections.Storage {
	f.t.Helper()
	views := f.storage()
	p := projections.NewProjector(f.log, codec.New().Decode, views, projections.Views(), projections.Options{})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	f.is.NoErr(p.Wait(patience(f.t), f.head))
	stop()
	<-done
	return views
}

// dump is what the views answer with.
func (f *fixture) dump(views projections.Storage) []string {
	f.t.Helper()
	var all []string
	for _, view := range []string{"members.v2", "organizations.v2", "timeline.v3"} {
		var after projections.Place
		for {
			rows, _, err := views.Range(context.Background(), view, projections.RangeQuery{Partition: string(org), After: after, Limit: 100})
			f.is.NoErr(err)
			for _, row := range rows {
				all = append(all, view+" "+row.ID+" "+string(row.Body))
				after = row.Place
			}
			if len(rows) == 0 {
				break
			}
		}
	}
	f.is.True(!slices.Contains(all, ""))
	return all
}

// unreachable is a storage that cannot be read for a time.
type unreachable struct {
	projections.Storage
	down atomic.Bool
}

func (u *unreachable) Positions(ctx context.Context, view string, partitions []string) ([]eventstore.Position, error) {
	if u.down.Load() {
		return nil, projections.ErrUnavailable
	}
	return u.Storage.Positions(ctx, view, partitions)
}

// After an outage on a quiet log there is nothing to apply, and the views are as
// live as before.
func TestAProjectorGoesOnAfterAnOutageWithoutANewEvent(t *testing.T) {
	f := newFixture(t)
	f.append(activated(), joined(1, "Ada"))
	f.reader()
	storage := &unreachable{Storage: f.views}
	f.views = storage
	p, _ := f.run(codec.New().Decode, projections.Views())
	all, err := p.Rebuilds(t.Context())
	f.is.NoErr(err)
	for _, v := range all {
		f.is.NoErr(storage.SaveCheckpoint(t.Context(), v.View, f.head))
	}
	f.is.NoErr(p.Wait(patience(t), f.head))
	storage.down.Store(true)
	eventually(t, p, func(s projections.State) bool { return s.Halted })
	storage.down.Store(false)
	state := eventually(t, p, func(s projections.State) bool { return !s.Halted && s.Live })
	f.is.Equal(state.Position, f.head)
}
