package sqlite_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/projections"
	"tenure/projections/sqlite"
)

// BenchmarkProjectLive is one role change in an organization of 1,000, from the
// append until every view has it; apply-µs is the projector's part of it.
func BenchmarkProjectLive(b *testing.B) {
	is := is.New(b)
	log := newLog(b)
	log.organization(0, 1000, 0)
	views := open(b, place(b))
	defer views.Close()
	var spent time.Duration
	batches := 0
	p := follow(b, log.Store, views, func(a projections.Applied) {
		spent += a.Decode + a.Fold + a.Apply
		batches++
	})
	log.wait(p)
	spent, batches = 0, 0
	b.ResetTimer()
	for i := range b.N {
		at := log.changeRoles(0, i%1000, i/1000)
		is.NoErr(p.Wait(context.Background(), at))
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(max(1, batches)), "project-µs")
}

// BenchmarkProjectBusy is role changes in 64 organizations of 100 at the same
// time, from the append until every view has them: events queue up while others
// are applied, and share what a commit costs.
func BenchmarkProjectBusy(b *testing.B) {
	is := is.New(b)
	log := newLog(b)
	const writers = 64
	for org := range writers {
		log.organization(org, 100, -1)
	}
	views := open(b, place(b))
	defer views.Close()
	var spent projections.Applied
	p := follow(b, log.Store, views, func(a projections.Applied) {
		spent.Events += a.Events
		spent.Decode += a.Decode
		spent.Fold += a.Fold
		spent.Apply += a.Apply
	})
	log.wait(p)
	spent = projections.Applied{}
	b.ResetTimer()
	var all sync.WaitGroup
	for org := range writers {
		all.Go(func() {
			for i := range b.N / writers {
				log.changeRoles(org, i%100, i/100)
			}
		})
	}
	all.Wait()
	is.NoErr(p.Wait(context.Background(), log.head))
	perEvent := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(max(1, spent.Events)) / 1000 }
	b.ReportMetric(perEvent(spent.Decode), "decode-µs/event")
	b.ReportMetric(perEvent(spent.Fold), "fold-µs/event")
	b.ReportMetric(perEvent(spent.Apply), "apply-µs/event")
}

// BenchmarkRebuild builds all views from a log of 20 organizations, each with
// 500 members who were invited, joined and got other roles twice; beside it, on
// the same log, reading, and reading with decoding.
func BenchmarkRebuild(b *testing.B) {
	is := is.New(b)
	log := newLog(b)
	for org := range 20 {
		log.organization(org, 500, 2)
	}
	scan := func(decode func(eventstore.Recorded) (codec.Envelope, error)) (perSecond float64, n int) {
		began := time.Now()
		for at := eventstore.Position(0); ; {
			page, err := log.ReadAll(context.Background(), at, 2000, eventstore.Filter{})
			is.NoErr(err)
			for _, e := range page.Events {
				if decode != nil {
					_, err := decode(e)
					is.NoErr(err)
				}
			}
			n += len(page.Events)
			if at = page.Position; page.Head {
				return float64(n) / time.Since(began).Seconds(), n
			}
		}
	}
	b.ResetTimer()
	var events int
	var raw, decoded float64
	var spent projections.Applied
	for range b.N {
		b.StopTimer()
		raw, events = scan(nil)
		decoded, _ = scan(codec.New().Decode)
		views := open(b, place(b))
		b.StartTimer()
		p := follow(b, log.Store, views, func(a projections.Applied) {
			spent.Decode += a.Decode
			spent.Fold += a.Fold
			spent.Apply += a.Apply
		})
		log.wait(p)
		b.StopTimer()
		is.NoErr(views.Close())
		b.StartTimer()
	}
	rebuilt := float64(events*b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rebuilt, "events/s")
	perEvent := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(events*b.N) / 1000 }
	b.ReportMetric(perEvent(spent.Decode), "decode-µs/event")
	b.ReportMetric(perEvent(spent.Fold), "fold-µs/event")
	b.ReportMetric(perEvent(spent.Apply), "apply-µs/event")
	b.ReportMetric(raw, "read/s")
	b.ReportMetric(decoded, "read+decode/s")
	b.ReportMetric(rebuilt/raw, "of-read")
	b.ReportMetric(rebuilt/decoded, "of-read+decode")
}

