package redis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"
	goredis "github.com/redis/go-redis/v9"

	"tenure/eventstore"
	"tenure/projections"
	"tenure/projections/redis"
)

// BenchmarkApply writes batches of 1,000 new members of 20 organizations, beside
// a plain pipeline that writes the same hashes and sorted sets without a script.
func BenchmarkApply(b *testing.B) {
	const orgs, members = 20, 50
	bench(b, func(ctx context.Context, b *testing.B, s *redis.Storage, client *goredis.Client, script bool) func(n int64) error {
		return func(n int64) error {
			batch := projections.Batch{View: "members.v2"}
			for org := range int64(orgs) {
				c := projections.Change{Partition: orgName(n*orgs + org), To: eventstore.Position(n + 1)}
				for m := range members {
					c.Puts = append(c.Puts, projections.Document{ID: memberID(m), Body: memberBody(m, "USER")})
					c.Added = append(c.Added, entries(m, "USER")...)
				}
				batch.Changes = append(batch.Changes, c)
			}
			if script {
				return s.Apply(ctx, []projections.Batch{batch})
			}
			return plain(ctx, client, batch)
		}
	}, orgs*members, "documents/s")
}

// BenchmarkApplyLive changes the roles of one member of an organization of 1,000
// for each Apply, beside the same commands in a plain pipeline.
func BenchmarkApplyLive(b *testing.B) {
	bench(b, func(ctx context.Context, b *testing.B, s *redis.Storage, client *goredis.Client, script bool) func(n int64) error {
		const orgs = 64
		var busy [orgs]sync.Mutex
		var at [orgs]eventstore.Position
		for org := range orgs {
			at[org] = fill(b, s, orgName(int64(org)), 1000)
		}
		return func(n int64) error {
			org, before, after := n%orgs, "USER", "ADMIN"
			busy[org].Lock()
			defer busy[org].Unlock()
			m := int(n/orgs) % 1000
			c := projections.Change{
				Partition: orgName(org), From: at[org], To: at[org] + 1,
				Puts:    []projections.Document{{ID: memberID(m), Body: memberBody(m, after)}},
				Added:   entries(m, after)[2:4],
				Removed: entries(m, before)[2:4],
			}
			batch := projections.Batch{View: "members.v2", Changes: []projections.Change{c}}
			if !script {
				return plain(ctx, client, batch)
			}
			at[org]++
			return s.Apply(ctx, []projections.Batch{batch})
		}
	}, 1, "changes/s")
}

// BenchmarkRange reads pages of 50 in an organization of 1,000, beside a plain
// pipeline of ZRANGEBYLEX and the HMGET of the documents, which it would not know.
func BenchmarkRange(b *testing.B) {
	bench(b, func(ctx context.Context, b *testing.B, s *redis.Storage, client *goredis.Client, script bool) func(n int64) error {
		org := orgName(0)
		fill(b, s, org, 1000)
		q := projections.RangeQuery{Partition: org, Index: "active.display_name", Limit: 50}
		rows, _, err := s.Range(ctx, "members.v2", q)
		is.New(b).NoErr(err)
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		return func(int64) error {
			if script {
				rows, _, err := s.Range(ctx, "members.v2", q)
				if err == nil && len(rows) != 50 {
					err = fmt.Errorf("%d rows", len(rows))
				}
				return err
			}
			pipeline := client.Pipeline()
			pipeline.ZRangeByLex(ctx, entriesKey(org), &goredis.ZRangeBy{Min: "[active.display_name\x00", Max: "(active.display_name\x01", Count: 50})
			found := pipeline.HMGet(ctx, documentsKey(org), ids...)
			_, err := pipeline.Exec(ctx)
			if err == nil && len(found.Val()) != 50 {
				err = fmt.Errorf("%d documents", len(found.Val()))
			}
			return err
		}
	}, 1, "pages/s")
}

