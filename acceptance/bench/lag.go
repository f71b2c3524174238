package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"tenure/projections/redis/redistest"
)

// sampled is how many commands per second are followed until a read shows them.
const sampled = 250

// benchLag measures how far the views are behind the answers to commands, by how
// busy the node is.
func benchLag(ctx context.Context, dir string) error {
	binary, err := build(dir)
	if err != nil {
		return err
	}
	data, copied, err := seedTwice(ctx, dir, 1000)
	if err != nil {
		return err
	}
	server, err := redistest.Start(dir)
	if err != nil {
		return err
	}
	defer server.Kill()
	for _, s := range []struct {
		name string
		data *seeded
		args []string
	}{{"SQLite", data, nil}, {"Redis", copied, []string{"--views", server.URL()}}} {
		if err := lagOf(s.name, binary, s.data, s.args...); err != nil {
			return err
		}
	}
	return nil
}

func lagOf(name, binary string, data *seeded, args ...string) error {
	t, err := serve(binary, data, args...)
	if err != nil {
		return err
	}
	defer t.stop()
	o := data.orgs[0]
	change := t.turnRoles(o)
	busiest := func() (float64, error) { return t.load(64, 200, change) }
	if err := warm(busiest); err != nil {
		return err
	}
	capacity, err := measure(busiest)
	if err != nil {
		return err
	}
	title("(f) From a command's answer until a read shows it, views in %s; capacity: %.0f role changes/s", name, capacity[0])
	for _, share := range []float64{0.25, 0.5, 0.75} {
		if err := t.idle(); err != nil {
			return err
		}
		l, err := t.lag(o, change, share*capacity[0])
		if err != nil {
			return err
		}
		row("%.0f %% of capacity, %6.0f/s: p50 %8v  p99 %8v   the same read without waiting: p50 %8v  p99 %8v   (%d commands followed)",
			100*share, l.rate, quantile(l.waiting, 0.5), quantile(l.waiting, 0.99), quantile(l.plain, 0.5), quantile(l.plain, 0.99), len(l.waiting))
	}
	return nil
}

// lags are what a load showed.
type lags struct {
	rate    float64         // commands answered per second
	waiting []time.Duration // from a command's answer to that of a read that waits for it
	plain   []time.Duration // the same read, when there is nothing to wait for
}

// lag sends role changes at a steady rate, whether or not those before are
// answered, for as long as all rounds of another load last. Some are followed by
// a read of the member that waits for the command's position, and by the same
// read again.
func (t *tenant) lag(o seededOrganization, change request, rate float64) (l lags, err error) {
	var mu sync.Mutex
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	every := max(1, int(rate/sampled))
	duration := time.Duration(*rounds) * *window
	begin := time.Now()
	n := 0
	for ; failed.Load() == nil; n++ {
		due := begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if due.Sub(begin) >= duration {
			break
		}
		time.Sleep(time.Until(due))
		all.Go(func() {
			position, err := t.command(change, n)
			if err == nil && n%every == 0 {
				var waiting, plain time.Duration
				if waiting, err = t.timed(t.member(o, n, position)); err == nil {
					plain, err = t.timed(t.member(o, n, ""))
				}
				mu.Lock()
				l.waiting, l.plain = append(l.waiting, waiting), append(l.plain, plain)
				mu.Unlock()
			}
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	all.Wait()
	l.rate = float64(n) / time.Since(begin).Seconds()
	if err := failed.Load(); err != nil {
		return lags{}, *err
	}
	return l, nil
}

// command sends the n-th request and answers with its position in the log.
func (t *tenant) command(make request, n int) (position string, err error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	make(req, n, n)
	req.SetHost(t.client.Addr)
	if err := t.client.Do(req, resp); err != nil {
		return "", err
	}
	if position = string(resp.Header.Peek("Tenure-Position")); resp.StatusCode() != 200 || position == "" {
		return "", fmt.Errorf("status %d, position %q: %s", resp.StatusCode(), position, resp.Body())
	}
	return position, nil
}

func (t *tenant) timed(r request) (time.Duration, error) {
	begin := time.Now()
	_, err := t.get(r)
	return time.Since(begin), err
}

// member asks for one member, not before the views have got to a position.
func (t *tenant) member(o seededOrganization, n int, position string) request {
	return func(r *fasthttp.Request, connection, _ int) {
		t.plain("/v1/organizations/"+string(o.id)+"/members/"+string(o.members[n%len(o.members)]))(r, connection, n)
		if position != "" {
			r.Header.Set("Tenure-Min-Position", position)
		}
	}
}

// turnRoles gives the member of a connection the role that it has not; members
// begin as seeded.
func (t *tenant) turnRoles(o seededOrganization) request {
	turns := make([]atomic.Int64, len(o.members))
	change := t.changeRoles(o)
	return func(r *fasthttp.Request, connection, _ int) {
		change(r, connection, int(turns[connection%len(turns)].Add(1)))
	}
}

func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))].Round(10 * time.Microsecond)
}