func BenchmarkMembersPage(b *testing.B) {
	for _, size := range []int{10, 1000, 100_000} {
		views, org := organizationOf(b, size)
		for _, c := range []struct {
			name       string
			cacheBytes int
		}{{"cold", 0}, {"hot", 1 << 20}} {
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) {
				r := projections.NewReader(views, c.cacheBytes)
				q := projections.MembersQuery{Organization: org, Limit: 10}
				b.ReportAllocs()
				for b.Loop() {
					page, err := r.Members(context.Background(), q)
					if err != nil || page.Len() != 10 {
						b.Fatal(err, page.Len())
					}
				}
			})
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, size := range []int{10, 1000, 100_000} {
		views, org := organizationOf(b, size)
		r := projections.NewReader(views, 0)
		for _, search := range []string{"member", "member ada", "user000000"} {
			b.Run(fmt.Sprintf("%s/%d", search, size), func(b *testing.B) {
				q := projections.MembersQuery{Organization: org, Limit: 10, Q: search}
				for b.Loop() {
					if _, err := r.Members(context.Background(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// organizationOf has the views of one organization with so many members.
func organizationOf(b *testing.B, size int) (projections.Storage, domain.OrganizationID) {
	log := newLog(b)
	log.organization(0, size-1, -1)
	views, err := sqlite.Open(place(b), sqlite.Options{})
	is.New(b).NoErr(err)
	b.Cleanup(func() { views.Close() })
	log.wait(follow(b, log.Store, views, nil))
	return views, orgID(0)
}

type benchLog struct {
	eventstore.Store
	b     *testing.B
	codec *codec.Codec
	last  map[string]eventstore.Revision
	mu    sync.Mutex
	n     int
	head  eventstore.Position
}

func newLog(b *testing.B) *benchLog {
	store, err := logsqlite.Open(filepath.Join(b.TempDir(), "log.db"), logsqlite.Options{})
	is.New(b).NoErr(err)
	b.Cleanup(func() { store.Close() })
	return &benchLog{Store: store, b: b, codec: codec.New(), last: map[string]eventstore.Revision{}}
}

// follow runs a projector until the benchmark ends.
func follow(b *testing.B, log eventstore.Store, views projections.Storage, observe func(projections.Applied)) *projections.Projector {
	p := projections.NewProjector(log, codec.New().Decode, views, projections.Views(), projections.Options{
		Observe: observe, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	b.Cleanup(func() { stop(); <-done })
	return p
}

func (l *benchLog) wait(p *projections.Projector) {
	is.New(l.b).NoErr(p.Wait(context.Background(), l.head))
}

func (l *benchLog) append(stream string, events ...domain.Event) eventstore.Position {
	is := is.New(l.b)
	l.mu.Lock()
	expected := eventstore.NoStream()
	if last, ok := l.last[stream]; ok {
		expected = eventstore.Exactly(last)
	}
	encoded := make([]eventstore.Event, len(events))
	for i, e := range events {
		l.n++
		var err error
		encoded[i], err = l.codec.Encode(eventstore.ID(uuid.New()), e, codec.Metadata{
			Actor: domain.ByAccount(accountID(0, 0)), OccurredAt: time.Date(2026, 1, 1, 0, 0, 0, l.n*1000, time.UTC), Correlation: "request-1",
		})
		is.NoErr(err)
	}
	l.mu.Unlock()
	result, err := l.Append(context.Background(), stream, expected, encoded)
	is.NoErr(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[stream] = result.LastRevision
	l.head = max(l.head, result.Position)
	return result.Position
}

// organization makes one with members who join, and whose roles change so many
// times; with -1 they join without an invitation.
func (l *benchLog) organization(org, members, changes int) {
	stream := "organization-" + string(orgID(org))
	l.append(stream, organization.Activated{
		OrganizationID: orgID(org), Name: domain.OrganizationName(fmt.Sprintf("Organization %d", org)), Policy: "ownership", PolicyVersion: 1,
		AccountID: accountID(org, 0), Email: "owner@example.com", Username: "owner", DisplayName: "Owner", Roles: []domain.Role{"OWNER"},
	})
	var pending []domain.Event
	for m := 1; m <= members; m++ {
		email := domain.Email(fmt.Sprintf("ada.user%06d@example%d.com", m, m%50))
		username, name := domain.Username(fmt.Sprintf("u%06d", m)), fmt.Sprintf("Ada Member%d", m)
		id := domain.InvitationID(uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "i %d %d", org, m)).String())
		joined := organization.MemberJoined{OrganizationID: orgID(org), AccountID: accountID(org, m), Email: email, Username: username, DisplayName: name, Roles: []domain.Role{"USER"}}
		if changes >= 0 {
			expires := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
			joined.InvitationID, joined.InvitedBy = id, accountID(org, 0)
			pending = append(pending, organization.InvitationOpened{
				OrganizationID: orgID(org), InvitationID: id, Generation: 1, Email: email, Username: username, Roles: joined.Roles, Language: "en",
				InvitedBy: accountID(org, 0), ExpiresAt: expires,
			})
			l.append("invitation-"+string(id),
				invitation.Issued{InvitationID: id, OrganizationID: orgID(org), Email: email, Username: username, Roles: joined.Roles, Language: "en", InvitedBy: accountID(org, 0), ExpiresAt: expires},
				invitation.Accepted{InvitationID: id, OrganizationID: orgID(org), AccountID: accountID(org, m)})
		}
		pending = append(pending, joined)
		if len(pending) > 500 {
			l.append(stream, pending...)
			pending = nil
		}
	}
	for n := range max(0, changes) {
		for m := 1; m <= members; m++ {
			pending = append(pending, roleChange(org, m, n))
			if len(pending) > 500 {
				l.append(stream, pending...)
				pending = nil
			}
		}
	}
	if len(pending) > 0 {
		l.append(stream, pending...)
	}
}

func (l *benchLog) changeRoles(org, member, n int) eventstore.Position {
	return l.append("organization-"+string(orgID(org)), roleChange(org, member, n))
}

func roleChange(org, member, n int) domain.Event {
	before, after := []domain.Role{"USER"}, []domain.Role{"ADMIN"}
	if n%2 == 1 {
		before, after = after, before
	}
	return organization.RolesChanged{OrganizationID: orgID(org), AccountID: accountID(org, member), Before: before, After: after}
}

func orgID(n int) domain.OrganizationID {
	return domain.OrganizationID(uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "o %d", n)).String())
}

func accountID(org, n int) domain.AccountID {
	return domain.AccountID(uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "a %d %d", org, n)).String())
}
