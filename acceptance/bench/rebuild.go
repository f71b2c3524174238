package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	zombie "zombiezen.com/go/sqlite"

	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/eventstore/sqlite"
	"tenure/projections"
	viewsqlite "tenure/projections/sqlite"
)

// benchRebuild compares replay and rebuild with the scan of the log.
func benchRebuild(ctx context.Context, dir string) error {
	data, store, err := seedLog(ctx, dir, 4, manySizes()...)
	if err != nil {
		return err
	}
	defer store.Close()
	path := filepath.Join(dir, "log.db")
	m, err := measure(
		func() (float64, error) { return rawScan(path) },
		func() (float64, error) { return decoded(ctx, store, func(codec.Envelope) {}) },
		func() (float64, error) { return replay(ctx, store) },
		func() (float64, error) { return rebuild(ctx, store, filepath.Join(dir, "views.db")) },
	)
	if err != nil {
		return err
	}
	title("(d) Replay and rebuild of %d events in %d organizations", data.events, len(data.orgs))
	row("%-44s %10.0f events/s", "raw scan of the log's rows", m[0])
	row("%-44s %10.0f events/s   %.2f of the scan", "log read and decoded", m[1], m[1]/m[0])
	row("%-44s %10.0f events/s   %.2f of the scan, %.2f of decoding", "replay: every aggregate folded", m[2], m[2]/m[0], m[2]/m[1])
	row("%-44s %10.0f events/s   %.2f of the scan, %.2f of decoding", "rebuild: every view, on disk", m[3], m[3]/m[0], m[3]/m[1])
	return nil
}

// manySizes are those of 200 organizations of 100 members and one of 10,000.
func manySizes() []int { return append(slices.Repeat([]int{100}, 200), 10_000) }

// seedLog seeds a folder and opens its log.
func seedLog(ctx context.Context, dir string, churn int, sizes ...int) (*seeded, *sqlite.Store, error) {
	data, err := seed(ctx, dir, churn, sizes...)
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlite.Open(filepath.Join(dir, "log.db"), sqlite.Options{RecentEvents: 1})
	return data, store, err
}

// rawScan reads all rows with the driver alone.
func rawScan(path string) (float64, error) {
	conn, err := zombie.OpenConn(path, zombie.OpenReadOnly)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	rows, err := conn.Prepare("SELECT position, stream, revision, id, type, data, metadata, recorded_at FROM events ORDER BY position")
	if err != nil {
		return 0, err
	}
	begin, n := time.Now(), 0
	for {
		more, err := rows.Step()
		if err != nil {
			return 0, err
		}
		if !more {
			return float64(n) / time.Since(begin).Seconds(), nil
		}
		for column := range 8 {
			switch column {
			case 3, 5, 6:
				rows.ColumnBytes(column, make([]byte, rows.ColumnLen(column)))
			default:
				rows.ColumnInt64(column)
			}
		}
		n++
	}
}

func decoded(ctx context.Context, store eventstore.Store, each func(codec.Envelope)) (float64, error) {
	c := codec.New()
	begin, n := time.Now(), 0
	for page := (eventstore.Page{}); !page.Head; {
		var err error
		if page, err = store.ReadAll(ctx, page.Position, 1000, eventstore.Filter{}); err != nil {
			return 0, err
		}
		for _, r := range page.Events {
			e, err := c.Decode(r)
			if err != nil {
				return 0, err
			}
			each(e)
			n++
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

func replay(ctx context.Context, store eventstore.Store) (float64, error) {
	states := make(map[string]organization.State)
	return decoded(ctx, store, func(e codec.Envelope) {
		if strings.HasPrefix(e.Stream, "organization-") {
			states[e.Stream] = organization.Evolve(states[e.Stream], e.Event)
		}
	})
}

func rebuild(ctx context.Context, store eventstore.Store, path string) (float64, error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(path + suffix)
	}
	views, err := viewsqlite.Open(path, viewsqlite.Options{})
	if err != nil {
		return 0, err
	}
	defer views.Close()
	events, took, err := project(ctx, store, views, projections.Options{})
	return float64(events) / took.Seconds(), err
}

// project builds all views and answers with how many events, and how long it took.
func project(ctx context.Context, store eventstore.Store, views projections.Storage, o projections.Options) (events int, took time.Duration, err error) {
	o.Observe = func(a projections.Applied) { events += a.Events }
	p := projections.NewProjector(store, codec.New().Decode, views, projections.Views(), o)
	head, err := store.Head(ctx)
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- p.Run(ctx) }()
	err = p.Wait(ctx, head)
	took = time.Since(begin)
	cancel()
	<-done
	if err != nil {
		return 0, 0, fmt.Errorf("the views do not get to the end of the log: %w", err)
	}
	return events, took, nil
}
