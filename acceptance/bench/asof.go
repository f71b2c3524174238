package main

import (
	"context"
	"fmt"
	"strconv"

	"tenure/eventstore/sqlite"
)

// benchAsOf asks over HTTP for the first page of members as they were: at
// positions that nobody has asked for, and at one that is kept, beside the same
// page of the present.
func benchAsOf(ctx context.Context, dir string) error {
	binary, err := build(dir)
	if err != nil {
		return err
	}
	sizes := []int{10, 1000, *members}
	data, err := seed(ctx, dir, 0, sizes...)
	if err != nil {
		return err
	}
	ends, err := endsOf(ctx, data)
	if err != nil {
		return err
	}
	t, err := serve(binary, data, "--history-cache", "1024")
	if err != nil {
		return err
	}
	defer t.stop()
	title("(i) The first page of members as they were, over HTTP")
	for i, size := range sizes {
		o, last := data.orgs[i], ends[i]
		path := "/v1/organizations/" + string(o.id) + "/members?limit=50"
		at := func(position uint64) request { return t.plain(path + "&as_of=" + strconv.FormatUint(position, 10)) }
		first, err := t.timed(at(last))
		if err != nil {
			return err
		}
		// The organization's events stand one after the other in the log.
		earlier, err := t.timed(at(last - uint64(size)/2))
		if err != nil {
			return err
		}
		m, err := measure(
			func() (float64, error) { return t.load(1, 200, at(last)) },
			func() (float64, error) { return t.load(1, 200, t.members(o)) },
		)
		if err != nil {
			return err
		}
		row("%-44s %10.1f ms", fmt.Sprintf("%d events, asked for first", size), 1000*first.Seconds())
		row("%-44s %10.1f ms", fmt.Sprintf("%d events, folded to the middle", size), 1000*earlier.Seconds())
		row("%-44s %10.0f /s   %.2f of the present", fmt.Sprintf("%d events, again", size), m[0], m[0]/m[1])
	}
	return nil
}

// endsOf are the positions of the last events of organizations.
func endsOf(ctx context.Context, s *seeded) ([]uint64, error) {
	store, err := sqlite.Open(s.dir+"/log.db", sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	ends := make([]uint64, len(s.orgs))
	for i, o := range s.orgs {
		events, err := store.ReadStream(ctx, "organization-"+string(o.id), 0, len(o.members)+1)
		if err != nil {
			return nil, err
		}
		ends[i] = uint64(events[len(events)-1].Position)
	}
	return ends, nil
}
