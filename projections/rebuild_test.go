package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"tenure/eventstore/codec"
	"tenure/projections"
)

func (f *fixture) projector() *projections.Projector {
	return projections.NewProjector(f.log, codec.New().Decode, f.views, projections.Views(), projections.Options{
		Logger: slog.New(slog.DiscardHandler), RetryAfter: time.Millisecond, BatchEvents: 50, RetireAfter: 3 * time.Second, Shared: true,
	})
}

func (f *fixture) rebuild(p *projections.Projector, view string) projections.Rebuild {
	f.t.Helper()
	all, err := p.Rebuilds(context.Background())
	f.is.NoErr(err)
	for _, r := range all {
		if r.View == view {
			return r
		}
	}
	f.t.Fatalf("no view %s", view)
	return projections.Rebuild{}
}

// until waits for a phase, and answers with the phases on the way.
func (f *fixture) until(p *projections.Projector, view string, phase projections.Phase) {
	f.t.Helper()
	eventually(f.t.(*testing.T), p, func(projections.State) bool { return f.rebuild(p, view).Phase == phase })
}

func TestAViewIsRebuiltWhileTheOldOneServes(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	for i := range 400 {
		f.append(joined(i+1, fmt.Sprintf("Member %03d", i)))
	}
	p, other := f.projector(), f.projector()
	go func() { _ = other.Watch(t.Context()) }()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	f.is.NoErr(p.Wait(patience(t), f.head))

	// Damage that only a rebuild repairs.
	at, err := f.views.Positions(t.Context(), "members.v2", []string{string(org)})
	f.is.NoErr(err)
	f.is.NoErr(f.views.Apply(t.Context(), []projections.Batch{{View: "members.v2", Changes: []projections.Change{{
		Partition: string(org), From: at[0], To: at[0], Puts: []projections.Document{{ID: string(account(1)), Body: []byte(`{"broken":true}`)}},
	}}}}))

	f.is.True(errors.Is(p.StartRebuild(t.Context(), "nothing"), projections.ErrNoView))
	f.is.True(errors.Is(p.PauseRebuild(t.Context(), "members"), projections.ErrNotRebuilding))
	f.is.NoErr(other.StartRebuild(t.Context(), "members")) // from any node
	f.is.True(errors.Is(p.StartRebuild(t.Context(), "members.v2"), projections.ErrRebuilding))
	for i := range 100 { // commands go on, and are seen at once
		f.append(joined(1000+i, fmt.Sprintf("Late %03d", i)))
		f.is.NoErr(other.Wait(patience(t), f.head))
		_, err := other.Reader(0).Member(t.Context(), org, account(1000+i))
		f.is.NoErr(err)
	}
	f.until(p, "members.v2", projections.PhaseNone)
	f.is.Equal(f.rebuild(p, "members.v2").Generation, 1)
	f.append(renamed(2, "Renamed"))
	for _, p := range []*projections.Projector{p, other} {
		f.is.NoErr(p.Wait(patience(t), f.head))
		r := p.Reader(0)
		eventually(t, p, func(projections.State) bool {
			body, err := r.Member(t.Context(), org, account(1))
			f.is.NoErr(err)
			return string(body) != `{"broken":true}`
		})
	}
	stop()
	<-done
	serving := served(f.t, p)
	f.is.Equal(f.dumpOf("members.v2@1", f.views), f.dumpOf("members.v2", f.rebuilt()))
	f.is.Equal(serving["members.v2"], 1)
	rows, _, err := f.views.Range(t.Context(), "members.v2", projections.RangeQuery{Partition: string(org), Limit: 1})
	f.is.NoErr(err)
	f.is.Equal(len(rows), 0) // the generation before is gone
}

func served(t testing.TB, p *projections.Projector) map[string]int {
	all, err := p.Rebuilds(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	serving := map[string]int{}
	for _, r := range all {
		serving[r.View] = r.Generation
	}
	return serving
}

func (f *fixture) dumpOf(view string, views projections.Storage) []string {
	f.t.Helper()
	var all []string
	rows, _, err := views.Range(context.Background(), view, projections.RangeQuery{Partition: string(org), Index: "active.display_name", Limit: 10000})
	f.is.NoErr(err)
	for _, row := range rows {
		all = append(all, row.Sort+" "+row.ID+" "+string(row.Body))
	}
	f.is.True(len(all) > 400)
	return all
}

func TestARebuildIsPausedResumedAndCancelled(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	for i := range 300 {
		f.append(joined(i+1, "Somebody"))
	}
	p := f.projector()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	defer func() { stop(); <-done }()
	f.is.NoErr(p.Wait(patience(t), f.head))

	f.is.NoErr(p.StartRebuild(t.Context(), "timeline"))
	f.is.NoErr(p.PauseRebuild(t.Context(), "timeline"))
	f.is.Equal(f.rebuild(p, "timeline.v3").Phase, projections.PhasePaused)
	f.append(joined(301, "Late"))
	f.is.NoErr(p.Wait(patience(t), f.head))
	f.is.Equal(f.rebuild(p, "timeline.v3").Phase, projections.PhasePaused)
	f.is.NoErr(p.CancelRebuild(t.Context(), "timeline"))
	f.until(p, "timeline.v3", projections.PhaseNone)
	f.is.Equal(f.rebuild(p, "timeline.v3").Generation, 0)
	rows, _, err := f.views.Range(t.Context(), "timeline.v3@1", projections.RangeQuery{Partition: string(org), Limit: 1})
	f.is.NoErr(err)
	f.is.Equal(len(rows), 0)

	f.is.NoErr(p.StartRebuild(t.Context(), "timeline"))
	f.is.NoErr(p.PauseRebuild(t.Context(), "timeline"))
	f.is.NoErr(p.ResumeRebuild(t.Context(), "timeline"))
	f.until(p, "timeline.v3", projections.PhaseNone)
	f.is.Equal(f.rebuild(p, "timeline.v3").Generation, 2) // numbers are not used again
	f.is.True(errors.Is(p.CancelRebuild(t.Context(), "timeline"), projections.ErrNotRebuilding))
}

// The node that applies the log may be killed in every phase.
func TestARebuildGoesOnWhereAnotherNodeStopped(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	for i := range 500 {
		f.append(joined(i+1, "Somebody"))
	}
	phases := map[projections.Phase]bool{}
	for view := range 3 {
		started := false
		for round := 0; ; round++ {
			p := f.projector()
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); _ = p.Run(ctx) }()
			f.is.NoErr(p.Wait(patience(t), f.head))
			if !started {
				f.is.NoErr(p.StartRebuild(t.Context(), "members"))
				started = true
			}
			time.Sleep(time.Duration(40+35*(round%7)) * time.Millisecond) // anywhere
			stop()
			<-done
			phase := f.rebuild(p, "members.v2").Phase
			phases[phase] = true
			if phase == projections.PhaseNone {
				break
			}
			f.append(renamed(1+round%400, fmt.Sprint("Renamed ", view, round)))
		}
	}
	f.is.True(phases[projections.PhaseBuilding] || phases[projections.PhaseJoining] || phases[projections.PhaseSwitched])
	p := f.projector()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	f.is.NoErr(p.Wait(patience(t), f.head))
	stop()
	<-done
	f.is.Equal(f.rebuild(p, "members.v2").Generation, 3)
	f.is.Equal(f.dumpOf("members.v2@3", f.views), f.dumpOf("members.v2", f.rebuilt()))
}
