package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/projections"
	"tenure/projections/redis"
	"tenure/projections/redis/redistest"
)

// benchRedis compares what the views cost in Redis with a plain client that sends
// the same commands, recorded before, and reads the same replies.
func benchRedis(ctx context.Context, dir string) error {
	server, err := redistest.Start(dir)
	if err != nil {
		return err
	}
	defer server.Kill()
	if err := redisReads(ctx, filepath.Join(dir, "reads"), server); err != nil {
		return err
	}
	return redisProjection(ctx, filepath.Join(dir, "projection"), server)
}

// redisReads reads pages of 50 in an organization of 1,000.
func redisReads(ctx context.Context, dir string, server *redistest.Server) error {
	data, store, err := seedLog(ctx, dir, 0, 1000)
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := buildInRedis(ctx, store, server, nil); err != nil {
		return err
	}
	views, err := redis.Open(ctx, server.URL(), redis.Options{})
	if err != nil {
		return err
	}
	defer views.Close()
	queries, err := pagesOf(ctx, projections.NewReader(views, 0), data.orgs[0].id)
	if err != nil {
		return err
	}
	// A cache without room keeps nothing; in the other one all pages are after the first round.
	uncached, cached := projections.NewReader(views, 0), projections.NewReader(views, 64<<20)
	read := func(r *projections.Reader) func(n int) error {
		return func(n int) error {
			page, err := r.Members(ctx, queries[n%len(queries)])
			if err == nil && page.Len() != queries[0].Limit {
				err = fmt.Errorf("%d members", page.Len())
			}
			return err
		}
	}
	for n := range queries {
		if err := read(cached)(n); err != nil {
			return err
		}
	}
	asked, err := recordPages(ctx, server, 0, queries)
	if err != nil {
		return err
	}
	kept, err := recordPages(ctx, server, 64<<20, queries)
	if err != nil {
		return err
	}
	client := server.Client()
	defer client.Close()
	for _, callers := range connections {
		m, err := measure(
			func() (float64, error) { return repeat(callers, oncePipelined(ctx, client, asked)) },
			func() (float64, error) { return repeat(callers, eachPipelined(ctx, client, asked)) },
			func() (float64, error) { return repeat(callers, read(uncached)) },
			func() (float64, error) { return repeat(callers, oncePipelined(ctx, client, kept)) },
			func() (float64, error) { return repeat(callers, read(cached)) },
		)
		if err != nil {
			return err
		}
		title("(e) Reads from Redis, %d callers, organization of 1,000", callers)
		row("%-44s %10.0f /s", fmt.Sprintf("raw: %d commands of a page, one pipeline", commandsIn(asked[0])), m[0])
		row("%-44s %10.0f /s", fmt.Sprintf("raw: the same in %d round trips", len(asked[0])), m[1])
		row("%-44s %10.0f /s   %.2f of raw, %.2f of the same round trips", "page of 50 that was not asked before", m[2], m[2]/m[0], m[2]/m[1])
		row("%-44s %10.0f /s", fmt.Sprintf("raw: %d command, the position", commandsIn(kept[0])), m[3])
		row("%-44s %10.0f /s   %.2f of raw", "page of 50 from memory", m[4], m[4]/m[3])
	}
	return nil
}

// pagesOf are the queries for all full pages of an organization's members.
func pagesOf(ctx context.Context, r *projections.Reader, org domain.OrganizationID) (queries []projections.MembersQuery, err error) {
	for q := (projections.MembersQuery{Organization: org, NeverMoved: true, Limit: 50}); ; { // as the server asks
		page, err := r.Members(ctx, q)
		if err != nil {
			return nil, err
		}
		if page.Len() == q.Limit {
			queries = append(queries, q)
		}
		if q.Cursor = page.NextCursor(); q.Cursor == "" {
			return queries, nil
		}
	}
}

// recordPages records what a reader sends for each page when it is asked the
// second time.
func recordPages(ctx context.Context, server *redistest.Server, cacheBytes int, queries []projections.MembersQuery) ([][]roundTrip, error) {
	views, err := redis.Open(ctx, server.URL(), redis.Options{})
	if err != nil {
		return nil, err
	}
	defer views.Close()
	var sent recorder
	views.Client().AddHook(&sent)
	reader := projections.NewReader(views, cacheBytes)
	pages := make([][]roundTrip, len(queries))
	for i, q := range queries {
		for range 2 {
			sent.take()
			if _, err := reader.Members(ctx, q); err != nil {
				return nil, err
			}
		}
		pages[i] = sent.take()
	}
	return pages, nil
}