// bench runs the adapter and the plain client in turn, alone and with 16
// goroutines.
func bench(b *testing.B, prepare func(ctx context.Context, b *testing.B, s *redis.Storage, client *goredis.Client, script bool) func(n int64) error, each int, unit string) {
	for _, goroutines := range []int{1, 16} {
		for _, script := range []bool{true, false} {
			name := map[bool]string{true: "adapter", false: "plain"}[script]
			b.Run(fmt.Sprintf("%s/%d", name, goroutines), func(b *testing.B) {
				is := is.New(b)
				is.NoErr(single.Flush(ctx))
				ctx, cancel := context.WithCancel(ctx) // as that of a request
				defer cancel()
				s := open(b, single.URL(), "")
				defer s.Close()
				client := single.Client()
				defer client.Close()
				do := prepare(ctx, b, s, client, script)
				var next atomic.Int64
				b.ResetTimer()
				began := time.Now()
				done := make(chan error, goroutines)
				for range goroutines {
					go func() {
						for {
							n := next.Add(1) - 1
							if n >= int64(b.N) {
								done <- nil
								return
							}
							if err := do(n); err != nil {
								done <- err
								return
							}
						}
					}()
				}
				for range goroutines {
					is.NoErr(<-done)
				}
				b.ReportMetric(float64(b.N*each)/time.Since(began).Seconds(), unit)
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// plain writes what a batch writes, without looking at positions.
func plain(ctx context.Context, client *goredis.Client, batch projections.Batch) error {
	pipeline := client.Pipeline()
	for _, c := range batch.Changes {
		fields := make([]any, 0, 2*len(c.Puts)+2)
		members := make([]goredis.Z, 0, len(c.Added)+len(c.Puts))
		removed := make([]any, 0, len(c.Removed))
		for _, e := range c.Removed {
			removed = append(removed, e.Index+"\x00"+e.Sort+"\x00"+e.ID)
		}
		for _, d := range c.Puts {
			fields = append(fields, d.ID, d.Body)
			members = append(members, goredis.Z{Member: "\x00\x00" + d.ID})
		}
		for _, e := range c.Added {
			members = append(members, goredis.Z{Member: e.Index + "\x00" + e.Sort + "\x00" + e.ID})
		}
		fields = append(fields, "", fmt.Sprint(c.To))
		if len(removed) > 0 {
			pipeline.ZRem(ctx, entriesKey(c.Partition), removed...)
		}
		pipeline.ZAdd(ctx, entriesKey(c.Partition), members...)
		pipeline.HSet(ctx, documentsKey(c.Partition), fields...)
	}
	_, err := pipeline.Exec(ctx)
	return err
}

// fill writes an organization of so many members.
func fill(b *testing.B, s *redis.Storage, org string, members int) eventstore.Position {
	c := projections.Change{Partition: org, To: 1}
	for m := range members {
		c.Puts = append(c.Puts, projections.Document{ID: memberID(m), Body: memberBody(m, "USER")})
		c.Added = append(c.Added, entries(m, "USER")...)
	}
	is.New(b).NoErr(s.Apply(ctx, []projections.Batch{{View: "members.v2", Changes: []projections.Change{c}}}))
	return 1
}

// entries are those of a member with one role.
func entries(m int, role string) (all []projections.IndexEntry) {
	name, joined := fmt.Sprintf("ada member%d", m), fmt.Sprintf("2026-01-01T00:00:00.%09dZ", m*1000)
	for _, e := range []projections.Entry{
		{Index: "active.display_name", Sort: name}, {Index: "active.joined_at", Sort: joined},
		{Index: "active.display_name." + role, Sort: name}, {Index: "active.joined_at." + role, Sort: joined},
		{Index: "active.word", Sort: fmt.Sprintf("ada.user%06d@example%d.com", m, m%50)}, {Index: "active.word", Sort: fmt.Sprintf("example%d.com", m%50)},
		{Index: "active.word", Sort: fmt.Sprintf("member%d", m)}, {Index: "active.word", Sort: fmt.Sprintf("user%06d", m)}, {Index: "active.word", Sort: fmt.Sprintf("u%06d", m)},
	} {
		all = append(all, projections.IndexEntry{Entry: e, ID: memberID(m)})
	}
	return all
}

func memberBody(m int, role string) []byte {
	body, err := json.Marshal(map[string]any{
		"account_id": memberID(m), "email": fmt.Sprintf("ada.user%06d@example%d.com", m, m%50), "username": fmt.Sprintf("u%06d", m),
		"display_name": fmt.Sprintf("Ada Member%d", m), "roles": []string{role}, "status": "active", "joined_at": "2026-01-01T00:00:00.000001Z",
		"invited_by": memberID(0), "invitation_id": memberID(m + 1),
	})
	if err != nil {
		panic(err)
	}
	return body
}

func orgName(n int64) string { return uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "o %d", n)).String() }
func memberID(n int) string  { return uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "a %d", n)).String() }

func documentsKey(org string) string {
	documents, _ := redis.PartitionKeys("members.v2", org)
	return documents
}

func entriesKey(org string) string {
	_, entries := redis.PartitionKeys("members.v2", org)
	return entries
}
