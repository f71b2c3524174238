package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/eventstore/sqlite"
)

// subscribers are how many follow the feed at once.
var subscribers = []int{1, 50}

// benchFeed compares the event feed over HTTP with reading and decoding the log
// in this process.
func benchFeed(ctx context.Context, dir string) error {
	binary, err := build(dir)
	if err != nil {
		return err
	}
	data, err := seed(ctx, dir, 0, *members)
	if err != nil {
		return err
	}
	key, err := firstKey(dir)
	if err != nil {
		return err
	}
	decoded, err := decodeLog(ctx, dir)
	if err != nil {
		return err
	}
	t, err := serve(binary, data)
	if err != nil {
		return err
	}
	defer t.stop()
	follow := func(accept string, n int) func() (float64, error) {
		return func() (float64, error) { return followFeed(t.client.Addr, key, accept, n, *members) }
	}
	title("(k) Event feed, log of %d events", data.events)
	row("%-44s %10.0f events/s", "reading and decoding the log", decoded)
	for _, n := range subscribers {
		m, err := measure(follow("application/x-ndjson", n), follow("text/event-stream", n))
		if err != nil {
			return err
		}
		row("%-44s %10.0f events/s   %.2f of the log", fmt.Sprintf("NDJSON, %d readers together", n), m[0], m[0]/decoded)
		row("%-44s %10.0f events/s   %.2f of the log", fmt.Sprintf("server-sent events, %d readers together", n), m[1], m[1]/decoded)
	}
	return nil
}

// decodeLog reads and decodes the whole log.
func decodeLog(ctx context.Context, dir string) (float64, error) {
	store, err := sqlite.Open(filepath.Join(dir, "log.db"), sqlite.Options{})
	if err != nil {
		return 0, err
	}
	defer store.Close()
	c := codec.New()
	begin, n := time.Now(), 0
	for after := eventstore.Position(0); ; {
		page, err := store.ReadAll(ctx, after, 1000, eventstore.Filter{})
		if err != nil {
			return 0, err
		}
		for _, e := range page.Events {
			if _, err := c.Decode(e); err != nil {
				return 0, err
			}
			n++
		}
		if after = page.Position; page.Head {
			return float64(n) / time.Since(begin).Seconds(), nil
		}
	}
}

// followFeed has n readers read the feed up to so many events each.
func followFeed(address, key, accept string, n, events int) (float64, error) {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	var readers sync.WaitGroup
	var failed atomic.Pointer[error]
	begin := time.Now()
	for range n {
		readers.Go(func() {
			if err := readFeed(transport, address, key, accept, events); err != nil {
				failed.Store(&err)
			}
		})
	}
	readers.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(n*events) / time.Since(begin).Seconds(), nil
}

func readFeed(transport *http.Transport, address, key, accept string, events int) error {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/v1/events", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("Authorization", "Bearer "+key)
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for n := 0; n < events; {
		if !lines.Scan() {
			return fmt.Errorf("the feed ended after %d events: %w", n, lines.Err())
		}
		if bytes.Contains(lines.Bytes(), []byte(`"specversion"`)) {
			n++
		}
	}
	return nil
}