// repeat lets several callers call f as often as they can, with numbers that go up.
func repeat(callers int, f func(n int) error) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	begin := time.Now()
	for range callers {
		all.Go(func() {
			for time.Since(begin) < *window {
				if err := f(int(done.Add(1))); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}

// redisProjection builds all views from a log, beside the same commands again.
func redisProjection(ctx context.Context, dir string, server *redistest.Server) error {
	data, store, err := seedLog(ctx, dir, 4, manySizes()...)
	if err != nil {
		return err
	}
	defer store.Close()
	// The first one makes Redis know the scripts, so that the second one sends
	// nothing but what every later one sends.
	if _, err := buildInRedis(ctx, store, server, nil); err != nil {
		return err
	}
	var sent recorder
	first, err := buildInRedis(ctx, store, server, &sent)
	if err != nil {
		return err
	}
	all := sent.take()
	client := server.Client()
	defer client.Close()
	keys, err := client.DBSize(ctx).Result()
	if err != nil {
		return err
	}
	// What is sent besides Apply marks the keys before the first Apply, and else
	// only reads.
	var changes, others []roundTrip
	for _, r := range all {
		if r.applying {
			changes = append(changes, r)
		} else {
			others = append(others, r)
		}
	}
	again := func(before, timed []roundTrip) func() (float64, error) {
		return func() (float64, error) {
			views, err := emptied(ctx, server)
			if err != nil {
				return 0, err
			}
			defer views.Close()
			if err := sendAll(ctx, client, before); err != nil {
				return 0, err
			}
			begin := time.Now()
			if err := sendAll(ctx, client, timed); err != nil {
				return 0, err
			}
			took := time.Since(begin)
			n, err := client.DBSize(ctx).Result()
			if err == nil && n != keys {
				err = fmt.Errorf("%d keys instead of %d", n, keys)
			}
			return float64(data.events) / took.Seconds(), err
		}
	}
	var applying []float64
	m, err := measure(again(nil, all), again(others, changes), func() (float64, error) {
		b, err := buildInRedis(ctx, store, server, nil)
		applying = append(applying, float64(data.events)/b.applying.Seconds())
		return float64(b.events) / b.took.Seconds(), err
	})
	if err != nil {
		return err
	}
	documents := float64(first.documents) / float64(data.events)
	title("(e) All views of %d events into Redis: %d documents, %d commands", data.events, first.documents, commandsIn(all))
	line := func(name string, rate float64, ratio string) {
		row("%-44s %10.0f events/s %10.0f documents/s   %s", name, rate, rate*documents, ratio)
	}
	line("raw: all commands of a rebuild", m[0], "")
	line("rebuild: log read, decoded, folded, applied", m[2], fmt.Sprintf("%.2f of raw", m[2]/m[0]))
	line("raw: those commands that change something", m[1], "")
	line("Storage.Apply alone", median(applying), fmt.Sprintf("%.2f of raw", median(applying)/m[1]))
	return nil
}

// built is what a rebuild into Redis did and took.
type built struct {
	events, documents int
	took, applying    time.Duration
}

// buildInRedis empties Redis and builds all views; sent may be nil.
func buildInRedis(ctx context.Context, store eventstore.Store, server *redistest.Server, sent *recorder) (built, error) {
	views, err := emptied(ctx, server)
	if err != nil {
		return built{}, err
	}
	defer views.Close()
	if sent != nil {
		views.Client().AddHook(sent)
	}
	m := &metered{Storage: views}
	events, took, err := project(ctx, store, m, projections.Options{Shared: true})
	return built{events: events, documents: int(m.documents.Load()), took: took, applying: time.Duration(m.spent.Load())}, err
}

// emptied is a storage in a Redis that was emptied, but for its scripts.
func emptied(ctx context.Context, server *redistest.Server) (*redis.Storage, error) {
	client := server.Client()
	defer client.Close()
	if err := client.FlushAll(ctx).Err(); err != nil {
		return nil, err
	}
	return redis.Open(ctx, server.URL(), redis.Options{})
}

// metered measures Apply, and marks what is sent meanwhile.
type metered struct {
	*redis.Storage
	spent, documents atomic.Int64
}

type applying struct{}

// Apply implements projections.Storage.
func (m *metered) Apply(ctx context.Context, batches []projections.Batch) error {
	begin := time.Now()
	err := m.Storage.Apply(context.WithValue(ctx, applying{}, true), batches)
	m.spent.Add(int64(time.Since(begin)))
	for _, b := range batches {
		for _, c := range b.Changes {
			m.documents.Add(int64(len(c.Puts)))
		}
	}
	return err
}
