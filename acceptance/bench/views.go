package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"tenure/projections/redis/redistest"
)

// benchViews compares lists of an organization of 1,000 from views in Redis with
// the same lists from views in SQLite, over HTTP.
func benchViews(ctx context.Context, dir string) error {
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
	embedded, err := serve(binary, data)
	if err != nil {
		return err
	}
	defer embedded.stop()
	shared, err := serve(binary, copied, "--views", server.URL())
	if err != nil {
		return err
	}
	defer shared.stop()
	o := data.orgs[0]
	page, err := embedded.get(embedded.members(o))
	if err != nil {
		return err
	}
	other, err := shared.get(shared.members(o))
	if err == nil && other != page {
		err = errors.New("the page from Redis is another one")
	}
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fixed, err := start(self, "-static", strconv.Itoa(len(page)))
	if err != nil {
		return err
	}
	defer fixed.cmd.Process.Kill()
	for _, n := range connections {
		m, err := measure(
			func() (float64, error) { return fixed.load(n, 200, embedded.plain("/")) },
			func() (float64, error) { return embedded.load(n, 200, embedded.members(o)) },
			func() (float64, error) { return shared.load(n, 200, shared.members(o)) },
			func() (float64, error) { return embedded.load(n, 200, embedded.searches(o)) },
			func() (float64, error) { return shared.load(n, 200, shared.searches(o)) },
		)
		if err != nil {
			return err
		}
		title("(g) Lists from SQLite and from Redis over HTTP, %d connections, organization of 1,000", n)
		row("%-44s %10.0f /s", fmt.Sprintf("static Fiber, body of %d bytes", len(page)), m[0])
		for i, name := range []string{"list page of 50", "search that was not asked before"} {
			sqlite, redis := m[1+2*i], m[2+2*i]
			row("%-44s %10.0f /s   %.2f of static", name+", SQLite", sqlite, sqlite/m[0])
			row("%-44s %10.0f /s   %.2f of static, %.2f of SQLite", name+", Redis", redis, redis/m[0], redis/sqlite)
		}
	}
	return nil
}

// seedTwice seeds two folders with the same log.
func seedTwice(ctx context.Context, dir string, sizes ...int) (first, second *seeded, err error) {
	if first, err = seedServed(ctx, filepath.Join(dir, "first"), sizes...); err != nil {
		return nil, nil, err
	}
	other := *first
	other.dir = filepath.Join(dir, "second")
	if err := os.Mkdir(other.dir, 0o700); err != nil {
		return nil, nil, err
	}
	for _, name := range []string{"secret.key", "log.db"} {
		content, err := os.ReadFile(filepath.Join(first.dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(other.dir, name), content, 0o600)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return first, &other, nil
}
