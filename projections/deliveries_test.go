package projections_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/projections"
	"tenure/projections/memory"
)

// The delivery log keeps the newest attempts, for so long, and no others.
func TestTheDeliveryLogIsBounded(t *testing.T) {
	is := is.New(t)
	ctx, now := context.Background(), time.Date(2031, 3, 1, 12, 0, 0, 0, time.UTC)
	log := projections.NewDeliveryLog(memory.New(), func() time.Time { return now })
	n := 0
	tried := func(count int) (all []projections.Delivery) {
		for range count {
			n++
			outcome := projections.OutcomeDelivered
			if n%10 == 0 {
				outcome = projections.OutcomeFailed
			}
			all = append(all, projections.Delivery{EventID: fmt.Sprint(n), At: now, Attempt: 1, Outcome: outcome})
		}
		return all
	}
	read := func(outcome string) (ids []string) {
		cursor := ""
		for {
			page, err := log.Page(ctx, projections.DeliveriesQuery{Webhook: "hook", Outcome: outcome, Cursor: cursor, Limit: 150})
			is.NoErr(err)
			items, err := page.Items()
			is.NoErr(err)
			for _, item := range items {
				var d projections.Delivery
				is.NoErr(json.Unmarshal(item, &d))
				ids = append(ids, d.EventID)
			}
			if cursor = page.NextCursor(); cursor == "" {
				return ids
			}
		}
	}
	is.Equal(len(read("")), 0)
	is.NoErr(log.Add(ctx, "hook", tried(3)))
	is.Equal(read(""), []string{"3", "2", "1"}) // the latest first
	for range 7 {
		is.NoErr(log.Add(ctx, "hook", tried(333)))
	}
	all := read("")
	is.Equal(len(all), projections.MaxDeliveries)
	is.Equal(all[0], fmt.Sprint(n))
	is.Equal(all[len(all)-1], fmt.Sprint(n-projections.MaxDeliveries+1))
	is.Equal(len(read(projections.OutcomeFailed)), projections.MaxDeliveries/10)

	is.NoErr(log.Add(ctx, "other", tried(5)))
	now = now.Add(projections.DeliveriesFor + time.Second)
	is.Equal(len(read("")), 0) // they are too old
	is.NoErr(log.Add(ctx, "hook", tried(2)))
	is.Equal(len(read("")), 2)
	is.NoErr(log.Add(ctx, "hook", tried(3*projections.MaxDeliveries)))
	is.Equal(len(read("")), projections.MaxDeliveries)
	is.NoErr(log.Forget(ctx, "hook"))
	is.Equal(len(read("")), 0)
	is.NoErr(log.Add(ctx, "hook", tried(1)))
	is.Equal(len(read("")), 1)
}
